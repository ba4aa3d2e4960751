// Which neurons drive some items more than others: what is asked, what is shown of it, the ranking, the mask.

import { expect, test } from "vitest";
import { clearOf, contrastSettings, rankedBy, shareOf } from "../../www/src/services/contrast";
import { contrastTime } from "../../www/src/services/estimate";
import { NOTHING, shownResults, withResult, type Found } from "../../www/src/services/results";
import { store } from "../../www/src/services/store";
import { contrastVerdict } from "../../www/src/verdicts";
import "../../www/src/views/contrast-found";
import "../../www/src/views/items-audit";
import "../../www/src/views/neuron-contrast";
import type { Audit, ContrastRequest } from "../../www/src/wire/engine";
import { ACCURACY, attribution, auditOf, contrast, madeOf, scores, SETTINGS, study } from "./studies";
import { control, drawn, enter, set, show } from "./support";

const REMOVED: ContrastRequest["against"] = { kind: "question", question: "removed" };
const MEANINGLESS: ContrastRequest["against"] = { kind: "question", question: "meaningless" };

test("neurons are ranked by the side that they drive, in one layer or in all", () => {
  const { result } = contrast();
  expect([...rankedBy(result, "either", null)]).toEqual([1, 5, 4, 0, 3, 6]);
  expect([...rankedBy(result, "here", null)]).toEqual([5, 0, 3, 6]);
  expect([...rankedBy(result, "there", null)]).toEqual([1, 4]);
  expect([...rankedBy(result, "here", 1)]).toEqual([5, 6]);
  // As the engine rounds: at least one, and no more than there are.
  expect([shareOf(5, 4), shareOf(40, 4), shareOf(62.5, 4), shareOf(100, 4)]).toEqual([1, 2, 3, 4]);
});

test("an interval that leaves out zero is counted, against what chance leaves out", () => {
  const { result } = contrast();
  // 0.5 ± 0.25, −2 ± 1 and 1 ± 0.5.
  expect(clearOf(result)).toBe(3);
  expect(contrastVerdict(result)).toBe(
    "The 95 % interval of 3 of 8 neurons leaves out zero; if none of them differed, about 0 would do so by chance.",
  );
  const many = { ...result, difference: new Float32Array(40).fill(1), half_width: new Float32Array(40).fill(2) };
  many.half_width.set([0.5, 0.5]);
  expect(contrastVerdict(many)).toContain("of 2 of 40 neurons leaves out zero; if none of them differed, about 2 would");
  expect(contrastVerdict(many)).toContain("hardly more than chance");
  expect(contrastVerdict({ ...result, half_width: new Float32Array() })).toContain("single item has no interval");
});

test("without their questions all items count, sure or not, and that is no preset any more", () => {
  const preset = { ...SETTINGS, preset: "fast" };
  expect(contrastSettings(preset, { kind: "set", set: "t" })).toBe(preset);
  expect(contrastSettings(preset, REMOVED)).toEqual({ ...SETTINGS, confidence_threshold: 0 });
});

test("a contrast subtracts means, however the attribution puts items together, and says so", () => {
  const against = { kind: "set" as const, set: "t" };
  const shares = { ...SETTINGS, preset: "knowledge-neurons", aggregate: "consensus_share" as const, consensus_threshold: 0.2 };
  expect(contrastSettings(shares, against)).toEqual(SETTINGS);
  expect(contrastSettings({ ...SETTINGS, layer_scale: "maximum" }, against)).toEqual(SETTINGS);
});

test("contrasts of one set with several others are kept, and the one that is asked for is shown", () => {
  const of = study();
  const others = [contrast(), contrast({ against: REMOVED }), contrast({ against: MEANINGLESS })];
  const results = others.reduce<Found[]>((all, one) => withResult(all, one), []);
  expect(results).toHaveLength(3);
  // The same again takes the place of the earlier one.
  expect(withResult(results, contrast({ seconds: 9 }))).toHaveLength(3);
  const against = (asked: ContrastRequest["against"] | null, from = of): unknown =>
    shownResults(from, results, { ...NOTHING, contrast: asked && { set: "a", against: asked } }).contrast?.against ?? null;
  expect(against(null)).toEqual(MEANINGLESS);
  expect(against(REMOVED)).toEqual(REMOVED);
  expect(against({ kind: "set", set: "t" })).toEqual({ kind: "set", set: "t" });
  expect(against({ kind: "set", set: "u" })).toBeNull();
  // What rests on other items is stale, and the name of a set decides nothing.
  const changed = of.item_sets.map((one) => (one.name === "t" ? { ...one, sha256: "X" } : one));
  expect(against({ kind: "set", set: "t" }, study({ item_sets: changed }))).toBeNull();
  const renamed = of.item_sets.map((one) => (one.name === "t" ? { ...one, name: "cues" } : one));
  expect(against({ kind: "set", set: "cues" }, study({ item_sets: renamed }))).toEqual({ kind: "set", set: "cues" });
  // Its settings are its own: another attribution leaves it.
  expect(against(REMOVED, study({ attribution: { ...of.attribution, steps: 20 } }))).toEqual(REMOVED);
  expect(against(REMOVED, study({ template: "lettered@1" }))).toBeNull();
});

