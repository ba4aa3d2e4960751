// How a layer's gains are trained, on which items, and the start of it.

import { html, type TemplateResult } from "lit";
import { count, operationText, visible } from "../format";
import { tune } from "../services/actions";
import { neuronCount } from "../services/mask";
import { tunedSets } from "../services/edited";
import { store } from "../services/store";
import type { TuneSettings } from "../wire/engine";
import { View, type Reads } from "./view";
import { numeric } from "./widgets";

class TuningSettings extends View {
  protected readonly reads: Reads = ({ study, shown }) => [study, shown.sets, shown.attribution, this.isBusy];

  protected override render(): TemplateResult {
    const { tuning: settings } = this.state.study;
    const { mask } = this.state.study.pruning;
    const { shape } = this.state.study.model;
    // A change may come before the form is drawn anew for the last one: it builds on the settings as they are by now.
    const change = (patch: Partial<TuneSettings>): void => store.edit({ tuning: { ...this.state.study.tuning, ...patch } });
    const whole = (
      label: string,
      key: string,
      name: "layer" | "steps" | "batch_size" | "evaluate_every",
      min: number,
      max: number,
      hint?: string,
    ): TemplateResult => numeric(label, key, settings[name], { min, max, step: 1 }, (value) => change({ [name]: value }), hint);
    const { train, validation } = tunedSets(this.state.study, this.state.shown.attribution);
    const named = (names: string[]): string => names.map(visible).join(", ");
    return html`
      <div class="fields">
        ${whole("Layer", "tune-layer", "layer", 0, (shape?.n_layers ?? 1) - 1)}
        ${whole("Steps", "tune-steps", "steps", 1, 10_000)}
        ${numeric("Learning rate", "tune-rate", settings.learning_rate, { min: 1e-6, max: 10, step: "any" }, (learning_rate) =>
          change({ learning_rate }),
        )}
        ${numeric(
          "Weight decay",
          "tune-decay",
          settings.weight_decay,
          { min: 0, max: 10, step: "any" },
          (weight_decay) => change({ weight_decay }),
          "Pulls the gains towards 1",
        )}
        ${whole("Items a step", "tune-batch", "batch_size", 1, 100_000)}
        ${whole("Check every", "tune-every", "evaluate_every", 1, 10_000, "Steps between two checks on the validation items")}
      </div>
      <div class="tools">
        <button class="primary" data-key="tune" ?disabled=${this.isBusy || train.length === 0} @click=${() => void tune()}>Tune</button>
        <span class="note">${
          train.length === 0
            ? "There are no items to learn from (step 2)."
            : `Learns from ${named(train)}; ${named(validation)} picks the best state; ${count(neuronCount(mask), "pruned neuron")} ${
                mask.operation === "zero" ? "stay exactly zero" : `are ${operationText(mask)}`
              }. Cancel keeps the best state so far.`
        }</span>
      </div>`;
  }
}

customElements.define("tuning-settings", TuningSettings);
