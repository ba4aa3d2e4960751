// The picture of prominence against harm: which neurons are where, and which of them lie in a rectangle or a lasso. Pure functions.

import { polygonContains } from "d3-polygon";
import { harmOf, type LayerOfEffects } from "../services/harm";
import type { NeuronAddress } from "../services/results";
import type { Attribution, Mask } from "../wire/engine";

/** Neurons by their place in these lists. */
export interface Points {
  layer: Uint16Array;
  neuron: Uint32Array;
  prominence: Float32Array;
  harm: Float32Array;
  /** Half the width of the 95 % interval of the harm; NaN of a single item. */
  half_width: Float32Array;
  /** Whether the harm was measured, and is no estimate. */
  exact: Uint8Array;
}

/** From where to where, both included. */
export interface Span {
  low: number;
  high: number;
}

/** A rectangle; it is open where it is infinite. */
export interface Bounds {
  prominence: Span;
  harm: Span;
}

/** An outline drawn by hand. */
export interface Lasso {
  /** Prominence and harm of each corner. */
  corners: readonly (readonly [number, number])[];
  /** Whether it was drawn on axes of roots, on which it has straight sides. */
  isRoot: boolean;
}

/** A place in the picture, as shares of its width and height from the left and from below. */
export interface Place {
  x: number;
  y: number;
}

export interface Axis extends Span {
  /** Whether places are square roots, which keep small values apart. */
  isRoot: boolean;
}

export interface Picture {
  points: Points;
  x: Axis;
  y: Axis;
  bounds: Bounds;
  /** It takes the place of the bounds. */
  lasso: Lasso | null;
  /** Those within the lasso, else within the bounds. */
  chosen: number[];
  /** What the bounds and the line of no harm part the neurons into. */
  quadrants: Quadrants;
}

/** How many neurons are in each quadrant. */
export interface Quadrants {
  prominentHarmful: number;
  prominentNeeded: number;
  otherHarmful: number;
  otherNeeded: number;
}

/** The share of the neurons that counts as prominent where nobody says another. */
const PROMINENT = 0.05;

/** The neurons whose effects are known, of all layers or of one. */
export function pointsOf({ scores, d_mlp }: Attribution, layers: readonly LayerOfEffects[], only: number | null): Points {
  const known = layers.filter(({ layer, mean }) => mean.length === d_mlp && (only === null || only === layer));
  const size = known.length * d_mlp;
  const points: Points = {
    layer: new Uint16Array(size),
    neuron: new Uint32Array(size),
    prominence: new Float32Array(size),
    harm: new Float32Array(size),
    half_width: new Float32Array(size),
    exact: new Uint8Array(size),
  };
  known.forEach((effects, row) => {
    for (let neuron = 0; neuron < d_mlp; neuron += 1) {
      const index = row * d_mlp + neuron;
      points.layer[index] = effects.layer;
      points.neuron[index] = neuron;
      points.prominence[index] = Math.abs(scores[effects.layer * d_mlp + neuron] ?? 0);
      points.harm[index] = harmOf(effects, neuron);
      points.half_width[index] = effects.half_width[neuron] ?? Number.NaN;
      points.exact[index] = effects.exact ? 1 : 0;
    }
  });
  return points;
}

/** A number of three digits, none of which is above the value. */
export function roundedDown(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2);
  return Number((Math.floor(value / unit + 1e-9) * unit).toPrecision(3));
}

/** What is called prominent and harmful where nobody says otherwise: the top 5 % by prominence, with any harm. */
export function usualBounds({ prominence }: Points): Bounds {
  const sorted = Float32Array.from(prominence).sort();
  const least = sorted[Math.floor((1 - PROMINENT) * sorted.length)] ?? 0;
  return { prominence: { low: roundedDown(least), high: Infinity }, harm: { low: 0, high: Infinity } };
}

function isIn({ low, high }: Span, value: number): boolean {
  return value >= low && value <= high;
}

export function inside({ prominence, harm }: Points, bounds: Bounds): number[] {
  const found: number[] = [];
  prominence.forEach((value, index) => {
    if (isIn(bounds.prominence, value) && isIn(bounds.harm, harm[index] ?? 0)) found.push(index);
  });
  return found;
}

/** The points within a lasso; whatever the axes are by now, as it was drawn. */
export function within({ prominence, harm }: Points, { corners, isRoot }: Lasso): number[] {
  const outline = corners.map(([x, y]): [number, number] => [stretched(x, isRoot), stretched(y, isRoot)]);
  const [xs, ys] = [outline.map(([x]) => x), outline.map(([, y]) => y)];
  const [x, y] = [xs, ys].map((all): Span => ({ low: Math.min(...all), high: Math.max(...all) })) as [Span, Span];
  const found: number[] = [];
  prominence.forEach((value, index) => {
    const point: [number, number] = [stretched(value, isRoot), stretched(harm[index] ?? 0, isRoot)];
    if (isIn(x, point[0]) && isIn(y, point[1]) && polygonContains(outline, point)) found.push(index);
  });
  return found;
}

function quadrantsOf({ prominence, harm }: Points, least: number): Quadrants {
  const found = { prominentHarmful: 0, prominentNeeded: 0, otherHarmful: 0, otherNeeded: 0 };
  prominence.forEach((value, index) => {
    const change = harm[index] ?? 0;
    // What changes nothing is neither.
    if (change === 0) return;
    found[value >= least ? (change > 0 ? "prominentHarmful" : "prominentNeeded") : change > 0 ? "otherHarmful" : "otherNeeded"] += 1;
  });
  return found;
}

