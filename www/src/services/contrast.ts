// Which neurons drive some items more than others: the engine's contrasts, held for long, and what is picked by them. Pure functions.

import type { Against, AttributionSettings, Contrast, ContrastRequest } from "../wire/engine";
import type { NeuronAddress } from "./results";

/** A contrast; its numbers are packed, layer after layer, since there may be tens of thousands. */
export type HeldContrast = Omit<Contrast, "layers"> & {
  difference: Float32Array;
  /** Half the width of each 95 % interval; empty where there are too few items for one. */
  half_width: Float32Array;
};

/** What is held against what. */
export type ContrastAsked = Pick<ContrastRequest, "set" | "against">;

/** The sets that a contrast is of. */
export function setsOfContrast({ set, against }: ContrastAsked): string[] {
  return against.kind === "set" ? [set, against.set] : [set];
}

/** Which neurons come first: those that drive the set more, those that drive the other side more, or both. */
export type Side = "either" | "here" | "there";

export function packedContrast({ layers, ...contrast }: Contrast): HeldContrast {
  const flat = (part: "difference" | "half_width"): Float32Array => Float32Array.from(layers.flatMap((layer) => layer[part]));
  return { ...contrast, difference: flat("difference"), half_width: flat("half_width") };
}

/** How a contrast's scores are made: it subtracts means of scores as they are, however the attribution puts them together. Without its
 * question an item is rarely answered with confidence: then every item counts, sure or not. */
export function contrastSettings(settings: AttributionSettings, against: Against): AttributionSettings {
  const { aggregate, layer_scale = "as_is", confidence_threshold } = settings;
  const countsAll = against.kind === "set" || confidence_threshold === 0;
  if (countsAll && aggregate === "signed_mean" && layer_scale === "as_is") return settings;
  const { preset: _, consensus_threshold: __, layer_scale: ___, ...own } = settings;
  return { ...own, aggregate: "signed_mean", confidence_threshold: countsAll ? confidence_threshold : 0 };
}

function weight(difference: number, side: Side): number {
  return side === "either" ? Math.abs(difference) : side === "here" ? difference : -difference;
}

/** The places of the neurons on a side, of one layer or of all, the largest difference first. */
export function rankedBy({ difference, d_mlp }: HeldContrast, side: Side, layer: number | null): Uint32Array {
  const weights = difference.map((value) => weight(value, side));
  const isIn = (place: number): boolean => layer === null || Math.floor(place / d_mlp) === layer;
  return Uint32Array.from(difference.keys())
    .filter((place) => isIn(place) && (weights[place] ?? 0) > 0)
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
}

/** How many neurons a share of them is: rounded and at least one, as the engine's selections are. */
export function shareOf(percent: number, neurons: number): number {
  return Math.min(neurons, Math.max(1, Math.round((percent * neurons) / 100)));
}

/** The neuron at a place. */
export function neuronAt({ d_mlp }: HeldContrast, place: number): NeuronAddress {
  return { layer: Math.floor(place / d_mlp), neuron: place % d_mlp };
}

/** How many neurons' intervals leave out zero; null where there are no intervals. */
export function clearOf({ difference, half_width }: HeldContrast): number | null {
  if (half_width.length === 0) return null;
  return difference.reduce((sum, value, place) => sum + Number(Math.abs(value) > (half_width[place] ?? Infinity)), 0);
}
