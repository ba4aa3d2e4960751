// The methods of a race beside each other: how near each comes to exact ablation, as dots with their intervals.

import { html, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { fixed, METHODS, percent } from "../format";
import { placed } from "../verdicts";
import type { Estimated, Race } from "../wire/engine";
import type { Chart } from "./plot-figure";

interface Row extends Estimated {
  name: string;
}

interface Measure {
  title: string;
  rows: readonly Row[];
  /** What a method has that knows nothing. */
  chance: number;
  label: (value: number) => string;
}

/** Both measures, with the methods in one order. */
export function raceCharts(race: Race): TemplateResult {
  const rows = (of: "correlation" | "found"): Row[] =>
    placed(race).map((raced) => ({ name: METHODS[raced.settings.method], ...raced[of] }));
  const [rank, share]: [Measure, Measure] = [
    { title: "Rank correlation with exact ablation", rows: rows("correlation"), chance: 0, label: (value) => fixed(value, 2) },
    {
      title: `Found of the true top ${race.percent} %`,
      rows: rows("found"),
      chance: race.percent / 100,
      label: (value) => percent(value, 0),
    },
  ];
  return html`<div class="two halves">${guard([race], () => [figure(rank), figure(share)])}</div>
    <p class="key"><i class="swatch chance"></i> chance</p>`;
}

function figure(measure: Measure): TemplateResult {
  const { title, rows, label } = measure;
  const words = rows.map(({ name, value, low, high }) => `${name} ${label(value)} (${label(low)} to ${label(high)})`).join("; ");
  return html`<figure class="race-chart">
    <figcaption><b>${title}</b></figcaption>
    <plot-figure role="img" aria-label="${title}: ${words}" .chart=${chart(measure)}></plot-figure>
  </figure>`;
}

function chart({ rows, chance, label }: Measure): Chart {
  const at = { y: "name", x: "value" };
  const title = ({ name, value, low, high }: Row): string => `${name}:\n${label(value)} (${label(low)} to ${label(high)})`;
  return (plot) =>
    plot.plot({
      width: 380,
      height: 190,
      marginLeft: 136,
      marginRight: 14,
      marginTop: 4,
      marginBottom: 22,
      x: { domain: [Math.min(0, ...rows.map(({ low }) => low)), 1], ticks: 5, tickSize: 0, tickFormat: label, grid: true, label: null },
      y: { domain: rows.map(({ name }) => name), tickSize: 0, label: null },
      marks: [
        plot.ruleX([chance], { className: "chance" }),
        plot.ruleY(rows, { y: "name", x1: "low", x2: "high", className: "race whiskers first" }),
        plot.dot(rows, { ...at, r: 3.4, className: "dots first" }),
        plot.tip(rows, plot.pointer({ ...at, title, className: "tip" })),
      ],
    });
}