/** Room beside the outermost points. */
const MARGIN = 0.06;

function axisOf(values: Float32Array, isRoot: boolean): Axis {
  let [low, high] = [0, 0];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low === high) high = 1e-6;
  const margin = (high - low) * MARGIN;
  return { low: low < 0 ? low - margin : 0, high: high > 0 ? high + margin : margin, isRoot };
}

export function pictureOf(points: Points, bounds: Bounds, isRoot: boolean, lasso: Lasso | null = null): Picture {
  return {
    points,
    x: axisOf(points.prominence, isRoot),
    y: axisOf(points.harm, isRoot),
    bounds,
    lasso,
    chosen: lasso ? within(points, lasso) : inside(points, bounds),
    quadrants: quadrantsOf(points, bounds.prominence.low),
  };
}

function stretched(value: number, isRoot: boolean): number {
  return isRoot ? Math.sign(value) * Math.sqrt(Math.abs(value)) : value;
}

/** Where a value is on an axis: 0 at its low end, 1 at its high one. */
export function placeOn({ low, high, isRoot }: Axis, value: number): number {
  const [first, last] = [stretched(low, isRoot), stretched(high, isRoot)];
  return (stretched(value, isRoot) - first) / (last - first);
}

/** The value at a place of an axis. */
export function valueAt({ low, high, isRoot }: Axis, place: number): number {
  const [first, last] = [stretched(low, isRoot), stretched(high, isRoot)];
  const value = first + place * (last - first);
  return isRoot ? Math.sign(value) * value ** 2 : value;
}

/** The part of an axis that a span covers, as places from 0 to 1. */
export function placesOf(axis: Axis, { low, high }: Span): [number, number] {
  const place = (value: number): number => Math.max(0, Math.min(1, placeOn(axis, Math.max(axis.low, Math.min(axis.high, value)))));
  return [place(low), place(high)];
}

/** The span between two places of an axis: open where it reaches its high end, and no number longer than people write. */
export function spanBetween(axis: Axis, from: number, to: number): Span {
  const [first, last] = [Math.max(0, Math.min(from, to)), Math.min(1, Math.max(from, to))];
  return { low: roundedDown(valueAt(axis, first)), high: last > 0.995 ? Infinity : Number(valueAt(axis, last).toPrecision(3)) };
}

/** A path through the picture as a lasso. */
export function lassoOf({ x, y }: Picture, path: readonly Place[]): Lasso {
  return { corners: path.map((at) => [valueAt(x, at.x), valueAt(y, at.y)] as const), isRoot: x.isRoot };
}

/** Where the corners of a lasso are. */
export function outlineOf({ x, y }: Picture, { corners }: Lasso): Place[] {
  return corners.map(([prominence, harm]) => ({ x: placeOn(x, prominence), y: placeOn(y, harm) }));
}

/** Round numbers along an axis, apart by at least a share of it; zero and the largest first. */
export function ticks(axis: Axis, apart: number): number[] {
  const largest = Math.max(Math.abs(axis.low), Math.abs(axis.high));
  const power = Math.floor(Math.log10(largest));
  const sizes = [0, -1, -2, -3].flatMap((down) => [5, 2, 1].map((digit) => Number((digit * 10 ** (power + down)).toPrecision(1))));
  const candidates = [0, ...sizes.flatMap((size) => [size, -size])].filter((value) => value >= axis.low && value <= axis.high);
  const taken: number[] = [];
  for (const value of candidates) {
    if (taken.every((other) => Math.abs(placeOn(axis, value) - placeOn(axis, other)) >= apart)) taken.push(value);
  }
  return taken.sort((a, b) => a - b);
}

/** The few points with the largest of some numbers, the largest first. */
export function largest(values: Float32Array, count: number): number[] {
  const found: number[] = [];
  values.forEach((value, index) => {
    const last = found.length < count ? -Infinity : (values[found.at(-1) ?? 0] ?? 0);
    if (value <= last) return;
    const place = found.findIndex((other) => (values[other] ?? 0) < value);
    found.splice(place < 0 ? found.length : place, 0, index);
    if (found.length > count) found.pop();
  });
  return found;
}

/** All points by some of their numbers, the largest first. */
export function ordered(values: Float32Array): Uint32Array {
  return Uint32Array.from(values.keys()).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
}

export function addressOf({ layer, neuron }: Points, index: number): NeuronAddress {
  return { layer: layer[index] ?? 0, neuron: neuron[index] ?? 0 };
}

/** The place of a neuron among the points; -1 where it is not among them. */
export function indexOf(points: Points, at: NeuronAddress | null): number {
  if (!at) return -1;
  const first = points.layer.indexOf(at.layer);
  const index = first + at.neuron;
  return first >= 0 && points.layer[index] === at.layer ? index : -1;
}

/** For each point whether a mask prunes it. */
export function markedIn(points: Points, { layers }: Mask): Uint8Array {
  const marked = new Uint8Array(points.layer.length);
  for (const { layer, neurons } of layers) {
    const first = points.layer.indexOf(layer);
    if (first >= 0) for (const neuron of neurons) marked[first + neuron] = 1;
  }
  return marked;
}

/** How many points' intervals lie above zero. */
export function clearlyHarmful({ harm, half_width }: Points, indices: readonly number[]): number {
  return indices.filter((index) => (harm[index] ?? 0) - (half_width[index] ?? Number.NaN) > 0).length;
}
