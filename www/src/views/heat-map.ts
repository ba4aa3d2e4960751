// The heat map of layers × neurons: looked at, hovered, clicked, zoomed, walked through by keyboard.

import { html, type TemplateResult } from "lit";
import { address, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { NeuronAddress } from "../services/results";
import type { Step } from "../services/store";
import { isDark } from "../services/theme";
import { axisLabels, description, layerLabels, legend, title } from "./heat-map-labels";
import { moved, neuronAfter, revealing, zoomed } from "./heat-map-moves";
import { paint } from "./heat-map-paint";
import {
  columns,
  geometryOf,
  pictureOf,
  positionOf,
  rowHeight,
  scoreOf,
  strongest,
  type Extent,
  type Geometry,
  type Picture,
} from "./heat-map-picture";
import { View, type Reads } from "./view";
import { options, valueOf } from "./widgets";

/** Steps in which the map is worked with; in the others it is lower. */
const TALL_STEPS: readonly Step[] = ["start", "attribution", "pruning"];
const HEIGHT = { tall: 190, low: 112 };

const ORDERS = [
  ["index", "by index"],
  ["strength", "strongest first"],
] as const;
const CONTRASTS = [
  ["root", "√ scale"],
  ["linear", "linear scale"],
] as const;

const HELP =
  "Arrow keys move between neurons and layers, with Shift by ten; S goes to the strongest neuron of the layer, "
  + "Home and End to the ends. Enter shows the neuron, P prunes it or takes it back, plus and minus zoom. "
  + "The ranked table in steps 4 and 5 has the same scores as text.";

class HeatMap extends View {
  protected readonly reads: Reads = ({ study, engine, view, shown }) => [
    shown.attribution,
    study.pruning.mask,
    view.selected,
    study.model.shape,
    view.step,
    engine.status,
    engine.model,
  ];
  /** What the picture was composed of. */
  #source: readonly unknown[] = [];
  #picture: Picture | null = null;
  #painted: Picture | null = null;
  /** The picture in words. */
  #description = "";
  #geometry: Geometry = { width: 1, row: 1, track: 1, gap: 1 };
  /** Of the place for the map, in CSS pixels. */
  #width = 0;
  #height = HEIGHT.low;
  #selected: NeuronAddress | null = null;
  /** Where the keys are. */
  #at: NeuronAddress = { layer: 0, neuron: 0 };
  /** What is said under the map. */
  #shown: NeuronAddress | null = null;
  #isFocused = false;
  #isByStrength = false;
  #isRoot = true;
  #extent: Extent = { start: 0, span: 0 };

  protected override willUpdate(): void {
    const { attribution } = this.state.shown;
    const { shape } = this.state.study.model;
    const { mask } = this.state.study.pruning;
    const { selected } = this.state.view;
    this.classList.toggle("is-empty", attribution === null);
    const source = [attribution, shape, mask, this.#isByStrength, this.#isRoot, isDark()];
    if (source.some((part, index) => part !== this.#source[index])) {
      if (attribution !== this.#source[0]) this.#shown = selected;
      this.#source = source;
      this.#picture = this.#compose();
      this.#description = this.#picture && attribution ? description(this.#picture, mask) : "Heat map without scores";
    } else if (this.#picture && this.#isMoved(this.#picture)) this.#picture = { ...this.#picture, ...this.#extent };
    if (selected !== this.#selected) {
      this.#selected = selected;
      this.#shown = selected;
      if (selected) this.#at = selected;
    }
    this.#measure();
  }

  /** What is to be seen; null before the shape of a model is known. */
  #compose(): Picture | null {
    const { attribution } = this.state.shown;
    const { shape } = this.state.study.model;
    const { mask } = this.state.study.pruning;
    const look = { isByStrength: this.#isByStrength, isRoot: this.#isRoot, isDark: isDark() };
    const picture = pictureOf(attribution, shape, mask, look);
    if (!picture) return null;
    const { n_layers, d_mlp } = picture;
    if (this.#picture?.d_mlp !== d_mlp || this.#extent.span === 0) this.#extent = { start: 0, span: d_mlp };
    this.#at = { layer: Math.min(this.#at.layer, n_layers - 1), neuron: Math.min(this.#at.neuron, d_mlp - 1) };
    return { ...picture, ...this.#extent };
  }

  #isMoved({ start, span }: Picture): boolean {
    return start !== this.#extent.start || span !== this.#extent.span;
  }

  #measure(): void {
    const isLow = !TALL_STEPS.includes(this.state.view.step) || innerHeight < 640;
    this.#height = isLow ? HEIGHT.low : Math.max(HEIGHT.tall, Math.min(360, innerHeight * 0.3));
    this.#geometry = geometryOf(this.#picture?.n_layers ?? 1, this.#width, this.#height, this.#ratio);
  }

  /** Device pixels of a CSS pixel. */
  get #ratio(): number {
    return devicePixelRatio || 1;
  }

  protected override render(): TemplateResult {
    const picture = this.#picture;
    const { attribution } = this.state.shown;
    const name = picture ? title(picture, attribution) : "";
    return html`
      <div class="map-head"><p class="map-title" title=${name}>${name}</p><div class="map-tools">
        <select aria-label="Order of the neurons" @change=${(event: Event) => {
          this.#isByStrength = valueOf(event) === "strength";
          this.requestUpdate();
        }}>${options(ORDERS, this.#isByStrength ? "strength" : "index")}</select>
        <select aria-label="Colour scale" @change=${(event: Event) => {
          this.#isRoot = valueOf(event) === "root";
          this.requestUpdate();
        }}>${options(CONTRASTS, this.#isRoot ? "root" : "linear")}</select>
        ${this.#zoomButton("Zoom out", "−", 2)}${this.#zoomButton("Zoom in", "+", 0.5)}${this.#zoomButton("Show all neurons", "all", Infinity)}
      </div></div>
      <div class="map-body">
        <div class="map-layers" aria-hidden="true">${picture ? layerLabels(picture, this.#geometry, this.#ratio) : ""}</div>
        <div class="map-column">
          <div class="map-canvas"><canvas tabindex="0" role="application" aria-roledescription="heat map" aria-describedby="map-help"
            aria-label=${this.#description} .style=${`height: ${this.#height}px`}
            @pointermove=${(event: PointerEvent) => this.#show(this.#cell(event) ?? this.state.view.selected)}
            @pointerleave=${() => this.#show(this.state.view.selected)} @click=${this.#click} @keydown=${this.#key}
            @focus=${() => this.#focus(true)} @blur=${() => this.#focus(false)} @wheel=${this.#wheel}></canvas>${this.#cursor()}<p
            class="map-empty" ?hidden=${attribution !== null}>${this.#whyEmpty()}</p></div>
          <div class="map-axis" aria-hidden="true">${picture ? axisLabels(picture, this.#geometry, this.#ratio, this.#isByStrength) : ""}</div>
        </div>
      </div>
      <div class="map-foot"><p class="map-read" aria-live="polite">${this.#read()}</p>${
        picture ? legend(picture, attribution?.settings.method ?? "integrated_gradients") : html`<div class="map-legend"></div>`
      }</div>
      <p id="map-help" class="visually-hidden">${HELP}</p>`;
  }

  protected override firstUpdated(): void {
    const box = this.#canvas.parentElement as Element;
    new ResizeObserver(() => {
      this.#width = box.clientWidth;
      this.requestUpdate();
    }).observe(box);
  }

  protected override updated(): void {
    const { width } = this.#geometry;
    const height = Math.max(1, Math.round(this.#height * this.#ratio));
    const canvas = this.#canvas;
    if (this.#picture === this.#painted && canvas.width === width && canvas.height === height) return;
    this.#painted = this.#picture;
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    if (context && this.#picture) paint(context, this.#picture, this.#geometry);
  }

  get #canvas(): HTMLCanvasElement {
    return this.querySelector("canvas") as HTMLCanvasElement;
  }

  #whyEmpty(): string {
    const { attribution } = this.state.shown;
    const { status, model } = this.state.engine;
    if (attribution) return "";
    if (status === "starting") return "The engine is starting …";
    if (!model) return "Choose a model in step 1.";
    return "No scores yet. Run the attribution in step 4.";
  }

  #zoomButton(label: string, text: string, factor: number): TemplateResult {
    return html`<button class="small" title=${label} aria-label=${label} @click=${() => this.#zoomBy(factor)}>${text}</button>`;
  }

  /** The frame around the neuron that the keys are at. */
  #cursor(): TemplateResult {
    const picture = this.#picture;
    const position = picture ? positionOf(picture, this.#at) - picture.start : -1;
    const isShown =
      picture !== null
      && this.state.shown.attribution !== null
      && (this.state.view.selected !== null || this.#isFocused)
      && position >= 0
      && position < picture.span;
    const ratio = this.#ratio;
    const cell = this.#geometry.width / ratio / (picture?.span ?? 1);
    const width = Math.max(7, cell + 2);
    return html`<div class="map-cursor" ?hidden=${!isShown} .style=${
      `width: ${width}px; `
      + `height: ${(this.#geometry.row + this.#geometry.track) / ratio + 2}px; left: ${(position + 0.5) * cell - width / 2}px; `
      + `top: ${(this.#at.layer * rowHeight(this.#geometry)) / ratio - 1}px`
    }></div>`;
  }

  /** A neuron's address and score. */
  #read(): string {
    const shown = this.#shown;
    if (!this.#picture || !this.state.shown.attribution) return "";
    if (!shown) return "Point at a neuron, or use the arrow keys.";
    const pruned = isPruned(this.state.study.pruning.mask, shown.layer, shown.neuron) ? ", pruned" : "";
    return `${address(shown.layer, shown.neuron)}  ${short(scoreOf(this.#picture, shown))}${pruned}`;
  }

  #cell(event: MouseEvent): NeuronAddress | null {
    const picture = this.#picture;
    if (!picture || !this.state.shown.attribution) return null;
    const box = this.#canvas.getBoundingClientRect();
    const ratio = this.#geometry.width / box.width;
    const layer = Math.floor(((event.clientY - box.top) * ratio) / rowHeight(this.#geometry));
    if (layer < 0 || layer >= picture.n_layers) return null;
    const x = Math.max(0, Math.min(this.#geometry.width - 1, Math.floor((event.clientX - box.left) * ratio)));
    return { layer, neuron: strongest(picture, layer, ...columns(picture, this.#geometry.width, x)) };
  }

  #click(event: MouseEvent): void {
    const cell = this.#cell(event);
    if (!cell) return;
    this.#at = cell;
    select(cell);
  }

  #focus(isFocused: boolean): void {
    this.#isFocused = isFocused;
    if (isFocused) this.#shown = this.#at;
    this.requestUpdate();
  }

  #show(at: NeuronAddress | null): void {
    this.#shown = at;
    this.requestUpdate();
  }

  #key(event: KeyboardEvent): void {
    const picture = this.#picture;
    if (!picture || !this.state.shown.attribution || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = neuronAfter(event.key, this.#at, event.shiftKey ? 10 : 1, picture);
    if (to) {
      this.#extent = revealing(this.#extent, positionOf(picture, to), picture.d_mlp);
      this.#at = to;
      this.#show(to);
    } else if (!this.#act(event.key)) return;
    event.preventDefault();
  }

  /** Does what a key that leads nowhere stands for; false where it stands for nothing. */
  #act(key: string): boolean {
    switch (key) {
      case "Enter":
      case " ":
        select(this.#at);
        return true;
      case "p":
      case "P":
        toggleNeuron(this.#at.layer, this.#at.neuron);
        return true;
      case "+":
      case "=":
        this.#zoomBy(0.5);
        return true;
      case "-":
        this.#zoomBy(2);
        return true;
      case "0":
        this.#zoomBy(Infinity);
        return true;
      default:
        return false;
    }
  }

  /** Keeps the neuron at hand, or the place under the pointer, where it is. */
  #zoomBy(factor: number, around?: number): void {
    const picture = this.#picture;
    if (picture) this.#take(zoomed(this.#extent, factor, around ?? positionOf(picture, this.#at), picture.d_mlp));
  }

  #take(extent: Extent): void {
    this.#extent = extent;
    this.requestUpdate();
  }

  #wheel(event: WheelEvent): void {
    const picture = this.#picture;
    if (!picture || !this.state.shown.attribution) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      const by = event.shiftKey ? event.deltaY : event.deltaX;
      this.#take(moved(this.#extent, by / this.#width, picture.d_mlp));
      return;
    }
    const { start, span } = this.#extent;
    this.#zoomBy(event.deltaY < 0 ? 0.8 : 1.25, start + (event.offsetX / this.#width) * span);
  }
}

customElements.define("heat-map", HeatMap);
