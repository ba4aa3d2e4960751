// The top share of a layer that is pruned, and what measures it.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { count, duration, scoreText } from "../format";
import { LIVE_PARAMETERS, measure, measureIfLive, takeTop } from "../services/actions";
import { reportedSets } from "../services/edited";
import { neuronCount } from "../services/mask";
import { store } from "../services/store";
import { topOf } from "../selections";
import type { TopPercent } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { isChecked, NO_ITEMS, numeric, options, valueOf } from "./widgets";

class TopShare extends View {
  protected readonly reads: Reads = ({ study, engine, view, shown }) => [
    study.item_sets,
    study.pruning,
    study.model.shape,
    shown.attribution,
    shown.pruned,
    engine.status,
    engine.model,
    view.live,
    this.isBusy,
  ];
  /** What the controls hold: what was asked for, until the selection that comes of it is there. */
  #asked: { layer: number; percent: number | null; place: number } = { layer: 0, percent: null, place: 50 };
  #shown: TopPercent | null = null;
  #isSliding = false;
  /** While the slider is dragged. */
  #drag: object | undefined;

  protected override willUpdate(): void {
    const selection = topOf(this.state.study.pruning.selection);
    // Only a new selection moves the controls.
    if (!selection || selection === this.#shown) return;
    this.#shown = selection;
    const place = this.#isSliding ? this.#asked.place : toSlider(selection.percent);
    this.#asked = { ...selection, place };
  }

  protected override render(): TemplateResult {
    const { attribution } = this.state.shown;
    const { shape } = this.state.study.model;
    const { status, model } = this.state.engine;
    const isOff = attribution === null || status !== "ready" || model === null;
    const layers = Array.from({ length: attribution?.n_layers ?? shape?.n_layers ?? 0 }, (_, layer) => [layer, `layer ${layer}`] as const);
    const { layer, percent, place } = this.#asked;
    // The slider is finer where masks are small: its place is the square root of the percentage.
    return html`
      <div class="fields slider">
        <label class="field"><span>Layer</span><select data-key="layer" aria-label="Layer" ?disabled=${isOff}
          @change=${(event: Event) => this.#take({ layer: Number(valueOf(event)) })}>${options(layers, layer)}</select></label>
        <label class="field grow"><span>Top share by ${scoreText(attribution?.settings.method)}</span><input type="range" min="0" max="100" step="1" data-key="percent"
          aria-label="Percentage of the layer" ?disabled=${isOff} .value=${live(String(Math.round(place)))} @input=${this.#slide}
          @change=${() => (this.#drag = undefined)}
          @focus=${() => this.#hold(true)} @blur=${() => this.#hold(false)}></label>
        ${numeric("in %", "percent-number", percent, { min: 0.01, max: 100, step: "any" }, (to) => this.#take({ percent: to }), "Percentage of the layer, exactly", isOff)}
      </div>
      <div class="tools">${this.#measuring()}</div>`;
  }

  #measuring(): Drawn {
    const { attribution, pruned } = this.state.shown;
    const { mask } = this.state.study.pruning;
    const { model } = this.state.engine;
    const { live: isLive } = this.state.view;
    const size = neuronCount(mask);
    const hasItems = reportedSets(this.state.study).length > 0;
    const isSmall = model !== null && model.info.n_parameters <= LIVE_PARAMETERS;
    return html`
      <button class="primary" data-key="prune" ?disabled=${this.isBusy || !hasItems || size === 0} @click=${() => void measure()}>Measure ${count(
        size,
        "pruned neuron",
      )}</button>
      ${
        isSmall
          ? html`<label class="check"><input type="checkbox" data-key="live" .checked=${live(isLive)} @change=${(event: Event) => {
              store.view({ live: isChecked(event) });
              void measureIfLive();
            }}>after every change</label>`
          : nothing
      }
      <span class="note">${
        !hasItems
          ? NO_ITEMS
          : attribution === null
            ? "Run the attribution first (step 4); neurons can be pruned by hand without it."
            : pruned
              ? `Measured in ${duration(pruned.seconds)}.`
              : size > 0
                ? "Not measured yet."
                : ""
      }</span>`;
  }

  #hold(isSliding: boolean): void {
    this.#isSliding = isSliding;
  }

  #slide(event: Event): void {
    const place = Number(valueOf(event));
    this.#drag ??= {};
    this.#take({ place, percent: fromSlider(place) });
  }

  #take(change: Partial<{ layer: number; percent: number; place: number }>): void {
    this.#asked = { ...this.#asked, ...change };
    this.requestUpdate();
    const { layer, percent } = this.#asked;
    if (percent !== null) void takeTop({ layer, percent }, this.#drag);
  }
}

function fromSlider(place: number): number {
  const percent = (place / 100) ** 2 * 100;
  return Math.max(0.1, percent < 2 ? Math.round(percent * 10) / 10 : Math.round(percent * 2) / 2);
}

function toSlider(percent: number): number {
  return Math.sqrt(percent / 100) * 100;
}

customElements.define("top-share", TopShare);
