// What survives a reload: the study and its results, in IndexedDB. Of several tabs one keeps its study.

import * as aside from "./aside";
import * as database from "./database";
import { initial, isReadable, KEPT, snapshot, STUDY, type Saved } from "./saved";
import { store, type State } from "./store";

const WRITE_DELAY_MS = 100;
/** Held by the tab that keeps its study. */
const LOCK = "secateur-study";
/** A page that is reloaded lets go of the lock in this time. */
const OWNER_PATIENCE_MS = 1500;
const TOLD = "This page is open in another tab, which keeps its study: what is changed here is kept only once that one is closed.";

let isPaused = true;
/** Of all tabs of this page one keeps its study, or they would take it from each other. */
let isOwner = false;
/** Another one does. It is asked for again at every change here: a mere reload of the other one hands nothing over. */
let isSecond = false;
/** Of the last change's write; 0 once that has ended. */
let timer = 0;

async function write(): Promise<void> {
  const own = timer;
  try {
    await database.write("current", snapshot());
  } catch {
    store.set({ notice: "This browser does not keep the study for the next visit (private window, or storage full)." });
    isPaused = true;
  }
  if (timer !== own) return;
  timer = 0;
  store.set({ is_unsaved: false });
}

/** Writes what has changed, a little later. */
function changed(): void {
  if (isPaused) return;
  if (isSecond) void navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => (lock ? hold() : undefined));
  if (!isOwner) return;
  clearTimeout(timer);
  timer = window.setTimeout(write, WRITE_DELAY_MS);
  store.set({ is_unsaved: true });
}

/** From now on every change is kept, if no other tab keeps its own. */
export function keep(): void {
  isPaused = false;
}

/** Whether changes are meant to be kept. */
export function isKept(): boolean {
  return !isPaused;
}

/** What the tab that keeps its study does for as long as it is there. */
async function hold(): Promise<never> {
  // What the tab before left is not overwritten by what this one has.
  await aside.own(isSecond);
  isSecond = false;
  isOwner = true;
  settle();
  if (store.state.notice === TOLD) store.set({ notice: null });
  changed();
  return new Promise<never>(() => undefined);
}

let settle: () => void = () => undefined;
/** It is known whether this tab keeps its study. */
const settled = new Promise<void>((resolve) => {
  settle = resolve;
});

/** Becomes the tab that keeps its study, if there is no other. */
async function own(): Promise<void> {
  // Without a secure context there are no locks.
  if (!("locks" in navigator)) {
    await hold();
    return;
  }
  try {
    await navigator.locks.request(LOCK, { signal: AbortSignal.timeout(OWNER_PATIENCE_MS) }, hold);
  } catch {
    isSecond = true;
    settle();
    store.set({ notice: TOLD });
  }
}

export function install(): void {
  const kept = new Set<keyof State>(KEPT);
  const ofStudy = new Set<keyof State>(STUDY);
  store.listen((keys) => {
    // Work on a link's study makes it one's own; the run itself says of what it brings that it is the link's.
    if (store.state.of_link && !keys.has("of_link") && [...keys].some((key) => ofStudy.has(key))) leaveAddress();
    if ([...keys].some((key) => kept.has(key))) changed();
  });
  void own();
  // The last change may be younger than the delay.
  addEventListener("pagehide", () => {
    if (timer) void write();
  });
}

/** Puts a kept study into the store. */
function bring({ saved_version: _, ...state }: Saved): void {
  // What an older visit did not keep yet is as at the beginning, not as another study left it.
  store.set({ ...initial(KEPT), ...state });
}

/** The study of the last visit, put into the store; false where there is none. */
export async function restore(): Promise<boolean> {
  const saved = await database.read<Saved>("current").catch(() => undefined);
  if (!isReadable(saved)) return false;
  bring(saved);
  return true;
}

/**
 * Puts the user's own study aside before a link's takes its place, and keeps nothing until `keep`: what lies between
 * the two is neither study. Whether there was one.
 */
export async function setAside(): Promise<boolean> {
  await settled;
  const here = isPaused ? null : snapshot();
  isPaused = true;
  clearTimeout(timer);
  timer = 0;
  store.set({ is_unsaved: false });
  // Another tab's study is not this one's to move.
  return (here !== null || !isSecond) && aside.move(here);
}

/** Back to the study that was put aside last; the one at hand waits in its place. False where there is none. */
export async function bringBack(): Promise<boolean> {
  await settled;
  const { of_link, sets } = store.state;
  const saved = await aside.exchange(of_link || sets.length === 0 ? null : snapshot());
  if (!saved) return false;
  bring(saved);
  return true;
}

/** The study at hand is not, or no longer, the one of the link in the address: a reload brings back this one. */
export function leaveAddress(): void {
  history.replaceState(null, "", location.pathname + location.search);
  store.set({ shared_fragment: null, of_link: false });
}

/** Empties everything that a study fills. */
export function clearStudy(): void {
  const stays: readonly (keyof State)[] = ["model", "step", "precision"];
  store.set(initial(KEPT.filter((key) => !stays.includes(key))));
}
