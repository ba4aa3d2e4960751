// From an empty page to a working one, and back to the lesson: what the user does meanwhile stays.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as actions from "../../www/src/services/actions";
import { boot, changeDevice, openLesson } from "../../www/src/services/boot";
import { Ended, engine } from "../../www/src/services/engine";
import { addSet } from "../../www/src/services/items";
import * as links from "../../www/src/services/links";
import * as session from "../../www/src/services/session";
import { store } from "../../www/src/services/store";
import type { ItemsRequest, Report } from "../../www/src/wire/engine";
import catalog from "../../models/catalog.json";
import samples from "../../models/items/index.json";
import lesson from "../../models/lesson-planted/report.json";
import { items, study } from "./studies";
import { answer, drawn } from "./support";

const REPORT = lesson as unknown as Report;
const LESSON = REPORT.study.item_sets.map(({ name }) => name);
const STARTED = { version: "1", device: null, templates: [], presets: {} };
const NO_DEVICE = { code: "device", message: "there is none", hint: "" };

/** What was asked of the session, in order. */
let asked: string[] = [];
/** Which fetches wait, and what lets them come. */
let waiting = /jsonl$/;
let arrive: () => void = () => undefined;

/** The site's files. */
function fetched(path: string, arrived: Promise<void>): Promise<Response> {
  const files: Record<string, unknown> = {
    "models/lesson-planted/report.json": lesson,
    "models/catalog.json": catalog,
    "models/items/index.json": samples,
  };
  const answered = (): Response => (path in files ? Response.json(files[path]) : new Response(path));
  return waiting.test(path) ? arrived.then(answered) : Promise.resolve(answered());
}

function sizes(): [string, number | undefined][] {
  return store.state.study.item_sets.map((set) => [set.name, set.items?.length]);
}

beforeEach(() => {
  asked = [];
  waiting = /jsonl$/;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  vi.stubGlobal("fetch", (path: string) => fetched(path, arrived));
  vi.spyOn(session, "install").mockReturnValue(undefined);
  vi.spyOn(actions, "followMask").mockReturnValue(undefined);
  vi.spyOn(engine, "addEventListener").mockReturnValue(undefined);
  vi.spyOn(session, "restore").mockResolvedValue(false);
  vi.spyOn(session, "keep").mockImplementation(() => void asked.push("keep"));
  vi.spyOn(session, "setAside").mockImplementation(async () => {
    asked.push(`aside ${store.state.study.item_sets.map(({ name }) => name).join()}`);
    return true;
  });
  vi.spyOn(engine, "start").mockResolvedValue(STARTED as never);
  vi.spyOn(engine, "storage").mockResolvedValue({ models: [] } as never);
  vi.spyOn(engine, "load").mockImplementation(async () => {
    asked.push("load");
    return { info: REPORT.model, device: null, name: "lesson", kept: true } as never;
  });
  answer((method, { name }: ItemsRequest) => {
    const known = REPORT.study.item_sets.find((set) => set.name === name);
    return method === "parse_items" ? { items: items(2) } : { sha256: known?.sha256 ?? "", template: REPORT.study.template };
  });
  store.engine({ status: "starting" });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("at a first visit the lesson's items come beside those that were added before them", async () => {
  const booted = boot();
  await vi.waitFor(() => expect(store.state.engine.status).toBe("ready"));
  addSet("mine", items(3));
  arrive();
  await booted;
  expect(sizes()).toEqual([...LESSON.map((name) => [name, 2]), ["mine", 3]]);
  expect(asked).toEqual(["load", "keep"]);
});

test("a study of the last visit is kept before its model is back", async () => {
  vi.mocked(session.restore).mockImplementation(async () => {
    store.set({ study: study() });
    store.engine({ model: { info: REPORT.model, name: "lesson", source: { kind: "stored", id: "lesson" } } });
    return true;
  });
  await boot();
  expect(asked.slice(0, 2)).toEqual(["keep", "load"]);
});

test("an engine that starts at a second try, or on another device, gets what the first one was to get", async () => {
  arrive();
  vi.mocked(engine.start).mockRejectedValueOnce(NO_DEVICE);
  await boot();
  expect([store.state.engine.status, sizes()[0]?.[1]]).toEqual(["failed", undefined]);
  await changeDevice("wasm");
  expect(sizes()).toEqual(LESSON.map((name) => [name, 2]));
  expect(asked).toEqual(["keep", "load", "keep"]);
  // From then on it gets what is at hand.
  const read = store.state.study.item_sets;
  await changeDevice("auto");
  expect(store.state.study.item_sets).toEqual(read);
  expect(asked).toEqual(["keep", "load", "keep", "load"]);
});

/** A study of the user's, in whose place the lesson is wanted; its report is under way. */
function startOver(): Promise<void> {
  waiting = /report/;
  store.engine({ status: "ready", catalog: catalog as never, samples: samples as never });
  store.set({ study: study() });
  return openLesson();
}

test("a link is opened by the engine that starts at last", async () => {
  const open = vi.spyOn(links, "openLink").mockResolvedValue(undefined);
  vi.spyOn(session, "isKept").mockReturnValue(true);
  vi.mocked(engine.start).mockRejectedValueOnce(NO_DEVICE);
  const { href } = location;
  history.replaceState(null, "", "#s1.link");
  await boot();
  expect(open).not.toHaveBeenCalled();
  await changeDevice("wasm");
  history.replaceState(null, "", href);
  expect(open).toHaveBeenCalledExactlyOnceWith("#s1.link");
});

test("a graphics card that is lost twice while a model is brought back gives way to the processor, however long that took", async () => {
  arrive();
  vi.mocked(session.restore).mockImplementation(async () => {
    store.set({ study: study() });
    store.engine({ model: { info: REPORT.model, name: "lesson", source: { kind: "stored", id: "lesson" } } });
    return true;
  });
  const brought = vi.mocked(engine.load).getMockImplementation();
  let now_ms = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now_ms);
  vi.mocked(engine.load).mockImplementation(async (...values) => {
    if (vi.mocked(engine.start).mock.lastCall?.[0] === "wasm" && brought) return brought(...values);
    now_ms += 90_000;
    const lost = { code: "device_lost", message: "the graphics card was lost", hint: "" };
    for (const [type, listener] of vi.mocked(engine.addEventListener).mock.calls) {
      if (type === "ended") (listener as (event: Event) => void)(new Ended(lost));
    }
    throw lost;
  });
  await boot();
  await vi.waitFor(() => expect(store.state.engine).toMatchObject({ status: "ready", device: "wasm" }));
  await vi.waitFor(() => expect(asked).toContain("load"));
  expect(vi.mocked(engine.start).mock.calls).toEqual([["auto"], ["auto"], ["wasm"]]);
  expect(store.state.view.messages.map(({ code }) => code)).toContain("card_given_up");
});

test("starting over with the lesson is a job, and what is done while it is fetched is put aside", async () => {
  const opened = startOver();
  expect(store.state.view.job?.title).toContain("lesson");
  await drawn();
  addSet("late", items(1));
  expect(asked).toEqual([]);
  arrive();
  await opened;
  expect(asked.slice(0, 2)).toEqual(["aside a,v,t,u,late", "keep"]);
  expect(sizes()).toEqual(LESSON.map((name) => [name, 2]));
  expect(store.state.shown.precomputed).not.toEqual([]);
});

test("nothing gives way to a lesson that is cancelled while it is fetched", async () => {
  const opened = startOver();
  await drawn();
  store.state.view.job?.cancel();
  arrive();
  await opened;
  expect([asked, sizes().length]).toEqual([[], 4]);
});
