// A row of a table of neurons: the address that opens its card, its numbers, the box that prunes it.

import { html, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { address } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { NeuronAddress } from "../services/results";
import type { Mask } from "../wire/engine";

/** A neuron, its place in the table, and its numbers there. */
export interface NeuronRow {
  at: NeuronAddress;
  rank: number;
  numbers: readonly string[];
}

/** The keys of its controls begin with `key`. */
export function neuronRow(key: string, { at, rank, numbers }: NeuronRow, mask: Mask, selected: NeuronAddress | null): TemplateResult {
  const { layer, neuron } = at;
  const name = address(layer, neuron);
  const pruned = isPruned(mask, layer, neuron);
  const isSelected = selected?.layer === layer && selected.neuron === neuron;
  return html`<tr class="${isSelected ? "selected" : ""} ${pruned ? "pruned" : ""}">
    <td class="number">${rank}</td>
    <td><button class="link" data-key=${`${key}-${layer}-${neuron}`} @click=${() => select({ layer, neuron })}>${name}</button></td>
    ${numbers.map((number) => html`<td class="number">${number}</td>`)}
    <td><input type="checkbox" data-key=${`${key}-mask-${layer}-${neuron}`} .checked=${live(pruned)} aria-label="Prune ${name}"
      @change=${() => toggleNeuron(layer, neuron)}></td>
  </tr>`;
}
