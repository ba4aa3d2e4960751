// Studies of the user's that a link's took the place of. The tab that keeps its study keeps these too; another one has
// its own for as long as it is open.

import * as database from "./database";
import { isEqual } from "./made-of";
import { readable, type Saved } from "./saved";
import { store } from "./store";

/** The oldest of more are let go. */
const MOST = 5;

/** The latest last. */
let studies: Saved[] = [];
/** Whether they are written to the browser's storage. */
let isWritten = false;

function take(next: Saved[]): void {
  studies = next;
  store.view({ has_earlier: studies.length > 0 });
}

async function readAll(): Promise<Saved[]> {
  const found = await database.read("earlier");
  // An earlier version kept one.
  const all: unknown[] = Array.isArray(found) ? found : [found];
  return all.map(readable).filter((saved) => saved !== null);
}

/**
 * This tab keeps its study from now on. What another one had and left behind is put aside, unless this one began with it.
 * Fails where that cannot be.
 */
export async function own(isAfterAnother: boolean, begun: Saved | null): Promise<void> {
  const before = await readAll();
  const left = isAfterAnother ? readable(await database.read("current")) : null;
  const isOther = left !== null && !left.of_link && !(begun && isSame(left, begun));
  const all = [...before, ...(isOther ? [left] : []), ...studies].slice(-MOST);
  if (isAfterAnother) await database.write("earlier", all);
  take(all);
  isWritten = true;
}

/** What is put aside from now on is there for as long as this tab is open, and no longer. */
export function disown(): void {
  isWritten = false;
}

/**
 * Puts a study aside: this one, or else the kept one, which is not kept any more. Whether there was one. Fails where it
 * cannot be kept there, and leaves all as it is.
 */
export async function move(here: Saved | null): Promise<boolean> {
  const saved = here ?? (isWritten ? readable(await database.read("current")) : null);
  // The study of a link that ran here before is in the link.
  if (!saved || saved.of_link) return false;
  const all = [...studies, saved].slice(-MOST);
  if (isWritten) await database.move("earlier", all, "current");
  take(all);
  return true;
}

/** Whether two are the same study with the same results. */
function isSame(a: Saved, b: Saved): boolean {
  return isEqual(a.study, b.study) && isEqual(a.results, b.results);
}

/** Takes the latest; `instead` goes behind all others, unless it is the same. Fails where that cannot be kept, and leaves all as it is. */
export async function exchange(instead: Saved | null): Promise<Saved | null> {
  const latest = studies.at(-1);
  if (!latest) return null;
  const rest = studies.slice(0, -1);
  const all = instead && !isSame(instead, latest) ? [instead, ...rest] : rest;
  if (isWritten) await database.write("earlier", all);
  take(all);
  return latest;
}
