// What a search will cost, in runs of one item under one mask: the page's side of `src/pruning/search/spec.rs`. Both are held to the
// cases of `tests/fixtures/search-cost.json`. Pure functions.

import type { SearchSpec } from "../wire/engine";

/** Fewest items that cells are left by. */
const FEWEST = 4;

export interface SearchCost {
  /** Cells, without those of neurons that are picked one by one. */
  cells: number;
  /** Runs where every cell is tried on every item. */
  full: number;
  /** Runs by halving. */
  halving: number;
  /** How much of the model such a run goes through, on average. */
  share_of_model: number;
}

function halvings(cells: number, items: number): number {
  const log = (number: number): number => (number < 1 ? 0 : Math.floor(Math.log2(number)));
  return Math.min(log(cells), log(items / FEWEST));
}

/** Runs of so many cells, of which the worse half is left so often while the items double. */
function runs(cells: number, items: number, times: number): number {
  let [total, before] = [0, 0];
  for (let round = 0; round <= times; round++) {
    const known = Math.ceil(items / 2 ** (times - round));
    total += Math.ceil(cells / 2 ** round) * (known - before);
    before = known;
  }
  return total;
}

/** Of every cell the lowest layer that its mask changes. */
function lowestLayers({ layers, percents, windows = [1], shares = [], harm }: SearchSpec, n_layers: number): number[] {
  const searched = layers ?? Array.from({ length: n_layers }, (_, layer) => layer);
  const together = windows.flatMap((width) =>
    searched.slice(0, Math.max(0, searched.length - width + 1)).map((_, at) => searched.slice(at, at + width)),
  );
  const byScore = together.flatMap((window) => percents.map(() => Math.min(...window)));
  const byHarm = harm ? searched.flatMap((layer) => percents.map(() => layer)) : [];
  return [...byScore, ...shares.map(() => 0), ...byHarm];
}

export function searchCost(spec: SearchSpec, n_layers: number, items: number): SearchCost {
  const lowest = lowestLayers(spec, n_layers);
  const cells = lowest.length;
  const { candidates = 0, rounds = 0 } = spec.greedy ?? {};
  const tries = Array.from({ length: rounds }, (_, round) => Math.max(0, candidates - round)).reduce((sum, left) => sum + left, 0);
  const surfaces = 1 + (spec.control?.masks ?? 0);
  const above = lowest.reduce((sum, layer) => sum + (n_layers - layer) / n_layers, 0);
  const cost = (times: number): number => surfaces * (runs(cells, items, times) + tries * items);
  return {
    cells,
    full: cost(0),
    halving: cost(halvings(cells, items)),
    share_of_model: (above + tries) / Math.max(1, cells + tries),
  };
}
