// From an empty page to a working one: the precomputed report at once, then the engine, the model and the items behind
// it. After a worker's end the same, without the report.

import { fetchCurrent, type CatalogEntry, type SampleSet } from "../site";
import type { ItemSetSpec, Report, SecateurError } from "../wire/engine";
import type { DeviceChoice } from "../worker/protocol";
import { followMask } from "./actions";
import { CANCELLED, engine, isEnd, type DeviceKnown, type Ended } from "./engine";
import { followSteps } from "./entries";
import { sendAll } from "./items";
import { report, runJob, toError, whenIdle } from "./jobs";
import { closeLink, hasFragment, openLink } from "./links";
import { tell } from "./messages";
import { isLesson, isLessonAsItCame, LESSON, load, refreshStorage, sourceAtHand, sourceOfEntry } from "./models";
import * as session from "./session";
import { store } from "./store";
import { setsOfStudy, showReport } from "./study";

async function json<T>(path: string): Promise<T | null> {
  try {
    const response = await fetchCurrent(path);
    return response.ok ? ((await response.json()) as T) : null;
  } catch {
    return null;
  }
}

function deviceFromAddress(): DeviceChoice {
  const asked = new URLSearchParams(location.search).get("device");
  return asked === "webgpu" || asked === "wasm" ? asked : "auto";
}

/** Starts a worker on a device; whether the engine is there. It counts as ready once it is about to get the model. */
async function startEngine(device: DeviceChoice): Promise<boolean> {
  store.engine({ device, status: "starting", device_info: null });
  try {
    const { version, device: device_info, templates, presets } = await engine.start(device);
    store.engine({ version, device_info, templates, presets });
    return true;
  } catch (thrown) {
    const error = toError(thrown);
    if (error.code === "cancelled") return false;
    store.engine({ status: "failed" });
    report(error);
    return false;
  }
}

/** What an engine that starts for the first time gets; null once one got it. */
let bringFirst: (() => Promise<void>) | null = null;

/** Gives an engine that was started what it is to work on. */
async function goOn(): Promise<void> {
  const bring = bringFirst ?? bringBack;
  bringFirst = null;
  await bring();
}

/** Starts on another device, with everything that is there. */
export async function changeDevice(device: DeviceChoice): Promise<void> {
  if (store.state.view.job) return;
  const before = store.state.engine.device;
  const isStarted = await startEngine(device);
  if (isStarted) {
    await goOn();
    return;
  }
  // What was asked for is not there: back to what worked, with the reason on screen.
  const { error } = store.state.view;
  if (before !== device && (await startEngine(before))) {
    await goOn();
    store.view({ error });
  }
}

/** The same once more, by the user's wish. */
export function startAgain(): Promise<void> {
  faults = [];
  losses = 0;
  return changeDevice(store.state.engine.device);
}

/** How many bring a model back: one whose worker ended may come to its end after the next has begun. */
let bringing = 0;
/** How often in a row the graphics card was lost while a model was brought back to it, however long that took. */
let losses = 0;
/** After so many another try would end the same way. */
const LOSSES_AT_MOST = 2;

/** Gives a new worker the model and the items. */
async function bringBack(): Promise<void> {
  store.engine({ status: "ready" });
  const source = sourceAtHand();
  if (source) {
    bringing += 1;
    if (await load(source, "Bringing back the model")) losses = 0;
    bringing -= 1;
  } else {
    const { model } = store.state.engine;
    if (model) {
      tell("notice", {
        code: "model_gone",
        message: `The model “${model.name}” is not kept in this browser, and is gone.`,
        hint: "Choose it again in step 1; the study is as it was.",
      });
    }
    store.engine({ model: null });
    await sendAll().catch(report);
  }
  await refreshStorage();
}

/** The shipped model's study with what was found. */
async function fetchLesson(): Promise<Report | null> {
  const found = await json<Report>(`models/${LESSON}/report.json`);
  return found?.format === "secateur-report" ? found : null;
}

