// Would other items have chosen the same neurons? One line beside the mask that a selection made.

import { html, nothing } from "lit";
import { count, percent } from "../format";
import { measureStability } from "../services/actions";
import { topOf } from "../selections";
import { selectionAtHand } from "../services/mask";
import type { Estimated } from "../wire/engine";
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
    const { items, halves, overlap, chance, resamples, seed, warning } = stability;
    const warned = warning ? html`<p class="warning" role="status">${warning}</p>` : nothing;
    // A single item is all that any resample has: it says nothing of others.
    if (items < 2) return warned;
    return html`<p class="note" data-result="stability" title="Means over ${resamples} draws (seed ${seed}), and where 95 % of them lie. Halves share no
      item, as other items would not; all items together hold steadier than half of them">${
        halves
          ? html`Two halves of the ${count(items, "item")} choose <b>${range(halves)}</b> of the same neurons (chance: ${percent(chance, 0)}). `
          : nothing
      }Resamples of the same items choose ${range(overlap)} of these again.</p>
      ${warned}`;
  }
}

/** A share, and where most of its draws lie. */
function range({ value, low, high }: Estimated): string {
  return `${percent(value, 0)} (${percent(low, 0).replace(" %", "")}–${percent(high, 0)})`;
}

customElements.define("selection-stability", SelectionStability);
