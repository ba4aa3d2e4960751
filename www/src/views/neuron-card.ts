// One neuron: where it is, what it scored, item by item, and what zeroing it does.

import { html, nothing, type TemplateResult } from "lit";
import { address, change, clip, letter, operationText, percent, short, unitText, visible } from "../format";
import { measureNeuron } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import { rankOf } from "../ranking";
import { reportedSets } from "../services/edited";
import { harmOf } from "../services/harm";
import type { NeuronAddress } from "../services/results";
import { isDark } from "../services/theme";
import type { NeuronCard as Card } from "../wire/engine";
import { harmText } from "./harm-table";
import { css, place } from "./scale";
import { View, type Drawn, type Reads } from "./view";
import { options, valueOf } from "./widgets";

/** Items shown as bars; a set may have thousands. */
const BARS = 60;

class NeuronCard extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [
    study.pruning.mask,
    view.selected,
    shown.card,
    shown.attribution,
    shown.stability,
    shown.effects,
    shown.sets,
    this.isBusy,
  ];
  /** The set that the effect is measured on; the last one of the lesson is the shifted. */
  #set: string | null = null;

  protected override render(): TemplateResult {
    const { selected } = this.state.view;
    const { card, attribution } = this.state.shown;
    if (!selected) {
      return html`<h2>Neuron</h2><p class="note">${
        attribution
          ? "Click a neuron in the map or a row of the table to see its scores here, and what happens without it."
          : "After the attribution, a click on the map shows a neuron here."
      }</p>`;
    }
    const { layer, neuron } = selected;
    const known = card?.layer === layer && card.neuron === neuron ? card : null;
    return html`
      <h2 class="visually-hidden">Neuron</h2>
      <p class="address">${address(layer, neuron)}</p>
      ${this.#facts(selected)}
      ${this.#tools(selected)}
      ${
        known
          ? effect(known, this.#contexts(known.effect.set))
          : html`<p class="note">“Effect of zeroing it” runs every test item without this neuron, and
        shows its score for each attributed item.</p>`
      }
      <neuron-portrait></neuron-portrait>
      ${known && known.items.length > 0 ? itemBars(known, this.#contexts(attribution?.set)) : nothing}`;
  }

  #facts({ layer, neuron }: NeuronAddress): TemplateResult {
    const { attribution } = this.state.shown;
    const { mask } = this.state.study.pruning;
    const score = attribution?.scores[layer * attribution.d_mlp + neuron];
    return html`<dl class="facts">
      <dt>Score</dt><dd>${score === undefined ? "–" : short(score)}<small>${attribution ? ` ${unitText(attribution.settings)}` : ""}</small></dd>
      <dt>Rank</dt><dd>${attribution ? `${rankOf(attribution, { layer, neuron })} of ${attribution.scores.length} by |score|` : "–"}</dd>
      ${this.#again({ layer, neuron })}${this.#harms({ layer, neuron })}
      <dt>State</dt><dd>${isPruned(mask, layer, neuron) ? `pruned: ${operationText(mask)}` : "active"}</dd>
    </dl>`;
  }

  /** How surely the selection at hand takes it. */
  #again({ layer, neuron }: NeuronAddress): Drawn {
    const { stability } = this.state.shown;
    if (stability?.selection.layer !== layer) return nothing;
    const { selection, resamples, kept } = stability;
    return html`<dt>Chosen again</dt><dd>${percent(kept[neuron] ?? 0, 0)}<small> of ${resamples} resamples, top ${selection.percent} %</small></dd>`;
  }

  /** What the gold margin gains without it, on each set where that is known. */
  #harms({ layer, neuron }: NeuronAddress): Drawn[] {
    return Object.entries(this.state.shown.effects).flatMap(([set, { layers }]) => {
      const effects = layers[layer];
      return effects && effects.mean.length > 0
        ? [
            html`<dt>Harm</dt><dd>${harmText(harmOf(effects, neuron), effects.half_width[neuron])}<small> on “${visible(set)}”${effects.exact ? "" : ", first-order estimate"}</small></dd>`,
          ]
        : [];
    });
  }

  #tools({ layer, neuron }: NeuronAddress): TemplateResult {
    const pruned = isPruned(this.state.study.pruning.mask, layer, neuron);
    const sets = reportedSets(this.state.study);
    if (this.#set === null || !sets.includes(this.#set)) this.#set = sets.at(-1) ?? null;
    return html`<div class="tools">
      <button data-key="card-toggle" @click=${() => toggleNeuron(layer, neuron)}>${pruned ? "Take it back" : "Prune it"}</button>
      <button data-key="card-effect" ?disabled=${this.isBusy || sets.length === 0} @click=${() => void this.#measure()}>Effect of zeroing it</button>
      ${
        sets.length > 1
          ? html`<select data-key="card-set" aria-label="Item set of the effect" @change=${(event: Event) => {
              this.#set = valueOf(event);
            }}>${options(
              sets.map((set) => [set, `on ${visible(set)}`]),
              this.#set,
            )}</select>`
          : nothing
      }
    </div>`;
  }

  async #measure(): Promise<void> {
    if (this.#set !== null) await measureNeuron(this.#set);
  }

  /** Texts of a set's items by id, for the tooltips: another set may have other items of the same ids. */
  #contexts(name: string | undefined): Map<string, string> {
    const items = this.state.shown.sets.find((set) => set.name === name)?.items ?? [];
    return new Map(items.map(({ id, context }) => [id, context]));
  }
}

