// The engine's files as this page may use them: on memory that several threads share, or on one thread's own.

import places from "../../engine/sharing.json";
import { part } from "../version";

/** More bring little: they wait for the same memory. */
const MOST_THREADS = 8;

/** What a module's file says of memory that has a limit and belongs to one thread. */
const OWN_MEMORY = 1;

let isShared = crossOriginIsolated;

/** Threads for the kernels. A page may have more than one where its host or its service worker isolates it from other sites. */
export function threads(asked: number | null): number {
  if (!isShared) return 1;
  return Math.max(1, Math.min(asked ?? navigator.hardwareConcurrency, MOST_THREADS));
}

/** Does without shared memory from now on. */
export function giveUp(): void {
  isShared = false;
}

export function isSharing(): boolean {
  return isShared;
}

/** A stream of bytes with another one at a place. */
function changed(place: number, byte: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new TransformStream({
    transform(chunk, controller) {
      if (at <= place && place < at + chunk.length) chunk[place - at] = byte;
      at += chunk.length;
      controller.enqueue(chunk);
    },
  });
}

/** Fetches one of the engine's files, whose memory is shared as it lies there. */
export async function fetchModule(name: keyof typeof places, url: URL): Promise<Response> {
  const response = await part(async () => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`a part of the engine cannot be fetched (${answer.status} for ${url.pathname})`);
    return answer;
  });
  if (isShared || !response.body) return response;
  const body = response.body.pipeThrough(changed(places[name], OWN_MEMORY));
  return new Response(body, { headers: { "content-type": "application/wasm" } });
}