/** That study, on screen before anything is computed. */
async function showLesson(): Promise<void> {
  const found = await fetchLesson();
  if (found) showReport(found, true);
}

/** The bundled sets of the lesson by their names, for want of its report. */
function bundledSets(): ItemSetSpec[] {
  const names = store.state.engine.samples.map((sample) => sample.name).filter((name) => name.startsWith(LESSON));
  return names.map((name) => ({ name: name.slice(LESSON.length + 1), sample: name, sha256: "", roles: rolesOf(name) }));
}

function unreadSets(): ItemSetSpec[] {
  return store.state.study.item_sets.filter(({ items }) => !items);
}

/** Reads the items of those sets that are there by the name of their sample alone. What is changed meanwhile stays. */
async function readItems(): Promise<void> {
  const read = await setsOfStudy(unreadSets());
  const partOf = ({ name, sample, first, count, split }: ItemSetSpec): string => JSON.stringify([sample ?? name, first, count, split]);
  const withItems = (set: ItemSetSpec): ItemSetSpec => {
    const found = set.items ? undefined : read.find((other) => partOf(other) === partOf(set));
    return found ? { ...found, name: set.name, roles: set.roles } : set;
  };
  store.edit({ item_sets: store.state.study.item_sets.map(withItems) });
}

function rolesOf(name: string): ("attribution" | "validation" | "test")[] {
  if (name.endsWith("-attribution")) return ["attribution"];
  return name.endsWith("-validation") ? ["validation"] : ["test"];
}

async function loadLesson(): Promise<void> {
  const entry = store.state.engine.catalog.find((other) => other.id === LESSON);
  if (entry) await load(sourceOfEntry(entry), "Loading the lesson's model");
}

/** Back to the page as it is at the first visit; one's own study is put aside. */
export async function openLesson(): Promise<void> {
  let isLoaded = false;
  const isDone = await runJob("Starting over with the lesson", async ({ signal }) => {
    const found = await fetchLesson();
    const item_sets = await setsOfStudy(found?.study.item_sets ?? bundledSets());
    if (signal?.aborted) throw CANCELLED;
    if (!isLessonAsItCame(store.state)) await session.setAside();
    // With nothing between these: what is done before them is put aside, and what is done after them is work on the lesson.
    session.clearStudy();
    if (found) showReport(found, true);
    store.edit({ item_sets });
    session.keep();
    const { model, precision } = store.state.engine;
    isLoaded = model?.info.id === LESSON && isLesson(model.info) && model.info.report.precision === precision;
    if (isLoaded) await sendAll();
    // Not another model for this study: the lesson's own results stay.
    else store.engine({ model: null });
  });
  if (isDone && !isLoaded) await loadLesson();
}

/** When the engine ended by itself, of late. */
let faults: number[] = [];
/** So many starts anew in such a time are enough: a job that a view asks for by itself may crash each time. */
const FAULTS_AT_MOST = 3;
const FAULTS_WITHIN_MS = 60_000;

