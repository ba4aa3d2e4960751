// A study with its results, as it is kept for a later visit: as the page holds it.

import { EMPTY_STUDY } from "./edited";
import { NOTHING, type Found, type Kind } from "./results";
import { ofFirstVersion, type FirstVersion } from "./saved-v1";
import { INITIAL, store, type EngineState, type Held, type State, type ViewState } from "./store";

/** What is kept of the state: the study and its results, the model as it is loaded, and where the user is. */
export type Kept = Pick<Held, "study" | "history" | "results">
  & Pick<EngineState, "model" | "precision">
  & Pick<ViewState, "of_link" | "live" | "step" | "selected">;

export function keptOf({ study, history, results, engine: { model, precision }, view: { of_link, live, step, selected } }: Held): Kept {
  return { study, history, results, of_link, live, model, precision, step, selected };
}

/** As it is at the first visit. */
export const FIRST: Kept = keptOf(INITIAL);

/** Raised when the kept fields change their meaning. */
const VERSION = 2;

export type Saved = Kept & { saved_version: typeof VERSION };

/** Of results that are not shown now, as many of a kind are kept: what is written quickly at every change. */
const KEPT_OF_KIND = 3;
const KEPT_SCORES = 16;

/** Any kept record as a study of this version; null where it is none. */
export function readable(record: unknown): Saved | null {
  const saved = record as Saved | FirstVersion | undefined;
  if (saved?.saved_version === 1) return { ...FIRST, ...ofFirstVersion(saved), saved_version: VERSION };
  // Earlier visits knew of fewer parts of a study.
  return saved?.saved_version === VERSION ? { ...FIRST, ...saved, study: { ...EMPTY_STUDY, ...saved.study } } : null;
}

/** What is written of the results. */
function writtenOf({ results, shown }: State): readonly Found[] {
  const others = new Map<Kind, number>();
  return results.filter((found) => {
    if (shown.chosen.includes(found)) return true;
    const count = (others.get(found.kind) ?? 0) + 1;
    others.set(found.kind, count);
    return count <= (found.kind === "scores" ? KEPT_SCORES : KEPT_OF_KIND);
  });
}

/** The study at hand. */
export function snapshot(): Saved {
  const { state } = store;
  return { ...keptOf(state), results: writtenOf(state), saved_version: VERSION };
}

/** Puts a kept study into the store. */
export function bring({ study, history, results, model, precision, of_link, live, step, selected }: Kept): void {
  store.set({ study, history, results });
  store.engine({ model, precision });
  store.view({ ...NOTHING, of_link, live, step, selected });
}
