// What the heat map shows: one row a layer, one column a neuron, or the strongest of several where there are more neurons than
// pixels. Pure functions.

import type { Shape } from "../services/edited";
import type { NeuronAddress } from "../services/results";
import type { Attribution, Mask } from "../wire/engine";

/** First place of the horizontal axis that is shown, and number of places shown. */
export interface Extent {
  start: number;
  span: number;
}

export interface Picture extends Extent {
  n_layers: number;
  d_mlp: number;
  /** `[n_layers * d_mlp]`. */
  scores: Float32Array;
  largest: number;
  /** Place on the horizontal axis -> neuron, per layer; null where places are neurons. */
  order: Uint32Array[] | null;
  /** Pruned neurons per layer. */
  pruned: Map<number, Set<number>>;
  isRoot: boolean;
  isDark: boolean;
}

/** Geometry in device pixels. */
export interface Geometry {
  width: number;
  row: number;
  /** Height of the track of pruned neurons below each row. */
  track: number;
  gap: number;
}

export function neuronAt(picture: Picture, layer: number, position: number): number {
  return picture.order?.[layer]?.[position] ?? position;
}

/** Places that a pixel column covers: at least one. */
export function columns(picture: Picture, width: number, x: number): [number, number] {
  const first = picture.start + Math.floor((x * picture.span) / width);
  const end = picture.start + Math.floor(((x + 1) * picture.span) / width);
  return [first, Math.min(picture.d_mlp, Math.max(first + 1, end))];
}

/** The strongest neuron among some places of a layer. */
export function strongest(picture: Picture, layer: number, first: number, end: number): number {
  let best = neuronAt(picture, layer, Math.min(first, picture.d_mlp - 1));
  let size = -1;
  for (let position = first; position < end; position += 1) {
    const neuron = neuronAt(picture, layer, position);
    const score = Math.abs(picture.scores[layer * picture.d_mlp + neuron] ?? 0);
    if (score > size) [best, size] = [neuron, score];
  }
  return best;
}

/** The place of a neuron on the horizontal axis. */
export function positionOf({ order }: Picture, { layer, neuron }: NeuronAddress): number {
  return order?.[layer]?.indexOf(neuron) ?? neuron;
}

export function scoreOf({ scores, d_mlp }: Picture, { layer, neuron }: NeuronAddress): number {
  return scores[layer * d_mlp + neuron] ?? 0;
}

export function rowHeight({ row, track, gap }: Geometry): number {
  return row + track + gap;
}

/** How the scores are shown. */
export interface Look {
  isByStrength: boolean;
  isRoot: boolean;
  isDark: boolean;
}

/** The picture of what there is of a model; null before its shape is known. */
export function pictureOf(
  attribution: Attribution | null,
  shape: Shape | undefined,
  mask: Mask,
  { isByStrength, isRoot, isDark }: Look,
): Omit<Picture, keyof Extent> | null {
  const { n_layers, d_mlp } = attribution ?? shape ?? { n_layers: 0, d_mlp: 0 };
  if (n_layers === 0 || d_mlp === 0) return null;
  const scores = attribution?.scores ?? new Float32Array(n_layers * d_mlp);
  let largest = 0;
  for (const score of scores) largest = Math.max(largest, Math.abs(score));
  return {
    n_layers,
    d_mlp,
    scores,
    largest,
    isRoot,
    isDark,
    order: isByStrength && attribution ? orderByStrength(scores, n_layers, d_mlp) : null,
    pruned: new Map(mask.layers.map(({ layer, neurons }) => [layer, new Set(neurons)])),
  };
}

function orderByStrength(scores: Float32Array, n_layers: number, d_mlp: number): Uint32Array[] {
  return Array.from({ length: n_layers }, (_, layer) => {
    const row = scores.subarray(layer * d_mlp, (layer + 1) * d_mlp);
    return Uint32Array.from({ length: d_mlp }, (_, index) => index).sort((a, b) => Math.abs(row[b] ?? 0) - Math.abs(row[a] ?? 0) || a - b);
  });
}

/** The geometry of a map of so many CSS pixels, `ratio` device pixels each. */
export function geometryOf(n_layers: number, width: number, height: number, ratio: number): Geometry {
  const pitch = Math.max(2, Math.floor((height * ratio) / n_layers));
  const track = Math.max(1, Math.min(Math.round(4 * ratio), Math.floor(pitch / 4)));
  const gap = pitch >= 8 * ratio ? Math.round(2 * ratio) : pitch >= 5 ? 1 : 0;
  return { width: Math.max(1, Math.floor(width * ratio)), row: Math.max(1, pitch - track - gap), track, gap };
}
