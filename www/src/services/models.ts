// Models: the catalogue, what is kept in this browser, and which one is loaded.

import { visible } from "../format";
import { hasContents, isWeights } from "../contents";
import type { CatalogEntry } from "../site";
import type { Item, ItemSetSpec, ModelInfo, Precision, SecateurError } from "../wire/engine";
import type { Loaded, ModelSource } from "../worker/protocol";
import { engine } from "./engine";
import { canStep } from "./history";
import { EMPTY_MASK, modelOf, type PageSet, type StudyModel } from "./edited";
import { replaceSets, sampleItems, sendAll, setPrompting } from "./items";
import { report, runJob, toError } from "./jobs";
import { isEqual } from "./made-of";
import { tell } from "./messages";
import { sourceOfFiles, type PickedFile } from "./model-files";
import { store, type HubLookup, type Model, type State } from "./store";
import type { Kind } from "./results";

/** The lesson's id in the catalogue. */
export const LESSON = "lesson-planted";

/** The sample that takes the lesson's place when a model of natural language is loaded. */
const FIRST_SAMPLE = "general-knowledge";

export function isShipped(entry: CatalogEntry): boolean {
  return entry.files.every((file) => file.sources.some((source) => source.kind === "local" && !source.path.startsWith("models/cache/")));
}

const SILENT: SecateurError = {
  code: "storage_silent",
  message: "This browser's storage of files does not answer: models that it keeps cannot be had, and no other is kept.",
  hint: "Reload the page, or start the browser anew.",
};

export async function refreshStorage(): Promise<void> {
  try {
    const storage = await engine.storage();
    store.engine({ storage });
    if (storage.isSilent) tell("notice", SILENT);
  } catch (thrown) {
    report(thrown);
  }
}

/** The catalogue's entry of a model, which is known by its weights' hash and by nothing else. */
export function entryOf({ sha256 }: Pick<ModelInfo, "sha256">): CatalogEntry | undefined {
  return store.state.engine.catalog.find((entry) => entry.files.some((file) => isWeights(file.name) && file.sha256 === sha256));
}

/** Whether a model is the shipped lesson's, whatever it is called. */
export function isLesson(model: Pick<ModelInfo, "sha256"> | null): boolean {
  return model !== null && entryOf(model)?.id === LESSON;
}

function sourceAfter(source: ModelSource, { info, kept }: Loaded): Model["source"] {
  if (source.kind === "site") return source;
  return kept ? { kind: "stored", id: info.id, sha256: info.sha256 } : undefined;
}

/** The user's own files that could not be kept: they are there for as long as the page is. */
let unkept: { sha256: string; source: ModelSource } | null = null;

/** Whence the loaded model can be had again in this visit. */
export function sourceAtHand(): ModelSource | undefined {
  const { model } = store.state.engine;
  return model?.source ?? (model && unkept?.sha256 === model.info.sha256 ? unkept.source : undefined);
}

/** Whether two models give the same numbers: the same weights, held the same way. */
export function isSame(a: Model | null, b: Model | null): boolean {
  return a?.info.sha256 === b?.info.sha256 && a?.info.report.precision === b?.info.report.precision;
}

/** A model that was loaded is the one at hand. */
export function adopt(source: ModelSource, loaded: Loaded): void {
  const { info, device, name, warning } = loaded;
  const { study } = store.state;
  const kept = sourceAfter(source, loaded);
  unkept = source.kind === "files" && !kept ? { sha256: info.sha256, source } : null;
  store.engine({ model: { info, name, ...(kept ? { source: kept } : {}) }, device_info: device });
  if (warning) tell("notice", { code: "model_not_kept", message: warning, hint: "" });
  takeModel(study.model, modelOf(info, name));
}

/** The study is of this model from now on. */
function takeModel(former: StudyModel, model: StudyModel): void {
  if (isEqual(former, model)) return;
  store.edit({ model });
  if (former.sha256 === "" || (former.sha256 === model.sha256 && former.precision === model.precision)) return;
  store.view({ selected: null });
  if (isEqual(former.shape, model.shape)) return;
  const { history } = store.state;
  const withoutMasks = ({ of }: { of: string }): boolean => of !== "mask";
  store.edit({ pruning: { mask: EMPTY_MASK } });
  store.set({ history: { undo: history.undo.filter(withoutMasks), redo: history.redo.filter(withoutMasks) } });
}

