// Fetching a model's files: on from what is there, verified, until all of them are there.

import type { ModelFile, OnProgress, SecateurError } from "../wire/engine";
import { Sha256 } from "../../engine/cpu.js";
import { fail, megabytes } from "./errors";
import { weightsHash } from "./hash";
import { Meter } from "./meter";
import { Patience } from "./patience";
import type { DownloadPlan, PlannedFile, StoredModel } from "./plan";
import * as storage from "./storage";
import type { Sink } from "./storage";

/** Attempts in a row that bring no byte. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;
/** An attempt that brings no byte for so long is taken for a cut connection. */
const SILENCE_SECONDS = 30;
/** Bytes hashed at once of what an earlier visit fetched. */
const REREAD_BYTES = 4 << 20;
/** Room that the browser needs beside the files. */
const ROOM_FACTOR = 1.05;

/** A server's answer that no further attempt would change. */
class Refused extends Error {}

/** Whatever a second attempt may cure: no connection, a cut one, an overloaded server. */
class Broken extends Error {}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** A file in memory, where the browser keeps none. */
function memorySink(): Sink & { blob(): Blob } {
  let parts: BlobPart[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    read: () => new Uint8Array(),
    append(bytes) {
      parts.push(bytes.slice());
      size += bytes.byteLength;
    },
    truncate() {
      parts = [];
      size = 0;
    },
    close() {},
    blob: () => new Blob(parts),
  };
}

/** The hashes of a file that are told of it. */
class Hashes {
  #sha256 = new Sha256();
  #small: Uint8Array[] | null;

  constructor(readonly file: PlannedFile) {
    // Git's hash needs the length first, so such a file, small by its nature, is kept until its end.
    this.#small = file.git_sha1 && file.sha256 === null ? [] : null;
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#small?.push(bytes.slice());
  }

  restart(): void {
    this.#sha256.free();
    this.#sha256 = new Sha256();
    this.#small &&= [];
  }

