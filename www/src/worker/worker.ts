// The page's one worker: it holds the engine, and does one thing at a time. Only a cancel overtakes.

import start, { Engine as GeneratedEngine, cancel, version } from "../../engine/engine.js";
import type { Progress, SecateurError } from "../types";
import type { Engine, OnProgress } from "./engine-api";
import { open, type Opened } from "./files";
import { look } from "./hub";
import type { FromWorker, Loaded, Request, Started, ToWorker } from "./protocol";
import * as storage from "./storage";

/** Methods that take a progress function after their request. */
const LONG = new Set([
  "forward", "score", "position_bias", "attribute", "neuron", "prune", "control", "search", "tune", "run", "reproduce",
]);

const scope = self as unknown as {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

// The page's address travels as the worker's name: its own file lies in another folder after the build.
const base = self.name;

let engine: Engine | null = null;
let hub = "";
let aborter = new AbortController();
let queue: Promise<void> = Promise.resolve();

/** Any thrown thing as the page's error. */
function toError(thrown: unknown): SecateurError {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown && "hint" in thrown) {
    return thrown as SecateurError;
  }
  if (thrown instanceof DOMException) {
    if (thrown.name === "AbortError") return { code: "cancelled", message: "cancelled", hint: "" };
    if (thrown.name === "QuotaExceededError") {
      return {
        code: "quota",
        message: "the browser's storage is full",
        hint: "Delete a stored model, or free space on the disk.",
      };
    }
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof WebAssembly.RuntimeError) {
    return {
      code: "crashed",
      message: `the engine stopped: ${message}`,
      hint: "It is started anew. If it happens again, try a smaller model, fewer items, or WebAssembly.",
    };
  }
  return { code: "unexpected", message, hint: "Try again; if it stays, reload the page." };
}

function running(): Engine {
  if (engine) return engine;
  throw { code: "no_engine", message: "the engine is not running", hint: "Reload the page." } satisfies SecateurError;
}

async function load(request: Request & { kind: "load" }, onProgress: OnProgress): Promise<Loaded> {
  const { signal } = aborter;
  const memory_bytes = running().device().limits?.memory_bytes ?? null;
  const places = { page: base, hub, memory_bytes, precision: request.precision };
  const { files, ...opened } = await open(request.source, places, onProgress, signal);
  signal.throwIfAborted();
  // No other tab may delete the files while they are read.
  return storage.locked(opened.id, "shared", () => loadFiles(request, { files, ...opened }, onProgress));
}

async function loadFiles(
  request: Request & { kind: "load" }, { files, ...opened }: Opened, onProgress: OnProgress,
): Promise<Loaded> {
  try {
    const { precision } = request;
    const named = { id: opened.id, name: opened.name, precision, ...(opened.sha256 ? { sha256: opened.sha256 } : {}) };
    const info = await running().load_model(named, files, onProgress);
    return { info, name: opened.name, kept: opened.kept, ...(opened.warning ? { warning: opened.warning } : {}) };
  } catch (thrown) {
    // A file that cannot be used is not worth its room, and would fail at the next visit too.
    const { code } = toError(thrown);
    // In fewer bits it may be the device that does not support them.
    const isUseless = code === "file" || code === "model_file" || (code === "unsupported" && request.precision === "f32");
    if (request.source.kind !== "site" && isUseless) {
      await storage.remove(opened.id).catch(() => undefined);
    }
    throw thrown;
  }
}

async function serve(request: Request, onProgress: OnProgress): Promise<unknown> {
  switch (request.kind) {
    case "start": {
      hub = request.hub;
      await start();
      engine = (await GeneratedEngine.start(request.device)) as unknown as Engine;
      return {
        version: version(), device: engine.device(), templates: engine.templates(), presets: engine.presets(),
      } satisfies Started;
    }
    case "load": return load(request, onProgress);
    case "storage": return storage.info();
    case "forget": return storage.locked(request.id, "exclusive", () => storage.remove(request.id));
    case "look": return look(request.text, hub, aborter.signal);
    case "call": {
      const target = running();
      const method = target[request.method] as (...values: unknown[]) => unknown;
      const values = LONG.has(request.method) ? [...request.arguments, onProgress] : request.arguments;
      return method.apply(target, values);
    }
  }
}

/** Large number arrays move, they are not copied. */
function transfers(value: unknown): Transferable[] {
  const scores = (value as { scores?: unknown } | null)?.scores;
  return scores instanceof Float32Array ? [scores.buffer as ArrayBuffer] : [];
}

async function answer(id: number, request: Request): Promise<void> {
  aborter = new AbortController();
  try {
    const value = await serve(request, (progress: Progress) => scope.postMessage({ id, progress }));
    scope.postMessage({ id, value }, transfers(value));
  } catch (thrown) {
    scope.postMessage({ id, error: toError(thrown) });
  }
}

scope.onmessage = ({ data }) => {
  if ("cancel" in data) {
    aborter.abort();
    if (engine) cancel();
    return;
  }
  queue = queue.then(() => answer(data.id, data.request));
};
