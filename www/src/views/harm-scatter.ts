// Every neuron by its prominence and its harm: looked at, hovered, clicked, walked through by keyboard, picked by a rectangle or a lasso.

import { html, nothing, type TemplateResult } from "lit";
import { address, count, METHODS, short } from "../format";
import { select } from "../services/actions";
import { isPruned, toggleNeuron } from "../services/mask";
import { isDark } from "../services/theme";
import type { Mask, Method, Positions } from "../wire/engine";
import { paint } from "./harm-paint";
import {
  addressOf,
  indexOf,
  lassoOf,
  markedIn,
  ordered,
  outlineOf,
  placeOn,
  placesOf,
  spanBetween,
  ticks,
  type Bounds,
  type Lasso,
  type Picture,
  type Place,
} from "./harm-picture";
import { harmText } from "./harm-table";
import { View, type Drawn, type Reads } from "./view";

const HEIGHT = 300;

/** How far from a point the pointer may be, how far it moves before it drags, and from one corner of a lasso to the next, in CSS pixels. */
const NEAR = 14;
const STILL = 4;
const CORNER = 3;

/** What dragging draws. */
export type Tool = "rectangle" | "lasso";

/** Positions in words. */
export const PLACES: Readonly<Record<Positions, string>> = { last: "at the last position", all: "at every position" };

const HELP =
  "Left and right go to the next less or more prominent neuron, up and down to the next more or less harmful one, Home and End to the "
  + "most and the least harmful. Enter shows the neuron, P prunes it or takes it back. The fields below pick a rectangle, a lasso "
  + "takes a pointer, and the table lists the most harmful neurons.";

