// What a contrast found: the neurons that drive the answers on some items more than on others, of which the top share becomes the mask.

import { html, nothing, type TemplateResult } from "lit";
import { count, duration, settingsText, short, visible } from "../format";
import { neuronAt, rankedBy, shareOf, type HeldContrast, type Side } from "../services/contrast";
import { EMPTY_MASK, layersOf } from "../services/edited";
import { sameMask, setMask } from "../services/mask";
import { remembering } from "../services/store";
import { contrastVerdict } from "../verdicts";
import type { Mask, Question } from "../wire/engine";
import { neuronRow } from "./neuron-row";
import { View, type Drawn, type Reads } from "./view";
import { choice, columns, numeric, ofNumbers } from "./widgets";

const ROWS = 50;

/** How items are asked that are held against themselves. */
export const QUESTIONS: Readonly<Record<Question, string>> = {
  removed: "without the question",
  meaningless: "with “N/A” for the question",
};

class ContrastFound extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [study.pruning.mask, view.selected, shown.contrast, this.isBusy];
  #side: Side = "either";
  /** All layers for null. */
  #layer: number | null = null;
  #percent = 5;
  readonly #order = remembering(rankedBy);

  protected override render(): Drawn {
    const { contrast } = this.state.shown;
    if (!contrast) return nothing;
    const n_layers = contrast.difference.length / contrast.d_mlp;
    if (this.#layer !== null && this.#layer >= n_layers) this.#layer = null;
    const order = this.#order(contrast, this.#side, this.#layer);
    return html`<div data-result="contrast">
      <p class="finding">${contrastVerdict(contrast)}</p>
      ${this.#picks(contrast, n_layers, order)}
      ${this.#table(contrast, order)}
      <p class="note">${meaning(contrast)} ${settingsText(contrast.settings)}. Took ${duration(contrast.seconds)}.</p>
    </div>`;
  }

  #picks(contrast: HeldContrast, n_layers: number, order: Uint32Array): TemplateResult {
    const { d_mlp, difference, settings } = contrast;
    const layers = Array.from({ length: n_layers }, (_, layer) => [`${layer}`, `layer ${layer}`] as const);
    const size = shareOf(this.#percent, this.#layer === null ? difference.length : d_mlp);
    const places = [...order.subarray(0, size)];
    const mask: Mask = { ...EMPTY_MASK, site: settings.site, layers: layersOf(places.map((place) => neuronAt(contrast, place))) };
    const [here, there] = sidesOf(contrast);
    return html`<div class="fields">
      ${choice(
        "Neurons that drive",
        "contrast-side",
        [
          ["either", "either side more"],
          ["here", `${here} more`],
          ["there", `${there} more`],
        ],
        this.#side,
        (side) => this.#pick(() => (this.#side = side)),
      )}
      ${choice("Layers", "contrast-layer", [["", "all layers"], ...layers], this.#layer === null ? "" : `${this.#layer}`, (layer) =>
        this.#pick(() => (this.#layer = layer === "" ? null : Number(layer))),
      )}
      ${numeric(
        "Top share, %",
        "contrast-percent",
        this.#percent,
        { min: 0.01, max: 100, step: "any" },
        (percent) => this.#pick(() => (this.#percent = percent)),
        "Of the layer, or of all layers together, by the size of the difference",
      )}
      <button class="primary" data-key="contrast-prune" ?disabled=${places.length === 0 || sameMask(mask, this.state.study.pruning.mask)}
        @click=${() => setMask(mask)}>Prune these ${count(places.length, "neuron")}</button>
    </div>`;
  }

  #pick(change: () => void): void {
    change();
    this.requestUpdate();
  }

  #table(contrast: HeldContrast, order: Uint32Array): TemplateResult {
    const { mask } = this.state.study.pruning;
    const row = (place: number, index: number): TemplateResult =>
      neuronRow(
        "contrast",
        { at: neuronAt(contrast, place), rank: index + 1, numbers: numbers(contrast, place) },
        mask,
        this.state.view.selected,
      );
    return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Neurons by their difference"><table class="ranked">
      ${columns(["", "Neuron", ...ofNumbers("Difference", "95 % interval"), "Pruned"])}
      <tbody>${Array.from(order.subarray(0, ROWS), row)}</tbody>
    </table></div>`;
  }
}

function numbers({ difference, half_width }: HeldContrast, place: number): string[] {
  const [value = 0, half] = [difference[place], half_width[place]];
  return [short(value), half === undefined ? "–" : `${short(value - half)} to ${short(value + half)}`];
}

/** The items, and what they are held against, in words. */
function sidesOf({ set, against }: HeldContrast): [string, string] {
  const here = `“${visible(set)}”`;
  return against.kind === "set"
    ? [here, `“${visible(against.set)}”`]
    : ["the items as given", `the same items ${QUESTIONS[against.question]}`];
}

/** What the numbers are of, and what their sign says. */
function meaning({ set, against, items, items_against }: HeldContrast): string {
  const sign = "Above zero a neuron drives the answers more on the first, below zero more on the second.";
  if (against.kind === "set") {
    return `Mean score on ${count(items, "item")} of “${visible(set)}” minus that on ${items_against} of “${visible(against.set)}”; the intervals are Welch's. ${sign}`;
  }
  return (
    `Mean over ${count(items, "item")} of “${visible(set)}”, sure or not, of the score as given minus the score ${QUESTIONS[against.question]}; the `
    + `intervals are of the items' own differences. ${sign}`
  );
}

customElements.define("contrast-found", ContrastFound);