/** What a load brings with it. */
interface Companions {
  /** Belongs to the job: what comes after it finds it done. */
  onLoaded?: () => Promise<void>;
  onFailure?: () => void;
}

/** Loads a model as a job; whether it is there. */
export async function load(source: ModelSource, title = "Loading the model", { onLoaded, onFailure }: Companions = {}): Promise<boolean> {
  const isDone = await runJob(title, async (onProgress) => {
    const loaded = await engine.load(source, store.state.engine.precision, onProgress);
    adopt(source, loaded);
    await sendAll();
    await onLoaded?.();
  });
  if (!isDone) onFailure?.();
  if (!isDone && !store.state.view.job) await reloadFormer();
  await refreshStorage();
  return isDone;
}

/** The engine lets go of the old model before it takes another: after a failure it has none, unless it failed before, as a download does. */
async function reloadFormer(): Promise<void> {
  const source = sourceAtHand();
  const { model, status } = store.state.engine;
  // While the engine itself is starting anew, that start brings the model back.
  if (!source || !model || status !== "ready" || (await engine.held().catch(() => null)) === model.info.sha256) return;
  const { error } = store.state.view;
  const isBack = await runJob("Bringing back the earlier model", async (onProgress) => {
    adopt(source, await engine.load(source, store.state.engine.precision, onProgress));
    await sendAll();
  });
  if (!isBack) {
    store.engine({ model: null });
    tell("notice", {
      code: "model_gone",
      message: `The model “${visible(model.name)}” could not be loaded again either.`,
      hint: "Load it again in step 1; the study is as it was.",
    });
  }
  // Why the other one cannot be had is what the user has to know.
  if (error) store.view({ error });
}

/** Loads another model than the one at hand, chosen by the user. */
export async function choose(source: ModelSource): Promise<void> {
  // Only the page can ask the browser not to clear what it keeps; some browsers ask the user.
  if (source.kind !== "site" && source.kind !== "stored") void navigator.storage?.persist?.().catch(() => false);
  await load(source, undefined, { onLoaded: offerSample });
}

/** Whether a set is of the lesson's own items. */
function isOfLesson(set: ItemSetSpec): boolean {
  return set.sample?.startsWith(LESSON) ?? false;
}

const MASKS = ["mask", "kept_masks"] as const;
/** Results that come without being asked for. */
const UNASKED: readonly Kind[] = ["ranked", "stability"];

/** Whether the study at hand is the lesson, and nothing was done with it yet. */
export function isLessonAsItCame(state: State): boolean {
  const { shown, study, history } = state;
  const { precomputed } = shown;
  const isComputedHere = shown.chosen.some(({ kind, beforehand }) => !beforehand && !UNASKED.includes(kind));
  const isChanged = isComputedHere || precomputed.length === 0 || MASKS.some((of) => canStep(history.undo, of));
  return !isChanged && isLesson(study.model) && study.item_sets.every(isOfLesson);
}

/** The lesson's set whose cue points to wrong answers. */
export function shiftedSet({ study: { item_sets } }: State): ItemSetSpec | undefined {
  return item_sets.find((set) => set.sample?.endsWith("-shifted"));
}

/** Whether the model and the items at hand are the lesson's, the shifted ones among them. Its items come after its results. */
export function isLessonAtHand(state: State): boolean {
  const { model, item_sets } = state.study;
  const isWhole = item_sets.length === 0 || shiftedSet(state) !== undefined;
  return isLesson(model) && item_sets.every(isOfLesson) && isWhole;
}

