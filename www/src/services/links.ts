// A page opened by a link: what it wants to do, the model it needs, what reproduced.

import { engine } from "./engine";
import { forgetHistory, sendAll } from "./items";
import { attempt, report, runJob } from "./jobs";
import { isSame, load, refreshStorage, sourceOfEntry } from "./models";
import * as session from "./session";
import { store } from "./store";
import { samplesOf, setsOfStudy, showReport } from "./study";
import type { CatalogEntry } from "../site";
import type { SecateurError, SharedStudy } from "../types";
import type { StoredModel } from "../worker/plan";
import type { ModelSource } from "../worker/protocol";

export function isLink(hash: string): boolean {
  return hash.startsWith("#s1.");
}

export type NeededModel =
  /** It is loaded. */
  | { state: "loaded" }
  /** It can be had without asking: part of this site, or kept in this browser. */
  | { state: "here"; source: ModelSource; name: string }
  /** It has to be downloaded. */
  | { state: "known"; entry: CatalogEntry; bytes: number }
  /** Only the user can bring it. */
  | { state: "unknown" };

/** How the model of a link's study can be had. */
export function neededModel({ study }: SharedStudy): NeededModel {
  const { id, sha256 } = study.model;
  const { model, catalog, storage } = store.state;
  if (model && (sha256 ? model.info.sha256 === sha256 : model.info.id === id)) return { state: "loaded" };
  const hasHash = (files: readonly { sha256: string | null }[]): boolean =>
    sha256 !== "" && files.some((file) => file.sha256 === sha256);
  const entry = catalog.find((other) => hasHash(other.files))
    ?? catalog.find((other) => other.id === id && (sha256 === "" || other.files.every((file) => file.sha256 === null)));
  if (entry) {
    const source = sourceOfEntry(entry);
    if (source.kind !== "catalog") return { state: "here", source, name: entry.name };
    return { state: "known", entry, bytes: entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0) };
  }
  // A file of the user's is known by its name alone, until it is loaded.
  const isNamed = (other: StoredModel): boolean => other.id === id && model?.info.id !== id
    && (sha256 === "" || [other.sha256 ?? null, ...other.files.map((file) => file.sha256)].every((hash) => hash === null));
  const models = storage?.models ?? [];
  const stored = models.find((other) => hasHash([...other.files, { sha256: other.sha256 ?? null }])) ?? models.find(isNamed);
  if (stored) return { state: "here", source: { kind: "stored", id: stored.id }, name: stored.name };
  return { state: "unknown" };
}

/** Shows what a link carries, and runs it at once where the model needs no download; whether it could be read. */
export async function openLink(fragment: string): Promise<boolean> {
  try {
    const shared = await engine.call("decode_link", [fragment]);
    store.set({ shared, shared_fragment: fragment, reproduction: null, step: "start", error: null });
    if (neededModel(shared).state === "here" || neededModel(shared).state === "loaded") await runLink();
    return true;
  } catch (thrown) {
    report(thrown);
    return false;
  }
}

/** A run of the opened link was begun, and its study is not at hand yet: what is, is neither study. */
let isBetween = false;

/** Runs the opened link's study and compares. The user's own study is put aside first. */
export async function runLink(): Promise<void> {
  const { shared } = store.state;
  if (!shared || store.state.job) return;
  const needed = neededModel(shared);
  if (needed.state === "unknown") return;
  const { model: before } = store.state;
  const wasHere = session.isKept();
  const isAside = await attempt(session.setAside());
  if (isAside === null) return;
  isBetween = true;
  if (needed.state !== "loaded") {
    const source: ModelSource =
      needed.state === "here" ? needed.source : { kind: "catalog", entry: needed.entry };
    if (!(await load(source, "Loading the study's model"))) {
      // The study that was here still is, if the engine has its model.
      if (wasHere && isAside && isSame(store.state.model, before)) {
        await session.bringBack();
        session.keep();
        isBetween = false;
      }
      return;
    }
    if (neededModel(shared).state !== "loaded") {
      report({
        code: "other_model", message: `the model “${store.state.model?.name}” has the name that the study needs, and other weights`,
        hint: "Choose the file of the study's model.",
      } satisfies SecateurError);
      return;
    }
  }
  await runJob("Re-running the study", async (onProgress) => {
    const { study, expected } = shared;
    const samples = await samplesOf(study);
    const sets = await setsOfStudy(study.item_sets);
    const request = { study, samples, ...(expected ? { expected } : {}) };
    const { report: found, reproduction } = await engine.call("reproduce", [request], onProgress);
    showReport(found, false);
    forgetHistory();
    const hashes = new Map(found.study.item_sets.map((set) => [set.name, set.sha256]));
    store.set({
      sets: sets.map((set) => ({ ...set, sha256: hashes.get(set.name) ?? set.sha256 })),
      reproduction: expected ? reproduction : null,
      of_link: true,
    });
    isBetween = false;
    session.keep();
  });
  await refreshStorage();
}

/** Whether a run of the link was begun and did not come to its end. */
export function isInterrupted(): boolean {
  return isBetween;
}

/** Leaves the link: the study stays as it is now, under an address without the fragment. */
export function closeLink(): void {
  session.leaveAddress();
  isBetween = false;
  store.set({ shared: null });
}

/** Back to the study that was here before the link; false where there is none. */
export async function backToEarlier(): Promise<boolean> {
  const loadedModel = store.state.model;
  if (!(await attempt(session.bringBack()))) return false;
  forgetHistory();
  closeLink();
  store.set({ reproduction: null });
  session.keep();
  const { model } = store.state;
  if (model?.source && !isSame(model, loadedModel)) {
    await load(model.source);
    return true;
  }
  // A model that is kept nowhere is gone with the one that took its place.
  if (model && !isSame(model, loadedModel)) store.set({ model: null });
  await runJob("Bringing back the items", () => sendAll());
  return true;
}
