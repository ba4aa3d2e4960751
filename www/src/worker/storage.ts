// Models in the origin private file system: `models/<id>/<file>`, or another folder beside an older version's. While a model is
// fetched, `download.json` says what is to come; `model.json`, written last, makes it complete. A folder with neither is swept away,
// and so is a version that is older than another complete one.

import { fail } from "./errors";
import type { DownloadPlan, StoredModel, UnfinishedModel } from "./plan";
import type { StorageInfo } from "./protocol";

const RECORD = "model.json";
const PLAN = "download.json";

/** Reads and writes a file's bytes at once; only workers have it, and TypeScript's types for pages leave it out. */
interface AccessHandle {
  read(bytes: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

type WritableHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<AccessHandle> };

/** A file that grows; what was written before is still there when it is opened again. */
export interface Sink {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  append(bytes: Uint8Array): void;
  truncate(): void;
  close(): void;
}

/** A storage that does not answer within this time is taken for one that never does. */
const PATIENCE_MS = 4000;
let isSilent = false;

/** An answer of the browser about its storage; fails where none comes, and from then on at once. */
function inTime<T>(ask: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      isSilent = true;
      reject(new Error("the browser's storage does not answer"));
    };
    const timer = setTimeout(giveUp, isSilent ? 0 : PATIENCE_MS);
    // In an async function, a browser without what is asked of it fails no other way than one that refuses.
    (async () => ask())()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

async function root(create: boolean): Promise<FileSystemDirectoryHandle> {
  const top = await inTime(() => navigator.storage.getDirectory());
  return top.getDirectoryHandle("models", { create });
}

/** Ids come from file names; folders take fewer characters. */
function folderName(id: string): string {
  return id.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 120) || "model";
}

/** Whether two models would be kept in one place. */
export function isSameFolder(a: string, b: string): boolean {
  return folderName(a) === folderName(b);
}

/** Where a model is, or is to be. */
export function placeOf({ id, place }: Pick<DownloadPlan, "id" | "place">): string {
  return place ?? id;
}

async function folder(place: string, create: boolean): Promise<FileSystemDirectoryHandle> {
  return (await root(create)).getDirectoryHandle(folderName(place), { create });
}