/** The lesson's word lists mean nothing to a model of natural language: it gets questions instead. */
async function offerSample(): Promise<void> {
  const { sets } = store.state.shown;
  const { model, samples } = store.state.engine;
  const isOther = model !== null && !isLesson(model.info);
  if (!isOther || sets.length === 0 || !sets.every(isOfLesson) || !samples.some((sample) => sample.name === FIRST_SAMPLE)) return;
  try {
    const items = await sampleItems(FIRST_SAMPLE);
    // The user may have changed them meanwhile.
    if (store.state.shown.sets !== sets) return;
    const third = Math.floor(items.length / 3);
    const slice = (name: string, roles: PageSet["roles"], first: number, part: Item[]): PageSet => ({
      name,
      roles,
      items: part,
      sha256: "",
      sample: FIRST_SAMPLE,
      first,
      count: part.length,
    });
    await setPrompting(() => ({ template: "question-answer@1", few_shot: null, choice_order: null }));
    if (store.state.shown.sets !== sets) return;
    replaceSets([
      slice("attribution", ["attribution"], 0, items.slice(0, third)),
      slice("validation", ["validation"], third, items.slice(third, 2 * third)),
      slice("test", ["test"], 2 * third, items.slice(2 * third)),
    ]);
    store.view({ notice: "The lesson's items are of no use to this model: general-knowledge questions took their place." });
  } catch (thrown) {
    report(thrown);
  }
}

/** Holds the weights another way: the model at hand is loaded anew. */
export async function changePrecision(precision: Precision): Promise<void> {
  const before = store.state.engine.precision;
  const { job } = store.state.view;
  const { model } = store.state.engine;
  if (job || precision === before) return;
  const source = sourceAtHand();
  store.engine({ precision });
  if (!source) {
    if (model) store.view({ notice: "The model at hand is not kept in this browser and stays as it is; the next one is held so." });
    return;
  }
  // What this device cannot do is taken back, and what worked comes back.
  await load(source, "Loading the model anew", { onFailure: () => store.engine({ precision: before }) });
}

export async function chooseFiles(files: readonly PickedFile[]): Promise<void> {
  if (store.state.view.job) store.view({ notice: "Files of a model are taken once the job under way is done: choose them again then." });
  if (store.state.view.job || store.state.engine.status !== "ready") return;
  const source = await sourceOfFiles(files, store.state.engine.catalog);
  if (typeof source === "string") {
    store.view({ error: { code: "file", message: source, hint: "" } });
    return;
  }
  await choose(source);
}

/** Asks the hub what a repository offers. */
export async function lookUp(text: string): Promise<void> {
  const aborter = new AbortController();
  const cancel = (): void => aborter.abort();
  store.view({ hub: { text, cancel, listing: null, choice: 0, error: null } });
  let answer: Partial<HubLookup>;
  try {
    answer = { listing: await engine.look(text, aborter.signal) };
  } catch (thrown) {
    const error = toError(thrown);
    answer = error.code === "cancelled" ? {} : { error };
  }
  const { hub } = store.state.view;
  // A later question counts.
  if (hub.cancel === cancel) store.view({ hub: { ...hub, ...answer, cancel: null } });
}

export function pickFromHub(choice: number): void {
  store.view({ hub: { ...store.state.view.hub, choice } });
}

/** Whether the page itself can fetch an entry; else the user has to bring its files. */
export function isFetchable(entry: CatalogEntry): boolean {
  return isShipped(entry) || entry.files.every((file) => file.sources.some((source) => source.kind === "hub"));
}

/** A catalogue entry by the shortest way: from this site, from this browser, from the net. */
export function sourceOfEntry(entry: CatalogEntry): ModelSource {
  if (isShipped(entry)) return { kind: "site", entry };
  const stored = store.state.engine.storage?.models.find((model) => hasContents(model.files, entry.files));
  return stored ? { kind: "stored", id: stored.id } : { kind: "catalog", entry };
}

export async function forget(id: string): Promise<void> {
  try {
    await engine.forget(id);
    const { model } = store.state.engine;
    if (model?.source?.kind === "stored" && model.source.id === id) {
      const { source: _, ...rest } = model;
      store.engine({ model: rest });
    }
  } catch (thrown) {
    report(thrown);
  }
  await refreshStorage();
}
