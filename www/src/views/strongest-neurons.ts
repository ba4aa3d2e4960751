// The heat map's scores as text: the strongest neurons in order.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { address, percent, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { Attribution } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { columns, options, valueOf } from "./widgets";

const ROWS = 50;

interface Row {
  rank: number;
  layer: number;
  neuron: number;
  score: number;
  spread: { positive: number; low: number; high: number } | null;
  /** The share of resamples in which the selection at hand takes the neuron; null where there is none of its layer. */
  again: number | null;
}

/** The order alone, for a precomputed attribution whose items are not here. */
function strongest({ scores, d_mlp }: Attribution, layer: number | null): Row[] {
  const places = Array.from(scores.keys()).filter((index) => layer === null || Math.floor(index / d_mlp) === layer);
  places.sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0) || a - b);
  return places.slice(0, ROWS).map((index, place) => ({
    rank: place + 1,
    layer: Math.floor(index / d_mlp),
    neuron: index % d_mlp,
    score: scores[index] ?? 0,
    spread: null,
    again: null,
  }));
}

class StrongestNeurons extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [
    study.pruning.mask,
    view.selected,
    shown.attribution,
    shown.ranked,
    shown.stability,
  ];
  #layer: number | null = null;

  protected override render(): Drawn {
    const { attribution, ranked, stability } = this.state.shown;
    const { mask } = this.state.study.pruning;
    const { selected } = this.state.view;
    if (!attribution) return nothing;
    if (this.#layer !== null && this.#layer >= attribution.n_layers) this.#layer = null;
    const spreads = new Map((ranked ?? []).map((row) => [`${row.layer}/${row.neuron}`, row]));
    const rows = strongest(attribution, this.#layer).map((row): Row => {
      const known = spreads.get(`${row.layer}/${row.neuron}`);
      const again = stability?.selection.layer === row.layer ? (stability.kept[row.neuron] ?? null) : null;
      return {
        ...row,
        again,
        spread: known ? { positive: known.share_positive, low: known.item_min, high: known.item_max } : null,
      };
    });
    const layers = Array.from({ length: attribution.n_layers }, (_, layer) => [`${layer}`, `layer ${layer}`] as const);
    return html`
      <div class="table-head"><h3>Strongest ${ROWS} neurons</h3><select data-key="ranked-layer" aria-label="Layer of the table"
        @change=${(event: Event) => {
          this.#layer = valueOf(event) === "" ? null : Number(valueOf(event));
          this.requestUpdate();
        }}>${options([["", "all layers"], ...layers], this.#layer === null ? "" : `${this.#layer}`)}</select></div>
      <div class="table-scroll" tabindex="0" role="region" aria-label="Ranked neurons"><table class="ranked">
        ${columns(["", "Neuron", "Score", "Positive in", "Item range", "Chosen again", "Pruned"])}
        <tbody>${rows.map((row) =>
          neuronRow(row, selected?.layer === row.layer && selected.neuron === row.neuron, isPruned(mask, row.layer, row.neuron)),
        )}</tbody>
      </table></div>`;
  }
}

function neuronRow({ rank, layer, neuron, score, spread, again }: Row, isSelected: boolean, pruned: boolean): TemplateResult {
  const name = address(layer, neuron);
  return html`<tr class="${isSelected ? "selected" : ""} ${pruned ? "pruned" : ""}">
    <td class="number">${rank}</td>
    <td><button class="link" data-key=${`ranked-${layer}-${neuron}`} @click=${() => select({ layer, neuron })}>${name}</button></td>
    <td class="number">${short(score)}</td>
    <td class="number">${spread ? percent(spread.positive, 0) : "–"}</td>
    <td class="number">${spread ? `${short(spread.low)} to ${short(spread.high)}` : "–"}</td>
    <td class="number">${again === null ? "–" : percent(again, 0)}</td>
    <td><input type="checkbox" data-key=${`ranked-mask-${layer}-${neuron}`} .checked=${live(pruned)} aria-label="Prune ${name}"
      @change=${() => toggleNeuron(layer, neuron)}></td>
  </tr>`;
}

customElements.define("strongest-neurons", StrongestNeurons);
