// A study with its results, as it is kept for a later visit.

import { INITIAL, store, type State } from "./store";

/** Where the user is, and how a neuron is shown: no part of the study. */
const VIEW = ["step", "selected", "card", "ranked"] as const satisfies readonly (keyof State)[];
/** The model as it is loaded: it may come and go with the study as it is. */
const LOADED = ["model", "made_with", "shape", "precision"] as const satisfies readonly (keyof State)[];
/** The study and what was found. */
export const STUDY = [
  "sets", "template", "few_shot", "choice_order", "rule", "seed", "scores", "shelved", "bias", "settings", "attribution",
  "mask", "selection", "undo", "redo", "live", "pruned", "control_masks", "control", "percents", "search",
  "tuning_settings", "tuning", "tuned_with", "precomputed", "of_link",
] as const satisfies readonly (keyof State)[];
export const KEPT = [...VIEW, ...LOADED, ...STUDY] as const;

/** Raised when the kept fields change their meaning: older ones are then left alone. */
const VERSION = 1;

/** A study with its results, as it is kept. */
export type Saved = Pick<State, (typeof KEPT)[number]> & { saved_version: number };

export function isReadable(saved: Saved | undefined): saved is Saved {
  return saved?.saved_version === VERSION;
}

/** The study at hand. */
export function snapshot(): Saved {
  const entries = KEPT.map((key) => [key, store.state[key]]);
  return { ...(Object.fromEntries(entries) as Omit<Saved, "saved_version">), saved_version: VERSION };
}

/** Fields as they are at the first visit. */
export function initial(keys: readonly (keyof State)[]): Partial<State> {
  return Object.fromEntries(keys.map((key) => [key, INITIAL[key]])) as Partial<State>;
}
