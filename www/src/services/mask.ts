// The mask as the user edits it, with undo and redo.

import type { Mask, Selection } from "../wire/engine";
import { ofAttribution } from "./results";
import { EMPTY_MASK, store, type MaskState, type SelectionSource, type State } from "./store";

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
  const { mask, selection, selection_source: source } = store.state;
  return { mask, ...(selection ? { selection } : {}), ...(source ? { source } : {}) };
}

function take({ mask, selection, source }: MaskState): void {
  store.set({ mask, selection: selection ?? null, selection_source: source ?? null });
}

/** The attribution at hand as the source of a selection. */
export function attributionSource(state: Readonly<State>): SelectionSource | undefined {
  const { attribution } = state;
  const made = ofAttribution(state);
  return attribution && made !== null ? { set: attribution.set, settings: attribution.settings, made } : undefined;
}

/** The selection that made the mask, where it selected from the attribution at hand. */
export function selectionAtHand(state: Readonly<State>): Selection | null {
  const { selection, selection_source: source } = state;
  return selection && source && source.made === attributionSource(state)?.made ? selection : null;
}

/** Replaces the mask; the old one can be had back. A selection is of the attribution `source`. */
export function setMask(mask: Mask, selection?: Selection, source?: SelectionSource): void {
  const { undo } = store.state;
  const next: MaskState = { mask: normal(mask), ...(selection ? { selection } : {}), ...(source ? { source } : {}) };
  if (!sameMask(next.mask, store.state.mask)) store.set({ undo: [...undo, current()].slice(-HISTORY), redo: [] });
  take(next);
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
