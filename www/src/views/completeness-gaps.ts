// How far an attribution is from completeness, layer by layer.

import { html, nothing, type TemplateResult } from "lit";
import { count, fixed, METHODS, percent, short } from "../format";
import type { AttributionSettings, LayerGap } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { columns, ofNumbers } from "./widgets";

/** A gap of this share of the difference is worth more steps. */
const LARGE = 0.1;

export function share({ gap, difference }: LayerGap): number {
  return difference > 0 ? gap / difference : gap > 0 ? 1 : 0;
}

/** Where almost nothing is explained, the share of it says nothing. */
export function isLarge(row: LayerGap, gaps: readonly LayerGap[]): boolean {
  const scale = Math.max(...gaps.map((other) => other.difference));
  return share(row) > LARGE && row.gap > scale * 0.02;
}

class CompletenessGaps extends View {
  protected readonly reads: Reads = ({ shown }) => [shown.attribution];

  protected override render(): Drawn {
    const { attribution } = this.state.shown;
    if (!attribution) return nothing;
    const { gaps, settings } = attribution;
    if (gaps.length === 0) {
      return html`<h2>Completeness</h2><p class="note">Scores by ${METHODS[settings.method]} are no parts of a whole: there is nothing that they
        should add up to.</p>`;
    }
    const large = gaps.filter((row) => isLarge(row, gaps));
    return html`
      <h2>Completeness</h2>
      <p class="note">The scores of a layer should add up to what its neurons change in the target, M(1) − M(0). The gap is what is missing. ${
        large.length > 0
          ? html`<b>${large.length === 1 ? "One gap is" : `${large.length} gaps are`} large: ${advice(settings)}</b>`
          : `It is below ${percent(LARGE, 0)} wherever it matters.`
      }</p>
      <div class="table-scroll"><table class="gaps">
        ${columns(["", ...ofNumbers("|M(1) − M(0)|", "Gap, mean"), "", ...ofNumbers("of it", "Largest gap", "Steps")])}
        <tbody>${gaps.map((gap) => row(gap, isLarge(gap, gaps)))}</tbody>
      </table></div>`;
  }
}

/** What makes a large gap smaller. */
function advice({ method, rule, steps }: AttributionSettings): string {
  if (method !== "integrated_gradients") return "a gradient at one point does not say where the target goes on the way.";
  return rule === "adaptive" ? `more than ${count(steps, "step")} would be needed.` : "take the rule “to a tolerance”, or more steps.";
}

function row(gap: LayerGap, isFlagged: boolean): TemplateResult {
  return html`<tr class=${isFlagged ? "flagged" : ""}>
    <td>${gap.layer < 0 ? "all layers" : `layer ${gap.layer}`}</td>
    <td class="number">${short(gap.difference)}</td>
    <td class="number">${short(gap.gap)}</td>
    <td><span class="track"><i .style=${`width: ${Math.min(1, share(gap)) * 100}%`}></i></span></td>
    <td class="number">${percent(share(gap))}${isFlagged ? " !" : ""}</td>
    <td class="number">${short(gap.gap_max)}</td>
    <td class="number">${gap.nodes === undefined ? "" : fixed(gap.nodes, 0)}</td>
  </tr>`;
}

customElements.define("completeness-gaps", CompletenessGaps);
