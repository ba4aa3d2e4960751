// Masks that the study keeps: under names, undone, in its documents, made one of two, and measured side by side.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { comparedMasks, measureMasks, unmeasured } from "../../www/src/services/comparison";
import { CANCELLED } from "../../www/src/services/engine";
import { masksSeconds } from "../../www/src/services/estimate";
import {
  combineMasks,
  commonNeurons,
  deleteMask,
  keepMask,
  redoKept,
  renameMask,
  suggestedName,
  takeMask,
  undoKept,
} from "../../www/src/services/kept-masks";
import { setMask } from "../../www/src/services/mask";
import { bring, readable, snapshot } from "../../www/src/services/saved";
import { INITIAL, store } from "../../www/src/services/store";
import { editedStudy, wholeStudy as documentOf } from "../../www/src/services/study";
import type { Found } from "../../www/src/services/results";
import type { CombineRequest, KeptMask, Mask, PruneRequest, Report, SecateurError } from "../../www/src/wire/engine";
import "../../www/src/views/kept-masks";
import { attribution, madeOf, mask, pruned, scores, set as itemSet, study } from "./studies";
import { answer, control, drawn, enter, set, show } from "./support";

const OTHER: KeptMask = { name: "foreign", model: { id: "other", sha256: "another", name: "Other" }, mask: mask(1) };

const names = (): string[] => store.state.study.kept_masks.map(({ name }) => name);
const atHand = (): Mask => store.state.study.pruning.mask;

beforeEach(() => {
  store.set({ study: study({ pruning: { mask: mask(1, 2) } }) });
  store.engine({ status: "ready" });
});
afterEach(() => vi.restoreAllMocks());

test("a mask is kept with the selection that made it, renamed, deleted, and taken back; each of it is undone", () => {
  const selection = { layer: 0, percent: 50 };
  store.set({ results: [attribution()] });
  const source = { set: "a", settings: attribution().result.settings, made_of: [...(store.state.shown.attributed ?? [])] };
  setMask(mask(1, 3), selection, source);
  expect(suggestedName(store.state.study)).toBe("top 50 % of layer 0 by |IG|");
  expect(keepMask("")).toBeNull();
  setMask(mask(2));
  expect(keepMask(" second ")).toBeNull();
  expect(names()).toEqual(["top 50 % of layer 0 by |IG|", "second"]);

  expect(keepMask("second")).toBe("Another mask is called “second”.");
  expect(keepMask("x".repeat(81))).toContain("at most 80 characters");
  expect(renameMask("second", "third")).toBeNull();
  expect(renameMask("third", "top 50 % of layer 0 by |IG|")).toContain("“top 50 % of layer 0 by |IG|”");
  expect(names()).toEqual(["top 50 % of layer 0 by |IG|", "third"]);
  deleteMask("third");
  expect(names()).toEqual(["top 50 % of layer 0 by |IG|"]);
  undoKept();
  undoKept();
  expect(names()).toEqual(["top 50 % of layer 0 by |IG|", "second"]);
  redoKept();
  expect(names()).toEqual(["top 50 % of layer 0 by |IG|", "third"]);

  takeMask("top 50 % of layer 0 by |IG|");
  expect(store.state.study.pruning).toEqual({ mask: mask(1, 3), selection, source });
  expect(documentOf(store.state).pruning?.selection).toEqual(selection);
});

test("a name that is suggested is free, and there is room for so many", () => {
  keepMask("");
  expect([names()[0], suggestedName(store.state.study)]).toEqual(["2 neurons", "2 neurons (2)"]);
  for (let count = 1; count < 64; count += 1) expect(keepMask("")).toBeNull();
  expect(keepMask("")).toContain("at most 64");
});

test("kept masks are in the study's document and come back with it, and survive a reload", () => {
  keepMask("one");
  const document = documentOf(store.state);
  expect(document.kept_masks).toEqual([{ name: "one", model: { id: "m", sha256: "model" }, mask: mask(1, 2) }]);
  const model = { id: "m", sha256: "model", n_layers: 2, d_mlp: 4, report: { precision: "f32" } };
  expect(editedStudy({ study: document, model } as unknown as Report).kept_masks).toEqual(document.kept_masks);

  const saved = structuredClone(snapshot());
  store.set(INITIAL);
  const read = readable(saved);
  if (read) bring(read);
  expect(names()).toEqual(["one"]);
  undoKept();
  expect(names()).toEqual([]);
  // An earlier visit knew of none.
  const { kept_masks: _, ...before } = saved.study;
  expect(readable({ ...saved, study: before })?.study.kept_masks).toEqual([]);
});

