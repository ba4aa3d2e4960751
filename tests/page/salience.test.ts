// The words of an open item's prompt by what they add to its answer: which item, which target, the shades and the table.

import { afterEach, expect, test, vi } from "vitest";
import { engine } from "../../www/src/services/engine";
import { NOTHING, shownResults, withResult, type Found } from "../../www/src/services/results";
import { store } from "../../www/src/services/store";
import "../../www/src/views/scored-items";
import "../../www/src/views/token-salience";
import { madeOf, scores, SETTINGS, study } from "./studies";
import { control, drawn, set, show } from "./support";

function salience(id: string, patch: Partial<Found<"salience">["result"]> = {}): Found<"salience"> {
  const settings = patch.settings ?? SETTINGS;
  const tokens = ["Which", " one", " is", "\n"];
  const result = { settings, id, target: " apple", value: -0.25, tokens, scores: [0.5, -2, 0, 1], ...patch };
  return { kind: "salience", result, made_of: [madeOf("t", { settings })] };
}

afterEach(() => vi.restoreAllMocks());

test("of several items the open one's is shown, for as long as its prompt is what it was", () => {
  const results = [salience("0"), salience("1", { value: 7 })].reduce((all, one) => withResult(all, one), [] as Found[]);
  expect(withResult(results, salience("0", { value: 9 }))).toHaveLength(2);
  const value = (id: string, from = study(), name = "t"): number | null =>
    shownResults(from, results, { ...NOTHING, item: { set: name, id } }).salience?.value ?? null;
  expect([value("0"), value("1"), value("2"), value("0", study(), "u")]).toEqual([-0.25, 7, null, null]);
  expect(value("0", study({ template: "lettered@1" }))).toBeNull();
  const sets = study().item_sets.map((one) => (one.name === "t" ? { ...one, name: "cues" } : one));
  expect(value("0", study({ item_sets: sets }), "cues")).toBe(-0.25);
  expect(shownResults(study(), results).salience).toBeNull();
});

test("each token is shaded on the side of its sign, and the table has its number, the largest first", async () => {
  const view = await show("token-salience", { study: study(), results: [salience("0")], view: { item: { set: "t", id: "0" } } });
  const tokens = [...view.querySelectorAll<HTMLElement>(".tokens span")];
  expect(tokens.map(({ textContent, className, title }) => [textContent, className, title])).toEqual([
    ["Which", "for", "0.500"],
    ["␣one", "against", "−2.00"],
    ["␣is", "", "0"],
    ["⏎", "for", "1.00"],
  ]);
  // The strongest is shaded most, and what adds nothing not at all.
  const shades = tokens.map(({ style }) => style.background);
  expect(new Set(shades).size).toBe(4);
  expect(view.querySelector(".key")?.textContent).toMatch(/for it \(above zero\).*against it \(below zero\).*up to 2\.00/s);
  const rows = [...view.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map(({ textContent }) => textContent));
  expect(rows).toEqual([
    ["2", "␣one", "−2.00"],
    ["4", "⏎", "1.00"],
    ["1", "Which", "0.500"],
    ["3", "␣is", "0"],
  ]);
  const said = view.textContent.replace(/\s+/g, " ");
  expect(said).toContain("gradient × input of its embedding (Shrikumar et al., 2016)");
  expect(said).toContain("log-probability of the first token of the predicted choice, “ apple” (−0.250 here)");
  expect(said).toContain("the sum is −0.500");
  // Another target is another question.
  expect(view.querySelector("[data-key=salience]")).toBeNull();
  await set({ study: study({ attribution: { ...SETTINGS, target: "gold_margin" } }) });
  expect(control(view, "salience").nextElementSibling?.textContent).toContain("the gold margin");
  expect(view.querySelector("[data-result=salience]")).not.toBeNull();
});

test("scores without single tokens are made again where that is said", async () => {
  const scored = scores("t");
  const choice = { text: "a", tokens: 1, characters: 1, bytes: 1, log_likelihood: -1, per_character: -1, per_byte: -1 };
  const item = { id: "0", gold: 0, predicted: 0, correct: true, confidence: 0.9, choices: [choice] };
  scored.result = { ...scored.result, items: [item] };
  vi.spyOn(engine, "call").mockResolvedValue({ choices: [] });
  const view = await show("scored-items", { study: study(), results: [scored], view: { ...NOTHING } }, { "data-set": "t" });
  control<HTMLButtonElement>(view, "tokens-0").click();
  await drawn();
  expect(control(view, "score-tokens").nextElementSibling?.textContent).toContain("came without single tokens");
});

test("an item of the scores is opened and closed with its words", async () => {
  const scored = scores("t");
  const choices = ["a", "b"].map((text) => ({
    text,
    tokens: 1,
    characters: 1,
    bytes: 1,
    log_likelihood: -1,
    per_character: -1,
    per_byte: -1,
    token_log_probabilities: [-1],
  }));
  const item = { id: "0", gold: 0, predicted: 0, correct: true, confidence: 0.9, choices };
  scored.result = { ...scored.result, items: [item, { ...item, id: "1" }] };
  const prompts = vi.spyOn(engine, "call").mockResolvedValue({ choices: [{ tokens: ["q", " a"], scored_from: 1 }] });
  const view = await show("scored-items", { study: study(), results: [scored], view: { ...NOTHING } }, { "data-set": "t" });
  control<HTMLButtonElement>(view, "tokens-1").click();
  await drawn();
  await drawn();
  expect(view.querySelector(".token code")?.textContent).toBe("␣a");
  // Scores that are made anew have tokens of their own.
  await set({ results: [{ ...scored, result: { ...scored.result, seconds: 2 } }] });
  await drawn();
  expect(view.querySelector(".token code")?.textContent).toBe("␣a");
  expect(prompts.mock.calls.map(([method]) => method)).toEqual(["prompt", "prompt"]);
  expect(store.state.view.item).toEqual({ set: "t", id: "1" });
  expect(view.querySelectorAll("token-salience")).toHaveLength(1);
  expect(control(view, "tokens-1").getAttribute("aria-expanded")).toBe("true");
  // The same id in another set is another item.
  await set({ view: { item: { set: "u", id: "1" } } });
  expect(view.querySelector("token-salience")).toBeNull();
  control<HTMLButtonElement>(view, "tokens-0").click();
  await drawn();
  control<HTMLButtonElement>(view, "tokens-0").click();
  await drawn();
  expect(store.state.view.item).toBeNull();
});
