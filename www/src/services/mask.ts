// The mask as the user edits it, with undo and redo.

import type { Mask, Selection } from "../types";
import { EMPTY_MASK, store, type MaskState } from "./store";

const HISTORY = 100;

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

function current(): MaskState {
  const { mask, selection } = store.state;
  return selection ? { mask, selection } : { mask };
}

function take({ mask, selection }: MaskState): void {
  const { pruned, control } = store.state;
  const still = pruned !== null && sameMask(pruned.mask, mask);
  store.set({
    mask,
    selection: selection ?? null,
    // Results belong to the mask they were measured with.
    pruned: still ? pruned : null,
    control: still ? control : null,
  });
}

/** Replaces the mask; the old one can be had back. */
export function setMask(mask: Mask, selection?: Selection): void {
  const { undo } = store.state;
  const next = normal(mask);
  if (sameMask(next, store.state.mask)) {
    store.set({ selection: selection ?? null });
    return;
  }
  store.set({ undo: [...undo, current()].slice(-HISTORY), redo: [] });
  take(selection ? { mask: next, selection } : { mask: next });
}

export function toggleNeuron(layer: number, neuron: number): void {
  const { mask, attribution } = store.state;
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

export function undoMask(): void {
  const { undo, redo } = store.state;
  const last = undo.at(-1);
  if (!last) return;
  store.set({ undo: undo.slice(0, -1), redo: [...redo, current()] });
  take(last);
}

export function redoMask(): void {
  const { undo, redo } = store.state;
  const next = redo.at(-1);
  if (!next) return;
  store.set({ redo: redo.slice(0, -1), undo: [...undo, current()] });
  take(next);
}
