// The heat map of layers × neurons: looked at, hovered, clicked, zoomed, walked through by keyboard.

import { html, type TemplateResult } from "lit";
import { address, hasTarget, METHODS, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { NeuronAddress, State } from "../services/store";
import { isDark } from "../services/theme";
import { columns, neuronAt, paint, rowHeight, strongest, type Geometry, type Picture } from "./heat-map-paint";
import { css } from "./scale";
import type { Method } from "../wire/engine";
import { View } from "./view";
import { options, valueOf } from "./widgets";

/** Steps in which the map is worked with; in the others it is lower. */
const TALL_STEPS: readonly State["step"][] = ["start", "attribution", "pruning"];
const HEIGHT = { tall: 190, low: 112 };
const FEWEST_PLACES = 8;

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
  protected readonly keys = ["attribution", "mask", "selected", "shape", "step", "engine", "model"] as const;
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
  #byStrength = false;
  #isRoot = true;
  /** First place shown and number of places shown, and what of that the picture shows. */
  #zoom = { start: 0, span: 0 };
  #zoomed = this.#zoom;

  protected override willUpdate(): void {
    const { attribution, shape, mask, selected } = this.state;
    this.classList.toggle("is-empty", attribution === null);
    const source = [attribution, shape, mask, this.#byStrength, this.#isRoot, isDark()];
    if (source.some((part, index) => part !== this.#source[index])) {
      if (attribution !== this.#source[0]) this.#shown = selected;
      this.#source = source;
      this.#picture = this.#compose();
      this.#description = this.#describe();
    } else if (this.#picture && this.#zoom !== this.#zoomed) this.#picture = { ...this.#picture, ...this.#zoom };
    this.#zoomed = this.#zoom;
    if (selected !== this.#selected) {
      this.#selected = selected;
      this.#shown = selected;
      if (selected) this.#at = selected;
    }
    this.#measure();
  }

  /** What is to be seen; null before the shape of a model is known. */
  #compose(): Picture | null {
    const { attribution, shape, mask } = this.state;
    const n_layers = attribution?.n_layers ?? shape?.n_layers ?? 0;
    const d_mlp = attribution?.d_mlp ?? shape?.d_mlp ?? 0;
    if (n_layers === 0 || d_mlp === 0) return null;
    if (this.#picture?.d_mlp !== d_mlp || this.#zoom.span === 0) this.#zoom = { start: 0, span: d_mlp };
    this.#at = { layer: Math.min(this.#at.layer, n_layers - 1), neuron: Math.min(this.#at.neuron, d_mlp - 1) };
    const scores = attribution?.scores ?? new Float32Array(n_layers * d_mlp);
    let largest = 0;
    for (const score of scores) largest = Math.max(largest, Math.abs(score));
    return {
      n_layers,
      d_mlp,
      scores,
      largest,
      ...this.#zoom,
      isRoot: this.#isRoot,
      isDark: isDark(),
      order: this.#byStrength && attribution ? orderByStrength(scores, n_layers, d_mlp) : null,
      pruned: new Map(mask.layers.map(({ layer, neurons }) => [layer, new Set(neurons)])),
    };
  }

  #measure(): void {
    const ratio = devicePixelRatio || 1;
    const isLow = !TALL_STEPS.includes(this.state.step) || innerHeight < 640;
    this.#height = isLow ? HEIGHT.low : Math.max(HEIGHT.tall, Math.min(360, innerHeight * 0.3));
    const pitch = Math.max(2, Math.floor((this.#height * ratio) / (this.#picture?.n_layers ?? 1)));
    const track = Math.max(1, Math.min(Math.round(4 * ratio), Math.floor(pitch / 4)));
    const gap = pitch >= 8 * ratio ? Math.round(2 * ratio) : pitch >= 5 ? 1 : 0;
    this.#geometry = { width: Math.max(1, Math.floor(this.#width * ratio)), row: Math.max(1, pitch - track - gap), track, gap };
  }

  protected override render(): TemplateResult {
    const picture = this.#picture;
    return html`
      <div class="map-head"><p class="map-title">${this.#title()}</p><div class="map-tools">
        <select aria-label="Order of the neurons" @change=${(event: Event) => {
          this.#byStrength = valueOf(event) === "strength";
          this.requestUpdate();
        }}>${options(ORDERS, this.#byStrength ? "strength" : "index")}</select>
        <select aria-label="Colour scale" @change=${(event: Event) => {
          this.#isRoot = valueOf(event) === "root";
          this.requestUpdate();
        }}>${options(CONTRASTS, this.#isRoot ? "root" : "linear")}</select>
        ${this.#zoomButton("Zoom out", "−", 2)}${this.#zoomButton("Zoom in", "+", 0.5)}${this.#zoomButton("Show all neurons", "all", Infinity)}
      </div></div>
      <div class="map-body">
        <div class="map-layers" aria-hidden="true">${picture ? this.#layers(picture) : ""}</div>
        <div class="map-column">
          <div class="map-canvas"><canvas tabindex="0" role="application" aria-roledescription="heat map" aria-describedby="map-help"
            aria-label=${this.#description} .style=${`height: ${this.#height}px`}
            @pointermove=${(event: PointerEvent) => this.#show(this.#cell(event) ?? this.state.selected)}
            @pointerleave=${() => this.#show(this.state.selected)} @click=${this.#click} @keydown=${this.#key}
            @focus=${() => this.#focus(true)} @blur=${() => this.#focus(false)} @wheel=${this.#wheel}></canvas>${this.#cursor()}<p
            class="map-empty" ?hidden=${this.state.attribution !== null}>${this.#whyEmpty()}</p></div>
          <div class="map-axis" aria-hidden="true">${picture ? this.#axis(picture) : ""}</div>
        </div>
      </div>
      <div class="map-foot"><p class="map-read" aria-live="polite">${this.#read()}</p>${
        picture ? legend(picture, this.state.attribution?.settings.method ?? "integrated_gradients") : html`<div class="map-legend"></div>`
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
    const height = Math.max(1, Math.round(this.#height * (devicePixelRatio || 1)));
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

  #title(): string {
    const { attribution } = this.state;
    if (!this.#picture) return "";
    const { n_layers, d_mlp } = this.#picture;
    const site = attribution?.settings.site === "gate_pre" ? "gate" : "activation";
    return attribution
      ? `${METHODS[attribution.settings.method]} per neuron: ${n_layers} layers × ${d_mlp} neurons, ${site}, `
          + `signed mean over ${attribution.items_used.length} items of “${attribution.set}”`
      : `${n_layers} layers × ${d_mlp} neurons`;
  }

  #whyEmpty(): string {
    const { attribution, engine, model } = this.state;
    if (attribution) return "";
    if (engine === "starting") return "The engine is starting …";
    if (!model) return "Choose a model in step 1.";
    return "No scores yet. Run the attribution in step 4.";
  }

  /** What a screen reader says of the whole map. */
  #describe(): string {
    const { attribution, mask } = this.state;
    const picture = this.#picture;
    if (!picture || !attribution) return "Heat map without scores";
    const perLayer = Array.from({ length: picture.n_layers }, (_, layer) => {
      const neuron = strongest(picture, layer, 0, picture.d_mlp);
      return { layer, neuron, score: this.#score({ layer, neuron }) };
    }).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
    const top = perLayer[0];
    const pruned = mask.layers.map(({ layer, neurons }) => `${neurons.length} in layer ${layer}`).join(", ");
    return (
      `Heat map of ${picture.n_layers} layers by ${picture.d_mlp} neurons. `
      + (top ? `Strongest neuron: ${address(top.layer, top.neuron)}, score ${short(top.score)}. ` : "")
      + `Pruned: ${pruned || "none"}.`
    );
  }

  #score({ layer, neuron }: NeuronAddress): number {
    return this.#picture?.scores[layer * (this.#picture?.d_mlp ?? 0) + neuron] ?? 0;
  }

  #zoomButton(label: string, text: string, factor: number): TemplateResult {
    return html`<button class="small" title=${label} aria-label=${label} @click=${() => this.#zoomBy(factor)}>${text}</button>`;
  }

  #layers({ n_layers }: Picture): TemplateResult[] {
    const ratio = devicePixelRatio || 1;
    const pitch = rowHeight(this.#geometry) / ratio;
    const every = Math.ceil(13 / pitch);
    const style = `height: ${pitch}px; line-height: ${pitch - this.#geometry.gap / ratio}px`;
    return Array.from(
      { length: n_layers },
      (_, layer) => html`<span .style=${style}>${layer % every === 0 ? (pitch >= 18 ? `layer ${layer}` : layer) : ""}</span>`,
    );
  }

  #axis({ start, span, d_mlp }: Picture): TemplateResult {
    const perPixel = (span * (devicePixelRatio || 1)) / this.#geometry.width;
    const shown = span === d_mlp ? `all ${d_mlp}` : `${start} to ${start + span - 1} of ${d_mlp}`;
    return html`<span>${this.#byStrength ? "strongest" : `neuron ${start}`}</span>
      <span>${perPixel > 1.01 ? `${shown}; a column shows the strongest of ${perPixel.toFixed(1)}` : shown}</span>
      <span>${this.#byStrength ? "weakest" : start + span - 1}</span>`;
  }

  /** The frame around the neuron that the keys are at. */
  #cursor(): TemplateResult {
    const picture = this.#picture;
    const position = picture ? this.#position(this.#at) - picture.start : -1;
    const isShown =
      picture !== null
      && this.state.attribution !== null
      && (this.state.selected !== null || this.#isFocused)
      && position >= 0
      && position < picture.span;
    const ratio = devicePixelRatio || 1;
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
    if (!this.#picture || !this.state.attribution) return "";
    if (!shown) return "Point at a neuron, or use the arrow keys.";
    const pruned = isPruned(this.state.mask, shown.layer, shown.neuron) ? ", pruned" : "";
    return `${address(shown.layer, shown.neuron)}  ${short(this.#score(shown))}${pruned}`;
  }

  #cell(event: MouseEvent): NeuronAddress | null {
    const picture = this.#picture;
    if (!picture || !this.state.attribution) return null;
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

  #position({ layer, neuron }: NeuronAddress): number {
    const order = this.#picture?.order?.[layer];
    return order ? order.indexOf(neuron) : neuron;
  }

  #key(event: KeyboardEvent): void {
    const picture = this.#picture;
    if (!picture || !this.state.attribution || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 10 : 1;
    const { layer } = this.#at;
    const position = this.#position(this.#at);
    const go = (toLayer: number, toPosition: number): void => {
      const clampedLayer = Math.max(0, Math.min(picture.n_layers - 1, toLayer));
      const clamped = Math.max(0, Math.min(picture.d_mlp - 1, toPosition));
      const neuron = neuronAt(picture, clampedLayer, clamped);
      this.#reveal(clamped);
      this.#at = { layer: clampedLayer, neuron };
      this.#show(this.#at);
    };
    switch (event.key) {
      case "ArrowLeft":
        go(layer, position - far);
        break;
      case "ArrowRight":
        go(layer, position + far);
        break;
      case "ArrowUp":
        go(layer - 1, position);
        break;
      case "ArrowDown":
        go(layer + 1, position);
        break;
      case "Home":
        go(layer, 0);
        break;
      case "End":
        go(layer, picture.d_mlp - 1);
        break;
      case "s":
      case "S": {
        const neuron = strongest(picture, layer, 0, picture.d_mlp);
        go(layer, this.#position({ layer, neuron }));
        break;
      }
      case "Enter":
      case " ":
        select(this.#at);
        break;
      case "p":
      case "P":
        toggleNeuron(this.#at.layer, this.#at.neuron);
        break;
      case "+":
      case "=":
        this.#zoomBy(0.5);
        break;
      case "-":
        this.#zoomBy(2);
        break;
      case "0":
        this.#zoomBy(Infinity);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  /** Moves the window so that a place is inside. */
  #reveal(position: number): void {
    const { start, span } = this.#zoom;
    if (position >= start && position < start + span) return;
    this.#window(position < start ? position : position - span + 1, span);
  }

  #window(start: number, span: number): void {
    const picture = this.#picture;
    if (!picture) return;
    const size = Math.round(Math.max(Math.min(FEWEST_PLACES, picture.d_mlp), Math.min(picture.d_mlp, span)));
    const first = Math.round(Math.max(0, Math.min(picture.d_mlp - size, start)));
    this.#zoom = { start: first, span: size };
    this.requestUpdate();
  }

  /** Keeps the neuron at hand, or the place under the pointer, where it is. */
  #zoomBy(factor: number, around?: number): void {
    const picture = this.#picture;
    if (!picture) return;
    if (factor === Infinity) {
      this.#window(0, picture.d_mlp);
      return;
    }
    const { start, span } = this.#zoom;
    const center = around ?? this.#position(this.#at);
    const anchored = center >= start && center < start + span ? center : start + span / 2;
    const share = (anchored - start) / span;
    const next = Math.max(FEWEST_PLACES, Math.min(picture.d_mlp, span * factor));
    this.#window(anchored - share * next, next);
  }

  #wheel(event: WheelEvent): void {
    const picture = this.#picture;
    if (!picture || !this.state.attribution) return;
    event.preventDefault();
    const { start, span } = this.#zoom;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      const by = event.shiftKey ? event.deltaY : event.deltaX;
      this.#window(start + (by / this.#width) * span, span);
      return;
    }
    const at = start + (event.offsetX / this.#width) * span;
    this.#zoomBy(event.deltaY < 0 ? 0.8 : 1.25, at);
  }
}

function legend({ largest, isRoot, isDark: isNight }: Picture, method: Method): TemplateResult {
  const at = (share: number): number => Math.sign(share) * (isRoot ? share * share : Math.abs(share)) * largest;
  return html`<div class="map-legend" aria-label="Scores from ${short(-largest)} to ${short(largest)}">
    <div class="legend-scale"><span class="legend-bar" aria-hidden="true">${Array.from(
      { length: 41 },
      (_, index) => html`<i .style=${`background: ${css(index / 20 - 1, isNight)}`}></i>`,
    )}</span><span class="legend-numbers">${[-1, -0.5, 0, 0.5, 1].map((share) => html`<span>${short(at(share))}</span>`)}</span></div>
    <span class="legend-words">${
      hasTarget(method) ? "purple: against the answer · orange: for it" : "purple: below zero · orange: above"
    } · <b class="tick"></b> pruned</span>
  </div>`;
}

function orderByStrength(scores: Float32Array, n_layers: number, d_mlp: number): Uint32Array[] {
  return Array.from({ length: n_layers }, (_, layer) => {
    const row = scores.subarray(layer * d_mlp, (layer + 1) * d_mlp);
    return Uint32Array.from({ length: d_mlp }, (_, index) => index).sort((a, b) => Math.abs(row[b] ?? 0) - Math.abs(row[a] ?? 0) || a - b);
  });
}

customElements.define("heat-map", HeatMap);
