// What survives a reload: the study and its results, in IndexedDB.

import { INITIAL, store, type State } from "./store";

const DATABASE = "secateur";
const STORE = "session";
const CURRENT = "current";
const EARLIER = "earlier";
const WRITE_DELAY_MS = 100;

const KEPT = [
  "step", "model", "shape", "sets", "template", "few_shot", "choice_order", "rule", "seed", "scores", "bias", "settings", "attribution", "ranked",
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

/** From now on every change is kept. */
export function keep(): void {
  isPaused = false;
}

/** Whether it is. */
export function isKept(): boolean {
  return !isPaused;
}

export function install(): void {
  const kept = new Set<keyof State>(KEPT);
  store.listen((changed) => {
    if (isPaused || ![...changed].some((key) => kept.has(key))) return;
    clearTimeout(timer);
    timer = window.setTimeout(write, WRITE_DELAY_MS);
    store.set({ is_unsaved: true });
  });
  // The last change may be younger than the delay.
  addEventListener("pagehide", () => {
    if (!isPaused && timer) void write();
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

/** Empties everything that a study fills. */
export function clearStudy(): void {
  store.set(initial(KEPT.filter((key) => !NO_STUDY.includes(key))));
}
