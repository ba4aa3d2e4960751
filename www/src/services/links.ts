// A page opened by a link, or a file that holds what a link does: what it wants to do, the model it needs, what reproduced.

import { engine, type OnProgress } from "./engine";
import { sendAll } from "./items";
import { attempt, report, runJob } from "./jobs";
import { adopt, isSame, load, refreshStorage, sourceAtHand, sourceOfEntry } from "./models";
import * as session from "./session";
import { store } from "./store";
import { samplesOf, setsOfStudy, showReport } from "./study";
import type { CatalogEntry } from "../site";
import type { SecateurError, SharedStudy } from "../wire/engine";
import type { StoredModel } from "../worker/plan";
import type { ModelSource } from "../worker/protocol";

/** Whether an address has a fragment: it is a link's study, or was meant to be one. */
export function hasFragment(hash: string): boolean {
  return hash.length > 1;
}

/** Whether a fragment begins as a link does, of this version or of another; what chats and browsers encode in it stays so. */
function isLink(hash: string): boolean {
  return /^#(?:%20|\s)*s\d+(?:\.|%2e)/i.test(hash);
}

const NO_LINK: SecateurError = {
  code: "link",
  message: "this address holds no study that can be read",
  hint: "What follows the # in a link is its study: copy the whole link again.",
};

export type NeededModel =
  /** It is loaded. */
  | { state: "loaded" }
  /** It can be had without asking: part of this site, or kept in this browser. */
  | { state: "here"; source: ModelSource; name: string }
  /** It has to be downloaded. */
  | { state: "known"; entry: CatalogEntry; bytes: number }
  /** Only the user can bring it. */
  | { state: "unknown" };

function isOf({ study }: SharedStudy, info: { id: string; sha256: string }): boolean {
  const { id, sha256 } = study.model;
  return sha256 ? info.sha256 === sha256 : info.id === id;
}

/** How the model of a link's study can be had. */
export function neededModel(shared: SharedStudy): NeededModel {
  const { id, sha256 } = shared.study.model;
  const { model, catalog, storage } = store.state.engine;
  if (model && isOf(shared, model.info)) return { state: "loaded" };
  const hasHash = (files: readonly { sha256: string | null }[]): boolean => sha256 !== "" && files.some((file) => file.sha256 === sha256);
  const entry =
    catalog.find((other) => hasHash(other.files))
    ?? catalog.find((other) => other.id === id && (sha256 === "" || other.files.every((file) => file.sha256 === null)));
  if (entry) {
    const source = sourceOfEntry(entry);
    if (source.kind !== "catalog") return { state: "here", source, name: entry.name };
    return { state: "known", entry, bytes: entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0) };
  }
  // A file of the user's is known by its name alone, until it is loaded.
  const isNamed = (other: StoredModel): boolean =>
    other.id === id
    && model?.info.id !== id
    && (sha256 === "" || [other.sha256 ?? null, ...other.files.map((file) => file.sha256)].every((hash) => hash === null));
  const models = storage?.models ?? [];
  const stored = models.find((other) => hasHash([...other.files, { sha256: other.sha256 ?? null }])) ?? models.find(isNamed);
  if (stored) return { state: "here", source: { kind: "stored", id: stored.id }, name: stored.name };
  return { state: "unknown" };
}

/** Shows what a link or a document carries, and runs it at once where the model needs no download. */
async function open(read: () => Promise<SharedStudy>, fragment: string | null): Promise<void> {
  try {
    const shared = await read();
    store.view({ shared, shared_fragment: fragment, reproduction: null, step: "start", error: null });
  } catch (thrown) {
    report(thrown);
    return;
  }
  const { shared } = store.state.view;
  if (shared && ["here", "loaded"].includes(neededModel(shared).state)) await runLink();
}

export function openLink(fragment: string): Promise<void> {
  return open(() => (isLink(fragment) ? engine.call("decode_link", [fragment]) : Promise.reject(NO_LINK)), fragment);
}

