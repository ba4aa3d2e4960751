// A study with its results, as it is kept for a later visit.

import type { TuneSettings } from "../wire/engine";
import { identityOf } from "./models";
import { waitingResults, type Waiting } from "./results";
import { INITIAL, store, type State, type Tuned } from "./store";

/** Where the user is, and how a neuron is shown: no part of the study. */
const VIEW = ["step", "selected", "card", "ranked"] as const satisfies readonly (keyof State)[];
/** The model as it is loaded: it may come and go with the study as it is. */
const LOADED = ["model", "made_with", "shape", "precision"] as const satisfies readonly (keyof State)[];
/** The study and what was found. */
export const STUDY = [
  "sets", "template", "few_shot", "choice_order", "rule", "wanted", "seed", "scores", "bias", "settings", "attribution",
  "mask", "selection", "selection_source", "undo", "redo", "live", "pruned", "control_masks", "control", "percents", "search",
  "tuning_settings", "tuning", "precomputed", "of_link",
] as const satisfies readonly (keyof State)[];
export const KEPT = [...VIEW, ...LOADED, ...STUDY] as const;

/** Raised when the kept fields change their meaning: older ones are then left alone. */
const VERSION = 1;

/** A study with its results, as it is kept; those that wait for what they were made of were not kept by older visits. */
export type Saved = Pick<State, (typeof KEPT)[number]> & { saved_version: number; waiting?: Waiting[] };

export function isReadable(saved: Saved | undefined): saved is Saved {
  return saved?.saved_version === VERSION;
}

/** A kept study as the state is now: older visits wrote some of it in another way. */
export function stateOf(saved: Saved): Partial<State> {
  const { tuned_with, ...state } = saved as Saved & { tuned_with?: TuneSettings | null };
  const tuning = state.tuning && !("settings" in state.tuning) ? null : state.tuning;
  const ofOlder = state.tuning && tuned_with ? { ...(state.tuning as Tuned), settings: tuned_with, seed: state.seed } : null;
  return {
    // What an older visit did not keep yet is as at the beginning, not as another study left it.
    ...initial(KEPT),
    ...(Object.fromEntries(KEPT.filter((key) => key in state).map((key) => [key, state[key]])) as Partial<State>),
    made_with: state.made_with ?? (state.model && identityOf(state.model.info)),
    tuning: tuning ?? ofOlder,
    precomputed: Array.isArray(state.precomputed) ? state.precomputed : [],
  };
}

/** The study at hand. */
export function snapshot(): Saved {
  const entries = KEPT.map((key) => [key, store.state[key]]);
  return { ...(Object.fromEntries(entries) as Omit<Saved, "saved_version">), saved_version: VERSION, waiting: waitingResults() };
}

/** Fields as they are at the first visit. */
export function initial(keys: readonly (keyof State)[]): Partial<State> {
  return Object.fromEntries(keys.map((key) => [key, INITIAL[key]])) as Partial<State>;
}