  /** The file's SHA-256; fails where it is not what was told. */
  async verified(size: number): Promise<string> {
    const { name, sha256, git_sha1 } = this.file;
    const hint = "Nothing of it was kept. Fetch it again; if this stays, the file on the server is another one.";
    const found = this.#sha256.hex();
    this.#sha256.free();
    if (sha256 !== null && found !== sha256) {
      fail("file", `the sha256 of ${name} is ${found} instead of ${sha256}`, hint);
    }
    // Absent on plain http from another host than this one.
    if (this.#small && globalThis.crypto?.subtle) {
      const blob = new Blob([`blob ${size}\0`, ...(this.#small as BlobPart[])]);
      const hash = await crypto.subtle.digest("SHA-1", await blob.arrayBuffer());
      const text = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (text !== git_sha1) fail("file", `Git's hash of ${name} is ${text} instead of ${git_sha1}`, hint);
    }
    return found;
  }
}

/** One file on its way into a sink. */
class Transfer {
  #hashes: Hashes;
  #url = 0;
  /** Whether some bytes are of an earlier visit: then a wrong hash is worth one try from the start. */
  #isResumed: boolean;

  constructor(
    readonly file: PlannedFile,
    readonly sink: Sink,
    readonly meter: Meter,
    readonly signal: AbortSignal,
    /** Told when the server names the file's version. */
    readonly onVersion: () => Promise<void>,
  ) {
    this.#hashes = new Hashes(file);
    this.#isResumed = sink.size > 0;
  }

  /** Returns the file's SHA-256. */
  async run(): Promise<string> {
    const { bytes, urls } = this.file;
    if (this.sink.size > bytes) this.#restart();
    await this.#reread();
    let attempts = 0;
    while (this.sink.size < bytes) {
      const before = this.sink.size;
      try {
        await this.#attempt();
        if (this.sink.size < bytes) throw new Broken(`it ended at ${this.sink.size} of ${bytes} bytes`);
      } catch (thrown) {
        this.signal.throwIfAborted();
        attempts = this.sink.size > before ? 1 : attempts + 1;
        if (thrown instanceof Broken && attempts < ATTEMPTS) {
          this.meter.say("reconnecting at");
          await pause(FIRST_PAUSE_MS * 2 ** (attempts - 1), this.signal);
        } else if ((thrown instanceof Broken || thrown instanceof Refused) && this.#url + 1 < urls.length) {
          this.#url += 1;
          attempts = 0;
        } else {
          this.#giveUp(thrown);
        }
      }
    }
    try {
      return await this.#hashes.verified(this.sink.size);
    } catch (error) {
      if (!this.#isResumed) throw error;
      this.#isResumed = false;
      this.#hashes = new Hashes(this.file);
      this.#restart();
      return this.run();
    }
  }

  #giveUp(thrown: unknown): never {
    if (!(thrown instanceof Broken || thrown instanceof Refused)) throw thrown;
    const { name } = this.file;
    if (thrown instanceof Refused) {
      return fail(
        "download",
        `${name} cannot be fetched (${thrown.message})`,
        "Fetch the file by hand, and drop it under “Your own files”.",
      );
    }
    return fail(
      "download",
      `the download of ${name} broke off (${thrown.message})`,
      "Check the connection. What is here is kept: “Resume” goes on from there.",
    );
  }

  #restart(): void {
    this.meter.add(-this.sink.size);
    this.sink.truncate();
    this.#hashes.restart();
  }

  /** Hashes what an earlier visit fetched. */
  async #reread(): Promise<void> {
    for (let offset = 0; offset < this.sink.size; offset += REREAD_BYTES) {
      this.signal.throwIfAborted();
      this.#hashes.update(this.sink.read(offset, Math.min(REREAD_BYTES, this.sink.size - offset)));
      // A cancel has to get through.
      await pause(0, this.signal);
    }
  }

  /** One request. */
  async #attempt(): Promise<void> {
    const url = this.file.urls[this.#url];
    if (!url) throw new Refused("no source that a page can use");
    const patience = new Patience(SILENCE_SECONDS, this.signal);
    try {
      const response = await this.#request(url, patience);
      if (response.status === 200 && this.sink.size > 0) this.#restart();
      await this.#copy(response.body as ReadableStream<Uint8Array>, patience);
    } catch (error) {
      if (patience.isOver) throw new Broken(`nothing came for ${SILENCE_SECONDS} seconds`, { cause: error });
      throw error;
    } finally {
      patience.end();
    }
  }

  async #request(url: string, patience: Patience): Promise<Response> {
    const { host } = new URL(url);
    const held = this.sink.size;
    let response: Response;
    try {
      // A range of this form needs no permission of another host's server; any other header would.
      const headers: Record<string, string> = held > 0 ? { Range: `bytes=${held}-` } : {};
      // The browser's cache would hold a second copy, and put ranges together as it sees fit.
      response = await fetch(url, { signal: patience.signal, cache: "no-store", headers });
      patience.heard();
    } catch (error) {
      throw new Broken(`${host}: not reachable`, { cause: error });
    }
    if (await this.#isUsable(response, host, held)) return response;
    await response.body?.cancel();
    this.#restart();
    return this.#request(url, patience);
  }

  /** False when the bytes at hand do not go with the server's: then the file begins anew. */
  async #isUsable(response: Response, host: string, held: number): Promise<boolean> {
    const { status } = response;
    if (status === 416 && held > 0) return false;
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      if (status === 408 || status === 429 || status >= 500) throw new Broken(`${host}: status ${status}`);
      throw new Refused(`${host}: status ${status}`);
    }
    // A host may answer a missing file with a page: that is no model.
    if ((response.headers.get("content-type") ?? "").startsWith("text/html")) {
      await response.body.cancel();
      throw new Refused(`${host}: a page, not the file`);
    }
    const etag = response.headers.get("etag");
    if (etag && etag !== this.file.etag) {
      const isOther = this.file.etag !== undefined && held > 0;
      this.file.etag = etag;
      await this.onVersion();
      if (isOther && status === 206) return false;
    }
    const range = response.headers.get("content-range");
    return !(status === 206 && range && !range.startsWith(`bytes ${held}-`));
  }

  async #copy(stream: ReadableStream<Uint8Array>, patience: Patience): Promise<void> {
    const reader = stream.getReader();
    try {
      for (;;) {
        this.signal.throwIfAborted();
        const { done, value } = await reader.read().catch((error: unknown) => {
          throw new Broken("the connection was cut", { cause: error });
        });
        if (done) return;
        patience.heard();
        const { bytes } = this.file;
        if (this.sink.size + value.byteLength > bytes) throw new Refused(`it has more than ${bytes} bytes`);
        this.sink.append(value);
        this.#hashes.update(value);
        this.meter.add(value.byteLength);
      }
    } finally {
      // Ends a download that nobody waits for; harmless after its end.
      reader.cancel().catch(() => undefined);
    }
  }
}

function sameFiles(a: DownloadPlan, b: DownloadPlan): boolean {
  const key = (plan: DownloadPlan): string =>
    JSON.stringify([plan.source, plan.files.map(({ name, bytes, sha256, git_sha1 }) => [name, bytes, sha256, git_sha1])]);
  return key(a) === key(b);
}

