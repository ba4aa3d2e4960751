// Studies of the user's that a link's took the place of. The tab that keeps its study keeps these too; another one has
// its own for as long as it is open.

import * as database from "./database";
import { isReadable, type Saved } from "./saved";
import { store } from "./store";

/** The oldest of more are let go. */
const MOST = 5;

/** The latest last. */
let studies: Saved[] = [];
/** Whether they are written to the browser's storage. */
let isWritten = false;

function take(next: Saved[]): void {
  studies = next.slice(-MOST);
  store.set({ has_earlier: studies.length > 0 });
}

async function readAll(): Promise<Saved[]> {
  const found = await database.read<Saved[] | Saved>("earlier").catch(() => undefined);
  // An earlier version kept one.
  const all = Array.isArray(found) ? found : [found];
  return all.filter(isReadable);
}

/** This tab keeps its study from now on. What another one had and left behind is put aside. */
export async function own(isAfterAnother: boolean): Promise<void> {
  const before = await readAll();
  const left = isAfterAnother ? await database.read<Saved>("current").catch(() => undefined) : undefined;
  take([...before, ...(isReadable(left) && !left.of_link ? [left] : []), ...studies]);
  isWritten = true;
  if (isAfterAnother) await database.write("earlier", studies).catch(() => undefined);
}

/** Puts a study aside: this one, or else the kept one, which is not kept any more. Whether there was one. */
export async function move(here: Saved | null): Promise<boolean> {
  const saved = here ?? (await database.read<Saved>("current").catch(() => undefined));
  // The study of a link that ran here before is in the link.
  if (!isReadable(saved) || saved.of_link) return false;
  take([...studies, saved]);
  if (isWritten) await database.move("earlier", studies, "current").catch(() => undefined);
  return true;
}

/** Whether two studies are of the same items. */
function isOfSameItems(a: Saved, b: Saved): boolean {
  const items = ({ sets }: Saved): string => JSON.stringify(sets.map(({ name, sha256 }) => [name, sha256]));
  return items(a) === items(b);
}

/** Takes the latest; `instead` goes behind all others. */
export async function exchange(instead: Saved | null): Promise<Saved | null> {
  const latest = studies.at(-1);
  if (!latest) return null;
  const rest = studies.slice(0, -1);
  take(instead && !isOfSameItems(instead, latest) ? [instead, ...rest] : rest);
  if (isWritten) await database.write("earlier", studies).catch(() => undefined);
  return latest;
}
