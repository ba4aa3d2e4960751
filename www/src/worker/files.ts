// From a source to the files of a model: fetched or copied with progress, verified, kept.

import { estimate } from "../../engine/cpu.js";
import { hasContents } from "../contents";
import { loadBytes, parametersWithin } from "../precision";
import { fetchCurrent, type CatalogEntry, type CatalogSource } from "../site";
import type { Estimate, ModelFile, OnProgress, Precision, SecateurError } from "../wire/engine";
import { download, checkRoom } from "./download";
import { fail, megabytes } from "./errors";
import { digest, eachPiece, hashAll, weightsHash } from "./hash";
import { Meter } from "./meter";
import type { DownloadPlan, StoredModel } from "./plan";
import type { ModelSource } from "./protocol";
import * as storage from "./storage";

/** Digests of larger files are left to the engine, which reads them piece by piece. */
const LARGEST_DIGEST_BYTES = 64e6;

export interface Opened {
  id: string;
  name: string;
  files: ModelFile[];
  kept: boolean;
  /** SHA-256 of the weights that the engine is to insist on. */
  sha256?: string;
  warning?: string;
}

/** Where the page and the hub are, and what the device holds. */
export interface Places {
  page: string;
  hub: string;
  /** Bytes for a model; null where nobody knows. */
  memory_bytes: number | null;
  precision: Precision;
}

/** The address of a catalogue source; null for one that a page cannot use. */
function address(source: CatalogSource, places: Places): string | null {
  if (source.kind === "local") return new URL(source.path, places.page).href;
  if (source.kind === "hub") return `${places.hub}/${source.repo}/resolve/${source.revision}/${source.file}`;
  return null;
}

/** A catalogue entry as a download. */
function planOf(entry: CatalogEntry, places: Places): DownloadPlan {
  const hub = entry.files.flatMap((file) => file.sources).find((source) => source.kind === "hub");
  return {
    id: entry.id,
    name: entry.name,
    licence: entry.licence,
    ...(hub ? { source: { repo: hub.repo, commit: hub.revision } } : {}),
    files: entry.files.map(({ name, bytes, sha256, sources }) => ({
      name,
      bytes: bytes ?? fail("catalog", `the catalogue has no size of ${name}`, "Choose the file with the file picker."),
      sha256,
      urls: sources.map((source) => address(source, places)).filter((url) => url !== null),
    })),
  };
}

/** The shipped model's files are small and the browser caches them: nothing is kept of them here. */
async function fromSite(entry: CatalogEntry, page: string, onProgress: OnProgress, signal: AbortSignal): Promise<Opened> {
  const total = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  const meter = new Meter("fetching", total, onProgress);
  const files = await Promise.all(
    entry.files.map(async ({ name, bytes, sha256, sources }) => {
      const local = sources.find((source) => source.kind === "local");
      const url = new URL(local?.path ?? name, page);
      const hint = "Check the connection, and reload the page.";
      const response = await fetchCurrent(url, signal).catch(() => fail("download", `${name} cannot be fetched`, hint));
      // A host may answer a missing file with a page: that is no model.
      const isPage = (response.headers.get("content-type") ?? "").startsWith("text/html");
      if (!response.ok || isPage) fail("download", `${name} cannot be fetched (${url.host}: status ${response.status})`, hint);
      const file = await response.blob();
      meter.add(file.size);
      if (bytes !== null && file.size !== bytes) {
        fail("file", `${name} has ${file.size} bytes, and the catalogue says ${bytes}`, "Reload the page.");
      }
      const found = file.size > LARGEST_DIGEST_BYTES ? null : await digest(file);
      if (found !== null && sha256 !== null && found !== sha256) {
        fail("file", `the sha256 of ${name} is ${found}, and the catalogue says ${sha256}`, "Reload the page.");
      }
      return { name, file };
    }),
  );
  return { id: entry.id, name: entry.name, files, kept: true, ...weightsHash(entry.files) };
}

async function fromPlan(plan: DownloadPlan, onProgress: OnProgress, signal: AbortSignal): Promise<Opened> {
  const { files, sha256, kept } = await download(plan, onProgress, signal);
  const hashes = plan.files.map(({ name }, index) => ({ name, sha256: sha256[index] ?? null }));
  return {
    id: plan.id,
    name: plan.name,
    files,
    kept,
    ...weightsHash(hashes),
    ...(kept ? {} : { warning: "This browser keeps no files: the model has to be fetched again at the next visit." }),
  };
}

/** Goes on with what an earlier visit began. */
async function resume(id: string, onProgress: OnProgress, signal: AbortSignal): Promise<Opened> {
  const plan = await storage.readPlan(id);
  if (!plan) return fail("not_stored", `there is no unfinished download of ${id}`, "Choose the model again.");
  return fromPlan(plan, onProgress, signal);
}

function bytesOf(picked: readonly File[]): number {
  return picked.reduce((sum, file) => sum + file.size, 0);
}

