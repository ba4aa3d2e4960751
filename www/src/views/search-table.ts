// Validation accuracy for layer × percentage; the best cell is marked, a click takes a cell.

import { h } from "../dom";
import { accuracyText, percent } from "../format";
import { isDark } from "../services/theme";
import type { SearchReport, Selection } from "../types";
import { css } from "./scale";

export function searchTable(
  { cells, baseline, best }: SearchReport, taken: Selection | null, take: (cell: Selection) => void,
): HTMLElement {
  const layers = [...new Set(cells.map((cell) => cell.layer))].sort((a, b) => a - b);
  const percents = [...new Set(cells.map((cell) => cell.percent))].sort((a, b) => a - b);
  const largest = Math.max(...cells.map((cell) => Math.abs(cell.accuracy.value - baseline.value)), 0.01);
  const is = (cell: Selection, other: Selection | null): boolean =>
    other !== null && cell.layer === other.layer && cell.percent === other.percent;
  const body = layers.map((layer) => h("tr", {}, h("th", { scope: "row" }, `layer ${layer}`),
    ...percents.map((share) => {
      const cell = cells.find((other) => other.layer === layer && other.percent === share);
      if (!cell) return h("td", {});
      const isBest = is(cell, best);
      const button = h("button", { "data-key": `cell-${layer}-${share}`, class: `cell ${isBest ? "best" : ""}`,
        "aria-pressed": is(cell, taken) ? "true" : "false", title: `${accuracyText(cell.accuracy)}; ${cell.neurons} neurons`,
        onclick: () => take({ layer, percent: share }) },
      percent(cell.accuracy.value), isBest ? " ★" : "", is(cell, taken) ? " ●" : "");
      const change = (cell.accuracy.value - baseline.value) / largest;
      button.style.background = css(change * 0.55, isDark());
      return h("td", {}, button);
    })));
  return h("div", {},
    h("p", { class: "note" }, `Without pruning ${accuracyText(baseline)}. Orange: better than that, purple: worse. `
      + "★ best (of equals, the one that prunes fewest); ● the mask at hand."),
    h("div", { class: "table-scroll" }, h("table", { class: "search" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }), ...percents.map((share) => h("th", { scope: "col" }, `${share} %`)))),
      h("tbody", {}, ...body))));
}