test("a contrast takes two attributions, but for the one at hand", () => {
  const item = { id: "0", gold: 0, predicted: 0, correct: true, confidence: 0.9, choices: [] };
  const scored = (name: string) => ({ ...scores(name), result: { ...scores(name).result, items: [item, item], seconds: 4 } });
  const at = {
    ...attribution(),
    result: { ...attribution().result, items_used: [item, item].map(({ id }) => ({ id, target: "a" })), seconds: 6 },
  };
  const seconds = (against: ContrastRequest["against"]): number | undefined => contrastTime(store.state, { set: "a", against })?.most;
  // The attribution of two items took 6 s: so does that of two others; a threshold of 0 asks for both anew.
  store.set({ study: study(), results: [at, scored("a"), scored("t")] });
  expect(seconds({ kind: "set", set: "t" })).toBeCloseTo(6);
  expect(seconds(REMOVED)).toBeCloseTo(12);
  store.set({ results: [] });
  expect(seconds(REMOVED)).toBeUndefined();
});

test("the ranking opens neurons' cards, and its top share is the mask, which can be taken back", async () => {
  const view = await show("neuron-contrast", { study: study(), results: [contrast()] });
  expect(view.querySelector("details")?.open).toBe(true);
  const rows = (): string[][] =>
    [...view.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map(({ textContent }) => textContent.trim()));
  expect(rows()[0]).toEqual(["1", "blocks.0.mlp.hook_post[1]", "−2.00", "−3.00 to −1.00", ""]);
  control<HTMLButtonElement>(view, "contrast-1-1").click();
  expect(store.state.view.selected).toEqual({ layer: 1, neuron: 1 });
  const side = control<HTMLSelectElement>(view, "contrast-side");
  expect([...side.options].map(({ text }) => text)).toEqual(["either side more", "“a” more", "“t” more"]);
  side.value = "here";
  side.dispatchEvent(new Event("change"));
  await enter(control(view, "contrast-percent"), "25");
  expect(rows()).toHaveLength(4);
  const prune = control<HTMLButtonElement>(view, "contrast-prune");
  expect(prune.textContent).toBe("Prune these 2 neurons");
  prune.click();
  await drawn();
  expect(store.state.study.pruning).toEqual({
    mask: {
      operation: "zero",
      site: "post",
      layers: [
        { layer: 0, neurons: [0] },
        { layer: 1, neurons: [1] },
      ],
    },
  });
  expect(store.state.history.undo).toHaveLength(1);
  expect(prune.disabled).toBe(true);
  // What it was made of is changed: it leaves the page, and comes back.
  const sets = store.state.study.item_sets;
  await set({ study: { ...store.state.study, item_sets: sets.filter(({ name }) => name !== "t") } });
  expect(view.querySelector("[data-result=contrast]")).toBeNull();
  await set({ study: { ...store.state.study, item_sets: sets } });
  expect(view.querySelector("[data-result=contrast]")).not.toBeNull();
});

test("what is held against what is chosen among the sets at hand, and a set is never held against itself", async () => {
  const view = await show("neuron-contrast", { study: study(), results: [], view: { ...NOTHING } });
  const items = control<HTMLSelectElement>(view, "contrast-set");
  const against = control<HTMLSelectElement>(view, "contrast-against");
  expect([items.value, against.value]).toEqual(["a", "set:t"]);
  items.value = "t";
  items.dispatchEvent(new Event("change"));
  await drawn();
  expect(store.state.view.contrast).toEqual({ set: "t", against: { kind: "set", set: "a" } });
  against.value = "question:meaningless";
  against.dispatchEvent(new Event("change"));
  await drawn();
  expect(store.state.view.contrast).toEqual({ set: "t", against: MEANINGLESS });
});

test("the audit of a set leads to the neurons that carry what it says", async () => {
  const way = (question: "removed" | "meaningless", isRefused: boolean): Audit["asked"][number] => ({
    question,
    accuracy: isRefused ? null : ACCURACY,
    same_answer: null,
    paired: null,
    refused: isRefused ? "no" : null,
  });
  const audit = (...asked: Audit["asked"]) => ({ kind: "audit" as const, made_of: [madeOf("a")], result: auditOf("a", ...asked) });
  const of = { study: study(), view: { ...NOTHING } };
  const results = [audit(way("removed", true), way("meaningless", false))];
  const view = await show("items-audit", { ...of, results, engine: { status: "ready" } }, { "data-set": "a" });
  expect(view.querySelector("contrast-found")).toBeNull();
  expect(control(view, "audit-contrast").nextElementSibling?.textContent).toContain("“N/A”");
  // A contrast with another set is another question.
  await set({ results: [...results, contrast()] });
  expect(view.querySelector("contrast-found")).toBeNull();
  await set({ results: [...results, contrast({ against: MEANINGLESS })] });
  expect(view.querySelector("contrast-found")?.textContent).toContain("the items' own differences");
  await set({ results: [audit(way("removed", true))] });
  expect(view.querySelector("[data-key=audit-contrast]")).toBeNull();
});
