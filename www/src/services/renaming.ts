// Sets that are called otherwise, and what was found of them: a name is no part of what a result was made of.

import type { FewShot, ItemSetSpec } from "../wire/engine";

/** New names by the old ones. */
export type Names = ReadonlyMap<string, string>;

/** Which sets are called otherwise: their items are the very same. */
export function renamedSets(before: readonly ItemSetSpec[], after: readonly ItemSetSpec[]): Names {
  const isIn = (all: readonly ItemSetSpec[], name: string): boolean => all.some((set) => set.name === name);
  const gone = before.filter(({ name }) => !isIn(after, name));
  const made = after.filter(({ name }) => !isIn(before, name));
  const pairs = gone.map(({ name, items }) => [name, made.find((set) => set.items === items)?.name] as const);
  return new Map(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Shots of a set that is called otherwise; null where they are of none. */
export function renamedShots(few_shot: FewShot | null | undefined, names: Names): FewShot | null {
  const set = few_shot?.set === undefined ? undefined : names.get(few_shot.set);
  return few_shot && set !== undefined ? { ...few_shot, set } : null;
}

/** A mask or a search, of means over a set that is called otherwise; the very same where it is of none. */
export function withRenamedMeans<M extends { means_of?: string }>(of: M, names: Names): M {
  const means_of = of.means_of === undefined ? undefined : names.get(of.means_of);
  return means_of === undefined ? of : { ...of, means_of };
}

/** A result of sets that are called otherwise: named by `set` or `means_of`, in lists called `sets`, and in backticks where it warns. */
export function renamed<T>(result: T, names: Names): T {
  const rename = (name: string): string => names.get(name) ?? name;
  const walk = (value: unknown, key: string | null, isInSets = false): unknown => {
    if (typeof value === "string") {
      if (key === "set" || key === "means_of" || isInSets) return rename(value);
      return key === "warnings" ? value.replaceAll(/`([^`]*)`/g, (_, name: string) => `\`${rename(name)}\``) : value;
    }
    if (Array.isArray(value)) return value.map((one) => walk(one, key === "warnings" ? key : null, key === "sets"));
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, walk(one, name)]));
  };
  return walk(result, null) as T;
}
