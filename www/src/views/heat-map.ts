// The heat map of layers × neurons: looked at, hovered, clicked, zoomed, walked through by keyboard.

import { h, View } from "../dom";
import { address, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import type { NeuronAddress, State } from "../services/store";
import { isDark, themeChanges } from "../services/theme";
import { columns, neuronAt, paint, rowHeight, strongest, type Geometry, type Picture } from "./heat-map-paint";
import { css } from "./scale";

/** Steps in which the map is worked with; in the others it is lower. */
const TALL_STEPS: readonly State["step"][] = ["start", "attribution", "pruning"];
const HEIGHT = { tall: 190, low: 112 };
const FEWEST_PLACES = 8;

class HeatMap extends View {
  protected readonly keys = ["attribution", "mask", "selected", "shape", "step", "engine"] as const;
  #canvas = h("canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "heat map", "aria-describedby": "map-help",
  });
  #cursor = h("div", { class: "map-cursor", hidden: true });
  #layers = h("div", { class: "map-layers", "aria-hidden": "true" });
  #read = h("p", { class: "map-read", "aria-live": "polite" });
  #axis = h("div", { class: "map-axis", "aria-hidden": "true" });
  #legend = h("div", { class: "map-legend" });
  #empty = h("p", { class: "map-empty" });
  #title = h("p", { class: "map-title" });
  #picture: Picture | null = null;
  #geometry: Geometry = { width: 1, row: 1, track: 1, gap: 1 };
  #at: NeuronAddress = { layer: 0, neuron: 0 };
  #byStrength = false;
  #isRoot = true;
  #zoom = { start: 0, span: 0 };

  protected override setup(): void {
    const order = h("select", { "aria-label": "Order of the neurons", onchange: (event: Event) => {
      this.#byStrength = (event.target as HTMLSelectElement).value === "strength";
      this.render(new Set());
    } }, h("option", { value: "index" }, "by index"), h("option", { value: "strength" }, "strongest first"));
    const contrast = h("select", { "aria-label": "Colour scale", onchange: (event: Event) => {
      this.#isRoot = (event.target as HTMLSelectElement).value === "root";
      this.render(new Set());
    } }, h("option", { value: "root" }, "√ scale"), h("option", { value: "linear" }, "linear scale"));
    const zoom = (label: string, text: string, factor: number): HTMLElement =>
      h("button", { class: "small", title: label, "aria-label": label, onclick: () => this.#zoomBy(factor) }, text);
    this.replaceChildren(
      h("div", { class: "map-head" }, this.#title,
        h("div", { class: "map-tools" }, order, contrast,
          zoom("Zoom out", "−", 2), zoom("Zoom in", "+", 0.5), zoom("Show all neurons", "all", Infinity))),
      h("div", { class: "map-body" }, this.#layers,
        h("div", { class: "map-column" },
          h("div", { class: "map-canvas" }, this.#canvas, this.#cursor, this.#empty), this.#axis)),
      h("div", { class: "map-foot" }, this.#read, this.#legend),
      h("p", { id: "map-help", class: "visually-hidden" },
        "Arrow keys move between neurons and layers, with Shift by ten; S goes to the strongest neuron of the layer, "
        + "Home and End to the ends. Enter shows the neuron, P prunes it or takes it back, plus and minus zoom. "
        + "The ranked table in steps 4 and 5 has the same scores as text."),
    );
    this.#canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.#canvas.addEventListener("pointerleave", () => this.#show(this.state.selected));
    this.#canvas.addEventListener("click", (event) => this.#click(event));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    this.#canvas.addEventListener("focus", () => this.#show(this.#at));
    this.#canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.#draw()).observe(this.#canvas.parentElement as Element);
    themeChanges.addEventListener("change", () => this.#draw());
  }

  protected render(changed: ReadonlySet<keyof State>): void {
    const { attribution, mask, selected, shape } = this.state;
    const n_layers = attribution?.n_layers ?? shape?.n_layers ?? 0;
    const d_mlp = attribution?.d_mlp ?? shape?.d_mlp ?? 0;
    this.#empty.hidden = attribution !== null;
    this.#empty.textContent = attribution ? "" : this.#whyEmpty();
    this.classList.toggle("is-empty", attribution === null);
    if (n_layers === 0 || d_mlp === 0) {
      this.#picture = null;
      this.#draw();
      return;
    }
    if (this.#picture?.d_mlp !== d_mlp || this.#zoom.span === 0) this.#zoom = { start: 0, span: d_mlp };
    const scores = attribution?.scores ?? new Float32Array(n_layers * d_mlp);
    let largest = 0;
    for (const score of scores) largest = Math.max(largest, Math.abs(score));
    this.#picture = {
      n_layers, d_mlp, scores, largest, ...this.#zoom, isRoot: this.#isRoot, isDark: isDark(),
      order: this.#byStrength && attribution ? orderByStrength(scores, n_layers, d_mlp) : null,
      pruned: new Map(mask.layers.map(({ layer, neurons }) => [layer, new Set(neurons)])),
    };
    this.#at = selected ?? { layer: Math.min(this.#at.layer, n_layers - 1), neuron: Math.min(this.#at.neuron, d_mlp - 1) };
    const site = attribution?.settings.site === "gate_pre" ? "gate" : "activation";
    this.#title.textContent = attribution
      ? `Integrated Gradients per neuron: ${n_layers} layers × ${d_mlp} neurons, ${site}, `
        + `signed mean over ${attribution.items_used.length} items of “${attribution.set}”`
      : `${n_layers} layers × ${d_mlp} neurons`;
    this.#canvas.setAttribute("aria-label", this.#describe());
    if (changed.has("step")) this.#draw();
    this.#draw();
    this.#show(selected);
  }

  #whyEmpty(): string {
    const { engine, model } = this.state;
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
    return `Heat map of ${picture.n_layers} layers by ${picture.d_mlp} neurons. `
      + (top ? `Strongest neuron: ${address(top.layer, top.neuron)}, score ${short(top.score)}. ` : "")
      + `Pruned: ${pruned || "none"}.`;
  }

  #score({ layer, neuron }: NeuronAddress): number {
    return this.#picture?.scores[layer * (this.#picture?.d_mlp ?? 0) + neuron] ?? 0;
  }

  #draw(): void {
    const ratio = devicePixelRatio || 1;
    const box = this.#canvas.parentElement as HTMLElement;
    const low = !TALL_STEPS.includes(this.state.step) || innerHeight < 640;
    const height = low ? HEIGHT.low : Math.max(HEIGHT.tall, Math.min(360, innerHeight * 0.3));
    const picture = this.#picture;
    const width = Math.max(1, Math.floor(box.clientWidth * ratio));
    this.#canvas.width = width;
    this.#canvas.height = Math.max(1, Math.round(height * ratio));
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    if (!context || !picture) {
      this.#layers.replaceChildren();
      this.#legend.replaceChildren();
      return;
    }
    picture.isDark = isDark();
    const pitch = Math.max(2, Math.floor((height * ratio) / picture.n_layers));
    const track = Math.max(1, Math.min(Math.round(4 * ratio), Math.floor(pitch / 4)));
    const gap = pitch >= 8 * ratio ? Math.round(2 * ratio) : pitch >= 5 ? 1 : 0;
    this.#geometry = { width, row: Math.max(1, pitch - track - gap), track, gap };
    paint(context, picture, this.#geometry);
    this.#labels(ratio);
    this.#drawLegend();
    this.#place();
  }

  #labels(ratio: number): void {
    const picture = this.#picture as Picture;
    const pitch = rowHeight(this.#geometry) / ratio;
    const every = Math.ceil(13 / pitch);
    this.#layers.replaceChildren(...Array.from({ length: picture.n_layers }, (_, layer) => {
      const label = h("span", {}, layer % every === 0 ? (pitch >= 18 ? `layer ${layer}` : layer) : "");
      label.style.height = `${pitch}px`;
      label.style.lineHeight = `${pitch - this.#geometry.gap / ratio}px`;
      return label;
    }));
    const { start, span, d_mlp } = picture;
    const perPixel = (picture.span * ratio) / this.#geometry.width;
    const shown = span === d_mlp ? `all ${d_mlp}` : `${start} to ${start + span - 1} of ${d_mlp}`;
    this.#axis.replaceChildren(
      h("span", {}, this.#byStrength ? "strongest" : `neuron ${start}`),
      h("span", {}, perPixel > 1.01 ? `${shown}; a column shows the strongest of ${perPixel.toFixed(1)}` : shown),
      h("span", {}, this.#byStrength ? "weakest" : start + span - 1));
  }

  #drawLegend(): void {
    const picture = this.#picture as Picture;
    const { largest, isRoot } = picture;
    const bar = h("span", { class: "legend-bar", "aria-hidden": "true" }, ...Array.from({ length: 41 }, (_, index) => {
      const cell = h("i");
      cell.style.background = css(index / 20 - 1, picture.isDark);
      return cell;
    }));
    const at = (share: number): number => Math.sign(share) * (isRoot ? share * share : Math.abs(share)) * largest;
    const numbers = [-1, -0.5, 0, 0.5, 1].map((share) => h("span", {}, short(at(share))));
    this.#legend.replaceChildren(
      h("div", { class: "legend-scale" }, bar, h("span", { class: "legend-numbers" }, ...numbers)),
      h("span", { class: "legend-words" }, "purple: against the answer · orange: for it · ", h("b", { class: "tick" }), " pruned"));
    this.#legend.setAttribute("aria-label", `Scores from ${short(-largest)} to ${short(largest)}`);
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

  #hover(event: MouseEvent): void {
    this.#show(this.#cell(event) ?? this.state.selected, false);
  }

  #click(event: MouseEvent): void {
    const cell = this.#cell(event);
    if (!cell) return;
    this.#at = cell;
    select(cell);
  }

  /** Writes a neuron's address and score under the map. */
  #show(at: NeuronAddress | null, moves = true): void {
    if (!this.#picture || !this.state.attribution) {
      this.#read.textContent = "";
      this.#cursor.hidden = true;
      return;
    }
    if (at && moves) this.#at = at;
    const shown = at ?? null;
    const pruned = shown && isPruned(this.state.mask, shown.layer, shown.neuron) ? ", pruned" : "";
    this.#read.textContent = shown
      ? `${address(shown.layer, shown.neuron)}  ${short(this.#score(shown))}${pruned}`
      : "Point at a neuron, or use the arrow keys.";
    this.#place();
  }

  #position({ layer, neuron }: NeuronAddress): number {
    const order = this.#picture?.order?.[layer];
    return order ? order.indexOf(neuron) : neuron;
  }

  /** The frame around the neuron that the keys are at. */
  #place(): void {
    const picture = this.#picture;
    const isShown = picture !== null && this.state.attribution !== null
      && (this.state.selected !== null || document.activeElement === this.#canvas);
    this.#cursor.hidden = !isShown;
    if (!picture || !isShown) return;
    const position = this.#position(this.#at) - picture.start;
    if (position < 0 || position >= picture.span) {
      this.#cursor.hidden = true;
      return;
    }
    const ratio = devicePixelRatio || 1;
    const cell = this.#geometry.width / ratio / picture.span;
    const width = Math.max(7, cell + 2);
    this.#cursor.style.width = `${width}px`;
    this.#cursor.style.height = `${(this.#geometry.row + this.#geometry.track) / ratio + 2}px`;
    this.#cursor.style.left = `${(position + 0.5) * cell - width / 2}px`;
    this.#cursor.style.top = `${(this.#at.layer * rowHeight(this.#geometry)) / ratio - 1}px`;
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
      this.#show({ layer: clampedLayer, neuron });
    };
    switch (event.key) {
      case "ArrowLeft": go(layer, position - far); break;
      case "ArrowRight": go(layer, position + far); break;
      case "ArrowUp": go(layer - 1, position); break;
      case "ArrowDown": go(layer + 1, position); break;
      case "Home": go(layer, 0); break;
      case "End": go(layer, picture.d_mlp - 1); break;
      case "s": case "S": {
        const neuron = strongest(picture, layer, 0, picture.d_mlp);
        go(layer, this.#position({ layer, neuron }));
        break;
      }
      case "Enter": case " ": select(this.#at); break;
      case "p": case "P": toggleNeuron(this.#at.layer, this.#at.neuron); break;
      case "+": case "=": this.#zoomBy(0.5); break;
      case "-": this.#zoomBy(2); break;
      case "0": this.#zoomBy(Infinity); break;
      default: return;
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
    Object.assign(picture, this.#zoom);
    this.#draw();
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
      this.#window(start + (by / this.#canvas.clientWidth) * span, span);
      return;
    }
    const at = start + (event.offsetX / this.#canvas.clientWidth) * span;
    this.#zoomBy(event.deltaY < 0 ? 0.8 : 1.25, at);
  }
}

function orderByStrength(scores: Float32Array, n_layers: number, d_mlp: number): Uint32Array[] {
  return Array.from({ length: n_layers }, (_, layer) => {
    const row = scores.subarray(layer * d_mlp, (layer + 1) * d_mlp);
    return Uint32Array.from({ length: d_mlp }, (_, index) => index)
      .sort((a, b) => Math.abs(row[b] ?? 0) - Math.abs(row[a] ?? 0) || a - b);
  });
}

customElements.define("heat-map", HeatMap);
