// Lines over steps with an axis, in SVG: live curves of a tuning.

import { html, nothing, svg, type TemplateResult } from "lit";
import { short } from "../format";

export interface Line {
  name: string;
  /** A class for its colour and dash: the pruned run, or the other. */
  kind: "first" | "second";
  points: { x: number; y: number; low?: number; high?: number }[];
  /** Marked with a ring. */
  best?: number;
}

const WIDTH = 380;
const HEIGHT = 170;
const LEFT = 44;
const BOTTOM = 22;

function ticks(low: number, high: number): number[] {
  return [0, 1, 2, 3].map((index) => low + ((high - low) * index) / 3);
}

export function lineChart(
  title: string, lines: readonly Line[], steps: number, range: { low: number; high: number } | null,
  label: (value: number) => string = short,
): TemplateResult {
  const values = lines.flatMap((line) => line.points.map((point) => point.y)).filter(Number.isFinite);
  const low = range?.low ?? Math.min(0, ...values);
  const high = range?.high ?? Math.max(...values, low + 1e-6);
  const x = (step: number): number => LEFT + (step / Math.max(1, steps)) * (WIDTH - LEFT - 10);
  const y = (value: number): number => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - BOTTOM - 10);
  const grid = ticks(low, high).map((value) => svg`<g>
    <line class="grid" x1=${LEFT} x2=${WIDTH - 10} y1=${y(value)} y2=${y(value)}></line>
    <text class="tick" x=${LEFT - 6} y=${y(value) + 3.5} text-anchor="end">${label(value)}</text>
  </g>`);
  const drawn = lines.map((line) => {
    const points = line.points.filter((point) => Number.isFinite(point.y));
    const path = points.map((point, index) => `${index === 0 ? "M" : "L"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join(" ");
    const best = points.find((point) => point.x === line.best);
    return svg`<g class="line ${line.kind}">
      ${points.map((point) => (point.low === undefined || point.high === undefined ? nothing
        : svg`<line class="whisker" x1=${x(point.x)} x2=${x(point.x)} y1=${y(point.low)} y2=${y(point.high)}></line>`))}
      <path d=${path}></path>
      ${points.length < 60 ? points.map((point) => svg`<circle cx=${x(point.x)} cy=${y(point.y)} r="1.8"></circle>`) : nothing}
      ${best ? svg`<circle class="best" cx=${x(best.x)} cy=${y(best.y)} r="5"></circle>` : nothing}
    </g>`;
  });
  const last = lines.map((line) => `${line.name}: ${label(line.points.at(-1)?.y ?? Number.NaN)}`).join(", ");
  return html`<figure class="line-chart">
    <figcaption><b>${title}</b></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}; last values ${last}">
      ${grid}${drawn}
      <text class="tick" x=${LEFT} y=${HEIGHT - 6}>0</text>
      <text class="tick" x=${WIDTH - 10} y=${HEIGHT - 6} text-anchor="end">${steps} steps</text>
    </svg>
    <p class="key">${lines.map((line) => html`<i class="swatch ${line.kind}"></i> ${line.name} `)}</p>
  </figure>`;
}
