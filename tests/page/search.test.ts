// The search's form and tables, and its cost, which is the engine's: both are held to the same cases (`src/pruning/search/spec.rs` reads
// them too).

import { expect, test } from "vitest";
import "../../www/src/views/layer-search";
import { placeOf, searchText, selectionText } from "../../www/src/selections";
import { EMPTY_STUDY } from "../../www/src/services/edited";
import { searchCost, type SearchCost } from "../../www/src/services/search-cost";
import { store } from "../../www/src/services/store";
import { cellLuck } from "../../www/src/verdicts";
import { searchTable } from "../../www/src/views/search-table";
import type { Accuracy, SearchReport, SearchSpec, Selection } from "../../www/src/wire/engine";
import cases from "../fixtures/search-cost.json";
import { control, draw, enter, show } from "./support";

interface Case {
  what: string;
  spec: SearchSpec;
  n_layers: number;
  items: number;
  cost: SearchCost;
}

for (const { what, spec, n_layers, items, cost } of cases as unknown as Case[]) {
  test(what, () => {
    const { share_of_model, ...counted } = searchCost(spec, n_layers, items);
    const { share_of_model: share, ...expected } = cost;
    expect(counted).toEqual(expected);
    expect(share_of_model).toBeCloseTo(share, 12);
  });
}

const on = (correct: number, total: number): Accuracy => ({ correct, total, value: correct / total, low: 0, high: 1 });

const SELECTIONS: Selection[] = [
  { layer: 1, percent: 5 },
  { layers: [0, 1, 2], percent: 5 },
  { share: 0.01 },
  { layer: 1, harmful_percent: 5 },
  { picked: [{ layer: 1, neuron: 7 }] },
];

/** A cell of every rule; the first was left after two of eight items. */
function report(): SearchReport {
  const cells = SELECTIONS.map((selection, index) => ({
    ...selection,
    neurons: index + 1,
    accuracy: index === 0 ? on(1, 2) : on(index, 8),
  }));
  const luck = { seed: 0, correct: cells.map(() => [1, 2, 4]), items: cells.map(() => [2, 4, 8]), best: [4, 4, 4] };
  return { sets: ["v"], baseline: on(2, 8), best: SELECTIONS[4] ?? { share: 0 }, cells, luck, seconds: 1 };
}

test("every rule has a table of its own, and a cell that was left says after how many items", () => {
  const taken: Selection[] = [];
  const view = draw(searchTable(report(), SELECTIONS[3] ?? null, (selection) => taken.push(selection)));
  expect([...view.querySelectorAll("h3")].map((head) => head.textContent)).toEqual(SELECTIONS.map((selection) => placeOf(selection).rule));
  const cell = (selection: Selection): HTMLElement => control(view, placeOf(selection).key);
  expect(cell({ layer: 1, percent: 5 }).textContent).toContain("of 2");
  expect(cell({ layer: 1, percent: 5 }).title).toContain("left after 2 items");
  expect(cell({ layer: 1, harmful_percent: 5 }).getAttribute("aria-pressed")).toBe("true");
  expect(cell({ picked: [{ layer: 1, neuron: 7 }] }).textContent).toContain("★");
  for (const selection of SELECTIONS) cell(selection).click();
  expect(taken).toEqual(SELECTIONS);
});

test("where random masks were left after some items, their shares are compared", () => {
  expect(cellLuck(report(), 0)).toBe("random masks of this size: median 50.0 % right, best 50.0 %");
});

test("what is selected and searched is said in words", () => {
  expect(SELECTIONS.map((selection) => selectionText(selection, "score"))).toEqual([
    "top 5 % of layer 1 by score",
    "top 5 % of layers 0 to 2 together by score",
    "every neuron above 1 % of the largest score",
    "most harmful 5 % of layer 1, as measured",
    "picked one by one on the validation items",
  ]);
  const spec: SearchSpec = { percents: [5], windows: [1, 3], shares: [0.01], harm: true, operation: "scale", factor: 0.5, halving: true };
  expect(searchText(spec)).toBe(
    "percentages 5; of 1, 3 layers together; above 1 % of the largest score; by measured harm; activations times 0.5; by halving",
  );
});

test("the form says what is searched, and nothing where that is as usual", async () => {
  const view = await show("layer-search", {
    study: { ...EMPTY_STUDY, search: { percents: [5] }, model: { id: "m", sha256: "0", shape: { n_layers: 3, d_mlp: 8 } } },
  });
  const searched = (): SearchSpec => store.state.study.search;
  await enter(control(view, "search-windows"), "3, 1");
  await enter(control(view, "search-shares"), "0.01");
  control(view, "search-harm").click();
  control(view, "search-halving").click();
  await enter(control(view, "search-greedy"), "4");
  expect(searched()).toEqual({
    percents: [5],
    windows: [1, 3],
    shares: [0.01],
    harm: true,
    halving: true,
    greedy: { candidates: 16, rounds: 4 },
  });
  await enter(control(view, "search-shares"), "1");
  expect(view.querySelector("[data-key=search-shares] + .warning")?.textContent).toContain("below 1");
  expect(searched().shares).toEqual([0.01]);
  await enter(control(view, "search-windows"), "1");
  await enter(control(view, "search-shares"), "");
  control(view, "search-harm").click();
  control(view, "search-halving").click();
  await enter(control(view, "search-greedy"), "0");
  expect(searched()).toEqual({ percents: [5] });
});
