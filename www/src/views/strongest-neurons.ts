// The heat map's scores as text: the strongest neurons in order.

import { html, nothing } from "lit";
import { percent, short } from "../format";
import type { Attribution } from "../wire/engine";
import { neuronRow } from "./neuron-row";
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
    // A box that waits for the engine says again what is so.
    this.isBusy,
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
        <tbody>${rows.map((row) => neuronRow("ranked", { at: row, rank: row.rank, numbers: numbers(row) }, mask, selected))}</tbody>
      </table></div>`;
  }
}

function numbers({ score, spread, again }: Row): string[] {
  return [
    short(score),
    spread ? percent(spread.positive, 0) : "–",
    spread ? `${short(spread.low)} to ${short(spread.high)}` : "–",
    again === null ? "–" : percent(again, 0),
  ];
}

customElements.define("strongest-neurons", StrongestNeurons);
