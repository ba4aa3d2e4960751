// Neurons in the order of an attribution: by the absolute score, of equals the earlier first, as the engine has them. Pure functions.

import type { NeuronAddress } from "./services/results";
import type { Attribution } from "./wire/engine";

/** The places of the strongest neurons of a layer, or of all, the strongest first. */
export function strongest({ scores, d_mlp }: Attribution, layer: number | null, most: number): number[] {
  const places = Array.from(scores.keys()).filter((index) => layer === null || Math.floor(index / d_mlp) === layer);
  return places.sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0) || a - b).slice(0, most);
}

/** The rank of a neuron among all, from 1. */
export function rankOf({ scores, d_mlp }: Attribution, { layer, neuron }: NeuronAddress): number {
  const place = layer * d_mlp + neuron;
  const own = Math.abs(scores[place] ?? 0);
  return (
    1 + scores.reduce((before, score, index) => before + Number(Math.abs(score) > own || (Math.abs(score) === own && index < place)), 0)
  );
}
