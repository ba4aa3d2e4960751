// What becomes of the pruned neurons: zero, a share of what they were, or their mean.

import { html, nothing, type TemplateResult } from "lit";
import { visible } from "../format";
import { setsOf } from "../services/edited";
import { changeOperation } from "../services/mask";
import { store } from "../services/store";
import { LIMITS, type Operation } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { choice, numeric } from "./widgets";

const OPERATIONS: readonly (readonly [Operation, string])[] = [
  ["zero", "set to zero"],
  ["scale", "multiplied by a factor"],
  ["mean", "set to their mean"],
];
const HINT = "What the mask at hand does to the activations of its neurons, at every position; every neuron that joins it is changed so";
/** What a mask that begins to scale multiplies by. */
const HALF = 0.5;
const FACTORS = { min: -LIMITS.factor, max: LIMITS.factor, step: "any" } as const;

class MaskOperation extends View {
  protected readonly reads: Reads = ({ study, engine, shown }) => [
    study.pruning.mask,
    study.item_sets,
    shown.attribution,
    engine.status,
    engine.model,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    const { operation, factor = HALF } = this.state.study.pruning.mask;
    const { status, model } = this.state.engine;
    const isOff = status !== "ready" || model === null;
    return html`<div class="tools">
      ${choice("Activations of the pruned neurons are", "operation", OPERATIONS, operation, (chosen) => this.#choose(chosen), HINT, isOff)}
      ${
        operation === "scale"
          ? numeric(
              "Factor",
              "factor",
              factor,
              FACTORS,
              (to) => void changeOperation({ operation: "scale", factor: to }),
              "1 leaves them as they are",
            )
          : nothing
      }
      ${operation === "mean" ? this.#means() : nothing}
    </div>`;
  }

  /** The set whose prompts give the means: that of the attribution. */
  get #set(): string | undefined {
    return this.state.shown.attribution?.set ?? setsOf(this.state.study, "attribution")[0];
  }

  #means(): Drawn {
    const { means_of } = this.state.study.pruning.mask;
    return html`<span class="note">Each to its mean over all positions of the prompts of ${
      means_of === undefined ? "a set that the mask does not name" : `“${visible(means_of)}”`
    }.</span><button class="small" data-key="means" ?disabled=${this.isBusy} title="Over the items with the role attribution, as they are now"
      @click=${() => this.#choose("mean")}>Measure the means anew</button>`;
  }

  #choose(operation: Operation): void {
    const means_of = this.#set;
    if (operation === "mean" && means_of === undefined) {
      store.view({ notice: "Give a set the role attribution in step 2: the means are over its prompts." });
      // The field says again what is in use.
      this.requestUpdate();
      return;
    }
    if (operation === "scale") void changeOperation({ operation, factor: HALF });
    else void changeOperation({ operation, ...(operation === "mean" && means_of !== undefined ? { means_of } : {}) });
  }
}

customElements.define("mask-operation", MaskOperation);
