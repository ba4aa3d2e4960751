// Confidence against accuracy, bin by bin, as bars beside the diagonal where both would be the same.

import { html, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { count, percent } from "../format";
import type { Calibration } from "../wire/engine";
import type { Chart } from "./plot-figure";

const SIZE = 150;
const EDGE = 26;
/** Above and to the right: half of the last tick's number. */
const MARGIN = 10;
/** Of the scale: a bar of nothing is seen. */
const LEAST = 1 / (SIZE - EDGE - MARGIN);

type Bin = Calibration["bins"][number];

export function calibrationChart(calibration: Calibration): TemplateResult {
  const filled = calibration.bins.filter((bin) => bin.items > 0);
  const words = filled
    .map((bin) => `confidence ${percent(bin.confidence, 0)}: right ${percent(bin.accuracy, 0)} of ${bin.items}`)
    .join("; ");
  return html`<figure class="calibration">
    <figcaption><b>Calibration</b> expected error ${percent(calibration.expected_error)}, mean confidence ${percent(
      calibration.confidence,
    )}</figcaption>
    <plot-figure role="img" aria-label="Calibration: ${words}" .chart=${guard([calibration], () => chart(filled))}></plot-figure>
    <p class="note">Bars: share answered right (%), darker with more items; the line in each: its mean confidence.</p>
  </figure>`;
}

function chart(bins: readonly Bin[]): Chart {
  const most = Math.max(1, ...bins.map((bin) => bin.items));
  const axis = { domain: [0, 1], ticks: [0, 0.5, 1], tickSize: 0, tickFormat: (share: number) => `${share * 100}` };
  const sides = { x1: "low", x2: "high", insetLeft: 1, insetRight: 1 };
  const title = (bin: Bin): string =>
    `${percent(bin.low, 0)} to ${percent(bin.high, 0)}: ${count(bin.items, "item")},\n`
    + `confidence ${percent(bin.confidence)}, right ${percent(bin.accuracy)}`;
  return (plot) =>
    plot.plot({
      width: SIZE,
      height: SIZE,
      marginLeft: EDGE,
      marginBottom: EDGE,
      marginTop: MARGIN,
      marginRight: MARGIN,
      x: { ...axis, label: "confidence, %", labelAnchor: "center", labelArrow: false, labelOffset: 24 },
      y: { ...axis, grid: true, label: null },
      marks: [
        plot.rect(bins, {
          ...sides,
          y1: 0,
          y2: (bin: Bin) => Math.max(LEAST, bin.accuracy),
          className: "bin",
          fillOpacity: { value: (bin: Bin) => 0.35 + 0.65 * (bin.items / most), scale: null },
        }),
        plot.ruleY(bins, { ...sides, y: "confidence", className: "mean" }),
        plot.line(
          [
            [0, 0],
            [1, 1],
          ],
          { className: "diagonal" },
        ),
        plot.tip(bins, plot.pointer({ x: (bin: Bin) => (bin.low + bin.high) / 2, y: "accuracy", title, className: "tip" })),
      ],
    });
}
