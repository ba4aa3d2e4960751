// What survives a reload: the study and its results, in IndexedDB. Of several tabs one keeps its study.

import * as aside from "./aside";
import * as database from "./database";
import { tell, withdraw } from "./messages";
import { isLessonAsItCame } from "./models";
import { bring, FIRST, keptOf, readable, snapshot, type Saved } from "./saved";
import type { EditedStudy } from "./edited";
import { store, type State } from "./store";
import type { SecateurError } from "../wire/engine";

/** Shortest time between two writes; the first of several changes is written at once. */
const WRITE_INTERVAL_MS = 100;
/** Held by the tab that keeps its study. */
const LOCK = "secateur-study";
/** A page that is reloaded lets go of the lock, and asks for it again in this time. */
const RELOAD_MS = 1500;
/** Noted in this tab's own storage, which a reload leaves there, once it keeps its study. */
const OWNER = "secateur-owner";

const OTHER_TAB: SecateurError = {
  code: "other_tab",
  message: "This page is open in another tab, which keeps its study: what is changed here is kept only once that one is closed.",
  hint: "",
};
const NOT_KEPT: SecateurError = {
  code: "study_not_kept",
  message: "This browser does not keep the study for the next visit (private window, or storage full).",
  hint: "Save what you need in step 7.",
};
const UNREADABLE: SecateurError = {
  code: "storage",
  message: "This browser's storage cannot be read, so that the study of the last visit is not here.",
  hint: "Nothing is written over it: what you do now is not kept for the next visit. Reload the page to try again.",
};

let isPaused = true;
/** Of all tabs of this page one keeps its study, or they would take it from each other. */
let isOwner = false;
/** Another one does. */
let isSecond = false;
/** What is there is not known. It is left as it is for the whole visit. */
let isUnreadable = false;

/** The study of the last visit, which this one began with. */
let begun: Saved | null = null;

/** Changes so far, and those that a write was begun with. */
let changes = 0;
let written = 0;
/** When the last write came to its end: a large study takes longer to write than the time between two. */
let written_ms = Number.NEGATIVE_INFINITY;
let isWriting = false;
/** Of the next write; 0 where none waits. */
let timer = 0;

async function write(): Promise<void> {
  clearTimeout(timer);
  timer = 0;
  isWriting = true;
  written = changes;
  const upTo = changes;
  try {
    await database.write("current", snapshot());
    withdraw(NOT_KEPT.code);
    if (changes === upTo) store.view({ is_unsaved: false });
  } catch {
    tell("notice", NOT_KEPT);
  }
  isWriting = false;
  written_ms = performance.now();
  if (changes !== written) plan();
}

/** Writes now, or as soon as that may be. */
function plan(): void {
  if (timer || isWriting || isPaused) return;
  const wait = written_ms + WRITE_INTERVAL_MS - performance.now();
  if (wait <= 0) void write();
  else timer = window.setTimeout(write, wait);
}

/** Writes what has changed. */
function changed(): void {
  if (isPaused || !isOwner) return;
  changes += 1;
  store.view({ is_unsaved: true });
  plan();
}

/** The page may be at its end: what is typed is taken, and what is not written yet is sent on its way. */
function writeLast(): void {
  const before = store.state;
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  if (store.state !== before) changed();
  if (!isPaused && changes !== written) void write();
}

/** From now on every change is kept, if no other tab keeps its own. */
export function keep(): void {
  const wasPaused = isPaused;
  isPaused = false;
  // So is what the user changed before; what the page brought by itself is there at the next visit without that.
  if (wasPaused && isUsed) changed();
}

/** Whether changes are meant to be kept. */
export function isKept(): boolean {
  return !isPaused;
}

function giveUp(): void {
  isUnreadable = true;
  isOwner = false;
  aside.disown();
  store.view({ is_unsaved: false });
  tell("notice", UNREADABLE);
}

/** What the tab that keeps its study does for as long as it is there. */
async function hold(): Promise<never> {
  // What the other tab left is the study of the next visit until there is work of this one's.
  if (isSecond && !isTouched) {
    withdraw(OTHER_TAB.code);
    await touched;
  }
  try {
    // It is not overwritten by what this one has. After a reload that took long it may be this one's own.
    await aside.own(isSecond, sessionStorage.getItem(OWNER) === null ? null : begun);
    isOwner = true;
    sessionStorage.setItem(OWNER, "yes");
  } catch {
    isUnreadable = true;
  }
  if (isUnreadable) giveUp();
  isSecond = false;
  settle();
  changed();
  withdraw(OTHER_TAB.code);
  return new Promise<never>(() => undefined);
}

let settle: () => void = () => undefined;
/** It is known whether this tab keeps its study. */
const settled = new Promise<void>((resolve) => {
  settle = resolve;
});

/** Whether anybody has pressed or typed anything here. */
let isUsed = false;
/** Whether the study was worked on in this tab. */
let isTouched = false;
let touch: () => void = () => undefined;
const touched = new Promise<void>((resolve) => {
  touch = () => {
    isTouched = true;
    resolve();
  };
});

