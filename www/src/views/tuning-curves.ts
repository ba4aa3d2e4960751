// The curves of a tuning while it runs, and what came of it.

import { html, nothing, type TemplateResult } from "lit";
import { count, duration, percent, visible } from "../format";
import type { Tuned } from "../services/results";
import type { TuneCurve } from "../wire/engine";
import { accuracyCell } from "./accuracy";
import { lineChart, type Line } from "./line-chart";
import { View, type Drawn, type Reads } from "./view";
import { columns } from "./widgets";

const NAMES = ["after pruning", "without pruning"] as const;
const KINDS = ["first", "second"] as const;

class TuningCurves extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [study.tuning, shown.tuning, view.live_curves];

  protected override render(): Drawn {
    const { tuning } = this.state.shown;
    const { live_curves } = this.state.view;
    const { tuning: tuning_settings } = this.state.study;
    if (live_curves.length > 0) {
      return charts(
        live_curves.map(({ points, validation }) => ({
          steps: points.map(({ step, loss }) => ({ step, loss: loss ?? Number.NaN })),
          validation,
        })),
        tuning_settings.steps,
      );
    }
    return tuning ? html`${charts(tuning.curves, tuning.settings.steps)}${results(tuning)}` : nothing;
  }
}

function charts(curves: readonly (Pick<TuneCurve, "steps" | "validation"> & Partial<TuneCurve>)[], steps: number): TemplateResult {
  const line = (index: number, points: Line["points"], best?: number): Line => ({
    name: NAMES[index] ?? "",
    kind: KINDS[index] ?? "first",
    points,
    ...(best === undefined ? {} : { best }),
  });
  const losses = curves.map((curve, index) =>
    line(
      index,
      curve.steps.map(({ step, loss }) => ({ x: step, y: loss })),
    ),
  );
  const checks = curves.map((curve, index) =>
    line(
      index,
      curve.validation.map(({ step, accuracy }) => ({ x: step, y: accuracy.value, low: accuracy.low, high: accuracy.high })),
      curve.best_step,
    ),
  );
  return html`<div class="two halves">${lineChart("Training loss, nats per item", losses, steps, null)}${lineChart(
    "Validation accuracy",
    checks,
    steps,
    { low: 0, high: 1 },
    (value) => percent(value, 0),
  )}</div>`;
}

function results({ layer, trained_gains, curves, seconds, settings }: Tuned): TemplateResult {
  const { steps, learning_rate, weight_decay, batch_size } = settings;
  const best = curves.map((curve, index) => `${NAMES[index]}: best after ${curve.best_step} steps. `).join("");
  const wasStopped = curves.some((curve) => curve.cancelled);
  return html`<section data-result="tuning">
    <p class="result-line">${count(trained_gains, "gain")} of layer ${layer} trained in ${duration(seconds)}: ${count(steps, "step")}, learning
      rate ${learning_rate}, weight decay ${weight_decay}, ${count(batch_size, "item")} a step. ${best}${
        wasStopped ? "It was stopped; the best state until then is kept." : ""
      }</p>
    ${table(curves)}
    <p class="note">Accuracies with 95 % Wilson intervals. The mask file carries the mask, not the gains.</p>
  </section>`;
}

function table(curves: readonly TuneCurve[]): Drawn {
  const sets = curves[0]?.sets ?? [];
  const after = (curve: TuneCurve, name: string): Drawn | string => {
    const found = curve.sets.find(({ set }) => set === name);
    return found ? accuracyCell(found.after) : "–";
  };
  return sets.length === 0
    ? nothing
    : html`<div class="table-scroll"><table class="summary">
    ${columns(["Set", "Model as it was", ...curves.map((_, index) => `Tuned ${NAMES[index]}`)])}
    <tbody>${sets.map(
      ({ set, before }) => html`<tr>
      <td>${visible(set)}</td>
      <td>${accuracyCell(before)}</td>
      ${curves.map((curve) => html`<td>${after(curve, set)}</td>`)}
    </tr>`,
    )}</tbody>
  </table></div>`;
}

customElements.define("tuning-curves", TuningCurves);
