// The masks that the study keeps beside the one at hand: named, taken back, made one of two.

import { clip, count, scoreText } from "../format";
import { selectionText } from "../selections";
import { LIMITS, type Combination, type KeptMask, type Mask } from "../wire/engine";
import type { EditedStudy, NamedMask } from "./edited";
import { engine } from "./engine";
import { remembered, step } from "./history";
import { attempt } from "./jobs";
import { neuronCount, sameMask, setMask } from "./mask";
import { store } from "./store";

/** What the mask at hand is called beside those that are kept. */
export const AT_HAND = "the mask at hand";

function say(notice: string): void {
  store.view({ notice });
}

function replace(kept_masks: NamedMask[]): void {
  const { study, history } = store.state;
  store.set({ history: remembered(history, study, "kept_masks") });
  store.edit({ kept_masks });
}

/** What speaks against a mask's name; null where nothing does. */
function againstName(name: string): string | null {
  if ([...name].length > LIMITS.mask_name) return `A name has at most ${LIMITS.mask_name} characters.`;
  return store.state.study.kept_masks.some((kept) => kept.name === name) ? `Another mask is called “${name}”.` : null;
}

/** What the mask at hand may be called, where nobody says otherwise. */
export function suggestedName({ pruning: { mask, selection, source }, kept_masks }: EditedStudy): string {
  const text = selection ? selectionText(selection, scoreText(source?.settings.method)) : count(neuronCount(mask), "neuron");
  // Room for a number after it.
  const wanted = clip(text, LIMITS.mask_name - 5);
  let name = wanted;
  for (let number = 2; kept_masks.some((kept) => kept.name === name); number += 1) name = `${wanted} (${number})`;
  return name;
}

/** Keeps the mask at hand; what speaks against it, or null where it is kept. */
export function keepMask(wanted: string): string | null {
  const { study } = store.state;
  const name = wanted.trim() || suggestedName(study);
  const isFull = study.kept_masks.length >= LIMITS.kept_masks;
  const against = isFull ? `A study keeps at most ${LIMITS.kept_masks} masks: delete one first.` : againstName(name);
  if (against === null) replace([...study.kept_masks, { name, model: modelOf(study), ...study.pruning }]);
  return against;
}

function modelOf({ model: { id, sha256, name } }: EditedStudy): KeptMask["model"] {
  return { id, sha256, ...(name === undefined ? {} : { name }) };
}

/** What speaks against the new name; null where nothing does. */
export function renameMask(name: string, wanted: string): string | null {
  const renamed = wanted.trim();
  if (renamed === "" || renamed === name) return null;
  const against = againstName(renamed);
  if (against === null) replace(store.state.study.kept_masks.map((kept) => (kept.name === name ? { ...kept, name: renamed } : kept)));
  return against;
}

export function deleteMask(name: string): void {
  replace(store.state.study.kept_masks.filter((kept) => kept.name !== name));
}

/** Whether a kept mask is of the study's model: its neurons are no others. */
export function isOfModel({ model }: KeptMask, study: EditedStudy): boolean {
  return model.sha256 === study.model.sha256;
}

/** Whether a kept mask is the one at hand. */
export function isAtHand(kept: KeptMask, study: EditedStudy): boolean {
  return isOfModel(kept, study) && sameMask(kept.mask, study.pruning.mask);
}

/** Takes a kept mask as the one at hand; that can be undone. */
export function takeMask(name: string): void {
  const { study } = store.state;
  const kept = study.kept_masks.find((other) => other.name === name);
  if (!kept) return;
  if (isOfModel(kept, study)) setMask(kept.mask, kept.selection, kept.source);
  else say(`“${name}” is a mask of the model “${kept.model.name ?? kept.model.id}”, and another one is at hand.`);
}

function takeStep(way: "undo" | "redo"): void {
  const { study, history } = store.state;
  const taken = step(history, way, study, "kept_masks");
  if (taken?.change.of !== "kept_masks") return;
  store.set({ history: taken.history });
  store.edit({ kept_masks: taken.change.kept_masks });
}

export function undoKept(): void {
  takeStep("undo");
}

export function redoKept(): void {
  takeStep("redo");
}

/** A kept mask, or with null the one at hand. */
function named(name: string | null): KeptMask | undefined {
  const { study } = store.state;
  if (name === null) return { name: AT_HAND, model: modelOf(study), mask: study.pruning.mask };
  const kept = study.kept_masks.find((other) => other.name === name);
  return kept && { name, model: kept.model, mask: kept.mask };
}

/** Makes the engine's union, intersection or difference of two masks the one at hand. */
export async function combineMasks(how: Combination, first: string | null, second: string | null): Promise<void> {
  const [one, other] = [named(first), named(second)];
  if (!one || !other) return;
  const mask = await attempt(engine.call("combine_masks", [{ how, masks: [one, other] }]));
  if (!mask) return;
  store.view({ error: null });
  setMask(mask);
  if (neuronCount(mask) === 0) say("No neuron is left: nothing is pruned.");
}

/** How many neurons two masks share, whatever either does to them. */
export function commonNeurons(a: Mask, b: Mask): number {
  const ofB = new Map(b.layers.map(({ layer, neurons }) => [layer, new Set(neurons)]));
  return a.layers.reduce((sum, { layer, neurons }) => sum + neurons.filter((neuron) => ofB.get(layer)?.has(neuron)).length, 0);
}
