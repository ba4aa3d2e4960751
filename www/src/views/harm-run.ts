// The start of a measurement of every neuron: what it will take, and how far it is.

import { html, type TemplateResult } from "lit";
import { count, duration, visible } from "../format";
import { effectsToGoOnFrom, measureEffects, usualPositions, type Measurement } from "../services/effects";
import { effectsTime, takes } from "../services/estimate";
import { measuredLayers, openLayers } from "../services/harm";
import type { Positions } from "../wire/engine";
import { PLACES } from "./harm-scatter";
import { View, type Reads } from "./view";
import { options, valueOf } from "./widgets";

class HarmRun extends View {
  static override readonly properties = { set: { attribute: false }, layer: { attribute: false } };
  protected readonly reads: Reads = ({ study, results, shown }) => [
    study.model.shape,
    study.attribution.positions,
    shown.effects,
    shown.attribution,
    shown.sets,
    // Of them the time is known.
    results,
    this.isBusy,
  ];
  declare set: string | undefined;
  /** All layers for null. */
  declare layer: number | null;
  /** Those that were chosen; the attribution's for null. */
  #positions: Positions | null = null;

  protected override render(): TemplateResult {
    const { set, layer } = this;
    const positions = this.#positions ?? usualPositions(this.state);
    const asked = set === undefined ? null : { set, positions };
    const open = openLayers(asked && effectsToGoOnFrom(this.state, asked), this.#nLayers, layer);
    const isOff = this.isBusy || open.length === 0;
    return html`<div class="tools">
      <button class=${open.length > 0 ? "primary" : ""} data-key="harm-measure" ?disabled=${isOff || asked === null}
        @click=${() => void (asked && measureEffects(asked, layer))}>Measure ${layer === null ? "all layers" : `layer ${layer}`}</button>
      <select data-key="harm-positions" aria-label="Where neurons are set to zero" @change=${(event: Event) => {
        this.#positions = valueOf(event) as Positions;
        this.requestUpdate();
      }}>${options(Object.entries(PLACES), positions)}</select>
      <span class="note" data-result="effects">${asked ? this.#note(asked, open) : "There are no items (step 2)."}</span>
    </div>`;
  }

  get #nLayers(): number {
    return this.state.study.model.shape?.n_layers ?? 0;
  }

  #note(asked: Measurement, open: readonly number[]): string {
    const effects = effectsToGoOnFrom(this.state, asked);
    const time = open.length === 0 ? "" : takes(effectsTime(this.state, asked, open));
    if (!effects) {
      const { items = [] } = this.state.shown.sets.find(({ name }) => name === asked.set) ?? {};
      const neurons = count(open.length * (this.state.study.model.shape?.d_mlp ?? 0), "neuron");
      return `Takes out one neuron after the other, ${neurons} for each of the ${count(items.length, "item")} of “${visible(asked.set)}”${time}.`;
    }
    const { items_used, items_skipped } = effects;
    const { whole, partly } = measuredLayers(effects);
    if (whole + partly === 0 && items_used.length > 0) return `Stopped before the first layer had any item${time}.`;
    const skipped = items_skipped > 0 ? `; ${count(items_skipped, "other")} had no gold margin, since all choices begin alike` : "";
    return (
      `Measured ${whole} of ${count(this.#nLayers, "layer")}${partly > 0 ? `, ${partly} more on some of the items` : ""}, in ${duration(
        effects.seconds,
      )} (${count(items_used.length, "item")}${skipped})` + `${open.length > 0 ? `; Measure goes on from there${time}` : ""}.`
    );
  }
}

customElements.define("harm-run", HarmRun);
