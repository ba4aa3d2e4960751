// Step 6: light fine-tuning after pruning, beside the same without pruning.

import { h, isBusy, refill, View } from "../dom";
import { count, duration, percent, visible } from "../format";
import { tune } from "../services/actions";
import { neuronCount } from "../services/mask";
import { tunedSets } from "../services/results";
import { store, type State, type Tuned } from "../services/store";
import type { TuneCurve, TuneSettings } from "../types";
import { accuracyCell } from "./accuracy";
import { lineChart, type Line } from "./line-chart";
import { heading, numeric } from "./widgets";

const NAMES = ["after pruning", "without pruning"] as const;
const KINDS = ["first", "second"] as const;

class StepTuning extends View {
  protected readonly keys = [
    "tuning_settings", "tuning", "live_curves", "mask", "sets", "attribution", "job", "engine", "model", "shape",
  ] as const;
  #controls = h("div", {});
  #results = h("div", {});
  #wasBusy = false;

  protected override setup(): void {
    this.replaceChildren(h("section", { class: "panel" },
      heading("Tuning", "Let the remaining neurons of one layer adjust their strength a little, and see whether that helps further.",
        "One trained factor (gain) per remaining neuron; cross-entropy over the choices' log-likelihoods; AdamW; this project's extension, not the paper's."),
      this.#controls, this.#results));
  }

  protected render(changed: ReadonlySet<keyof State> = new Set()): void {
    this.#drawResults();
    // The points of a curve come many times a second.
    const isPoint = changed.has("live_curves") && [...changed].every((key) => key === "live_curves" || key === "job");
    if (!isPoint || isBusy() !== this.#wasBusy) this.#drawControls();
    this.#wasBusy = isBusy();
  }

  #drawControls(): void {
    const { tuning_settings: settings, mask, shape } = this.state;
    // A change may come before the form is drawn anew for the last one: it builds on the settings as they are by now.
    const change = (patch: Partial<TuneSettings>): void => store.set({ tuning_settings: { ...this.state.tuning_settings, ...patch } });
    const layers = (shape?.n_layers ?? 1) - 1;
    const { train, validation } = tunedSets(this.state);
    const named = (sets: string[]): string => sets.map(visible).join(", ");
    refill(this.#controls,
      h("div", { class: "fields" },
        numeric("Layer", "tune-layer", settings.layer, { min: 0, max: layers, step: 1 }, (layer) => change({ layer })),
        numeric("Steps", "tune-steps", settings.steps, { min: 1, max: 10_000, step: 1 }, (steps) => change({ steps })),
        numeric("Learning rate", "tune-rate", settings.learning_rate, { min: 1e-6, max: 10, step: "any" },
          (learning_rate) => change({ learning_rate })),
        numeric("Weight decay", "tune-decay", settings.weight_decay, { min: 0, max: 10, step: "any" },
          (weight_decay) => change({ weight_decay }), "Pulls the gains towards 1"),
        numeric("Items a step", "tune-batch", settings.batch_size, { min: 1, max: 100_000, step: 1 }, (batch_size) => change({ batch_size })),
        numeric("Check every", "tune-every", settings.evaluate_every, { min: 1, max: 10_000, step: 1 },
          (evaluate_every) => change({ evaluate_every }), "Steps between two checks on the validation items")),
      h("div", { class: "tools" },
        h("button", { class: "primary", "data-key": "tune", disabled: isBusy() || this.state.sets.length === 0, onclick: () => void tune() },
          "Tune"),
        h("span", { class: "note" }, `Learns from ${named(train)}; ${named(validation)} picks the best state; `
          + `${count(neuronCount(mask), "pruned neuron")} stay exactly zero. Cancel keeps the best state so far.`)));
  }

  #drawResults(): void {
    const { tuning, live_curves } = this.state;
    const { steps } = this.state.tuning_settings;
    if (live_curves.length > 0) refill(this.#results, this.#charts(live_curves.map(({ points, validation: checks }) => ({
      steps: points.map(({ step, loss }) => ({ step, loss: loss ?? Number.NaN })), validation: checks,
    })), steps));
    else if (tuning) refill(this.#results, this.#charts(tuning.curves, tuning.settings.steps), results(tuning));
    else refill(this.#results);
  }

  #charts(curves: readonly Pick<TuneCurve, "steps" | "validation">[], steps: number): HTMLElement {
    const line = (index: number, points: Line["points"], best?: number): Line => ({
      name: NAMES[index] ?? "", kind: KINDS[index] ?? "first", points, ...(best === undefined ? {} : { best }),
    });
    const losses = curves.map((curve, index) => line(index, curve.steps.map(({ step, loss }) => ({ x: step, y: loss }))));
    const checks = curves.map((curve, index) => line(index,
      curve.validation.map(({ step, accuracy }) => ({ x: step, y: accuracy.value, low: accuracy.low, high: accuracy.high })),
      (curve as Partial<TuneCurve>).best_step));
    return h("div", { class: "two halves" },
      lineChart("Training loss, nats per item", losses, steps, null),
      lineChart("Validation accuracy", checks, steps, { low: 0, high: 1 }, (value) => percent(value, 0)));
  }
}

function results({ layer, trained_gains, curves, seconds, settings }: Tuned): HTMLElement {
  const sets = curves[0]?.sets.map((set) => set.set) ?? [];
  const wasStopped = curves.some((curve) => curve.cancelled);
  const cell = (curve: TuneCurve, set: string): HTMLElement => {
    const found = curve.sets.find((other) => other.set === set);
    return h("td", {}, found ? accuracyCell(found.after) : "–");
  };
  return h("section", { "data-result": "tuning" },
    h("p", { class: "result-line" }, `${count(trained_gains, "gain")} of layer ${layer} trained in ${duration(seconds)}: ${count(settings.steps, "step")}, learning rate ${settings.learning_rate}, `
      + `weight decay ${settings.weight_decay}, ${count(settings.batch_size, "item")} a step. `,
      ...curves.map((curve, index) => `${NAMES[index]}: best after ${curve.best_step} steps. `),
      wasStopped ? "It was stopped; the best state until then is kept." : ""),
    sets.length > 0 ? h("div", { class: "table-scroll" }, h("table", { class: "summary" },
      h("thead", {}, h("tr", {}, ...["Set", "Model as it was", ...curves.map((_, index) => `Tuned ${NAMES[index]}`)].map((text) =>
        h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...sets.map((set) => h("tr", {}, h("td", {}, visible(set)),
        h("td", {}, accuracyOfBefore(curves, set)), ...curves.map((curve) => cell(curve, set))))))) : null,
    h("p", { class: "note" }, "Accuracies with 95 % Wilson intervals. The mask file carries the mask, not the gains."));
}

function accuracyOfBefore(curves: readonly TuneCurve[], set: string): HTMLElement | string {
  const found = curves[0]?.sets.find((other) => other.set === set);
  return found ? accuracyCell(found.before) : "–";
}

customElements.define("step-tuning", StepTuning);
