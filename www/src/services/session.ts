// What survives a reload: the study and its results, in IndexedDB.

import { INITIAL, store, type State } from "./store";

const DATABASE = "secateur";
const STORE = "session";
const CURRENT = "current";
const EARLIER = "earlier";
const WRITE_DELAY_MS = 100;
/** Held by the tab that keeps its study. */
const LOCK = "secateur-study";
/** A page that is reloaded lets go of the lock in this time. */
const OWNER_PATIENCE_MS = 1500;
const TOLD = "This page is open in another tab, which keeps its study: what is changed here is kept only once that one is closed.";

const KEPT = [
  "step", "model", "shape", "sets", "template", "few_shot", "choice_order", "rule", "seed", "scores", "shelved", "bias", "settings", "attribution", "ranked",
  "selected", "card", "mask", "selection", "undo", "redo", "live", "pruned", "control_masks", "control", "percents",
  "search", "tuning_settings", "tuning", "tuned_with", "precomputed", "precision", "of_link",
] as const satisfies readonly (keyof State)[];

/** Raised when the kept fields change their meaning: older ones are then left alone. */
const VERSION = 1;

type Saved = Pick<State, (typeof KEPT)[number]> & { saved_version: number };

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function transact<T>(
  mode: IDBTransactionMode, run: (records: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = run(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function read(key: string): Promise<Saved | undefined> {
  return transact("readonly", (records) => records.get(key) as IDBRequest<Saved | undefined>);
}

function snapshot(): Saved {
  const entries = KEPT.map((key) => [key, store.state[key]]);
  return { ...(Object.fromEntries(entries) as Omit<Saved, "saved_version">), saved_version: VERSION };
}

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
    await transact("readwrite", (records) => records.put(snapshot(), CURRENT));
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
  if (isSecond) await setAside();
  isSecond = false;
  isOwner = true;
  if (store.state.notice === TOLD) store.set({ notice: null });
  changed();
  return new Promise<never>(() => undefined);
}

/** Becomes the tab that keeps its study, if there is no other. */
async function own(): Promise<void> {
  // Without a secure context there are no locks.
  if (!("locks" in navigator)) {
    isOwner = true;
    return;
  }
  try {
    await navigator.locks.request(LOCK, { signal: AbortSignal.timeout(OWNER_PATIENCE_MS) }, hold);
  } catch {
    isSecond = true;
    store.set({ notice: TOLD });
  }
}

export function install(): void {
  const kept = new Set<keyof State>(KEPT);
  store.listen((keys) => {
    if ([...keys].some((key) => kept.has(key))) changed();
  });
  void own();
  // The last change may be younger than the delay.
  addEventListener("pagehide", () => {
    if (timer) void write();
  });
}

/** The study of the last visit, put into the store; false where there is none. */
export async function restore(key: typeof CURRENT | typeof EARLIER = CURRENT): Promise<boolean> {
  try {
    const saved = await read(key);
    if (saved?.saved_version !== VERSION) return false;
    const { saved_version: _, ...state } = saved;
    // What an older visit did not keep yet is as at the beginning, not as another study left it.
    store.set({ ...initial(KEPT), ...state });
    return true;
  } catch {
    return false;
  }
}

/** Puts the current study aside, before a link's takes its place. */
export async function setAside(): Promise<void> {
  try {
    const saved = await read(CURRENT);
    // The study of a link that ran here before is in the link.
    if (!saved || saved.of_link) return;
    await transact("readwrite", (records) => records.put(saved, EARLIER));
    store.set({ has_earlier: true });
  } catch {
    // Nothing is kept in this browser: nothing can be put aside.
  }
}

export async function lookForEarlier(): Promise<void> {
  const earlier = await read(EARLIER).catch(() => undefined);
  store.set({ has_earlier: earlier?.saved_version === VERSION });
}

export async function dropEarlier(): Promise<void> {
  await transact("readwrite", (records) => records.delete(EARLIER)).catch(() => undefined);
  store.set({ has_earlier: false });
}

function initial(keys: readonly (keyof State)[]): Partial<State> {
  return Object.fromEntries(keys.map((key) => [key, INITIAL[key]])) as Partial<State>;
}

/** What a study does not fill: where the user is, and the model as it is loaded. */
const NO_STUDY: readonly (keyof State)[] = ["model", "step", "precision"];

/** The study at hand is not, or no longer, the one of the link in the address: a reload brings back this one. */
export function leaveAddress(): void {
  history.replaceState(null, "", location.pathname + location.search);
  store.set({ shared_fragment: null, of_link: false });
}

/** Empties everything that a study fills. */
export function clearStudy(): void {
  store.set(initial(KEPT.filter((key) => !NO_STUDY.includes(key))));
}
