// The mask as the user edits it, with undo and redo.

import type { Mask, Selection } from "../wire/engine";
import { EMPTY_MASK, selectionOf, type Pruning, type SelectionSource } from "./edited";
import { remembered, step } from "./history";
import { store, type State } from "./store";

export function neuronCount(mask: Mask): number {
  return mask.layers.reduce((sum, layer) => sum + layer.neurons.length, 0);
}

export function isPruned(mask: Mask, layer: number, neuron: number): boolean {
  return mask.layers.some((entry) => entry.layer === layer && entry.neurons.includes(neuron));
}

export function sameMask(a: Mask, b: Mask): boolean {
  return JSON.stringify(normal(a)) === JSON.stringify(normal(b));
}

/** The one way to write a set of neurons: ascending, without empty layers. */
function normal({ operation, site, layers }: Mask): Mask {
  const kept = layers
    .filter(({ neurons }) => neurons.length > 0)
    .map(({ layer, neurons }) => ({ layer, neurons: [...neurons].sort((a, b) => a - b) }))
    .sort((a, b) => a.layer - b.layer);
  return { operation, site, layers: kept };
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
  const others = mask.layers.filter((entry) => entry.layer !== layer);
  const neurons = mask.layers.find((entry) => entry.layer === layer)?.neurons ?? [];
  const changed = has ? neurons.filter((other) => other !== neuron) : [...neurons, neuron];
  const site = mask.layers.length > 0 ? mask.site : (attribution?.settings.site ?? mask.site);
  setMask({ ...mask, site, layers: [...others, { layer, neurons: changed }] });
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
