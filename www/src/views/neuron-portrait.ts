// What a neuron is about: where it fires, which tokens it raises and lowers, and who is active with it.

import { html, nothing, type TemplateResult } from "lit";
import { clip, count, fixed, short, visible } from "../format";
import { drawPortrait, select } from "../services/actions";
import { setsOf } from "../services/edited";
import type { Portrait, TokenWeight } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";

/** Of ten that the engine names. */
const SHOWN = 6;

class NeuronPortrait extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [view.selected, shown.portrait, study.item_sets, this.isBusy];

  protected override render(): Drawn {
    const { study, view, shown } = this.state;
    if (!view.selected) return nothing;
    const set = setsOf(study, "attribution")[0] ?? shown.sets[0]?.name;
    return html`<section>
      <h3>What is it about?</h3>
      ${
        shown.portrait
          ? portrait(shown.portrait)
          : html`<div class="tools"><button data-key="portrait" ?disabled=${this.isBusy || set === undefined}
              @click=${() => void drawPortrait(set ?? "")}>Where it fires, what it writes</button></div>`
      }
    </section>`;
  }
}

function portrait({ set, positions, mean, fires, raises, lowers, neighbours }: Portrait): TemplateResult {
  return html`<div data-result="portrait">
    <p class="note">Strongest of ${count(positions, "position")} of “${visible(set)}” (mean ${short(mean)}); the token is marked:</p>
    <ul class="fires">${fires
      .slice(0, SHOWN)
      .map(
        ({ id, activation, before, token, after }) =>
          html`<li title=${id}><span class="number">${short(activation)}</span> ${visible(clip(before, 60))}<b>${visible(token)}</b>${visible(clip(after, 40))}</li>`,
      )}</ul>
    <dl class="facts">
      <dt title="Through the unembedding, the final norm's gains folded in">Raises</dt><dd>${tokens(raises)}</dd>
      <dt title="Through the unembedding, the final norm's gains folded in">Lowers</dt><dd>${tokens(lowers)}</dd>
      <dt title="Correlation of the activations over the positions">Active with</dt><dd>${neighbours
        .slice(0, SHOWN)
        .map(
          ({ layer, neuron, correlation }) =>
            html`<button class="link" data-key=${`neighbour-${neuron}`} @click=${() => select({ layer, neuron })}>${neuron}</button> <small>${fixed(correlation, 2)}</small> `,
        )}</dd>
    </dl>
  </div>`;
}

function tokens(all: readonly TokenWeight[]): TemplateResult[] {
  return all.slice(0, SHOWN).map(({ token, weight }) => html`<span title=${short(weight)}>“${visible(clip(token, 20))}”</span> `);
}

customElements.define("neuron-portrait", NeuronPortrait);
