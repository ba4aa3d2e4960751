// What is kept of a visit, and what is put aside for another study, by this tab alone.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import * as database from "../../www/src/services/database";
import { NO_HISTORY, remembered } from "../../www/src/services/history";
import { readable, snapshot, type Saved } from "../../www/src/services/saved";
import * as session from "../../www/src/services/session";
import { INITIAL, store } from "../../www/src/services/store";
import { mask, scores, set as itemSet, study } from "./studies";
import { drawn } from "./support";

const OWN = study({ item_sets: [itemSet("own", "O", "test")] });

/** What the browser keeps. */
const records = new Map<string, unknown>();
const stops: (() => void)[] = [];

function current(): Saved | null {
  return readable(records.get("current"));
}

/** An empty study waits in nobody's place. */
async function leaveNothingAside(): Promise<void> {
  do store.set(INITIAL);
  while (await session.bringBack());
}

/** Time for what was asked to be written. */
async function written(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 150));
}

/** A lock that this tab gets at once. */
const locks = { request: (_name: string, _options: unknown, held: () => unknown) => held() };

beforeAll(() => {
  Object.defineProperty(navigator, "locks", { value: locks, configurable: true });
  const listen = store.listen.bind(store);
  const listening = vi.spyOn(store, "listen").mockImplementation((listener) => {
    const stop = listen(listener);
    stops.push(stop);
    return stop;
  });
  vi.spyOn(database, "read").mockResolvedValue(undefined);
  session.install();
  listening.mockRestore();
});

beforeEach(() => {
  records.clear();
  vi.spyOn(database, "read").mockImplementation(async (key) => records.get(key));
  vi.spyOn(database, "write").mockImplementation(async (key, value) => void records.set(key, structuredClone(value)));
  vi.spyOn(database, "move").mockImplementation(async (to, value, from) => {
    records.set(to, structuredClone(value));
    records.delete(from);
  });
});

afterEach(async () => {
  await session.setAside();
  await leaveNothingAside();
  vi.restoreAllMocks();
});

afterAll(() => {
  for (const stop of stops) stop();
  Reflect.deleteProperty(navigator, "locks");
});

test("between two writes there is time, however long one takes", async () => {
  const begun: number[] = [];
  let ended = 0;
  vi.mocked(database.write).mockImplementation(async () => {
    begun.push(performance.now());
    await new Promise((resolve) => setTimeout(resolve, 150));
    if (begun.length === 1) ended = performance.now();
  });
  store.set({ study: OWN });
  session.keep();
  store.edit({ seed: 1 });
  await drawn();
  store.edit({ seed: 2 });
  await vi.waitFor(() => expect(begun).toHaveLength(2));
  expect((begun[1] ?? 0) - ended).toBeGreaterThan(80);
  await new Promise((resolve) => setTimeout(resolve, 200));
});

/** Puts the user's study aside, as before another takes its place. */
async function aside(): Promise<void> {
  store.set({ study: OWN });
  session.keep();
  expect(await session.setAside()).toBe(true);
}

/** The study of the one set that is at hand by now. */
function namesAtHand(): string[] {
  return store.state.study.item_sets.map(({ name }) => name);
}

test("going back from a study of the same items loses nothing of it", async () => {
  await aside();
  store.set({ study: { ...OWN, pruning: { mask: mask(1) } } });
  expect(await session.bringBack()).toBe(true);
  expect(store.state.study.pruning.mask).toEqual(mask());
  expect(store.state.view.has_earlier).toBe(true);
  expect(await session.bringBack()).toBe(true);
  expect(store.state.study.pruning.mask).toEqual(mask(1));
});

test("results alone make another study of it, and the very same one is not put aside again", async () => {
  await aside();
  await session.bringBack();
  expect([namesAtHand(), store.state.view.has_earlier]).toEqual([["own"], false]);
  await aside();
  store.set({ results: [scores("own")] });
  await session.bringBack();
  expect([store.state.results.length, store.state.view.has_earlier]).toEqual([0, true]);
  await session.bringBack();
  expect(store.state.results).toHaveLength(1);
});

test("masks that are kept, and what can be undone, are work without any items", async () => {
  const empty = { ...OWN, item_sets: [] };
  await aside();
  store.set({ study: empty });
  await session.bringBack();
  expect([namesAtHand(), store.state.view.has_earlier]).toEqual([["own"], false]);

  await aside();
  store.set({ study: empty, history: remembered(NO_HISTORY, OWN, "items") });
  await session.bringBack();
  expect(store.state.view.has_earlier).toBe(true);
  await session.bringBack();
  expect(store.state.history.undo).toHaveLength(1);
  await leaveNothingAside();

  store.set({ history: NO_HISTORY });
  await aside();
  store.set({ study: { ...empty, kept_masks: [{ name: "one", model: { id: "m", sha256: "model" }, mask: mask(1) }] } });
  await session.bringBack();
  await session.bringBack();
  expect(store.state.study.kept_masks).toHaveLength(1);
});

test("what the page brings before it keeps anything is not written, and what the user did meanwhile is", async () => {
  store.set({ study: OWN });
  await drawn();
  session.keep();
  await written();
  expect(current()).toBeNull();
  await session.setAside();

  dispatchEvent(new Event("keydown"));
  store.edit({ seed: 7 });
  await drawn();
  session.keep();
  await written();
  expect(current()?.study.seed).toBe(7);
});

test("a study that was restored is kept from then on", async () => {
  store.set({ study: OWN });
  records.set("current", structuredClone(snapshot()));
  store.edit({ item_sets: [] });
  expect(await session.restore()).toBe(true);
  session.keep();
  expect(namesAtHand()).toEqual(["own"]);
  store.edit({ seed: 9 });
  await written();
  expect(current()?.study.seed).toBe(9);
});