/** Whether this browser keeps files at all: old ones and some private windows do not. */
export async function isAvailable(): Promise<boolean> {
  try {
    const directory = await root(true);
    // Another tab may be asking, too: a file is one writer's.
    const name = `.probe-${crypto.randomUUID()}`;
    const handle = await directory.getFileHandle(name, { create: true });
    (await (handle as WritableHandle).createSyncAccessHandle()).close();
    await directory.removeEntry(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs `work` while no other tab writes (or, for a shared lock, while none writes) the model. Where another one does,
 * nothing waits: the user is told.
 */
export async function locked<T>(id: string, mode: "shared" | "exclusive", work: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return work();
  return navigator.locks.request(`secateur-model-${folderName(id)}`, { mode, ifAvailable: true }, (lock) => {
    if (lock) return work();
    throw {
      code: "busy",
      message: `another tab is working on the model ${id}`,
      hint: "Wait until it is done there, or close that tab.",
    };
  }) as Promise<T>;
}

/** Opens a file of a model for appending. */
export async function openSink(place: string, name: string): Promise<Sink> {
  const handle = await (await folder(place, true)).getFileHandle(name, { create: true });
  const access = await (handle as WritableHandle).createSyncAccessHandle();
  let size = access.getSize();
  return {
    get size() {
      return size;
    },
    read(offset, length) {
      const bytes = new Uint8Array(length);
      const count = access.read(bytes, { at: offset });
      return bytes.subarray(0, count);
    },
    append(bytes) {
      let written = 0;
      while (written < bytes.byteLength) {
        const count = access.write(bytes.subarray(written), { at: size });
        if (count === 0) throw new DOMException("nothing was written", "QuotaExceededError");
        written += count;
        size += count;
      }
    },
    truncate() {
      access.truncate(0);
      size = 0;
    },
    close() {
      access.flush();
      access.close();
    },
  };
}

async function writeJson(place: string, name: string, value: unknown): Promise<void> {
  const sink = await openSink(place, name);
  try {
    sink.truncate();
    sink.append(new TextEncoder().encode(JSON.stringify(value)));
  } finally {
    sink.close();
  }
}

async function readJson<T>(directory: FileSystemDirectoryHandle, name: string): Promise<T | null> {
  try {
    const file = await (await directory.getFileHandle(name)).getFile();
    return JSON.parse(await file.text()) as T;
  } catch {
    return null;
  }
}

/** Notes what is to be fetched, before the first byte of it. */
export function writePlan(plan: DownloadPlan): Promise<void> {
  return writeJson(placeOf(plan), PLAN, plan);
}

/** What an unfinished download was to fetch, or null. */
export async function readPlan(place: string): Promise<DownloadPlan | null> {
  try {
    return await readJson<DownloadPlan>(await folder(place, false), PLAN);
  } catch {
    return null;
  }
}

/** Bytes of a file that are there. */
export async function heldBytes(place: string, name: string): Promise<number> {
  try {
    return (await (await (await folder(place, false)).getFileHandle(name)).getFile()).size;
  } catch {
    return 0;
  }
}

/** Makes the files written before a model. */
export async function commit(model: StoredModel): Promise<void> {
  await writeJson(placeOf(model), RECORD, model);
  const directory = await folder(placeOf(model), false);
  await directory.removeEntry(PLAN).catch(() => undefined);
}

/** What the folders say that they have, the latest model first, and those that say nothing. */
async function all(): Promise<{ models: StoredModel[]; plans: DownloadPlan[]; rest: string[] }> {
  const found = { models: [] as StoredModel[], plans: [] as DownloadPlan[], rest: [] as string[] };
  try {
    for await (const handle of (await root(true)).values()) {
      if (handle.kind !== "directory") continue;
      const record = await readJson<StoredModel>(handle as FileSystemDirectoryHandle, RECORD);
      const plan = record ? null : await readPlan(handle.name);
      if (record) found.models.push(record);
      else if (plan) found.plans.push(plan);
      else found.rest.push(handle.name);
    }
  } catch {
    // No origin private file system here (an old browser, or a private window): nothing is kept.
  }
  found.models.sort((a, b) => b.stored_at - a.stored_at);
  return found;
}

/** The record of a complete model, or null. */
export async function find(id: string): Promise<StoredModel | null> {
  const { models } = await all();
  return models.find((model) => isSameFolder(model.id, id)) ?? null;
}

function isAbsent(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** The files of a complete model; their bytes stay on disk until they are read. Fails where not all of them are there any more. */
export async function files(model: StoredModel): Promise<{ name: string; file: Blob }[]> {
  const directory = await folder(placeOf(model), false);
  const found = [];
  for (const { name, bytes } of model.files) {
    const file = await directory
      .getFileHandle(name)
      .then((handle) => handle.getFile())
      .catch((error: unknown) => (isAbsent(error) ? new File([], name) : Promise.reject(error)));
    if (file.size !== bytes) {
      fail(
        "incomplete",
        `the copy of ${model.name} that is kept here is incomplete: ${name} has ${file.size} of its ${bytes} bytes`,
        "What is left of it is of no use and is deleted: fetch the model again in step 1, or choose its files again.",
      );
    }
    found.push({ name, file });
  }
  return found;
}

/** Removes a complete model, or what is at a place. */
export async function remove(id: string): Promise<void> {
  return removeFolder(placeOf((await find(id)) ?? { id }));
}

async function removeFolder(place: string): Promise<void> {
  try {
    await (await root(false)).removeEntry(folderName(place), { recursive: true });
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

async function unfinished(plan: DownloadPlan): Promise<UnfinishedModel> {
  let held = 0;
  for (const file of plan.files) held += await heldBytes(placeOf(plan), file.name);
  const total = plan.files.reduce((sum, file) => sum + file.bytes, 0);
  return { id: placeOf(plan), name: plan.name, held, bytes: total, ...(plan.source ? { source: plan.source } : {}) };
}

/** Bytes that the browser grants, and those in use; nothing where it does not tell. */
export function room(): Promise<StorageEstimate> {
  return inTime(() => navigator.storage.estimate()).catch(() => ({}));
}

/** Whether a place has a record of a complete model or of one that is to come. */
async function isTaken(place: string): Promise<boolean> {
  const directory = await folder(place, false);
  return (await readJson(directory, RECORD)) !== null || (await readJson(directory, PLAN)) !== null;
}

/** What is kept, what is half there, and how much room there is. What is of no use any more is swept away. */
export async function info(): Promise<StorageInfo> {
  const { models, plans, rest } = await all();
  const isLatest = ({ id }: StoredModel, at: number): boolean => models.findIndex((other) => other.id === id) === at;
  // What another tab works on stays: it holds the lock or, where it has just begun, has written a record by now.
  for (const place of rest) {
    await locked(place, "exclusive", async () => ((await isTaken(place)) ? undefined : removeFolder(place))).catch(() => undefined);
  }
  for (const older of models.filter((model, at) => !isLatest(model, at))) {
    await locked(older.id, "exclusive", () => removeFolder(placeOf(older))).catch(() => undefined);
  }
  const { quota, usage } = await room();
  const persisted = await inTime(() => navigator.storage.persisted()).catch(() => false);
  return {
    models: models.filter(isLatest),
    unfinished: await Promise.all(plans.map(unfinished)),
    used: usage ?? 0,
    quota: quota ?? 0,
    persisted,
    isSilent,
  };
}
