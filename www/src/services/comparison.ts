// Masks side by side: what is known of each, and the job that measures the rest.

import type { Mask } from "../wire/engine";
import { measureOn, scoreSets } from "./actions";
import { putText } from "./checks";
import { reportedSets } from "./edited";
import type { OnProgress } from "./engine";
import { runJob } from "./jobs";
import { isAtHand, isOfModel } from "./kept-masks";
import { neuronCount } from "./mask";
import type { OfKept } from "./results";
import { store, type State } from "./store";

/** A mask beside others. */
export interface Compared {
  /** Null where the one at hand is not kept. */
  name: string | null;
  mask: Mask;
  isAtHand: boolean;
  /** What it is a mask of, where that is not the study's model. */
  otherModel: string | null;
  known: OfKept;
}

/** The mask at hand, where it is none of those that are kept, and these. */
export function comparedMasks({ study, shown }: State): Compared[] {
  const { mask } = study.pruning;
  const kept = study.kept_masks.flatMap((one, index): Compared[] => {
    const known = shown.kept[index];
    const otherModel = isOfModel(one, study) ? null : (one.model.name ?? one.model.id);
    return known ? [{ name: one.name, mask: one.mask, isAtHand: isAtHand(one, study), otherModel, known }] : [];
  });
  if (neuronCount(mask) === 0 || kept.some((one) => one.isAtHand)) return kept;
  const { pruned, general } = shown;
  return [{ name: null, mask, isAtHand: true, otherModel: null, known: { pruned, general, outdated: [] } }, ...kept];
}

/** Whether the effect on each of some sets is known. */
function isOnAll({ pruned }: OfKept, sets: readonly string[]): boolean {
  return pruned !== null && pruned.sets.length === sets.length;
}

/** Those of some masks of which something is not measured: on the items that are reported on and, where that is asked, on the text. */
export function unmeasured(masks: readonly Compared[], { study }: State, withText: boolean): Compared[] {
  const sets = reportedSets(study);
  return masks.filter(({ otherModel, known }) => otherModel === null && !(isOnAll(known, sets) && (known.general || !withText)));
}

/** Progress of one of several like pieces of work, as that of all of them. */
function partOf(onProgress: OnProgress, index: number, pieces: number): OnProgress {
  const { signal } = onProgress;
  const tell: OnProgress = ({ done, total, ...progress }) => onProgress({ ...progress, done: index * total + done, total: pieces * total });
  return Object.assign(tell, { signal });
}

/** Measures what is not known of some masks. What is known when it is cancelled stays. */
export function measureMasks(masks: readonly Compared[], withText: boolean): Promise<boolean> {
  return runJob("Measuring masks", async (onProgress) => {
    const sets = reportedSets(store.state.study);
    await scoreSets(sets, onProgress);
    const onItems = masks.filter(({ known }) => !isOnAll(known, sets));
    for (const [index, { mask }] of onItems.entries()) await measureOn(sets, mask, partOf(onProgress, index, onItems.length));
    const onText = masks.filter(({ known }) => withText && !known.general);
    for (const [index, { mask }] of onText.entries()) await putText(mask, partOf(onProgress, index, onText.length));
  });
}
