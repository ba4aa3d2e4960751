// From a source to the files of a model: fetched or copied with progress, verified, kept.

import type { CatalogEntry, CatalogFile, CatalogSource, SecateurError, StoredModel } from "../types";
import type { ModelFile, OnProgress } from "./engine-api";
import type { ModelSource } from "./protocol";
import * as storage from "./storage";

const PROGRESS_INTERVAL_MS = 100;

/** Digests of larger files are left to the engine, which reads them piece by piece. */
const LARGEST_DIGEST_BYTES = 64e6;

export interface Opened {
  id: string;
  name: string;
  files: ModelFile[];
  kept: boolean;
  /** SHA-256 of the weight file that the engine is to insist on. */
  sha256?: string;
  warning?: string;
}

function fail(code: string, message: string, hint: string): never {
  throw { code, message, hint } satisfies SecateurError;
}

/** The address of a catalogue source; null for one that a page cannot use. */
export function address(source: CatalogSource, base: string): string | null {
  if (source.kind === "local") return new URL(source.path, base).href;
  if (source.kind === "hub") {
    return `https://huggingface.co/${source.repo}/resolve/${source.revision}/${source.file}`;
  }
  return null;
}

function isWeights(name: string): boolean {
  return name.endsWith(".gguf") || name.endsWith(".safetensors");
}

/** The first source that answers with this file. A host may answer a missing file with a page: that is no model. */
async function request(file: CatalogFile, base: string, signal: AbortSignal): Promise<Response> {
  const tried: string[] = [];
  for (const source of file.sources) {
    const url = address(source, base);
    if (!url) continue;
    try {
      const response = await fetch(url, { signal });
      const kind = response.headers.get("content-type") ?? "";
      if (response.ok && response.body && !kind.startsWith("text/html")) return response;
      await response.body?.cancel();
      tried.push(`${new URL(url).host}: ${response.ok ? "a page, not the file" : `status ${response.status}`}`);
    } catch (error) {
      if (signal.aborted) throw error;
      tried.push(`${new URL(url).host}: not reachable`);
    }
  }
  return fail(
    "download",
    `${file.name} cannot be fetched (${tried.join("; ") || "no source that a page can use"})`,
    "Check the connection, or fetch the file by hand and choose it with the file picker.",
  );
}

/** Bytes over all files of a model, told at most ten times a second. */
class Meter {
  #done = 0;
  #last = 0;

  constructor(readonly stage: string, readonly total: number, readonly onProgress: OnProgress) {}

