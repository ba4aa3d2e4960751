// Accuracies as pictures and texts that several views share.

import { html, nothing, svg, type TemplateResult } from "lit";
import { accuracyText, interval, percent, points, visible } from "../format";
import type { Accuracy } from "../wire/engine";

/** One or two accuracies with their intervals on a line from 0 to 100 %, and what guessing has where that is given. */
export function accuracyBar(before: Accuracy, after?: Accuracy, chance?: number): TemplateResult {
  const measured = after ? `before ${accuracyText(before)}, after ${accuracyText(after)}` : accuracyText(before);
  const label = chance === undefined ? measured : `${measured}; guessing has ${percent(chance)}`;
  const x = (value: number): number => 4 + value * 192;
  const mark = ({ low, high, value }: Accuracy, y: number, kind: string): unknown => svg`<g class=${kind}><line class="whisker" x1=${x(low)}
    x2=${x(high)} y1=${y} y2=${y}></line><circle cx=${x(value)} cy=${y} r="3.6"></circle></g>`;
  const height = after ? 22 : 14;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (value) => svg`<line class="grid" x1=${x(value)} x2=${x(value)} y1="1" y2=${height - 1}></line>`,
  );
  return html`<svg class="accuracy-bar" viewBox="0 0 200 ${height}" role="img" aria-label=${label}>${ticks}${
    chance === undefined ? nothing : svg`<line class="chance" x1=${x(chance)} x2=${x(chance)} y1="0" y2=${height}></line>`
  }${mark(before, 7, "before")}${after ? mark(after, 15, "after") : nothing}</svg>`;
}

/** `81.3 %` with the interval in small. */
export function accuracyCell(accuracy: Accuracy): TemplateResult {
  return html`<span class="accuracy" title=${accuracyText(accuracy)}>${percent(accuracy.value)} <small>${interval(
    accuracy.low,
    accuracy.high,
  )}</small></span>`;
}

/** A set's accuracy before and after, as a row of a definition list. */
export function beforeAfter(name: string, before: Accuracy, after: Accuracy | undefined): TemplateResult {
  const now = after ?? before;
  return html`<div class="before-after">
    <div class="row">
      <span class="set-name" title=${name}>${visible(name)}</span>
      <span class="numbers">${after ? `${(before.value * 100).toFixed(1)} → ${percent(after.value)}` : percent(before.value)}</span>
    </div>
    ${accuracyBar(before, after)}
    <div class="row">
      <small title="Change in percentage points">${after ? `${points(before, after)} points` : ""}</small>
      <small>${interval(now.low, now.high)}, n = ${before.total}</small>
    </div>
  </div>`;
}

/** Whether an answer is right, by sign and by word. */
export function mark(isRight: boolean): TemplateResult {
  const word = isRight ? "right" : "wrong";
  return html`<span class="mark ${word}" title=${word}>${isRight ? "✓" : "✗"}<span class="visually-hidden"> ${word}</span></span>`;
}
