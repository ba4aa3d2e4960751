// Sets that are called otherwise, and what was found of them: a name is no part of what a result was made of.

import type { FewShot, SetScores } from "../wire/engine";
import type { PageSet, Results } from "./store";

/** New names by the old ones. */
export type Names = ReadonlyMap<string, string>;

/** Which sets are called otherwise: their items are the very same. */
export function renamedSets(before: readonly PageSet[], after: readonly PageSet[]): Names {
  const isIn = (all: readonly PageSet[], name: string): boolean => all.some((set) => set.name === name);
  const gone = before.filter(({ name }) => !isIn(after, name));
  const made = after.filter(({ name }) => !isIn(before, name));
  const pairs = gone.map(({ name, items }) => [name, made.find((set) => set.items === items)?.name] as const);
  return new Map(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

export type Rename = (set: string) => string;

/** What is said of a set names it. */
function inWarnings(warnings: readonly string[] | undefined, set: string, rename: Rename): { warnings?: string[] } {
  return warnings ? { warnings: warnings.map((warning) => warning.replaceAll(`\`${set}\``, () => `\`${rename(set)}\``)) } : {};
}

export function renamedScores(scores: SetScores, rename: Rename): SetScores {
  return { ...scores, set: rename(scores.set), ...inWarnings(scores.warnings, scores.set, rename) };
}

function each<T extends { set: string }>(sets: readonly T[], rename: Rename): T[] {
  return sets.map((one) => ({ ...one, set: rename(one.set) }));
}

/** Shots of a set that is called otherwise; null where they are of none. */
export function renamedShots(few_shot: FewShot | null | undefined, names: Names): FewShot | null {
  const set = few_shot?.set === undefined ? undefined : names.get(few_shot.set);
  return few_shot && set !== undefined ? { ...few_shot, set } : null;
}

/** Results with other names of their sets. */
export const RENAMED: { [K in keyof Results]: (found: Results[K], rename: Rename) => Results[K] } = {
  attribution: (found, rename) => ({ ...found, set: rename(found.set) }),
  bias: (found, rename) => ({ ...found, set: rename(found.set), ...inWarnings(found.warnings, found.set, rename) }),
  card: (card, rename) => ({ ...card, effect: { ...card.effect, set: rename(card.effect.set) } }),
  search: (found, rename) => ({ ...found, sets: found.sets.map(rename) }),
  pruned: (found, rename) =>
    ({ ...found, sets: each(found.sets, rename).map((set) => ({ ...set, after: renamedScores(set.after, rename) })) }),
  control: (found, rename) => ({ ...found, sets: each(found.sets, rename) }),
  tuning: (found, rename) => ({ ...found, curves: found.curves.map((curve) => ({ ...curve, sets: each(curve.sets, rename) })) }),
};
