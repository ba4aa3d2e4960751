// The mask as the user edits it: its neurons, what becomes of them, with undo and redo.

import type { LayerMask, Mask, Selection } from "../wire/engine";
import { EMPTY_MASK, selectionOf, type Pruning, type SelectionSource } from "./edited";
import { engine, type OnProgress } from "./engine";
import { remembered, step } from "./history";
import { runJob, whenIdle } from "./jobs";
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

/** The drag that made the mask at hand, where one did. */
let lastDrag: object | undefined;

/** Replaces the mask; the old one can be had back. A selection is of the attribution `source`. Of all masks along one `drag` the one before it is had
 * back. */
export function setMask(mask: Mask, selection?: Selection, source?: SelectionSource, drag?: object): void {
  const { study, history } = store.state;
  const pruning: Pruning = { mask: normal(mask), ...(selection ? { selection } : {}), ...(source ? { source } : {}) };
  if (!sameMask(pruning.mask, study.pruning.mask)) {
    if (drag === undefined || drag !== lastDrag) store.set({ history: remembered(history, study, "mask") });
    lastDrag = drag;
  }
  store.edit({ pruning });
}

/** What a mask does to its neurons, whichever they are. */
export type Change = Pick<Mask, "operation" | "factor" | "means_of">;

/** Neurons, changed otherwise; the engine measures means where it has none of the same items. */
async function changed({ site, layers }: Mask, to: Change, onProgress: OnProgress): Promise<Mask> {
  const { operation, factor, means_of } = to;
  const how = { operation, ...(factor === undefined ? {} : { factor }), ...(means_of === undefined ? {} : { means_of }), site };
  const mask: Mask = { ...EMPTY_MASK, site, layers: layers.map(({ layer, neurons }) => ({ layer, neurons })) };
  if (neuronCount(mask) === 0) return { ...how, layers: [] };
  if (operation === "zero") return mask;
  return engine.call("change_mask", [{ mask, like: { ...how, layers: [] } }], onProgress);
}

/** Has the engine make the mask at hand anew, once no other job runs; again where it was edited meanwhile. */
async function remake(title: string, make: (now: Pruning, onProgress: OnProgress) => Promise<Pruning>): Promise<void> {
  await whenIdle();
  await runJob(title, async (onProgress) => {
    let before: Pruning;
    let made: Pruning;
    do {
      before = store.state.study.pruning;
      made = await make(before, onProgress);
    } while (store.state.study.pruning !== before);
    if (made !== before) setMask(made.mask, made.selection, made.source);
  });
}

/** What becomes of the neurons of the mask at hand from now on. */
export function changeOperation(to: Change): Promise<void> {
  return remake("Changing what the mask does", async (now, onProgress) => ({ ...now, mask: await changed(now.mask, to, onProgress) }));
}

export function toggleNeuron(layer: number, neuron: number): void {
  const { mask } = store.state.study.pruning;
  if (isPruned(mask, layer, neuron)) {
    setMask(withLayer(mask, layer, (entry) => without(entry, neuron)));
  } else if (mask.operation === "mean") {
    void joinByMean(layer, neuron);
  } else {
    setMask(withNeuron(sited(mask), layer, neuron));
  }
}

/** A mask without neurons has the site of the attribution at hand. */
function sited(mask: Mask): Mask {
  const { attribution } = store.state.shown;
  return { ...mask, site: mask.layers.length > 0 ? mask.site : (attribution?.settings.site ?? mask.site) };
}

/** Takes in a neuron whose mean has to be measured. */
function joinByMean(layer: number, neuron: number): Promise<void> {
  return remake("Mean of the neuron", async (now, onProgress) =>
    isPruned(now.mask, layer, neuron) ? now : { mask: await changed(withNeuron(sited(now.mask), layer, neuron), now.mask, onProgress) },
  );
}

function withLayer(mask: Mask, layer: number, change: (entry: LayerMask) => LayerMask): Mask {
  const entry = mask.layers.find((other) => other.layer === layer) ?? { layer, neurons: [] };
  return { ...mask, layers: [...mask.layers.filter((other) => other !== entry), change(entry)] };
}

function withNeuron(mask: Mask, layer: number, neuron: number): Mask {
  return withLayer(mask, layer, (entry) => ({ ...entry, neurons: [...entry.neurons, neuron] }));
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
  lastDrag = undefined;
  store.set({ history: taken.history });
  store.edit({ pruning: taken.change.pruning });
}

export function undoMask(): void {
  take("undo");
}

export function redoMask(): void {
  take("redo");
}
