// Hashes of files and of models.

import { Sha256 } from "../../engine/cpu.js";
import { isWeights } from "../contents";
import type { OnProgress } from "../wire/engine";
import { Meter } from "./meter";
import type { StoredModel } from "./plan";

/** A small file's SHA-256, in one go. */
export async function digest(file: Blob): Promise<string | null> {
  // Absent on plain http from another host than this one.
  if (!globalThis.crypto?.subtle) return null;
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hashes files of any size, piece by piece. */
export async function hashAll(files: readonly File[], onProgress: OnProgress, signal: AbortSignal): Promise<StoredModel["files"]> {
  const meter = new Meter(
    "verifying",
    files.reduce((sum, file) => sum + file.size, 0),
    onProgress,
  );
  const hashed = [];
  for (const file of files) {
    const hash = new Sha256();
    try {
      await eachPiece(file, signal, (bytes) => {
        hash.update(bytes);
        meter.add(bytes.byteLength);
      });
      hashed.push({ name: file.name, bytes: file.size, sha256: hash.hex() });
    } finally {
      hash.free();
    }
  }
  return hashed;
}

/** Reads a file from its beginning to its end. */
export async function eachPiece(file: File, signal: AbortSignal, take: (bytes: Uint8Array) => void): Promise<void> {
  const reader = file.stream().getReader();
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** The hash that the engine gives a model: that of its weight file or, of shards, that of the list of their hashes. */
export function weightsHash(files: readonly { name: string; sha256: string | null }[]): { sha256?: string } {
  const weights = files.filter((file) => isWeights(file.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const hashes = weights.map(({ sha256 }) => sha256).filter((sha256) => sha256 !== null);
  if (hashes.length === 0 || hashes.length < weights.length) return {};
  const [only] = hashes;
  if (hashes.length === 1 && only) return { sha256: only };
  const list = new Sha256();
  list.update(new TextEncoder().encode(hashes.map((hash) => `${hash}\n`).join("")));
  const sha256 = list.hex();
  list.free();
  return { sha256 };
}