/** After a hard cancel, a crash or a lost device. */
async function restart(reason: SecateurError): Promise<void> {
  if (isEnd(reason)) {
    tell("error", reason);
    // What a job said of its device before it was known to be lost is the same news.
    if (store.state.view.error?.code === "device") store.view({ error: null });
    faults = [...faults.filter((time) => performance.now() - time < FAULTS_WITHIN_MS), performance.now()];
  }
  const isLost = reason.code === "device_lost";
  if (bringing > 0 && isLost) losses += 1;
  // A model that ends the engine is not loaded over and over; a device is lost for other reasons.
  if (bringing > 0 && !isLost) {
    const name = store.state.engine.model?.name ?? "";
    store.engine({ model: null });
    tell("notice", {
      code: "not_back",
      message: `The model “${name}” is not loaded again, since the engine ended while it was.`,
      hint: "Choose a model in step 1; the study is as it was.",
    });
  }
  if (store.state.engine.status !== "ready" || faults.length > FAULTS_AT_MOST) {
    store.engine({ status: "failed" });
    store.view({ job: null });
    return;
  }
  // Nothing may start before the model is back, and that only when the job that was cancelled has ended.
  store.engine({ status: "starting" });
  await Promise.resolve();
  store.view({ job: null });
  const isHopeless = losses >= LOSSES_AT_MOST;
  if (isHopeless) {
    tell("notice", {
      code: "card_given_up",
      message: `The graphics card was lost ${LOSSES_AT_MOST} times while the model was brought back to it, so that the processor computes from now on.`,
      hint: "Another device can be chosen in step 1.",
    });
  }
  if (await startEngine(isHopeless ? "wasm" : store.state.engine.device)) await bringBack();
}

/** Puts on screen what can be there before the engine; whether it is the study of the last visit. A link comes after the engine. */
async function showFirst(hasLink: boolean): Promise<boolean> {
  const isRestored = !hasLink && (await showOwn());
  const [catalog, samples] = await Promise.all([json<CatalogEntry[]>("models/catalog.json"), json<SampleSet[]>("models/items/index.json")]);
  store.engine({ catalog: catalog ?? [], samples: samples ?? [] });
  return isRestored;
}

export async function boot(): Promise<void> {
  session.install();
  followMask();
  followSteps();
  engine.addEventListener("device", (event) => store.engine({ device_info: (event as DeviceKnown).device }));
  engine.addEventListener("ended", (event) => void restart((event as Ended).reason));
  const device = deviceFromAddress();
  store.engine({ device });
  const hasLink = hasFragment(location.hash);
  const started = startEngine(device);
  const shown = showFirst(hasLink);
  // An engine that does not start now may do so later, or another one may.
  bringFirst = async () => {
    const isRestored = await shown;
    await refreshStorage();
    // With nothing between this and the job that brings the model: none may start before it.
    store.engine({ status: "ready" });
    if (hasLink) await bringLink();
    else await bringOwn(isRestored);
  };
  await shown;
  if (await started) await goOn();
  else if (!hasLink) session.keep();
}

/** The study of the link in the address; one's own where that cannot be read, or is not run by itself. */
async function bringLink(): Promise<void> {
  await openLink(location.hash);
  if (session.isKept()) return;
  const { shared, error } = store.state.view;
  if (!shared) closeLink();
  await bringOwn(await showOwn());
  store.view({ error, ...(shared ? { step: "start" } : {}) });
}

/** The study of the last visit, or else the lesson; whether it is the former. */
async function showOwn(): Promise<boolean> {
  const isRestored = await session.restore();
  // What is changed while its model is brought back is kept as well.
  if (isRestored) session.keep();
  else await showLesson();
  return isRestored;
}

/** The user's own study, or else the lesson, with the engine behind it. */
async function bringOwn(isRestored: boolean): Promise<void> {
  try {
    const { study, history } = store.state;
    // The lesson's report was not found, and nobody was faster.
    if (!isRestored && study.item_sets.length === 0 && history.undo.length === 0) store.edit({ item_sets: bundledSets() });
    // Not a moment between the engine and the job that brings the model, where there is nothing to read.
    if (unreadSets().length > 0) await readItems();
    await (isRestored ? bringBack() : loadLesson());
  } catch (thrown) {
    report(thrown);
  }
  session.keep();
}

/** A link pasted into the address bar of an open page. */
addEventListener("hashchange", async () => {
  const { hash } = location;
  if (!hasFragment(hash)) return;
  if (store.state.view.job) store.view({ notice: "The link is opened once the job under way is done." });
  await whenIdle();
  // The page may have begun with this link, or have been given another one since.
  if (location.hash === hash && store.state.view.shared_fragment !== hash) await openLink(hash);
});
