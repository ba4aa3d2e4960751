// Lines over steps with their intervals: the curves of a tuning, while it runs and after.

import type { Markish } from "@observablehq/plot";
import { html, type TemplateResult } from "lit";
import { short } from "../format";
import type { Chart, Library } from "./plot-figure";

export interface Point {
  x: number;
  y: number;
  low?: number;
  high?: number;
}

export interface Line {
  name: string;
  /** A class for its colour and dash: the pruned run, or the other. */
  kind: "first" | "second";
  points: Point[];
  /** Marked with a ring. */
  best?: number;
}

/** More points than these are a line without dots. */
const MOST_DOTS = 60;

export function lineChart(
  title: string,
  lines: readonly Line[],
  steps: number,
  range: { low: number; high: number } | null,
  label: (value: number) => string = short,
): TemplateResult {
  const known = lines.map((line) => ({ ...line, points: line.points.filter(({ y }) => Number.isFinite(y)) }));
  const values = known.flatMap(({ points }) => points.map(({ y }) => y));
  const low = range?.low ?? Math.min(0, ...values);
  const high = range?.high ?? Math.max(...values, low + 1e-6);
  const last = lines.map((line) => `${line.name}: ${label(line.points.at(-1)?.y ?? Number.NaN)}`).join(", ");
  const chart: Chart = (plot) =>
    plot.plot({
      width: 380,
      height: 176,
      marginLeft: 44,
      marginRight: 10,
      marginTop: 10,
      marginBottom: 30,
      x: { domain: [0, Math.max(1, steps)], ticks: 5, tickSize: 0, label: "steps", labelArrow: false, labelOffset: 28 },
      y: { domain: [low, high], ticks: 4, tickSize: 0, tickFormat: label, grid: true, label: null },
      marks: [known.map((line) => marks(plot, line)), pointedAt(plot, known, label)],
    });
  return html`<figure class="line-chart">
    <figcaption><b>${title}</b></figcaption>
    <plot-figure role="img" aria-label="${title}; last values ${last}" .chart=${chart}></plot-figure>
    <p class="key">${lines.map((line) => html`<i class="swatch ${line.kind}"></i> ${line.name} `)}</p>
  </figure>`;
}

function marks(plot: Library, { kind, points, best }: Line): Markish[] {
  const at = { x: "x", y: "y" };
  return [
    plot.ruleX(
      points.filter(({ low }) => low !== undefined),
      { x: "x", y1: "low", y2: "high", className: `whiskers ${kind}` },
    ),
    plot.line(points, { ...at, className: `line ${kind}` }),
    plot.dot(points.length < MOST_DOTS ? points : [], { ...at, r: 1.8, className: `dots ${kind}` }),
    plot.dot(
      points.filter(({ x }) => x === best),
      { ...at, r: 5, className: `best ${kind}` },
    ),
  ];
}

/** The numbers of the point that the mouse is at. */
function pointedAt(plot: Library, lines: readonly Line[], label: (value: number) => string): Markish {
  const points = lines.flatMap(({ name, points }) => points.map((point) => ({ ...point, name })));
  const title = ({ name, x, y, low, high }: Point & { name: string }): string =>
    `${name}, step ${x}: ${label(y)}${low === undefined || high === undefined ? "" : ` (${label(low)} to ${label(high)})`}`;
  return plot.tip(points, plot.pointer({ x: "x", y: "y", title, className: "tip" }));
}
