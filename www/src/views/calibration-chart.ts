// Confidence against accuracy, bin by bin, as bars beside the diagonal where both would be the same.

import { html, svg, type TemplateResult } from "lit";
import { count, percent } from "../format";
import type { Calibration } from "../types";

const SIZE = 150;
const EDGE = 26;
/** Above and to the right: half of the last tick's number. */
const MARGIN = 10;

export function calibrationChart({ bins, expected_error, confidence }: Calibration): TemplateResult {
  const x = (value: number): number => EDGE + value * (SIZE - EDGE - MARGIN);
  const y = (value: number): number => SIZE - EDGE - value * (SIZE - EDGE - MARGIN);
  const filled = bins.filter((bin) => bin.items > 0);
  const most = Math.max(1, ...filled.map((bin) => bin.items));
  const bars = filled.map((bin) => svg`<g class="bin">
    <rect x=${x(bin.low) + 1} width=${x(bin.high) - x(bin.low) - 2} y=${y(bin.accuracy)} height=${Math.max(1, y(0) - y(bin.accuracy))}
      fill-opacity=${0.35 + 0.65 * (bin.items / most)}></rect>
    <line class="mean" x1=${x(bin.low) + 1} x2=${x(bin.high) - 1} y1=${y(bin.confidence)} y2=${y(bin.confidence)}></line>
    <title>${percent(bin.low, 0)} to ${percent(bin.high, 0)}: ${count(bin.items, "item")}, confidence ${percent(bin.confidence)}, right ${percent(bin.accuracy)}</title>
  </g>`);
  const ticks = [0, 0.5, 1].map((value) => svg`<g>
    <line class="grid" x1=${x(0)} x2=${x(1)} y1=${y(value)} y2=${y(value)}></line>
    <text class="tick" x=${x(0) - 4} y=${y(value) + 3.5} text-anchor="end">${value * 100}</text>
    <text class="tick" x=${x(value)} y=${SIZE - EDGE + 12} text-anchor="middle">${value * 100}</text>
  </g>`);
  const words = filled.map((bin) => `confidence ${percent(bin.confidence, 0)}: right ${percent(bin.accuracy, 0)} of ${bin.items}`).join("; ");
  return html`<figure class="calibration">
    <figcaption><b>Calibration</b> expected error ${percent(expected_error)}, mean confidence ${percent(confidence)}</figcaption>
    <svg viewBox="0 0 ${SIZE} ${SIZE}" role="img" aria-label="Calibration: ${words}">
      ${ticks}${bars}
      <line class="diagonal" x1=${x(0)} y1=${y(0)} x2=${x(1)} y2=${y(1)}></line>
      <text class="tick" x=${x(0.5)} y=${SIZE - 2} text-anchor="middle">confidence, %</text>
    </svg>
    <p class="note">Bars: share answered right (%), darker with more items; the line in each: its mean confidence.</p>
  </figure>`;
}