class HarmScatter extends View {
  static override readonly properties = {
    picture: { attribute: false },
    method: { attribute: false },
    positions: { attribute: false },
    tool: { attribute: false },
  };
  protected readonly reads: Reads = ({ study, view }) => [study.pruning.mask, view.selected];
  declare picture: Picture | undefined;
  /** That of the prominence. */
  declare method: Method;
  /** Where neurons were set to zero. */
  declare positions: Positions;
  declare tool: Tool;
  /** Of the place for the picture, in CSS pixels. */
  #width = 0;
  #painted: readonly unknown[] = [];
  #points: Picture["points"] | null = null;
  /** Whom the mask prunes, and of which picture and mask that is. */
  #marked: { of: readonly unknown[]; marked: Uint8Array } = { of: [], marked: new Uint8Array() };
  #orders: { of: Picture["points"] | null; prominence: Uint32Array; harm: Uint32Array } = {
    of: null,
    prominence: new Uint32Array(),
    harm: new Uint32Array(),
  };
  /** What the pointer or the keys are at; -1 for none. */
  #at = -1;
  /** Where a drag has been: from its beginning to where it is now, with corners between where a lasso is drawn. */
  #path: Place[] = [];

  protected override willUpdate(): void {
    const points = this.picture?.points ?? null;
    if (points !== this.#points) [this.#points, this.#at] = [points, -1];
  }

  protected override render(): Drawn {
    const { picture } = this;
    if (!picture) return nothing;
    const { x, y, quadrants } = picture;
    const least = `${100 * placesOf(x, picture.bounds.prominence)[0]}%`;
    const none = `${100 * (1 - placeOn(y, 0))}%`;
    const corner = (where: string, text: string, of: number): TemplateResult =>
      html`<span class="corner ${where}">${text}<small> ${of.toLocaleString("en")}</small></span>`;
    return html`
      <div class="harm-plot">
        <p class="harm-name up" aria-hidden="true">harm: what the gold margin gains without it (logits) →</p>
        <div class="harm-ticks up" aria-hidden="true">${ticks(y, 24 / HEIGHT).map(
          (value) => html`<span .style=${`bottom: ${100 * placeOn(y, value)}%`}>${short(value)}</span>`,
        )}</div>
        <div class="harm-area" .style=${`height: ${HEIGHT}px`}>
          ${this.#frame(picture)}
          <i class="harm-rule up" .style=${`left: ${least}`}></i><i class="harm-rule along" .style=${`top: ${none}`}></i>
          <canvas tabindex="0" role="application" aria-roledescription="scatter plot" aria-describedby="harm-help"
            aria-label=${this.#description(picture)}
            @pointerdown=${this.#press} @pointermove=${this.#move} @pointerup=${this.#release} @pointercancel=${() => this.#drop()}
            @pointerleave=${() => this.#look(-1)} @keydown=${this.#key}></canvas>
          ${this.#cursor(picture)}
          <div class="corners" aria-hidden="true" .style=${`left: 0; width: ${least}`}>
            ${corner("other harmful", "harmful", quadrants.otherHarmful)}
            ${corner("other needed", "needed", quadrants.otherNeeded)}
          </div>
          <div class="corners" aria-hidden="true" .style=${`left: ${least}; right: 0`}>
            ${corner("prominent harmful", "prominent and harmful", quadrants.prominentHarmful)}
            ${corner("prominent needed", "prominent and needed", quadrants.prominentNeeded)}
          </div>
        </div>
        <div class="harm-ticks along" aria-hidden="true">${ticks(x, 56 / Math.max(56, this.#width)).map(
          (value) => html`<span .style=${`left: ${100 * placeOn(x, value)}%`}>${short(value)}</span>`,
        )}</div>
        <p class="harm-name along" aria-hidden="true">prominence: |${METHODS[this.method]}| →</p>
      </div>
      <p class="harm-read" aria-live="polite">${this.#read(picture)}</p>
      <p class="key harm-key">${legend(picture, this.positions)}</p>
      <p id="harm-help" class="visually-hidden">${HELP}</p>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector("canvas");
    const { picture } = this;
    if (!canvas || !picture) return;
    this.#observe(canvas.parentElement as Element);
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(this.#width * ratio)), Math.round(HEIGHT * ratio)];
    const marked = this.#marks(picture);
    // Bounds that change move a frame, and no point.
    const shown = [picture.points, picture.x.isRoot, marked, width, ratio, isDark()];
    if (shown.every((part, index) => part === this.#painted[index])) return;
    this.#painted = shown;
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    if (context) paint(context, picture, marked, ratio, isDark());
  }

  #observed: Element | null = null;
  #observe(box: Element): void {
    if (box === this.#observed) return;
    this.#observed = box;
    new ResizeObserver(() => {
      this.#width = box.clientWidth;
      this.requestUpdate();
    }).observe(box);
  }

  #marks({ points }: Picture): Uint8Array {
    const of = [points, this.state.study.pruning.mask];
    if (of.some((part, index) => part !== this.#marked.of[index])) this.#marked = { of, marked: markedIn(points, of[1] as Mask) };
    return this.#marked.marked;
  }

  /** What is picked, or is being drawn. */
  #frame(picture: Picture): TemplateResult {
    const { x, y, bounds, lasso } = picture;
    const path = this.tool === "lasso" && this.#isDrag ? this.#path : null;
    const drawn = this.#drawn(picture);
    if (path ?? (lasso && !drawn)) return outline(path ?? outlineOf(picture, lasso as Lasso), path !== null);
    const [left, right] = placesOf(x, (drawn ?? bounds).prominence);
    const [bottom, top] = placesOf(y, (drawn ?? bounds).harm);
    return html`<div class="harm-frame ${drawn ? "drawn" : ""}" .style=${`left: ${100 * left}%; width: ${100 * (right - left)}%; bottom: ${100 * bottom}%; height: ${100 * (top - bottom)}%`}></div>`;
  }

  /** The ring around the neuron that is looked at, with the interval of its harm. */
  #cursor({ points, x, y }: Picture): Drawn {
    const index = this.#shown(points);
    if (index < 0) return nothing;
    const harm = points.harm[index] ?? 0;
    const half = points.half_width[index] ?? Number.NaN;
    const [low, high] = placesOf(y, Number.isFinite(half) ? { low: harm - half, high: harm + half } : { low: harm, high: harm });
    const left = 100 * placeOn(x, points.prominence[index] ?? 0);
    return html`<i class="harm-whisker" .style=${`left: ${left}%; bottom: ${100 * low}%; height: ${100 * (high - low)}%`}></i>
      <i class="harm-cursor" .style=${`left: ${left}%; bottom: ${100 * placeOn(y, harm)}%`}></i>`;
  }

  /** What is looked at, else what is selected. */
  #shown(points: Picture["points"]): number {
    return this.#at >= 0 ? this.#at : indexOf(points, this.state.view.selected);
  }

  #read({ points }: Picture): string {
    const index = this.#shown(points);
    if (index < 0)
      return `Point at a neuron or use the arrow keys; ${this.tool === "lasso" ? "draw around neurons to prune them" : "drag to prune a rectangle"}.`;
    const { layer, neuron } = addressOf(points, index);
    const how = points.exact[index] ? "measured" : "first-order estimate";
    const pruned = isPruned(this.state.study.pruning.mask, layer, neuron) ? ", pruned" : "";
    const prominence = short(points.prominence[index] ?? 0);
    return `${address(layer, neuron)}  prominence ${prominence}, harm ${harmText(points.harm[index] ?? 0, points.half_width[index])} (${how})${pruned}`;
  }

  /** What a screen reader says of the whole picture. */
  #description({ points, quadrants }: Picture): string {
    return (
      `${count(points.harm.length, "neuron")} by prominence and harm. Prominent and harmful: ${quadrants.prominentHarmful}; prominent and `
      + `needed: ${quadrants.prominentNeeded}; harmful, not prominent: ${quadrants.otherHarmful}; needed, not prominent: ${quadrants.otherNeeded}.`
    );
  }

  #place(event: MouseEvent): Place {
    const box = (this.querySelector("canvas") as Element).getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: 1 - (event.clientY - box.top) / box.height };
  }

  #distance(a: Place, b: Place): number {
    return Math.hypot((a.x - b.x) * this.#width, (a.y - b.y) * HEIGHT);
  }

  /** The point nearest to a place; -1 where none is near. */
  #nearest({ points, x, y }: Picture, at: Place): number {
    let [found, least] = [-1, NEAR];
    points.harm.forEach((harm, index) => {
      const away = this.#distance(at, { x: placeOn(x, points.prominence[index] ?? 0), y: placeOn(y, harm) });
      if (away < least) [found, least] = [index, away];
    });
    return found;
  }

  /** Whether the pointer has gone far enough to draw something. */
  get #isDrag(): boolean {
    const [from, ...others] = this.#path;
    return from !== undefined && others.some((to) => this.#distance(from, to) >= STILL);
  }

  /** The rectangle that is being drawn. */
  #drawn({ x, y }: Picture): Bounds | null {
    const [from, to] = [this.#path[0], this.#path.at(-1)];
    if (this.tool !== "rectangle" || !from || !to || !this.#isDrag) return null;
    return { prominence: spanBetween(x, from.x, to.x), harm: spanBetween(y, from.y, to.y) };
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.#path = [this.#place(event)];
  }

  #move(event: PointerEvent): void {
    if (!this.picture) return;
    const [from] = this.#path;
    if (from) {
      this.#follow(from, this.#place(event));
      this.requestUpdate();
    } else this.#look(this.#nearest(this.picture, this.#place(event)));
  }

  /** Draws on to a place. */
  #follow(from: Place, to: Place): void {
    const last = this.#path.at(-1) ?? from;
    if (this.tool === "rectangle") this.#path = [from, to];
    else if (this.#distance(last, to) >= CORNER) this.#path.push(to);
  }

  #release(event: PointerEvent): void {
    const { picture } = this;
    const [path, isDrag] = [this.#path, this.#isDrag];
    const bounds = picture && this.#drawn(picture);
    this.#drop();
    if (!picture || path.length === 0) return;
    if (bounds) this.dispatchEvent(new CustomEvent<Bounds>("pick", { detail: bounds }));
    else if (isDrag) this.dispatchEvent(new CustomEvent<Lasso>("lasso", { detail: lassoOf(picture, path) }));
    else {
      const index = this.#nearest(picture, this.#place(event));
      if (index >= 0) select(addressOf(picture.points, index));
    }
  }

  #drop(): void {
    this.#path = [];
    this.requestUpdate();
  }

  #look(index: number): void {
    if (index === this.#at) return;
    this.#at = index;
    this.requestUpdate();
  }

  #key(event: KeyboardEvent): void {
    const { picture } = this;
    if (!picture || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = this.#after(event.key, picture);
    if (to !== null) this.#look(to);
    else if (!this.#act(event.key, picture)) return;
    event.preventDefault();
  }

  /** The point that a key leads to; null for a key that leads nowhere. */
  #after(key: string, picture: Picture): number | null {
    const { points } = picture;
    if (this.#orders.of !== points) {
      this.#orders = { of: points, prominence: ordered(points.prominence), harm: ordered(points.harm) };
    }
    const { prominence, harm } = this.#orders;
    const at = this.#shown(points);
    const next = (order: Uint32Array, by: number): number => {
      const place = at < 0 ? 0 : order.indexOf(at) + by;
      return order[Math.max(0, Math.min(order.length - 1, place))] ?? -1;
    };
    switch (key) {
      case "ArrowRight":
        return next(prominence, -1);
      case "ArrowLeft":
        return next(prominence, 1);
      case "ArrowUp":
        return next(harm, -1);
      case "ArrowDown":
        return next(harm, 1);
      case "Home":
        return harm[0] ?? -1;
      case "End":
        return harm.at(-1) ?? -1;
      default:
        return null;
    }
  }

  /** Does what a key stands for with the point at hand; false where it stands for nothing. */
  #act(key: string, { points }: Picture): boolean {
    const index = this.#shown(points);
    if (index < 0) return false;
    const at = addressOf(points, index);
    if (key === "Enter" || key === " ") select(at);
    else if (key === "p" || key === "P") toggleNeuron(at.layer, at.neuron);
    else return false;
    return true;
  }
}

/** A lasso by its corners; one that is picked is a broken line. */
function outline(corners: readonly Place[], isDrawn: boolean): TemplateResult {
  const points = corners.map(({ x, y }) => `${x},${1 - y}`).join(" ");
  return html`<svg class="harm-lasso ${isDrawn ? "drawn" : ""}" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><polygon
    points=${points}></polygon></svg>`;
}

function legend({ points: { exact }, lasso }: Picture, positions: Positions): Drawn {
  const measured = exact.reduce((sum, is) => sum + is, 0);
  const entry = (kind: string, text: string): TemplateResult => html`<span><i class="point ${kind}"></i> ${text}</span>`;
  return html`${measured > 0 ? entry("", `measured: set to zero ${PLACES[positions]}`) : nothing}
    ${measured < exact.length ? entry("hollow", "first-order estimate") : nothing} ${entry("own", "pruned now")}
    <span><i class="dashes"></i> ${lasso ? "the lasso" : "the rectangle below"}</span>`;
}

customElements.define("harm-scatter", HarmScatter);
