// The heat map's scores as text: the strongest neurons in order.

import { html, nothing } from "lit";
import { hasItems, percent, short } from "../format";
import { strongest } from "../ranking";
import { neuronRow } from "./neuron-row";
import { View, type Drawn, type Reads } from "./view";
import { columns, ofNumbers, options, valueOf } from "./widgets";

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
    const rows = strongest(attribution, this.#layer, ROWS).map((index, place): Row => {
      const [layer, neuron] = [Math.floor(index / attribution.d_mlp), index % attribution.d_mlp];
      const known = spreads.get(`${layer}/${neuron}`);
      return {
        rank: place + 1,
        layer,
        neuron,
        score: attribution.scores[index] ?? 0,
        again: stability?.selection.layer === layer ? (stability.kept[neuron] ?? null) : null,
        spread: known ? { positive: known.share_positive, low: known.item_min, high: known.item_max } : null,
      };
    });
    const layers = Array.from({ length: attribution.n_layers }, (_, layer) => [`${layer}`, `layer ${layer}`] as const);
    return html`
      <div class="table-head"><h2>Strongest ${ROWS} neurons</h2><select data-key="ranked-layer" aria-label="Layer of the table"
        @change=${(event: Event) => {
          this.#layer = valueOf(event) === "" ? null : Number(valueOf(event));
          this.requestUpdate();
        }}>${options([["", "all layers"], ...layers], this.#layer === null ? "" : `${this.#layer}`)}</select></div>
      <div class="table-scroll" tabindex="0" role="region" aria-label="Ranked neurons"><table class="ranked">
        ${columns(["", "Neuron", ...ofNumbers("Score", "Positive in", "Item range", "Chosen again"), "Pruned"])}
        <tbody>${rows.map((row) => neuronRow("ranked", { at: row, rank: row.rank, numbers: numbers(row) }, mask, selected))}</tbody>
      </table></div>
      ${this.#unknown(rows)}`;
  }

  /** Why there are dashes. */
  #unknown(rows: readonly Row[]): Drawn {
    const { attribution, ranked, stability } = this.state.shown;
    if (!attribution || !hasItems(attribution.settings.method)) return nothing;
    const spreads = ranked ? `known of the ${ranked.length} strongest of all layers` : "known once the attribution was run here";
    const parts = [
      ...(rows.some(({ spread }) => spread === null) ? [`“Positive in” and “Item range” are ${spreads}`] : []),
      ...(rows.some(({ again }) => again === null)
        ? [
            `“Chosen again” is of ${stability ? `layer ${stability.selection.layer}, the selection's` : "a layer's top share (step 5), once the items were drawn again"}`,
          ]
        : []),
    ];
    return parts.length > 0 ? html`<p class="note">–: ${parts.join("; ")}.</p>` : nothing;
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