function itemBars(card: Card, contexts: Map<string, string>): TemplateResult {
  const items = [...card.items].sort((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, BARS);
  const largest = Math.max(...items.map((item) => Math.abs(item.score)), Number.MIN_VALUE);
  return html`<section>
    <h3>Score per item (${card.items.length})</h3>
    <ol class="item-bars">${items.map(({ id, score }) => {
      const style = `width: ${(Math.abs(score) / largest) * 50}%; background: ${css(place(score, largest, false) * 0.85, isDark())}`;
      return html`<li title=${contexts.get(id) ?? id}><span class="id">${clip(id, 14)}</span><span class="track"><i
        class=${score < 0 ? "negative" : "positive"} .style=${style}></i></span><span class="number">${short(score)}</span></li>`;
    })}</ol>
    ${card.items.length > BARS ? html`<p class="note">The ${BARS} strongest are shown.</p>` : nothing}
  </section>`;
}

function effect({ effect: { set, before, after, margin_change, items } }: Card, contexts: Map<string, string>): TemplateResult {
  const flipped = items.filter((item) => item.predicted_before !== item.predicted_after);
  const verdict = margin_change > 0 ? "without it the right answers gain" : "without it the right answers lose";
  return html`<section class="effect">
    <h3>Without it, on “${visible(set)}”</h3>
    <dl class="facts">
      <dt>Accuracy</dt><dd>${percent(before.value)} → ${percent(after.value)}</dd>
      <dt title="Log-likelihood of the whole right choice minus that of the best wrong one">Log-likelihood margin</dt><dd>${change(margin_change, 4)} nats<small> mean; ${verdict}</small></dd>
      <dt>Flipped</dt><dd>${flipped.length} of ${items.length} items</dd>
    </dl>
    ${
      flipped.length > 0
        ? html`<ul class="flip-list">${flipped
            .slice(0, 8)
            .map(
              (item) =>
                html`<li title=${contexts.get(item.id) ?? ""}>${clip(
                  item.id,
                  18,
                )}: ${letter(item.predicted_before)} → ${letter(item.predicted_after)} (${change(item.margin_change, 2)} nats)</li>`,
            )}</ul>`
        : nothing
    }
  </section>`;
}

customElements.define("neuron-card", NeuronCard);
