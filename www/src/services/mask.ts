// The mask as the user edits it, with undo and redo.

import type { LayerMask, Mask, Selection } from "../wire/engine";
import { EMPTY_MASK, selectionOf, type Pruning, type SelectionSource } from "./edited";
import { remembered, step } from "./history";
import { isEqual } from "./made-of";
import { store, type State } from "./store";

export function neuronCount(mask: Mask): number {
  return mask.layers.reduce((sum, layer) => sum + layer.neurons.length, 0);
}

export function isPruned(mask: Mask, layer: number, neuron: number): boolean {
  return mask.layers.some((entry) => entry.layer === layer && entry.neurons.includes(neuron));
}

export function sameMask(a: Mask, b: Mask): boolean {
  return isEqual(normal(a), normal(b));
}

/** The one way to write a set of neurons: ascending, without empty layers. */
function normal({ layers, ...rest }: Mask): Mask {
  const kept = layers
    .filter(({ neurons }) => neurons.length > 0)
    .map(ascending)
    .sort((a, b) => a.layer - b.layer);
  return { ...rest, layers: kept };
}

/** A layer's neurons in order, each with its mean where it has one. */
function ascending({ layer, neurons, means }: LayerMask): LayerMask {
  const order = neurons.map((_, at) => at).sort((a, b) => (neurons[a] ?? 0) - (neurons[b] ?? 0));
  const sorted = <T>(values: T[]): T[] => order.flatMap((at) => values.slice(at, at + 1));
  return { layer, neurons: sorted(neurons), ...(means ? { means: sorted(means) } : {}) };
}

/** The attribution at hand as the source of a selection. */
export function attributionSource({ shown: { attribution, attributed } }: State): SelectionSource | undefined {
  return attribution && attributed ? { set: attribution.set, settings: attribution.settings, made_of: [...attributed] } : undefined;
}

/** The selection that made the mask, where it selected from the attribution at hand. */
export function selectionAtHand({ study: { pruning }, shown: { attributed } }: State): Selection | null {
  return selectionOf(pruning, attributed);
}

/** Replaces the mask; the old one can be had back. A selection is of the attribution `source`. */
export function setMask(mask: Mask, selection?: Selection, source?: SelectionSource): void {
  const { study, history } = store.state;
  const pruning: Pruning = { mask: normal(mask), ...(selection ? { selection } : {}), ...(source ? { source } : {}) };
  if (!sameMask(pruning.mask, study.pruning.mask)) store.set({ history: remembered(history, study, "mask") });
  store.edit({ pruning });
}

export function toggleNeuron(layer: number, neuron: number): void {
  const { mask } = store.state.study.pruning;
  const { attribution } = store.state.shown;
  const has = isPruned(mask, layer, neuron);
  if (!has && mask.operation === "mean") {
    store.view({
      notice:
        "This mask puts means in the place of activations, and no other neuron's is known here. Clear the mask to choose neurons anew.",
    });
    return;
  }
  const others = mask.layers.filter((entry) => entry.layer !== layer);
  const entry = mask.layers.find((entry) => entry.layer === layer) ?? { layer, neurons: [] };
  const changed = has ? without(entry, neuron) : { ...entry, neurons: [...entry.neurons, neuron] };
  const site = mask.layers.length > 0 ? mask.site : (attribution?.settings.site ?? mask.site);
  setMask({ ...mask, site, layers: [...others, changed] });
}

function without({ layer, neurons, means }: LayerMask, neuron: number): LayerMask {
  const stays = (_: unknown, at: number): boolean => neurons[at] !== neuron;
  return { layer, neurons: neurons.filter(stays), ...(means ? { means: means.filter(stays) } : {}) };
}

export function clearMask(): void {
  setMask(EMPTY_MASK);
}

function take(way: "undo" | "redo"): void {
  const { study, history } = store.state;
  const taken = step(history, way, study, "mask");
  if (taken?.change.of !== "mask") return;
  store.set({ history: taken.history });
  store.edit({ pruning: taken.change.pruning });
}

export function undoMask(): void {
  take("undo");
}

export function redoMask(): void {
  take("redo");
}
