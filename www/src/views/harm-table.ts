// The picture of prominence against harm as text: the most harmful neurons in order.

import { html, type TemplateResult } from "lit";
import { address, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { NeuronAddress } from "../services/results";
import type { Mask } from "../wire/engine";
import { addressOf, type Points } from "./harm-picture";
import { columns, ofNumbers } from "./widgets";

/** Rows; the ranking of the engine has as many. */
export const ROWS = 50;

/** A harm with half the width of its interval, as far as there is one. */
export function harmText(harm: number, half_width: number | undefined): string {
  return `${short(harm)}${Number.isFinite(half_width) ? ` ± ${short(half_width ?? 0)}` : ""}`;
}

export function harmTable(points: Points, order: readonly number[], mask: Mask, selected: NeuronAddress | null): TemplateResult {
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Most harmful neurons"><table class="ranked harmful">
    ${columns(["Neuron", ...ofNumbers("Prominence", "Harm ± 95 %, logits"), ""])}
    <tbody>${order.map((index) => row(points, index, mask, selected))}</tbody>
  </table></div>`;
}

function row(points: Points, index: number, mask: Mask, selected: NeuronAddress | null): TemplateResult {
  const { layer, neuron } = addressOf(points, index);
  const pruned = isPruned(mask, layer, neuron);
  const name = address(layer, neuron);
  const isExact = points.exact[index] === 1;
  const isSelected = selected?.layer === layer && selected.neuron === neuron;
  return html`<tr class=${isSelected ? "selected" : ""}>
    <td><i class="point ${isExact ? "" : "hollow"}" title=${isExact ? "measured" : "first-order estimate"}></i><span class="visually-hidden">${
      isExact ? "measured" : "estimate"
    }</span><button class="link" title=${name} data-key=${`harm-${layer}-${neuron}`} @click=${() => select({ layer, neuron })}>layer ${layer}, ${neuron}</button></td>
    <td class="number">${short(points.prominence[index] ?? 0)}</td>
    <td class="number">${harmText(points.harm[index] ?? 0, points.half_width[index])}</td>
    <td><button class="small" data-key=${`harm-mask-${layer}-${neuron}`} aria-label="${pruned ? "Keep" : "Prune"} ${name}"
      @click=${() => toggleNeuron(layer, neuron)}>${pruned ? "keep" : "prune"}</button></td>
  </tr>`;
}