test("the engine combines two masks, and what it refuses is said", async () => {
  const asked: CombineRequest[] = [];
  let made: () => Mask = () => mask(1, 2, 3);
  answer((method, request: CombineRequest) => {
    expect(method).toBe("combine_masks");
    asked.push(request);
    return made();
  });
  keepMask("one");
  setMask(mask(3));
  await combineMasks("union", null, "one");
  const model = { id: "m", sha256: "model" };
  expect(asked).toEqual([
    {
      how: "union",
      masks: [
        { name: "the mask at hand", model, mask: mask(3) },
        { name: "one", model, mask: mask(1, 2) },
      ],
    },
  ]);
  expect(atHand()).toEqual(mask(1, 2, 3));

  made = () => {
    throw { code: "mask", message: "mask: the masks have two operations", hint: "" } satisfies SecateurError;
  };
  await combineMasks("difference", "one", null);
  expect(store.state.view.error?.message).toContain("two operations");
  expect(atHand()).toEqual(mask(1, 2, 3));

  made = () => mask();
  await combineMasks("intersection", "one", null);
  expect([store.state.view.error, store.state.view.notice]).toEqual([null, "No neuron is left: nothing is pruned."]);
});

test("a mask of another model is neither taken nor measured, and says which it is of", async () => {
  store.edit({ kept_masks: [OTHER] });
  takeMask("foreign");
  expect(atHand()).toEqual(mask(1, 2));
  expect(store.state.view.notice).toContain("“Other”");
  expect(unmeasured(comparedMasks(store.state), store.state, false).map(({ name }) => name)).toEqual([null]);
  const view = await show("kept-masks");
  expect(view.querySelector("[data-mask=foreign]")?.textContent).toContain("a mask of another model, Other");
  expect(control<HTMLButtonElement>(view, "take-mask-foreign").disabled).toBe(true);
});

test("shared neurons are counted by layer and neuron", () => {
  const two: Mask = {
    ...mask(1, 3),
    layers: [
      { layer: 0, neurons: [1, 3] },
      { layer: 1, neurons: [2] },
    ],
  };
  expect(commonNeurons(two, mask(3, 2, 1))).toBe(2);
  expect(commonNeurons(mask(), two)).toBe(0);
});

test("each kept mask has its own results, and says what has changed since it was measured", async () => {
  const kept = (name: string, of: Mask): KeptMask => ({ name, model: { id: "m", sha256: "model" }, mask: of });
  const under = pruned(mask(3), "t", "u");
  Object.assign(under.result.sets[0] ?? {}, { paired: { p_value: 0.031 } });
  store.edit({ kept_masks: [kept("one", mask(1, 2)), kept("other", mask(3))] });
  store.set({ results: [pruned(mask(1, 2), "t"), under] });
  const rows = comparedMasks(store.state);
  // The one at hand is kept as well, so that it is there once.
  expect(rows.map(({ name, isAtHand, known }) => [name, isAtHand, known.pruned?.sets.length])).toEqual([
    ["one", true, 1],
    ["other", false, 2],
  ]);
  expect(unmeasured(rows, store.state, false).map(({ name }) => name)).toEqual(["one"]);
  expect(unmeasured(rows, store.state, true)).toHaveLength(2);
  const view = await show("kept-masks");
  const cells = (name: string): string[] =>
    [...(view.querySelector(`[data-mask=${name}]`)?.children ?? [])].map((cell) => cell.textContent.trim());
  expect(cells("other").slice(0, 5)).toEqual(["other", "set to zero", "1", "0", "0"]);
  expect(cells("other")[5]).toContain("50.0 → 50.0 %");
  expect(cells("other")[5]).toContain("p = 0.031");
  expect(cells("one")[6]).toBe("–");
  const text = { tokens: 2, bytes: 8, log_likelihood: -2, perplexity: 4, bits_per_byte: 0.36 };
  const { set: _, items: __, prompting: ___, rule: ____, ...of } = madeOf("t", { mask: mask(3) });
  const general: Found<"general"> = { kind: "general", result: { before: text, after: { ...text, perplexity: 5.25 } }, made_of: [of] };
  await set({ results: [...store.state.results, general] });
  expect([cells("other")[7], cells("one")[7]]).toEqual(["4.0 → 5.3", "–"]);
  expect(unmeasured(comparedMasks(store.state), store.state, true).map(({ name }) => name)).toEqual(["one"]);

  const change = (patch: Parameters<typeof store.edit>[0]): string[] => {
    store.edit(patch);
    return comparedMasks(store.state).map(({ known }) => known.outdated.join());
  };
  expect(change({ scoring: { rule: "per_byte" } })).toEqual(["rule", "rule"]);
  await drawn();
  expect(view.querySelector("[data-mask=other]")?.textContent).toContain("was measured with another scoring rule");
  expect(change({ scoring: { rule: "sum" }, template: "lettered@1" })).toEqual(["prompting", "prompting"]);
  const edited = study().item_sets.map((one) => (one.name === "u" ? itemSet("u", "edited", "test") : one));
  expect(change({ template: "plain@1", item_sets: edited })).toEqual(["", "items"]);
  expect(change({ item_sets: study().item_sets })).toEqual(["", ""]);
});

