// A study with its results, as it is kept for a later visit: as the page holds it.

import { EMPTY_STUDY } from "./edited";
import type { Found, Kind } from "./results";
import { ofFirstVersion, type FirstVersion } from "./saved-v1";
import { INITIAL, store, type State } from "./store";

/** What is kept of the state: the study and its results, the model as it is loaded, and where the user is. */
export const KEPT = [
  "study",
  "history",
  "results",
  "of_link",
  "live",
  "model",
  "precision",
  "step",
  "selected",
] as const satisfies readonly (keyof State)[];

/** Raised when the kept fields change their meaning. */
const VERSION = 2;

export type Kept = Pick<State, (typeof KEPT)[number]>;
export type Saved = Kept & { saved_version: typeof VERSION };

/** Of results that are not shown now, as many of a kind are kept: what is written quickly at every change. */
const KEPT_OF_KIND = 3;
const KEPT_SCORES = 16;

/** Any kept record as a study of this version; null where it is none. */
export function readable(record: unknown): Saved | null {
  const saved = record as Saved | FirstVersion | undefined;
  if (saved?.saved_version === 1) return { ...initial(), ...ofFirstVersion(saved), saved_version: VERSION };
  return saved?.saved_version === VERSION ? { ...initial(), ...saved } : null;
}

/** What is written of the results. */
function kept({ results, chosen }: Readonly<State>): readonly Found[] {
  const others = new Map<Kind, number>();
  return results.filter((found) => {
    if (chosen.includes(found)) return true;
    const count = (others.get(found.kind) ?? 0) + 1;
    others.set(found.kind, count);
    return count <= (found.kind === "scores" ? KEPT_SCORES : KEPT_OF_KIND);
  });
}

/** The study at hand. */
export function snapshot(): Saved {
  const { state } = store;
  const fields = Object.fromEntries(KEPT.map((key) => [key, state[key]])) as Kept;
  return { ...fields, results: kept(state), saved_version: VERSION };
}

/** Everything that a study fills, as it is at the first visit. */
export function initial(): Kept {
  return { ...(Object.fromEntries(KEPT.map((key) => [key, INITIAL[key]])) as Kept), study: EMPTY_STUDY };
}