  add(bytes: number): void {
    this.#done += bytes;
    const now = performance.now();
    if (now - this.#last < PROGRESS_INTERVAL_MS && this.#done < this.total) return;
    this.#last = now;
    this.onProgress({ stage: this.stage, done: this.#done, total: this.total });
  }
}

async function digest(file: Blob): Promise<string | null> {
  // Absent on plain http from another host than this one.
  if (!globalThis.crypto?.subtle) return null;
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function verify(name: string, file: Blob, expected: CatalogFile): Promise<void> {
  const where = "The download was cut off or the file was changed; fetch it again.";
  if (expected.bytes !== null && file.size !== expected.bytes) {
    fail("file", `${name} has ${file.size} bytes, and the catalogue says ${expected.bytes}`, where);
  }
  if (expected.sha256 === null || file.size > LARGEST_DIGEST_BYTES) return;
  const found = await digest(file);
  if (found !== null && found !== expected.sha256) {
    fail("file", `the sha256 of ${name} is ${found}, and the catalogue says ${expected.sha256}`, where);
  }
}

async function copy(
  stream: ReadableStream<Uint8Array>, sink: (bytes: Uint8Array) => void, meter: Meter, signal: AbortSignal,
): Promise<void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return;
      sink(value);
      meter.add(value.byteLength);
    }
  } finally {
    // Ends a download that nobody waits for; harmless after its end.
    reader.cancel().catch(() => undefined);
  }
}

async function checkRoom(bytes: number): Promise<void> {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  if (quota !== undefined && usage !== undefined && quota - usage < bytes * 1.05) {
    fail(
      "quota",
      `the browser has room for ${Math.floor((quota - usage) / 1e6)} MB more, and the model has ${Math.ceil(bytes / 1e6)} MB`,
      "Delete a stored model, or free space on the disk.",
    );
  }
}

function record(id: string, name: string, files: StoredModel["files"]): StoredModel {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { id, name, bytes, files, stored_at: Date.now() };
}

function weightsHash(files: readonly { name: string; sha256: string | null }[]): { sha256?: string } {
  const sha256 = files.find((file) => isWeights(file.name))?.sha256;
  return sha256 ? { sha256 } : {};
}

async function fromSite(entry: CatalogEntry, base: string, meterOf: OnProgress, signal: AbortSignal): Promise<Opened> {
  const total = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  const meter = new Meter("fetching", total, meterOf);
  const files = await Promise.all(entry.files.map(async (expected) => {
    const response = await request(expected, base, signal);
    const file = await response.blob();
    meter.add(file.size);
    await verify(expected.name, file, expected);
    return { name: expected.name, file };
  }));
  return { id: entry.id, name: entry.name, files, kept: true, ...weightsHash(entry.files) };
}

async function fromCatalog(
  entry: CatalogEntry, base: string, onProgress: OnProgress, signal: AbortSignal,
): Promise<Opened> {
  const total = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  await checkRoom(total);
  const meter = new Meter("downloading", total, onProgress);
  await storage.remove(entry.id);
  try {
    for (const expected of entry.files) {
      const response = await request(expected, base, signal);
      const writer = await storage.openWriter(entry.id, expected.name);
      try {
        await copy(response.body as ReadableStream<Uint8Array>, writer.write, meter, signal);
      } finally {
        writer.close();
      }
    }
    const model = record(entry.id, entry.name, entry.files.map(({ name, bytes, sha256 }) => ({
      name, bytes: bytes ?? 0, sha256,
    })));
    const files = await storage.files(model);
    for (const [index, expected] of entry.files.entries()) {
      await verify(expected.name, (files[index] as ModelFile).file, expected);
    }
    await storage.commit(model);
    return { id: entry.id, name: entry.name, files, kept: true, ...weightsHash(entry.files) };
  } catch (error) {
    await storage.remove(entry.id);
    throw error;
  }
}

/** Copies the user's files; where there is no room, the model still runs from where it lies. */
async function fromUser(
  id: string, name: string, picked: File[], onProgress: OnProgress, signal: AbortSignal,
): Promise<Opened> {
  const total = picked.reduce((sum, file) => sum + file.size, 0);
  const direct = picked.map((file) => ({ name: file.name, file }));
  try {
    await checkRoom(total);
    await storage.remove(id);
    const meter = new Meter("copying", total, onProgress);
    for (const file of picked) {
      const writer = await storage.openWriter(id, file.name);
      try {
        await copy(file.stream(), writer.write, meter, signal);
      } finally {
        writer.close();
      }
    }
    const model = record(id, name, picked.map((file) => ({ name: file.name, bytes: file.size, sha256: null })));
    const files = await storage.files(model);
    await storage.commit(model);
    return { id, name, files, kept: true };
  } catch (error) {
    await storage.remove(id).catch(() => undefined);
    if (signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : (error as SecateurError).message;
    return { id, name, files: direct, kept: false, warning: `The model is not kept for the next visit: ${reason}.` };
  }
}

async function fromStorage(id: string): Promise<Opened> {
  const model = await storage.find(id);
  if (!model) {
    return fail("not_stored", `the model ${id} is not kept in this browser any more`, "Choose it again in step 1.");
  }
  const files = await storage.files(model);
  return { id: model.id, name: model.name, files, kept: true, ...weightsHash(model.files) };
}

/** Makes a model's files readable, and keeps them where the source says so. */
export function open(
  source: ModelSource, base: string, onProgress: OnProgress, signal: AbortSignal,
): Promise<Opened> {
  switch (source.kind) {
    case "site": return fromSite(source.entry, base, onProgress, signal);
    case "catalog": return fromCatalog(source.entry, base, onProgress, signal);
    case "files": return fromUser(source.id, source.name, source.files, onProgress, signal);
    case "stored": return fromStorage(source.id);
  }
}
