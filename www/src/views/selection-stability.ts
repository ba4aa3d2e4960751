// Would other items have chosen the same neurons? One line beside the mask that a selection made.

import { html, nothing } from "lit";
import { percent } from "../format";
import { measureStability } from "../services/actions";
import { topOf } from "../selections";
import { selectionAtHand } from "../services/mask";
import { View, type Drawn, type Reads } from "./view";

class SelectionStability extends View {
  protected readonly reads: Reads = ({ study, shown }) => [study.pruning, shown.attributed, shown.stability, this.isBusy];

  protected override render(): Drawn {
    const { stability } = this.state.shown;
    if (!topOf(selectionAtHand(this.state))) return nothing;
    if (!stability) {
      return html`<button class="small" data-key="stability" ?disabled=${this.isBusy} @click=${() => void measureStability()}>Would other
        items choose these?</button>`;
    }
    const { items, overlap, chance, resamples, seed, warning } = stability;
    const warned = warning ? html`<p class="warning" role="status">${warning}</p>` : nothing;
    // A single item is all that any resample has: it says nothing of others.
    if (items < 2) return warned;
    return html`<p class="note" data-result="stability" title="Mean over ${resamples} resamples of the items (seed ${seed}), and where 95 % of
      them lie">With other items of this kind, <b>${percent(overlap.value, 0)}</b> (${percent(overlap.low, 0).replace(" %", "")}–${percent(
        overlap.high,
        0,
      )}) of these neurons would be chosen again (chance: ${percent(chance, 0)}).</p>
      ${warned}`;
  }
}

customElements.define("selection-stability", SelectionStability);
