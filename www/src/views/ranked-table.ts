// The heat map's scores as text: the strongest neurons in order.

import { h, refill, View } from "../dom";
import { address, percent, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { Attribution } from "../types";

const ROWS = 50;

interface Row {
  rank: number;
  layer: number;
  neuron: number;
  score: number;
  spread: { positive: number; low: number; high: number } | null;
}

/** The order alone, for a precomputed attribution whose items are not here. */
function strongest({ scores, d_mlp }: Attribution, layer: number | null): Row[] {
  const places = Array.from(scores.keys()).filter((index) => layer === null || Math.floor(index / d_mlp) === layer);
  places.sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0) || a - b);
  return places.slice(0, ROWS).map((index, place) => ({
    rank: place + 1, layer: Math.floor(index / d_mlp), neuron: index % d_mlp, score: scores[index] ?? 0, spread: null,
  }));
}

class RankedTable extends View {
  protected readonly keys = ["attribution", "ranked", "mask", "selected", "engine", "job"] as const;
  #layer: number | null = null;

  protected render(): void {
    const { attribution, ranked, mask, selected } = this.state;
    if (!attribution) {
      refill(this);
      return;
    }
    if (this.#layer !== null && this.#layer >= attribution.n_layers) this.#layer = null;
    const spreads = new Map((ranked ?? []).map((row) => [`${row.layer}/${row.neuron}`, row]));
    const rows = strongest(attribution, this.#layer).map((row): Row => {
      const known = spreads.get(`${row.layer}/${row.neuron}`);
      return known
        ? { ...row, spread: { positive: known.share_positive, low: known.item_min, high: known.item_max } }
        : row;
    });
    const layers = Array.from({ length: attribution.n_layers }, (_, layer) =>
      h("option", { value: layer }, `layer ${layer}`));
    const filter = h("select", { "data-key": "ranked-layer", "aria-label": "Layer of the table", onchange: (event: Event) => {
      const { value } = event.target as HTMLSelectElement;
      this.#layer = value === "" ? null : Number(value);
      this.render();
    } }, h("option", { value: "" }, "all layers"), ...layers);
    filter.value = this.#layer === null ? "" : String(this.#layer);
    refill(this,
      h("div", { class: "table-head" }, h("h3", {}, `Strongest ${ROWS} neurons`), filter),
      h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Ranked neurons" },
        h("table", { class: "ranked" },
          h("thead", {}, h("tr", {}, ...["", "Neuron", "Score", "Positive in", "Item range", "Pruned"].map((text) =>
            h("th", { scope: "col" }, text)))),
          h("tbody", {}, ...rows.map((row) => this.#row(row, selected?.layer === row.layer && selected.neuron === row.neuron,
            isPruned(mask, row.layer, row.neuron)))))));
  }

  #row({ rank, layer, neuron, score, spread }: Row, isSelected: boolean, pruned: boolean): HTMLElement {
    const name = address(layer, neuron);
    return h("tr", { class: `${isSelected ? "selected" : ""} ${pruned ? "pruned" : ""}` },
      h("td", { class: "number" }, rank),
      h("td", {}, h("button", { class: "link", "data-key": `ranked-${layer}-${neuron}`,
        onclick: () => select({ layer, neuron }) }, name)),
      h("td", { class: "number" }, short(score)),
      h("td", { class: "number" }, spread ? percent(spread.positive, 0) : "–"),
      h("td", { class: "number" }, spread ? `${short(spread.low)} to ${short(spread.high)}` : "–"),
      h("td", {}, h("input", { type: "checkbox", "data-key": `ranked-mask-${layer}-${neuron}`, checked: pruned,
        "aria-label": `Prune ${name}`, onchange: () => toggleNeuron(layer, neuron) })));
  }
}

customElements.define("ranked-table", RankedTable);
