// Models in the origin private file system: `models/<id>/<file>`. While a model is fetched, `download.json` says what
// is to come; `model.json`, written last, makes it complete. A folder with neither is swept away.

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

async function folder(id: string, create: boolean): Promise<FileSystemDirectoryHandle> {
  return (await root(create)).getDirectoryHandle(folderName(id), { create });
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
export async function openSink(id: string, name: string): Promise<Sink> {
  const handle = await (await folder(id, true)).getFileHandle(name, { create: true });
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

async function writeJson(id: string, name: string, value: unknown): Promise<void> {
  const sink = await openSink(id, name);
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
  return writeJson(plan.id, PLAN, plan);
}

/** What an unfinished download was to fetch, or null. */
export async function readPlan(id: string): Promise<DownloadPlan | null> {
  try {
    return await readJson<DownloadPlan>(await folder(id, false), PLAN);
  } catch {
    return null;
  }
}

/** Bytes of a file that are there. */
export async function heldBytes(id: string, name: string): Promise<number> {
  try {
    return (await (await (await folder(id, false)).getFileHandle(name)).getFile()).size;
  } catch {
    return 0;
  }
}

/** Makes the files written before a model. */
export async function commit(model: StoredModel): Promise<void> {
  await writeJson(model.id, RECORD, model);
  const directory = await folder(model.id, false);
  await directory.removeEntry(PLAN).catch(() => undefined);
}

/** The record of a complete model, or null. */
export async function find(id: string): Promise<StoredModel | null> {
  try {
    return await readJson<StoredModel>(await folder(id, false), RECORD);
  } catch {
    return null;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** The files of a complete model; their bytes stay on disk until they are read. Fails where not all of them are there any more. */
export async function files(model: StoredModel): Promise<{ name: string; file: Blob }[]> {
  const directory = await folder(model.id, false);
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

/** Removes a model, complete or not. */
export async function remove(id: string): Promise<void> {
  try {
    await (await root(false)).removeEntry(folderName(id), { recursive: true });
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

async function unfinished(plan: DownloadPlan): Promise<UnfinishedModel> {
  let held = 0;
  for (const file of plan.files) held += await heldBytes(plan.id, file.name);
  const total = plan.files.reduce((sum, file) => sum + file.bytes, 0);
  return { id: plan.id, name: plan.name, held, bytes: total, ...(plan.source ? { source: plan.source } : {}) };
}

/** Bytes that the browser grants, and those in use; nothing where it does not tell. */
export function room(): Promise<StorageEstimate> {
  return inTime(() => navigator.storage.estimate()).catch(() => ({}));
}

/** What a folder says that it has: a complete model, or what is to come. */
async function recordsOf(directory: FileSystemDirectoryHandle): Promise<{ record: StoredModel | null; plan: DownloadPlan | null }> {
  return { record: await readJson(directory, RECORD), plan: await readJson(directory, PLAN) };
}

/** Removes a folder with no record. Another tab may just be beginning: then it holds the lock, or has written one by now, and the folder stays. */
function sweep(directory: FileSystemDirectoryHandle, folder: FileSystemDirectoryHandle): Promise<void> {
  return locked(folder.name, "exclusive", async () => {
    const { record, plan } = await recordsOf(folder);
    if (!record && !plan) await directory.removeEntry(folder.name, { recursive: true });
  });
}

/** What is kept, what is half there, and how much room there is. Folders with no record of either are swept away. */
export async function info(): Promise<StorageInfo> {
  const models: StoredModel[] = [];
  const rest: UnfinishedModel[] = [];
  try {
    const directory = await root(true);
    for await (const handle of directory.values()) {
      if (handle.kind !== "directory") continue;
      const { record, plan } = await recordsOf(handle as FileSystemDirectoryHandle);
      if (record) models.push(record);
      else if (plan) rest.push(await unfinished(plan));
      else await sweep(directory, handle as FileSystemDirectoryHandle).catch(() => undefined);
    }
  } catch {
    // No origin private file system here (an old browser, or a private window): nothing is kept.
  }
  models.sort((a, b) => b.stored_at - a.stored_at);
  const { quota, usage } = await room();
  const persisted = await inTime(() => navigator.storage.persisted()).catch(() => false);
  return { models, unfinished: rest, used: usage ?? 0, quota: quota ?? 0, persisted, isSilent };
}