/** Says so before anything is fetched when the browser has no room for it. */
export async function checkRoom(bytes: number): Promise<void> {
  const { quota, usage } = await storage.room();
  if (quota === undefined || usage === undefined || quota - usage >= bytes * ROOM_FACTOR) return;
  const { models } = await storage.info();
  fail(
    "quota",
    `this needs ${megabytes(bytes)} of storage, and the browser has ${megabytes(Math.max(0, quota - usage))} free`,
    models.length > 0
      ? `Delete a stored model: ${models.map((model) => `${model.name} (${megabytes(model.bytes)})`).join(", ")}.`
      : "Free space on the disk, or choose a smaller model.",
  );
}

export interface Fetched {
  files: ModelFile[];
  /** SHA-256 of each file, in the plan's order. */
  sha256: string[];
  kept: boolean;
}

/** Fetches into memory: for browsers that keep no files. */
async function fetchToMemory(plan: DownloadPlan, meter: Meter, signal: AbortSignal): Promise<Fetched> {
  const fetched: Fetched = { files: [], sha256: [], kept: false };
  for (const file of plan.files) {
    const sink = memorySink();
    fetched.sha256.push(await new Transfer(file, sink, meter, signal, async () => undefined).run());
    fetched.files.push({ name: file.name, file: sink.blob() });
  }
  return fetched;
}

async function fetchToStorage(plan: DownloadPlan, meter: Meter, signal: AbortSignal): Promise<Fetched> {
  const sha256: string[] = [];
  const sizes: number[] = [];
  for (const file of plan.files) {
    const sink = await storage.openSink(storage.placeOf(plan), file.name);
    try {
      sha256.push(await new Transfer(file, sink, meter, signal, () => storage.writePlan(plan)).run());
      sizes.push(sink.size);
    } finally {
      sink.close();
    }
  }
  const files = plan.files.map(({ name }, index) => ({ name, bytes: sizes[index] ?? 0, sha256: sha256[index] ?? null }));
  const model: StoredModel = {
    id: plan.id,
    name: plan.name,
    ...(plan.place ? { place: plan.place } : {}),
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    files,
    stored_at: Date.now(),
    ...weightsHash(files),
    ...(plan.source ? { source: plan.source } : {}),
    ...(plan.licence ? { licence: plan.licence } : {}),
  };
  await storage.commit(model);
  return { files: await storage.files(model), sha256, kept: true };
}

/** Whether a kept model is what a plan is to fetch. */
function isOf(kept: StoredModel, { source, files }: DownloadPlan): boolean {
  const isSame = ({ name, bytes, sha256 }: PlannedFile): boolean =>
    kept.files.some((file) => file.name === name && file.bytes === bytes && (sha256 === null || file.sha256 === sha256));
  return kept.source?.commit === source?.commit && files.every(isSame);
}

/** A plan with the place for it: beside another version that is kept, which stays until this one is complete. */
async function placed(plan: DownloadPlan): Promise<DownloadPlan> {
  const kept = plan.place ? null : await storage.find(plan.id);
  if (!kept) return plan;
  const place = isOf(kept, plan) ? storage.placeOf(kept) : `${plan.source?.commit.slice(0, 10) ?? "other"}-${plan.id}`;
  return { ...plan, place };
}

/**
 * Fetches what is missing of a plan. A cancelled or broken download keeps what is there; a file that is not what was
 * told leaves nothing.
 */
export async function download(asked: DownloadPlan, onProgress: OnProgress, signal: AbortSignal): Promise<Fetched> {
  const total = asked.files.reduce((sum, file) => sum + file.bytes, 0);
  if (!(await storage.isAvailable())) {
    return fetchToMemory(asked, new Meter("downloading", total, onProgress), signal);
  }
  const wanted = await placed(asked);
  const place = storage.placeOf(wanted);
  return storage.locked(place, "exclusive", async () => {
    const before = await storage.readPlan(place);
    // The kept plan knows what the server called its files.
    const plan = before && sameFiles(before, wanted) ? { ...before, files: merged(before, wanted) } : wanted;
    const isAnew = plan === wanted;
    // Bytes that are there: gone on with, or making room.
    let there = 0;
    for (const file of before?.files ?? []) there += await storage.heldBytes(place, file.name);
    await checkRoom(Math.max(0, total - there));
    if (isAnew) await storage.remove(place);
    const held = isAnew ? 0 : there;
    await storage.writePlan(plan);
    try {
      return await fetchToStorage(plan, new Meter("downloading", total, onProgress, held), signal);
    } catch (error) {
      if ((error as SecateurError).code === "file") await storage.remove(place);
      throw error;
    }
  });
}

/** The files as wanted now, with the versions noted before. */
function merged(before: DownloadPlan, wanted: DownloadPlan): PlannedFile[] {
  return wanted.files.map((file, index) => {
    const etag = before.files[index]?.etag;
    return etag ? { ...file, etag } : file;
  });
}