/** Becomes the tab that keeps its study, as soon as there is no other. */
async function own(): Promise<void> {
  // Without a secure context there are no locks.
  if (!("locks" in navigator)) {
    await hold();
    return;
  }
  try {
    await navigator.locks.request(LOCK, { signal: AbortSignal.timeout(RELOAD_MS) }, hold);
  } catch {
    isSecond = true;
    settle();
    tell("notice", OTHER_TAB);
  }
  for (;;) {
    await navigator.locks.request(LOCK, () => undefined);
    // A mere reload of the other tab hands nothing over.
    await new Promise((resolve) => setTimeout(resolve, RELOAD_MS));
    await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => (lock ? hold() : undefined));
  }
}

/** Whether one of the values is another. */
function isOther<T extends object>(before: T, after: T): boolean {
  return (Object.keys({ ...before, ...after }) as (keyof T)[]).some((key) => before[key] !== after[key]);
}

/** Whether anything of a study was changed; which model it is of may only have been learned. */
function isChanged(before: EditedStudy, after: EditedStudy): boolean {
  const { sha256, precision } = before.model;
  const isOfOther = sha256 !== "" && (sha256 !== after.model.sha256 || precision !== after.model.precision);
  return isOfOther || isOther({ ...before, model: null }, { ...after, model: null });
}

/** What is changed by work on a study, beside the study itself. */
function workOf({ results, history, view: { of_link, live } }: State): object {
  return { results, history, of_link, live };
}

export function install(): void {
  let before = store.state;
  store.listen(() => {
    const now = store.state;
    const isWork = isOther(workOf(before), workOf(now)) || isChanged(before.study, now.study);
    // Work on a link's study makes it one's own, and work on one's own is not to give way to a link that did not run; the
    // run itself says of what it brings that it is the link's.
    const isOfLink = now.view.of_link || (now.view.shared_fragment !== null && !isPaused);
    const isRun = before.view.of_link !== now.view.of_link || before.view.reproduction !== now.view.reproduction;
    if (isOfLink && !isRun && isWork) leaveAddress();
    // What the page measures by itself of the study that it found is no work of this tab's.
    if (isWork && !isPaused && isUsed) touch();
    if (isOther(keptOf(before), keptOf(now))) changed();
    before = now;
  });
  for (const input of ["pointerdown", "keydown", "drop"]) {
    addEventListener(
      input,
      () => {
        isUsed = true;
      },
      { capture: true },
    );
  }
  void own();
  addEventListener("pagehide", writeLast);
}

/** The study of the last visit, put into the store; false where there is none. */
export async function restore(): Promise<boolean> {
  try {
    const saved = readable(await database.read("current"));
    if (!saved) return false;
    begun = saved;
    bring(saved);
    return true;
  } catch {
    giveUp();
    return false;
  }
}

function cannotBeAside(thrown: unknown): SecateurError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: "not_aside",
    message: `your own study cannot be put aside, so it stays: the browser's storage fails (${reason})`,
    hint: "Delete a stored model or free space on the disk, or save the study in step 7 and remove its items.",
  };
}

/**
 * Puts the user's own study aside before another takes its place, and keeps nothing until `keep`: what lies between
 * the two is neither study. Whether there was one. Fails where it cannot be kept: then nothing may take its place.
 */
export async function setAside(): Promise<boolean> {
  await settled;
  const wasPaused = isPaused;
  const here = isPaused ? null : snapshot();
  isPaused = true;
  clearTimeout(timer);
  timer = 0;
  try {
    // Another tab's study is not this one's to move.
    const isMoved = (here !== null || !isSecond) && (await aside.move(here));
    written = changes;
    store.view({ is_unsaved: false });
    return isMoved;
  } catch (thrown) {
    isPaused = wasPaused;
    if (changes !== written) plan();
    throw cannotBeAside(thrown);
  }
}

/** Whether a study is more than an empty page: it has items, masks or changes that can be taken back. */
function hasWork({ study: { item_sets, kept_masks }, history }: State): boolean {
  return [item_sets, kept_masks, history.undo, history.redo].some(({ length }) => length > 0);
}

/**
 * Back to the study that was put aside last; the one at hand waits in its place. False where there is none. Fails where
 * the one at hand cannot be kept.
 */
export async function bringBack(): Promise<boolean> {
  await settled;
  const { state } = store;
  const isOwn = !state.view.of_link && hasWork(state) && !isLessonAsItCame(state);
  const saved = await aside.exchange(isOwn ? snapshot() : null).catch((thrown: unknown) => {
    throw cannotBeAside(thrown);
  });
  if (!saved) return false;
  bring(saved);
  return true;
}

/** The study at hand is not, or no longer, the one of the link in the address: a reload brings back this one. */
export function leaveAddress(): void {
  history.replaceState(history.state, "", location.pathname + location.search);
  store.view({ shared_fragment: null, of_link: false });
}

/** Empties everything that a study fills. */
export function clearStudy(): void {
  const { engine, view } = store.state;
  bring({ ...FIRST, model: engine.model, step: view.step });
}
