// Validation accuracy of every cell, a table for each rule; the best cell is marked, a click takes a cell.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, count, percent } from "../format";
import { isOfSelection, placeOf, selectionOfCell, type Place } from "../selections";
import { isDark } from "../services/theme";
import { cellLuck } from "../verdicts";
import type { SearchCell, SearchReport, Selection } from "../wire/engine";
import { css, READABLE } from "./scale";
import type { Drawn } from "./view";
import { columns } from "./widgets";

interface Placed {
  cell: SearchCell;
  place: Place;
}

export function searchTable(search: SearchReport, taken: Selection | null, take: (cell: Selection) => void): TemplateResult {
  const { cells, baseline, best } = search;
  const placed = cells.map((cell) => ({ cell, place: placeOf(selectionOfCell(cell)) }));
  const rules = [...new Set(placed.map(({ place }) => place.rule))];
  const largest = Math.max(...cells.map((cell) => Math.abs(cell.accuracy.value - baseline.value)), 0.01);
  const drawn = ({ cell, place }: Placed): Drawn => {
    const [isBest, isTaken] = [isOfSelection(cell, best), isOfSelection(cell, taken)];
    const { accuracy, neurons } = cell;
    const luck = cellLuck(search, cells.indexOf(cell));
    const change = (accuracy.value - baseline.value) / largest;
    const isLeft = accuracy.total < baseline.total;
    const marks = `${isBest ? " ★" : ""}${isTaken ? " ●" : ""}`;
    return html`<button data-key=${place.key} class="cell ${isBest ? "best" : ""}" aria-pressed=${isTaken ? "true" : "false"}
      title="${accuracyText(accuracy)}; ${count(neurons, "neuron")}${isLeft ? `; left after ${count(accuracy.total, "item")}` : ""}${luck && `; ${luck}`}"
      .style=${`background: ${css(change * READABLE, isDark())}`}
      @click=${() => take(selectionOfCell(cell))}>${percent(accuracy.value)}${isLeft ? html`<small> of ${accuracy.total}</small>` : nothing}${marks}</button>`;
  };
  return html`<div>
    <p class="note">Without pruning ${accuracyText(baseline)}. Orange: better than that, purple: worse. ★ best (of equals, the one that prunes
      fewest); ● the mask at hand.${
        cells.some(({ accuracy }) => accuracy.total < baseline.total)
          ? " Cells with “of N” were left after N items; they cannot be the best."
          : ""
      }</p>
    ${rules.map((rule) =>
      table(
        rule,
        rules.length > 1,
        placed.filter(({ place }) => place.rule === rule),
        drawn,
      ),
    )}
  </div>`;
}

/** The cells of one rule. */
function table(rule: string, isNamed: boolean, placed: readonly Placed[], drawn: (cell: Placed) => Drawn): TemplateResult {
  const rows = [...new Set(placed.map(({ place }) => place.row))];
  const names = [...new Set(placed.map(({ place }) => place.column))];
  const at = (row: string, column: string): Drawn => {
    const found = placed.find(({ place }) => place.row === row && place.column === column);
    return found ? drawn(found) : nothing;
  };
  return html`${isNamed ? html`<h3>${rule}</h3>` : nothing}
    <div class="table-scroll"><table class="search">
      ${columns(["", ...names])}
      <tbody>${rows.map((row) => html`<tr><th scope="row">${row}</th>${names.map((name) => html`<td>${at(row, name)}</td>`)}</tr>`)}</tbody>
    </table></div>`;
}