test("results of kept masks are written for the next visit, whatever came after them", () => {
  store.edit({ kept_masks: [{ name: "one", model: { id: "m", sha256: "model" }, mask: mask(3) }] });
  const found: Found[] = [4, 5, 6, 7, 8].map((neuron) => pruned(mask(neuron), "t"));
  store.set({ results: [...found, pruned(mask(3), "t", "u")] });
  expect(snapshot().results.map(({ made_of: [of] }) => of?.mask?.layers[0]?.neurons[0])).toEqual([4, 5, 6, 3]);
});

test("one after the other is measured, and a cancel keeps those that are", async () => {
  const kept = (neuron: number): KeptMask => ({ name: `${neuron}`, model: { id: "m", sha256: "model" }, mask: mask(neuron) });
  store.edit({ kept_masks: [kept(0), kept(1), kept(2), kept(3)], pruning: { mask: mask() } });
  store.set({ results: [scores("t"), scores("u"), pruned(mask(1), "t", "u")] });
  const progress: [number, number][] = [];
  const asked: number[] = [];
  answer((method, request: PruneRequest & { set: string }, onProgress) => {
    if (method === "score") return { ...scores(request.set).result, made_of: [madeOf(request.set)] };
    asked.push(request.mask.layers[0]?.neurons[0] ?? -1);
    onProgress({ stage: "pruning", done: 1, total: 4 });
    const { job } = store.state.view;
    progress.push([job?.done ?? 0, job?.total ?? 0]);
    if (asked.length === 2) job?.cancel();
    if (onProgress.signal?.aborted) throw CANCELLED;
    const { result, made_of } = pruned(request.mask, ...request.sets);
    return { ...result, made_of };
  });
  const open = unmeasured(comparedMasks(store.state), store.state, false);
  expect(open.map(({ name }) => name)).toEqual(["0", "2", "3"]);
  expect(await measureMasks(open, false)).toBe(false);
  expect([asked, progress]).toEqual([
    [0, 2],
    [
      [1, 12],
      [5, 12],
    ],
  ]);
  expect(unmeasured(comparedMasks(store.state), store.state, false).map(({ name }) => name)).toEqual(["2", "3"]);
});

test("the time is guessed by the last measurement, else by the scores", () => {
  const scored = (name: string): Found => {
    const found = scores(name);
    return { ...found, result: { ...found.result, items: [{}, {}] as never, seconds: 3 } };
  };
  expect(masksSeconds(store.state, 2, 0)).toBeNull();
  // Four items at 1.5 s, once without the mask and once with it.
  store.set({ results: [scored("t"), scored("u")] });
  expect(masksSeconds(store.state, 1, 0)).toBe(12);
  expect(masksSeconds(store.state, 3, 0)).toBe(36);
  const last = pruned(mask(1), "t", "u");
  for (const { after } of last.result.sets) after.items = [{}, {}] as never;
  store.set({ results: [scored("t"), scored("u"), { ...last, result: { ...last.result, seconds: 2 } }] });
  expect(masksSeconds(store.state, 3, 0)).toBe(6);
  // One of another model, or of this one held otherwise, says nothing of this one.
  for (const patch of [{ model: "another" }, { precision: "int8" as const }]) {
    const made_of = last.made_of.map((of) => ({ ...of, ...patch }));
    store.set({ results: [scored("t"), scored("u"), { ...last, made_of }] });
    expect(masksSeconds(store.state, 3, 0)).toBe(36);
  }
});

test("on the page a name is typed and taken by Enter, and the kept masks are there to be combined", async () => {
  const view = await show("kept-masks");
  expect(view.querySelector("table")).toBeNull();
  const field = control(view, "keep-name");
  expect(field.placeholder).toBe("2 neurons");
  await enter(field, "mine");
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  await drawn();
  expect([names(), field.value]).toEqual([["mine"], ""]);
  await enter(field, "mine");
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  expect(view.querySelector(".warning")?.textContent).toBe("Another mask is called “mine”.");
  await enter(field, "mine, too");
  expect(view.querySelector(".warning")?.textContent).toBe("");
  const second = control<HTMLSelectElement>(view, "combine-1");
  expect([...second.options].map(({ text }) => text)).toEqual(["the mask at hand", "mine"]);
  expect(second.value).toBe("0");
  control<HTMLButtonElement>(view, "delete-mask-mine").click();
  await drawn();
  control<HTMLButtonElement>(view, "undo-kept").click();
  await drawn();
  expect(names()).toEqual(["mine"]);
  await set({ study: { ...store.state.study, pruning: { mask: mask() } } });
  expect(control<HTMLButtonElement>(view, "keep-mask").disabled).toBe(true);
});
