// Does it matter which neurons go? Masks of the same size, drawn at random.

import { html, nothing, type TemplateResult } from "lit";
import { duration, operationText } from "../format";
import { accuracyOf } from "../rules";
import { runControl } from "../services/actions";
import { reportedSets } from "../services/edited";
import { neuronCount } from "../services/mask";
import { store } from "../services/store";
import { LIMITS } from "../wire/engine";
import { dotStrip } from "./dot-strip";
import { View, type Reads } from "./view";
import { NO_ITEMS, numeric } from "./widgets";

class RandomControl extends View {
  protected readonly reads: Reads = ({ study, shown }) => [
    study.item_sets,
    study.pruning.mask,
    study.control.masks,
    study.scoring.rule,
    shown.pruned,
    shown.control,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    const { control } = this.state.shown;
    const { masks: control_masks } = this.state.study.control;
    const { mask } = this.state.study.pruning;
    const hasItems = reportedSets(this.state.study).length > 0;
    return html`
      <div class="table-head"><h2>Random control</h2></div>
      <p class="note">Does it matter which neurons go? Masks of the same size in the same layer, drawn at random, answer that. They change
        their neurons as the mask does: ${operationText(mask)}.</p>
      <div class="tools">
        ${numeric("Masks", "control-masks", control_masks, { min: 1, max: LIMITS.control_masks, step: 1 }, (masks) => store.edit({ control: { masks } }))}
        <button data-key="control" ?disabled=${this.isBusy || !hasItems || neuronCount(mask) === 0} @click=${() => void runControl()}>Run the control</button>
        ${hasItems ? nothing : html`<span class="note">${NO_ITEMS}</span>`}
        ${control ? html`<small>${control.masks} masks, seed ${control.seed}, ${duration(control.seconds)}</small>` : nothing}
      </div>
      ${control ? html`<div class="strips">${control.sets.map((set) => dotStrip(set, this.#own(set.set)))}</div>` : nothing}`;
  }

  /** A set's accuracy under the mask itself. */
  #own(set: string): number {
    const found = this.state.shown.pruned?.sets.find((other) => other.set === set);
    return found ? accuracyOf(found.after, this.state.study.scoring.rule).value : 0;
  }
}

customElements.define("random-control", RandomControl);