async function copyAll(model: StoredModel, picked: readonly File[], onProgress: OnProgress, signal: AbortSignal): Promise<ModelFile[]> {
  await storage.remove(model.id);
  const meter = new Meter("copying", model.bytes, onProgress);
  for (const file of picked) {
    const sink = await storage.openSink(model.id, file.name);
    try {
      await eachPiece(file, signal, (bytes) => {
        sink.append(bytes);
        meter.add(bytes.byteLength);
      });
    } finally {
      sink.close();
    }
  }
  await storage.commit(model);
  return storage.files(model);
}

/** Refuses, before anything is copied, what the engine would refuse by the configuration alone. */
async function checkConfig(picked: readonly File[], { memory_bytes: limit, precision }: Places): Promise<void> {
  const config = picked.find((file) => file.name === "config.json");
  if (!config) return;
  const size: Estimate = estimate(new Uint8Array(await config.arrayBuffer()));
  const needed = loadBytes(size, precision);
  if (limit !== null && needed > limit) {
    fail(
      "too_large",
      `the model needs ${megabytes(needed)} of memory, and this device holds ${megabytes(limit)}`,
      `Choose a model of up to ${Math.floor(parametersWithin(limit, size, precision) / 1e6).toLocaleString("en")} million parameters.`,
    );
  }
}

/** Names that neither a kept model has nor one that could be fetched: many files are called `model.safetensors`. */
async function freeNames(wanted: string, catalog: readonly CatalogEntry[]): Promise<{ id: string; name: string }> {
  // Two hyphens are between owner and name of a model of the hub.
  const plain = wanted.replace(/-{2,}/g, "-");
  for (let count = 1; ; count += 1) {
    const names = count === 1 ? { id: plain, name: wanted } : { id: `${plain}-${count}`, name: `${wanted} (${count})` };
    const isListed = catalog.some((entry) => storage.isSameFolder(entry.id, names.id));
    if (!isListed && !(await storage.find(names.id))) return names;
  }
}

/**
 * Copies the user's files; where there is no room, the model still runs from where it lies. What they are is told by their
 * hashes: what is kept already is not copied once more, and nothing that is kept makes room for them.
 */
async function fromUser(
  { name: wanted, files: picked, catalog }: ModelSource & { kind: "files" },
  places: Places,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Opened> {
  await checkConfig(picked, places);
  const hashed = await hashAll(picked, onProgress, signal);
  const kept = (await storage.info()).models.find((model) => hasContents(model.files, hashed));
  if (kept) return fromStorage(kept);
  const entry = catalog.find((other) => hasContents(other.files, hashed));
  const { id, name } = entry ?? (await freeNames(wanted, catalog));
  const model: StoredModel = {
    id,
    name,
    bytes: bytesOf(picked),
    stored_at: Date.now(),
    files: hashed,
    ...weightsHash(hashed),
    ...(entry ? { licence: entry.licence } : {}),
  };
  const opened = { id, name, ...weightsHash(hashed) };
  try {
    const files = await storage.locked(id, "exclusive", async () => {
      // While nothing is copied yet, what is kept of an earlier visit stays.
      await checkRoom(model.bytes);
      try {
        return await copyAll(model, picked, onProgress, signal);
      } catch (error) {
        await storage.remove(id).catch(() => undefined);
        throw error;
      }
    });
    return { ...opened, files, kept: true };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : (error as SecateurError).message;
    const files = picked.map((file) => ({ name: file.name, file }));
    return { ...opened, files, kept: false, warning: `The model is not kept for the next visit: ${reason}.` };
  }
}

async function fromStorage({ id, sha256 }: { id: string; sha256?: string }): Promise<Opened> {
  const model = await storage.find(id);
  const hash = weightsHash(model?.files ?? []);
  // Another model may have come to the name since.
  if (!model || (sha256 && hash.sha256 && hash.sha256 !== sha256)) {
    return fail("not_stored", `the model ${id} is not kept in this browser any more`, "Choose it again in step 1.");
  }
  const files = await storage.files(model).catch(async (thrown: unknown) => {
    // What is left of it is of no use, and would stand in the way of another copy.
    const isOfNoUse = (thrown as SecateurError).code === "incomplete";
    if (isOfNoUse) await storage.locked(id, "exclusive", () => storage.remove(id)).catch(() => undefined);
    throw thrown;
  });
  return { id: model.id, name: model.name, files, kept: true, ...hash };
}

/** Makes a model's files readable, and keeps them where the source says so. */
export function open(source: ModelSource, places: Places, onProgress: OnProgress, signal: AbortSignal): Promise<Opened> {
  switch (source.kind) {
    case "site":
      return fromSite(source.entry, places.page, onProgress, signal);
    case "catalog":
      return fromPlan(planOf(source.entry, places), onProgress, signal);
    case "hub":
      return fromPlan(source.plan, onProgress, signal);
    case "unfinished":
      return resume(source.id, onProgress, signal);
    case "files":
      return fromUser(source, places, onProgress, signal);
    case "stored":
      return fromStorage(source);
  }
}
