// Selections by their rules: what they are called, and where the cells of a search stand. Pure functions.

import type { SearchCell, SearchSpec, Selection, TopPercent } from "./wire/engine";
import { isEqual } from "./services/made-of";

/** The top of one layer by score, which has controls of its own; null of any other rule. */
export function topOf(selection: Selection | null | undefined): TopPercent | null {
  return selection && "layer" in selection && "percent" in selection ? selection : null;
}

/** A list of layers in words: those that follow each other by the first and the last. */
export function layersText(layers: readonly number[]): string {
  const [first, last] = [layers[0], layers.at(-1)];
  const isRow = layers.every((layer, index) => layer === (first ?? 0) + index);
  if (layers.length === 1) return `layer ${first}`;
  return isRow && layers.length > 2 ? `layers ${first} to ${last}` : `layers ${layers.join(", ")}`;
}

/** A share as people write it: a hundredth is 1 %. */
function shareText(share: number): string {
  return `${Number((100 * share).toPrecision(6))} %`;
}

/** What is selected, in words; `by` says what scores go by. */
export function selectionText(selection: Selection, by: string): string {
  if ("layers" in selection) return `top ${selection.percent} % of ${layersText(selection.layers)} together by ${by}`;
  if ("share" in selection) return `every neuron above ${shareText(selection.share)} of the largest ${by}`;
  if ("harmful_percent" in selection) return `most harmful ${selection.harmful_percent} % of layer ${selection.layer}, as measured`;
  if ("picked" in selection) return `picked one by one on the validation items`;
  return `top ${selection.percent} % of layer ${selection.layer} by ${by}`;
}

/** Which neurons a cell prunes. */
export function selectionOfCell({ neurons: _, accuracy: __, ...selection }: SearchCell): Selection {
  return selection as Selection;
}

export function isOfSelection(cell: SearchCell, selection: Selection | null): boolean {
  return selection !== null && isEqual(selectionOfCell(cell), selection);
}

/** Where a cell stands: in the table of its rule, in which row and column, and by which key. */
export interface Place {
  rule: string;
  row: string;
  column: string;
  key: string;
}

export function placeOf(selection: Selection): Place {
  if ("layers" in selection) {
    const { layers, percent } = selection;
    return {
      rule: "Top of several layers together",
      row: layersText(layers),
      column: `${percent} %`,
      key: `together-${layers.join("-")}-${percent}`,
    };
  }
  if ("share" in selection) {
    const { share } = selection;
    return { rule: "Above a share of the largest score", row: "all layers", column: shareText(share), key: `share-${share}` };
  }
  if ("harmful_percent" in selection) {
    const { layer, harmful_percent } = selection;
    return {
      rule: "Most harmful of a layer, as measured",
      row: `layer ${layer}`,
      column: `${harmful_percent} %`,
      key: `harm-${layer}-${harmful_percent}`,
    };
  }
  if ("picked" in selection) {
    const { length } = selection.picked;
    return { rule: "Picked one by one", row: "neurons", column: String(length), key: `picked-${length}` };
  }
  const { layer, percent } = selection;
  return { rule: "Top of a layer by score", row: `layer ${layer}`, column: `${percent} %`, key: `cell-${layer}-${percent}` };
}

/** What a search tries, in words. */
export function searchText({ layers, percents, windows = [1], shares = [], harm, greedy, operation, factor, halving }: SearchSpec): string {
  const parts = [
    percents.length > 0 ? `percentages ${percents.join(", ")}` : "",
    layers ? layersText(layers) : "",
    windows.some((width) => width > 1) ? `of ${windows.join(", ")} layers together` : "",
    shares.length > 0 ? `above ${shares.map(shareText).join(", ")} of the largest score` : "",
    harm ? "by measured harm" : "",
    greedy ? `${greedy.rounds} of ${greedy.candidates} neurons picked one by one` : "",
    operation === "mean" ? "means in place of activations" : operation === "scale" ? `activations times ${factor ?? 0}` : "",
    halving ? "by halving" : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}
