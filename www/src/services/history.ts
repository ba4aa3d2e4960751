// What was changed in the study, and back: the items, the mask and the masks that are kept, each for itself.

import type { ItemSetSpec } from "../wire/engine";
import type { EditedStudy, NamedMask, Pruning } from "./edited";

/** What can be had back. */
export type Change =
  /** `shots` is the set that shots were drawn from. */
  | { of: "items"; item_sets: ItemSetSpec[]; shots?: string }
  | { of: "mask"; pruning: Pruning }
  | { of: "kept_masks"; kept_masks: NamedMask[] };
export type Changed = Change["of"];

/** The study as it was before each change, the latest last; and as it was before changes were taken back. */
export interface History {
  undo: readonly Change[];
  redo: readonly Change[];
}

export const NO_HISTORY: History = { undo: [], redo: [] };

const LONGEST = 100;

function asItIs(study: EditedStudy, of: Changed): Change {
  if (of === "mask") return { of, pruning: study.pruning };
  if (of === "kept_masks") return { of, kept_masks: study.kept_masks };
  const shots = study.few_shot?.set;
  return { of, item_sets: study.item_sets, ...(shots === undefined ? {} : { shots }) };
}

/** The history once something is about to be changed. */
export function remembered({ undo, redo }: History, study: EditedStudy, of: Changed): History {
  return { undo: [...undo, asItIs(study, of)].slice(-LONGEST), redo: redo.filter((change) => change.of !== of) };
}

/** The history with what it has of masks as `change` makes it. */
export function withMasks({ undo, redo }: History, change: <P extends Pruning>(pruning: P) => P): History {
  const changed = (steps: readonly Change[]): Change[] =>
    steps.map((step) => {
      if (step.of === "mask") return { ...step, pruning: change(step.pruning) };
      return step.of === "kept_masks" ? { ...step, kept_masks: step.kept_masks.map(change) } : step;
    });
  return { undo: changed(undo), redo: changed(redo) };
}

export function canStep(steps: readonly Change[], of: Changed): boolean {
  return steps.some((change) => change.of === of);
}

interface Step {
  change: Change;
  history: History;
}

/** Takes the latest change back, or back again: what was before it, and the history from then on. */
export function step(history: History, way: "undo" | "redo", study: EditedStudy, of: Changed): Step | null {
  const at = history[way].findLastIndex((change) => change.of === of);
  const change = history[way][at];
  if (!change) return null;
  const rest = history[way].filter((_, index) => index !== at);
  const other = way === "undo" ? "redo" : "undo";
  const others = [...history[other], asItIs(study, of)].slice(-LONGEST);
  return { change, history: way === "undo" ? { undo: rest, redo: others } : { undo: others, redo: rest } };
}