/** Opens the text of a study or of a report. */
export function openText(text: string): Promise<void> {
  // What it holds takes the place of a link's study in the address.
  session.leaveAddress();
  return open(() => engine.call("read_document", [text]), null);
}

/** Where the model of a link comes from; null where it is at hand. */
function sourceFor(needed: NeededModel, brought: ModelSource | undefined): ModelSource | null | undefined {
  switch (needed.state) {
    case "loaded":
      return null;
    case "here":
      return brought ?? needed.source;
    case "known":
      return brought ?? { kind: "catalog", entry: needed.entry };
    case "unknown":
      return brought;
  }
}

/**
 * Runs the opened study beside the one at hand, and compares. Only where it comes to its end does it take the place of
 * that one, which is put aside; until then, and where it fails or is cancelled, nothing of it is there.
 */
export async function runLink(brought?: ModelSource): Promise<void> {
  const { shared } = store.state.view;
  if (!shared || store.state.view.job) return;
  const source = sourceFor(neededModel(shared), brought);
  if (source === undefined) return;
  const isDone = await runJob("Re-running the study", (onProgress) => rerun(shared, source, onProgress));
  if (!isDone) await bringOwnBack(source !== null);
  await refreshStorage();
}

async function rerun(shared: SharedStudy, source: ModelSource | null, onProgress: OnProgress): Promise<void> {
  const { study, expected } = shared;
  const loaded = source && (await engine.load(source, store.state.engine.precision, onProgress));
  if (loaded && !isOf(shared, loaded.info)) {
    throw {
      code: "other_model",
      message: `the model “${loaded.name}” is another one than the study needs: its weights differ`,
      hint: "Choose the file of the study's model.",
    } satisfies SecateurError;
  }
  const samples = await samplesOf(study);
  const sets = await setsOfStudy(study.item_sets);
  const request = { study, samples, ...(expected ? { expected } : {}) };
  const { report: found, reproduction } = await engine.call("reproduce", [request], onProgress);
  await session.setAside();
  if (source && loaded) adopt(source, loaded);
  showReport(found);
  const hashes = new Map(found.study.item_sets.map((set) => [set.name, set.sha256]));
  store.edit({ item_sets: sets.map((set) => ({ ...set, sha256: hashes.get(set.name) ?? set.sha256 })) });
  store.view({ reproduction, of_link: true });
  session.keep();
  // What was changed while it ran is of the study that was put aside, and reached the engine after the run.
  await sendAll();
}

/** Gives the engine the study at hand again, after one that was not run to its end. */
async function bringOwnBack(isOtherModel: boolean): Promise<void> {
  const { model, status } = store.state.engine;
  const { error } = store.state.view;
  // An engine that starts anew gets it by itself, and one without a model once there is one.
  if (status !== "ready" || !model) return;
  const source = sourceAtHand();
  if (!isOtherModel) await runJob("Bringing back the items", () => sendAll());
  else if (source) await load(source, "Bringing back your own model");
  // A model that is kept nowhere is gone with the one that took its place.
  else store.engine({ model: null });
  // Why the study was not run is what the user has to know.
  if (error) store.view({ error });
}

/** Leaves the link: the study stays as it is now, under an address without the fragment. */
export function closeLink(): void {
  session.leaveAddress();
  store.view({ shared: null });
}

/** Back to the study that was here before the link; false where there is none. */
export async function backToEarlier(): Promise<boolean> {
  const loadedModel = store.state.engine.model;
  if (!(await attempt(session.bringBack()))) return false;
  closeLink();
  store.view({ reproduction: null });
  session.keep();
  const { model } = store.state.engine;
  if (model?.source && !isSame(model, loadedModel)) {
    await load(model.source);
    return true;
  }
  // A model that is kept nowhere is gone with the one that took its place.
  if (model && !isSame(model, loadedModel)) store.engine({ model: null });
  await runJob("Bringing back the items", () => sendAll());
  return true;
}
