// One neuron: where it is, what it scored, item by item, and what zeroing it does.

import { h, isBusy, refill, View } from "../dom";
import { address, change, clip, fixed, percent, short, visible } from "../format";
import { measureNeuron } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import { reportedSets, type NeuronAddress } from "../services/store";
import { isDark, themeChanges } from "../services/theme";
import type { NeuronCard as Card } from "../types";
import { css, place } from "./scale";

/** Items shown as bars; a set may have thousands. */
const BARS = 60;

class NeuronCard extends View {
  protected readonly keys = [
    "selected", "card", "attribution", "ranked", "mask", "job", "engine", "model", "sets",
  ] as const;
  /** The set that the effect is measured on; the last one of the lesson is the shifted. */
  #set: string | null = null;

  protected override setup(): void {
    themeChanges.addEventListener("change", () => this.render());
  }

  protected render(): void {
    const { selected, card, attribution, mask } = this.state;
    if (!selected) {
      refill(this, h("h2", {}, "Neuron"),
        h("p", { class: "note" }, attribution
          ? "Click a neuron in the map or a row of the table to see its scores here, and what happens without it."
          : "After the attribution, a click on the map shows a neuron here."));
      return;
    }
    const { layer, neuron } = selected;
    const known = card?.layer === layer && card.neuron === neuron ? card : null;
    const score = attribution?.scores[layer * attribution.d_mlp + neuron];
    const pruned = isPruned(mask, layer, neuron);
    const unit = attribution?.settings.target === "top_logit" ? " logits, signed mean" : " nats, signed mean";
    const sets = reportedSets(this.state);
    if (this.#set === null || !sets.includes(this.#set)) this.#set = sets.at(-1) ?? null;
    const on = h("select", { "data-key": "card-set", "aria-label": "Item set of the effect", onchange: (event: Event) => {
      this.#set = (event.target as HTMLSelectElement).value;
    } }, ...sets.map((set) => h("option", { value: set }, `on ${visible(set)}`)));
    on.value = this.#set ?? "";
    refill(this,
      h("h2", { class: "visually-hidden" }, "Neuron"),
      h("p", { class: "address" }, address(layer, neuron)),
      h("dl", { class: "facts" },
        h("dt", {}, "Score"), h("dd", {}, score === undefined ? "–" : short(score), h("small", {}, unit)),
        h("dt", {}, "Rank"), h("dd", {}, this.#rank(selected, known)),
        h("dt", {}, "State"), h("dd", {}, pruned ? "pruned: its activation is zero" : "active")),
      h("div", { class: "tools" },
        h("button", { "data-key": "card-toggle", "aria-pressed": pruned ? "true" : "false",
          onclick: () => toggleNeuron(layer, neuron) }, pruned ? "Take it back" : "Prune it"),
        h("button", { "data-key": "card-effect", disabled: isBusy() || sets.length === 0,
          onclick: () => void this.#measure() }, "Effect of zeroing it"),
        sets.length > 1 ? on : null),
      known ? effect(known, this.#contexts()) : h("p", { class: "note" },
        "“Effect of zeroing it” runs every test item without this neuron, and shows its score for each attributed item."),
      known && known.items.length > 0 ? itemBars(known, this.#contexts()) : null,
    );
  }

  async #measure(): Promise<void> {
    if (this.#set !== null) await measureNeuron(this.#set);
  }

  #rank({ layer, neuron }: NeuronAddress, card: Card | null): string {
    const { ranked, attribution } = this.state;
    const total = attribution ? ` of ${attribution.n_layers * attribution.d_mlp}` : "";
    const rank = card?.rank ?? ranked?.find((other) => other.layer === layer && other.neuron === neuron)?.rank;
    return rank ? `${rank}${total} by |score|` : "–";
  }

  /** Texts of the items by id, for the tooltips. */
  #contexts(): Map<string, string> {
    return new Map(this.state.sets.flatMap((set) => set.items.map((item) => [item.id, item.context] as const)));
  }
}

function itemBars(card: Card, contexts: Map<string, string>): HTMLElement {
  const items = [...card.items].sort((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, BARS);
  const largest = Math.max(...items.map((item) => Math.abs(item.score)), Number.MIN_VALUE);
  return h("section", {},
    h("h3", {}, `Score per item (${card.items.length})`),
    h("ol", { class: "item-bars" }, ...items.map(({ id, score }) => {
      const bar = h("i", { class: score < 0 ? "negative" : "positive" });
      bar.style.width = `${(Math.abs(score) / largest) * 50}%`;
      bar.style.background = css(place(score, largest, false) * 0.85, isDark());
      return h("li", { title: contexts.get(id) ?? id },
        h("span", { class: "id" }, clip(id, 14)), h("span", { class: "track" }, bar), h("span", { class: "number" }, short(score)));
    })),
    card.items.length > BARS ? h("p", { class: "note" }, `The ${BARS} strongest are shown.`) : null);
}

function effect({ effect: { set, before, after, margin_change, items } }: Card, contexts: Map<string, string>): HTMLElement {
  const flipped = items.filter((item) => item.predicted_before !== item.predicted_after);
  const verdict = margin_change > 0 ? "without it the right answers gain" : "without it the right answers lose";
  return h("section", { class: "effect" },
    h("h3", {}, `Without it, on “${visible(set)}”`),
    h("dl", { class: "facts" },
      h("dt", {}, "Accuracy"), h("dd", {}, `${percent(before.value)} → ${percent(after.value)}`),
      h("dt", {}, "Gold margin"), h("dd", {}, `${change(margin_change, 4)} nats`, h("small", {}, ` mean; ${verdict}`)),
      h("dt", {}, "Flipped"), h("dd", {}, `${flipped.length} of ${items.length} items`)),
    flipped.length > 0 ? h("ul", { class: "flip-list" }, ...flipped.slice(0, 8).map((item) =>
      h("li", { title: contexts.get(item.id) ?? "" },
        `${clip(item.id, 18)}: choice ${item.predicted_before} → ${item.predicted_after} (${fixed(item.margin_change, 2)})`))) : null);
}

customElements.define("neuron-card", NeuronCard);
