// Models in the origin private file system: `models/<id>/<file>`, and `model.json` written last, so that a folder
// without it is a torn download and counts as absent.

import type { StoredModel } from "../types";
import type { StorageInfo } from "./protocol";

const RECORD = "model.json";

/** Writes a file's bytes at once; only workers have it, and TypeScript's types for pages leave it out. */
interface AccessHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

type WritableHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<AccessHandle> };

/** Takes bytes in order; they are a file once `close` has returned. */
export interface Writer {
  write(bytes: Uint8Array): void;
  close(): void;
}

async function root(create: boolean): Promise<FileSystemDirectoryHandle> {
  const top = await navigator.storage.getDirectory();
  return top.getDirectoryHandle("models", { create });
}

/** Ids come from file names; folders take fewer characters. */
function folderName(id: string): string {
  return id.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 120) || "model";
}

async function folder(id: string, create: boolean): Promise<FileSystemDirectoryHandle> {
  return (await root(create)).getDirectoryHandle(folderName(id), { create });
}

/** Opens a file of a model for writing; whatever was there goes. */
export async function openWriter(id: string, name: string): Promise<Writer> {
  const handle = await (await folder(id, true)).getFileHandle(name, { create: true });
  const access = await (handle as WritableHandle).createSyncAccessHandle();
  access.truncate(0);
  let offset = 0;
  return {
    write(bytes) {
      let written = 0;
      while (written < bytes.byteLength) {
        const count = access.write(bytes.subarray(written), { at: offset });
        if (count === 0) throw new DOMException("nothing was written", "QuotaExceededError");
        written += count;
        offset += count;
      }
    },
    close() {
      access.flush();
      access.close();
    },
  };
}

/** Makes the files written before a model. */
export async function commit(model: StoredModel): Promise<void> {
  const writer = await openWriter(model.id, RECORD);
  writer.write(new TextEncoder().encode(JSON.stringify(model)));
  writer.close();
}

async function readRecord(directory: FileSystemDirectoryHandle): Promise<StoredModel | null> {
  try {
    const file = await (await directory.getFileHandle(RECORD)).getFile();
    return JSON.parse(await file.text()) as StoredModel;
  } catch {
    return null;
  }
}

/** The record of a complete model, or null. */
export async function find(id: string): Promise<StoredModel | null> {
  try {
    return await readRecord(await folder(id, false));
  } catch {
    return null;
  }
}

/** The files of a complete model; their bytes stay on disk until they are read. */
export async function files(model: StoredModel): Promise<{ name: string; file: Blob }[]> {
  const directory = await folder(model.id, false);
  const found = [];
  for (const { name, bytes } of model.files) {
    const file = await (await directory.getFileHandle(name)).getFile();
    if (file.size !== bytes) throw new Error(`the stored ${name} has ${file.size} bytes, not ${bytes}`);
    found.push({ name, file });
  }
  return found;
}

/** Removes a model, complete or torn. */
export async function remove(id: string): Promise<void> {
  try {
    await (await root(false)).removeEntry(folderName(id), { recursive: true });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "NotFoundError")) throw error;
  }
}

/** What is kept and how much room there is. Folders without a record are swept away. */
export async function info(): Promise<StorageInfo> {
  const models: StoredModel[] = [];
  try {
    const directory = await root(true);
    for await (const [name, handle] of directory.entries()) {
      if (handle.kind !== "directory") continue;
      const record = await readRecord(handle as FileSystemDirectoryHandle);
      if (record) models.push(record);
      else await directory.removeEntry(name, { recursive: true });
    }
  } catch {
    // No origin private file system here (an old browser, or a private window): nothing is kept.
  }
  models.sort((a, b) => b.stored_at - a.stored_at);
  const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
  return { models, used: estimate?.usage ?? 0, quota: estimate?.quota ?? 0 };
}
