// Why these neurons? Prominence against measured harm: a picture, a table, and a rectangle or a lasso that becomes the mask.

import { html, nothing, type TemplateResult } from "lit";
import { count, METHODS, short, visible } from "../format";
import { EMPTY_MASK, layersOf, reportedSets, setsOf } from "../services/edited";
import type { LiveEffects } from "../services/harm";
import { sameMask, setMask } from "../services/mask";
import type { Attribution, Mask } from "../wire/engine";
import {
  addressOf,
  clearlyHarmful,
  largest,
  pictureOf,
  pointsOf,
  usualBounds,
  type Bounds,
  type Lasso,
  type Picture,
  type Points,
} from "./harm-picture";
import type { Tool } from "./harm-scatter";
import { harmTable, ROWS } from "./harm-table";
import { View, type Drawn, type Reads } from "./view";
import { numeric, options, valueOf } from "./widgets";

class HarmPanel extends View {
  protected readonly reads: Reads = ({ study, shown, view }) => [
    study.item_sets,
    study.pruning.mask,
    study.model.shape,
    shown.attribution,
    shown.effects,
    shown.sets,
    view.live_effects,
    view.selected,
  ];
  /** The set and the layer that were chosen; all layers for null. */
  #set: string | null = null;
  #layer: number | null = null;
  /** Null where those that are usual for the points are in force. */
  #bounds: Bounds | null = null;
  #tool: Tool = "rectangle";
  /** The one that was drawn last; null where a rectangle is in force. */
  #lasso: Lasso | null = null;
  #isRoot = true;
  #composed: { of: readonly unknown[]; points: Points; usual: Bounds; order: number[] } | null = null;
  /** Bounds and lasso are numbers of this attribution. */
  #attribution: Attribution | null = null;

  /** The set that is chosen, if it is there; else that of the attribution. */
  get #shownSet(): string | undefined {
    const { shown, study } = this.state;
    const names = shown.sets.filter(({ items }) => items.length > 0).map(({ name }) => name);
    const wanted = [this.#set, shown.attribution?.set, ...setsOf(study, "attribution"), names[0]];
    return wanted.find((name) => typeof name === "string" && names.includes(name)) ?? undefined;
  }

