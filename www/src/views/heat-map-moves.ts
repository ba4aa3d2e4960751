// How one moves about the heat map: which part of it is shown, and where its keys lead. Pure functions.

import type { NeuronAddress } from "../services/results";
import { neuronAt, positionOf, strongest, type Extent, type Picture } from "./heat-map-picture";

const FEWEST_PLACES = 8;

/** An extent as it can be in a map of so many places: whole places, all inside, and not too few. */
function within({ start, span }: Extent, d_mlp: number): Extent {
  const size = Math.round(Math.max(Math.min(FEWEST_PLACES, d_mlp), Math.min(d_mlp, span)));
  return { start: Math.round(Math.max(0, Math.min(d_mlp - size, start))), span: size };
}

/** Moved by a share of what is shown. */
export function moved({ start, span }: Extent, share: number, d_mlp: number): Extent {
  return within({ start: start + share * span, span }, d_mlp);
}

/** So many times as many places, all for `Infinity`; the place `around` stays where it is if it is shown. */
export function zoomed({ start, span }: Extent, factor: number, around: number, d_mlp: number): Extent {
  const anchored = around >= start && around < start + span ? around : start + span / 2;
  const next = Math.max(FEWEST_PLACES, Math.min(d_mlp, span * factor));
  return within({ start: anchored - ((anchored - start) / span) * next, span: next }, d_mlp);
}

/** Moved just so far that a place is inside. */
export function revealing(extent: Extent, position: number, d_mlp: number): Extent {
  const { start, span } = extent;
  if (position >= start && position < start + span) return extent;
  return within({ start: position < start ? position : position - span + 1, span }, d_mlp);
}

/** The neuron that a key leads to; null for a key that leads nowhere. `far` is how far an arrow goes. */
export function neuronAfter(key: string, at: NeuronAddress, far: number, picture: Picture): NeuronAddress | null {
  const { layer } = at;
  const position = positionOf(picture, at);
  const to = (toLayer: number, toPosition: number): NeuronAddress => {
    const row = Math.max(0, Math.min(picture.n_layers - 1, toLayer));
    return { layer: row, neuron: neuronAt(picture, row, Math.max(0, Math.min(picture.d_mlp - 1, toPosition))) };
  };
  switch (key) {
    case "ArrowLeft":
      return to(layer, position - far);
    case "ArrowRight":
      return to(layer, position + far);
    case "ArrowUp":
      return to(layer - 1, position);
    case "ArrowDown":
      return to(layer + 1, position);
    case "Home":
      return to(layer, 0);
    case "End":
      return to(layer, picture.d_mlp - 1);
    case "s":
    case "S":
      return { layer, neuron: strongest(picture, layer, 0, picture.d_mlp) };
    default:
      return null;
  }
}
