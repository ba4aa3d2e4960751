// What every neuron does to the gold margin, as far as it is known: the engine's effects, held for long. Pure functions.

import type { Effects, EffectsInShort, LayerEffects, MeasuredNeuron } from "../wire/engine";

/** A layer's effects; their numbers are packed, since there may be tens of thousands. */
export type LayerOfEffects = Omit<LayerEffects, "mean" | "half_width"> & { mean: Float32Array; half_width: Float32Array };

export type HeldEffects = Omit<Effects, "layers"> & { layers: LayerOfEffects[] };

/** Effects of some layers while they are measured. */
export type LiveEffects = Pick<HeldEffects, "settings" | "set" | "layers">;

export function packedLayer({ mean, half_width, ...layer }: LayerEffects): LayerOfEffects {
  return { ...layer, mean: Float32Array.from(mean), half_width: Float32Array.from(half_width) };
}

export function packed({ layers, ...effects }: Effects): HeldEffects {
  return { ...effects, layers: layers.map(packedLayer) };
}

/** How much better the model does without a neuron. The engine says what the margin loses, and harm is the opposite of that. */
export function harmOf({ mean }: LayerOfEffects, neuron: number): number {
  return 0 - (mean[neuron] ?? 0);
}

/** Whether a layer was measured for every item. */
function isMeasured({ exact, items }: LayerOfEffects, { items_used }: HeldEffects): boolean {
  return exact && items === items_used.length;
}

/** How many layers were measured for every item, and how many others for some. */
export function measuredLayers(effects: HeldEffects): { whole: number; partly: number } {
  const whole = effects.layers.filter((layer) => isMeasured(layer, effects)).length;
  return { whole, partly: effects.layers.filter(({ exact }) => exact).length - whole };
}

/** What it costs to measure items in a layer: their way through the layers above it. */
function climb(layer: number, items: number, n_layers: number): number {
  return (n_layers - layer) * items;
}

/** What was measured, in such units. */
export function workDone({ layers }: HeldEffects): number {
  return layers.filter(({ exact }) => exact).reduce((sum, { layer, items }) => sum + climb(layer, items, layers.length), 0);
}

/** What is left of some layers of a model, on so many items. */
export function workLeft(effects: HeldEffects | null, open: readonly number[], items: number, n_layers: number): number {
  const known = (layer: number): number => (effects?.layers[layer]?.exact ? (effects.layers[layer]?.items ?? 0) : 0);
  return open.reduce((sum, layer) => sum + climb(layer, items - known(layer), n_layers), 0);
}

/** Those layers of a model that were not measured for every item; of one layer where only that is asked for. */
export function openLayers(effects: HeldEffects | null, n_layers: number, asked: number | null): number[] {
  const layers = asked === null ? Array.from({ length: n_layers }, (_, layer) => layer) : [asked];
  return layers.filter((layer) => {
    const known = effects?.layers[layer];
    return !effects || !known || !isMeasured(known, effects);
  });
}

function saysMore(one: LayerOfEffects, other: LayerOfEffects): boolean {
  return one.exact === other.exact ? one.items > other.items : one.exact;
}

/** Later effects of the same neurons, with what only the earlier ones have: a new engine does not know what an earlier one measured. */
export function joined(earlier: HeldEffects | null, later: HeldEffects): HeldEffects {
  if (!earlier) return later;
  const layers = later.layers.map((layer, index) => {
    const before = earlier.layers[index];
    return before && saysMore(before, layer) ? before : layer;
  });
  // An engine that went on counts the time of what it had.
  const isOneRun = layers.every((layer, index) => layer === later.layers[index]);
  return { ...later, layers, seconds: isOneRun ? later.seconds : earlier.seconds + later.seconds };
}

/** Neurons of largest effect that documents name. */
const STRONGEST = 50;

/** What documents say of measured effects: of tens of thousands of neurons the counts and the strongest; null where no layer was
 * measured for every item. */
export function inShort(effects: HeldEffects): EffectsInShort | null {
  const layers = effects.layers.filter((layer) => isMeasured(layer, effects));
  if (layers.length === 0) return null;
  const { settings, set, items_used, items_skipped, seconds } = effects;
  return {
    settings,
    set,
    items: items_used.length,
    items_skipped,
    layers: layers.map(({ layer, mean, half_width }) => {
      const isClear = (neuron: number, sign: number): boolean => sign * (mean[neuron] ?? 0) > (half_width[neuron] ?? Infinity);
      const clear = (sign: number): number => mean.reduce((sum, _, neuron) => sum + Number(isClear(neuron, sign)), 0);
      return { layer, needed: clear(1), harmful: clear(-1) };
    }),
    strongest: strongestOf(layers),
    seconds,
  };
}

function strongestOf(layers: readonly LayerOfEffects[]): MeasuredNeuron[] {
  const all = layers.flatMap(({ layer, mean, half_width }) =>
    Array.from(mean, (value, neuron) => ({ layer, neuron, mean: value, half_width: half_width[neuron] ?? null })),
  );
  return all.sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean)).slice(0, STRONGEST);
}