  protected override willUpdate(): void {
    const { attribution } = this.state.shown;
    if (attribution !== this.#attribution) [this.#attribution, this.#bounds, this.#lasso] = [attribution, null, null];
    const n_layers = this.state.study.model.shape?.n_layers ?? 0;
    if (this.#layer !== null && this.#layer >= n_layers) this.#layer = null;
  }

  protected override render(): TemplateResult {
    const set = this.#shownSet;
    const effects = this.#effects(set);
    const { attribution } = this.state.shown;
    return html`
      <div class="table-head"><h2>Why these neurons? Prominent × detrimental</h2>${this.#tools(set)}</div>
      <p class="note">A neuron does <b>harm</b> where the model does better without it: set to zero, the mean <b>gold margin</b> grows, the
        logit of the right choice's first token minus the largest of the wrong ones'. Prune what is prominent and harmful. Compare the item sets: a shortcut helps
        where it fits.</p>
      <harm-run .set=${set} .layer=${this.#layer}></harm-run>
      ${attribution && effects ? this.#found(attribution, effects) : nothing}
      ${effects && !attribution ? html`<p class="note">Run the attribution (step 4): it says how prominent each neuron is.</p>` : nothing}`;
  }

  #effects(set: string | undefined): LiveEffects | null {
    if (set === undefined) return null;
    const { live_effects } = this.state.view;
    return live_effects?.set === set ? live_effects : (this.state.shown.effects[set] ?? null);
  }

  #tools(set: string | undefined): TemplateResult {
    const sets = this.state.shown.sets.filter(({ items }) => items.length > 0).map(({ name }) => [name, `on ${visible(name)}`] as const);
    const n_layers = this.state.study.model.shape?.n_layers ?? 0;
    const layers = Array.from({ length: n_layers }, (_, layer) => [`${layer}`, `layer ${layer}`] as const);
    return html`<div class="tools">
      <select data-key="harm-set" aria-label="Item set of the effects" @change=${(event: Event) => {
        this.#set = valueOf(event);
        this.requestUpdate();
      }}>${options(sets, set ?? null)}</select>
      <select data-key="harm-layer" aria-label="Layers of the picture" @change=${(event: Event) => {
        this.#layer = valueOf(event) === "" ? null : Number(valueOf(event));
        this.requestUpdate();
      }}>${options([["", "all layers"], ...layers], this.#layer === null ? "" : `${this.#layer}`)}</select>
      <select data-key="harm-scale" aria-label="Scale of both axes" @change=${(event: Event) => {
        this.#isRoot = valueOf(event) === "root";
        this.requestUpdate();
      }}>${options(
        [
          ["root", "√ scale"],
          ["linear", "linear scale"],
        ],
        this.#isRoot ? "root" : "linear",
      )}</select>
      <span class="tools" role="group" aria-label="What dragging draws">${this.#toolButton("rectangle", "Rectangle")}${this.#toolButton("lasso", "Lasso")}</span>
    </div>`;
  }

  #toolButton(tool: Tool, name: string): TemplateResult {
    return html`<button class="small" data-key=${`harm-${tool}`} aria-pressed=${tool === this.#tool ? "true" : "false"} @click=${() => {
      this.#tool = tool;
      if (tool === "rectangle") this.#lasso = null;
      this.requestUpdate();
    }}>${name}</button>`;
  }

  #found(attribution: Attribution, { layers, settings: { positions } }: LiveEffects): Drawn {
    const of = [attribution, layers, this.#layer];
    if (!this.#composed || of.some((part, index) => part !== this.#composed?.of[index])) {
      const points = pointsOf(attribution, layers, this.#layer);
      this.#composed = { of, points, usual: usualBounds(points), order: largest(points.harm, ROWS) };
    }
    const { points, usual, order } = this.#composed;
    if (points.harm.length === 0) return nothing;
    const picture = pictureOf(points, this.#bounds ?? usual, this.#isRoot, this.#lasso);
    const { mask } = this.state.study.pruning;
    return html`<div class="harm-both">
      <div>
        <harm-scatter .picture=${picture} .method=${attribution.settings.method} .positions=${positions} .tool=${this.#tool}
          @pick=${({ detail }: CustomEvent<Bounds>) => this.#pick(detail, null)}
          @lasso=${({ detail }: CustomEvent<Lasso>) => this.#pick(this.#bounds, detail)}></harm-scatter>
        ${this.#picked(picture)}
      </div>
      <div><h3>Most harmful ${order.length}</h3>${harmTable(points, order, mask, this.state.view.selected)}</div>
    </div>`;
  }

  #picked(picture: Picture): TemplateResult {
    const { bounds, chosen, lasso, points } = picture;
    const { prominence, harm } = bounds;
    const isOpen = prominence.high === Infinity && harm.high === Infinity;
    const clear = clearlyHarmful(points, chosen);
    const name = METHODS[this.state.shown.attribution?.settings.method ?? "integrated_gradients"];
    return html`<div class="fields">
        ${numeric(
          "Prominence at least",
          "least-prominence",
          prominence.low,
          { min: 0, max: 1e9, step: "any" },
          (low) => this.#bound({ prominence: { low, high: Infinity }, harm: { ...harm, high: Infinity } }),
          `|${name}|`,
        )}
        ${numeric("Harm at least", "least-harm", harm.low, { min: -1e9, max: 1e9, step: "any" }, (low) =>
          this.#bound({ prominence: { ...prominence, high: Infinity }, harm: { low, high: Infinity } }),
        )}
        <button class="primary" data-key="harm-prune" ?disabled=${chosen.length === 0 || sameMask(this.#mask(points, chosen), this.state.study.pruning.mask)}
          @click=${() => setMask(this.#mask(points, chosen))}>Prune these ${count(chosen.length, "neuron")}</button>
      </div>
      <p class="note">${
        lasso
          ? "Picked by the lasso; a number above picks a rectangle again. "
          : isOpen
            ? ""
            : `The rectangle ends at prominence ${end(prominence.high)} and harm ${end(harm.high)}. `
      }Of these ${count(chosen.length, "neuron")}, ${clear} ${clear === 1 ? "has" : "have"} a 95 % interval of harm above zero.${this.#flattery()}</p>`;
  }

  /** What speaks against picking by the harm on the set that is shown. */
  #flattery(): string {
    const set = this.#shownSet;
    return set !== undefined && reportedSets(this.state.study).includes(set)
      ? ` Results are reported on “${visible(set)}” as well: a mask that is picked by its items flatters itself there.`
      : "";
  }

  #mask(points: Points, chosen: readonly number[]): Mask {
    const site = this.state.shown.attribution?.settings.site ?? EMPTY_MASK.site;
    // Zeroed, as their harm was measured, whatever the mask at hand does to neurons.
    return { ...EMPTY_MASK, site, layers: layersOf(chosen.map((index) => addressOf(points, index))) };
  }

  #bound(bounds: Bounds | null, lasso: Lasso | null = null): void {
    [this.#bounds, this.#lasso] = [bounds, lasso];
    this.requestUpdate();
  }

  /** What was drawn is the mask at once. */
  #pick(bounds: Bounds | null, lasso: Lasso | null): void {
    this.#bound(bounds, lasso);
    if (!this.#composed) return;
    const { points, usual } = this.#composed;
    const { chosen } = pictureOf(points, bounds ?? usual, this.#isRoot, lasso);
    if (chosen.length > 0) setMask(this.#mask(points, chosen));
  }
}

/** The upper end of a span in words. */
function end(high: number): string {
  return high === Infinity ? "the largest" : short(high);
}

customElements.define("harm-panel", HarmPanel);
