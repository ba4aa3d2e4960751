// Validation accuracy for layer × percentage; the best cell is marked, a click takes a cell.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, percent } from "../format";
import { isDark } from "../services/theme";
import { cellLuck } from "../verdicts";
import type { SearchReport, Selection } from "../wire/engine";
import { css } from "./scale";
import type { Drawn } from "./view";
import { columns } from "./widgets";

export function searchTable(search: SearchReport, taken: Selection | null, take: (cell: Selection) => void): TemplateResult {
  const { cells, baseline, best } = search;
  const layers = [...new Set(cells.map((cell) => cell.layer))].sort((a, b) => a - b);
  const percents = [...new Set(cells.map((cell) => cell.percent))].sort((a, b) => a - b);
  const largest = Math.max(...cells.map((cell) => Math.abs(cell.accuracy.value - baseline.value)), 0.01);
  const cellOf = (layer: number, share: number): Drawn => {
    const cell = cells.find((other) => other.layer === layer && other.percent === share);
    if (!cell) return nothing;
    const [isBest, isTaken] = [isOf(cell, best), isOf(cell, taken)];
    const luck = cellLuck(search, cells.indexOf(cell));
    const change = (cell.accuracy.value - baseline.value) / largest;
    return html`<button data-key=${`cell-${layer}-${share}`} class="cell ${isBest ? "best" : ""}" aria-pressed=${isTaken ? "true" : "false"}
      title="${accuracyText(cell.accuracy)}; ${cell.neurons} neurons${luck && `; ${luck}`}" .style=${`background: ${css(change * 0.55, isDark())}`}
      @click=${() => take({ layer, percent: share })}>${percent(cell.accuracy.value)}${isBest ? " ★" : ""}${isTaken ? " ●" : ""}</button>`;
  };
  return html`<div>
    <p class="note">Without pruning ${accuracyText(baseline)}. Orange: better than that, purple: worse. ★ best (of equals, the one that prunes
      fewest); ● the mask at hand.</p>
    <div class="table-scroll"><table class="search">
      ${columns(["", ...percents.map((share) => `${share} %`)])}
      <tbody>${layers.map(
        (layer) => html`<tr><th scope="row">layer ${layer}</th>${percents.map((share) => html`<td>${cellOf(layer, share)}</td>`)}</tr>`,
      )}</tbody>
    </table></div>
  </div>`;
}

function isOf(cell: Selection, other: Selection | null): boolean {
  return other !== null && cell.layer === other.layer && cell.percent === other.percent;
}
