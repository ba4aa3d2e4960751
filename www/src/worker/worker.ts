// The page's one worker: it holds the engine, and does one thing at a time. Only a cancel overtakes, and a
// question to the hub has nothing wait for it.

import {
  LONG_CALLS,
  type DeviceInfo,
  type Engine,
  type ModelFile,
  type OnProgress,
  type Progress,
  type SecateurError,
} from "../wire/engine";
import { startLarge, startSmall, type Running, type Wanted } from "./engines";
import { fail } from "./errors";
import { open, type Opened } from "./files";
import * as gpu from "./gpu";
import { look } from "./hub";
import { areUseless } from "./plan";
import type { DeviceChoice, FromWorker, Loaded, ModelSource, Request, Started, ToWorker } from "./protocol";
import * as storage from "./storage";

declare const self: {
  /** The page's address. */
  readonly name: string;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  /** What the engine's last panic said. */
  enginePanic?: string;
};

// The page's address travels as the worker's name: its own file lies in another folder after the build.
const base = self.name;
const asked = new URL(base).searchParams;
const wanted: Wanted = {
  // The numbers are then those of browsers that lack it.
  isPlain: asked.get("simd") === "plain",
  threads: Number(asked.get("threads")) || null,
};

/** Weights of a model that no GPU is faster on: most of its time would go into asking it. */
const SMALL_MODEL_BYTES = 16e6;

let now: Running | null = null;
let hub = "";
/** Whether the engine computes on the GPU: the loss of another device is no matter. */
let isOnGpu = false;
/** Whether the engine may take the GPU for a model that it is faster on. */
let isAuto = false;
/** The GPU that was looked for. */
let search: Promise<gpu.Found> | null = null;
/** What came of it. */
let found: gpu.Found | null = null;
/** The sha256 of the model that the engine holds; null while it takes another, and after it could not. */
let held: string | null = null;
/** The request that the engine works on. */
let current = 0;
/** Of each request that is not answered yet, what cancels it. */
const aborters = new Map<number, AbortController>();
let queue: Promise<void> = Promise.resolve();

function crash(message: string): SecateurError {
  return {
    code: "crashed",
    message: `the engine stopped: ${self.enginePanic ?? message}`,
    hint: "It is started again with the study at hand. If this happens again, try a smaller model, fewer items, or WebAssembly.",
  };
}

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
  // The latter where the stack is at its end.
  if (thrown instanceof WebAssembly.RuntimeError || thrown instanceof RangeError) return crash(message);
  return { code: "unexpected", message, hint: "Try again; if it stays, reload the page." };
}

function running(): Engine {
  if (now) return now.engine;
  throw { code: "no_engine", message: "the engine is not running", hint: "Start it again." } satisfies SecateurError;
}

/** What the engine last said of its device: it cannot be asked in the middle of a call. */
let told: DeviceInfo | null = null;

/** The same with what is known of a GPU. */
function described(info: DeviceInfo): DeviceInfo {
  if (found === null) return info;
  if (found.missing !== null) return { ...info, message: `WebGPU is not used: ${found.missing}.` };
  if (now?.hasGpu !== false) return info;
  const { adapter, limits } = found;
  return { ...info, limits, message: `Larger models are tried on the graphics card as well (${adapter || "its name is not known"}).` };
}

/** What the engine computes on. */
function deviceNow(): DeviceInfo {
  told = running().device();
  isOnGpu = told.kind === "webgpu";
  return described(told);
}

function lookForGpu(): Promise<gpu.Found> {
  return (search ??= gpu.find().then((it) => (found = it)));
}

/** Starts the engine on a device; what the device is. */
async function startOn(choice: DeviceChoice): Promise<DeviceInfo> {
  isAuto = choice === "auto";
  gpu.watch((reason) => {
    if (!isOnGpu) return;
    self.postMessage({
      ended: {
        code: "device_lost",
        message: `the graphics card was lost (${reason})`,
        hint: "The engine is started again with the study at hand; what was under way has to be started once more.",
      },
    });
  });
  if (choice === "webgpu") {
    const { adapter, missing } = await lookForGpu();
    if (missing !== null) {
      fail("device", `WebGPU cannot be used: ${missing}`, "Choose another device in step 1, or start the engine again.");
    }
    now = await startLarge(wanted, choice, adapter);
    return deviceNow();
  }
  now = await startSmall(wanted);
  // Nobody waits for it: it may take two seconds.
  if (isAuto) void lookForGpu().then(() => told && self.postMessage({ device: described(told) }));
  return deviceNow();
}

/** Gives the engine's place to the one with the GPU, where there is one and a model is worth it. */
async function takeGpu(files: readonly ModelFile[], onProgress: OnProgress): Promise<void> {
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  if (!isAuto || now === null || now.hasGpu || size < SMALL_MODEL_BYTES) return;
  const { adapter, missing } = await lookForGpu();
  if (missing !== null) return;
  onProgress({ stage: "loading the engine for the graphics card", done: 0, total: 1 });
  try {
    const { engine } = now;
    now = await startLarge(wanted, "auto", adapter, engine);
    engine.free();
  } catch (thrown) {
    // The model is loaded all the same.
    search = Promise.resolve((found = gpu.none(`its engine cannot be loaded (${toError(thrown).message})`)));
  }
}

/** What a model may take, in bytes; null where nobody knows. */
async function memoryFor(source: ModelSource): Promise<number | null> {
  // What comes with the page is small.
  if (isAuto && source.kind !== "site") await lookForGpu();
  return deviceNow().limits?.memory_bytes ?? null;
}

async function load(request: Request & { kind: "load" }, onProgress: OnProgress, signal: AbortSignal): Promise<Loaded> {
  const places = { page: base, hub, memory_bytes: await memoryFor(request.source), precision: request.precision };
  const { files, ...opened } = await open(request.source, places, onProgress, signal);
  signal.throwIfAborted();
  // No other tab may delete the files while they are read.
  return storage.locked(opened.id, "shared", () => loadFiles(request, { files, ...opened }, onProgress, signal));
}

async function loadFiles(
  request: Request & { kind: "load" },
  { files, ...opened }: Opened,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Loaded> {
  held = null;
  try {
    const { precision } = request;
    await takeGpu(files, onProgress);
    // A cancel meanwhile was told to the engine before.
    signal.throwIfAborted();
    const named = { id: opened.id, precision, ...(opened.sha256 ? { sha256: opened.sha256 } : {}) };
    const info = await running().load_model(named, files, onProgress);
    held = info.sha256;
    const { name, kept, warning } = opened;
    return { info, device: deviceNow(), name, kept, ...(warning ? { warning } : {}) };
  } catch (thrown) {
    const isStored = opened.kept && request.source.kind !== "site";
    // Then they are not worth their room.
    if (isStored && areUseless(toError(thrown).code, request.precision)) await storage.remove(opened.id).catch(() => undefined);
    throw thrown;
  }
}

async function serve(request: Request, onProgress: OnProgress, signal: AbortSignal): Promise<unknown> {
  switch (request.kind) {
    case "start": {
      hub = request.hub;
      const device = await startOn(request.device);
      return {
        version: now?.surface.version() ?? "",
        device,
        templates: running().templates(),
        presets: running().presets(),
      } satisfies Started;
    }
    case "load":
      return load(request, onProgress, signal);
    case "held":
      return held;
    case "storage":
      return storage.info();
    case "forget":
      return storage.locked(request.id, "exclusive", () => storage.remove(request.id));
    case "look":
      return look(request.text, hub, signal);
    case "call": {
      const target = running();
      const method = target[request.method] as (...values: unknown[]) => unknown;
      const values = LONG_CALLS.includes(request.method) ? [...request.arguments, onProgress] : request.arguments;
      return method.apply(target, values);
    }
  }
}

/** Arrays of numbers move, they are not copied. */
function transfers(value: unknown): Transferable[] {
  const parts: unknown[] = typeof value === "object" && value !== null && !ArrayBuffer.isView(value) ? Object.values(value) : [];
  return parts.flatMap((part) => (part instanceof Float32Array ? [part.buffer as ArrayBuffer] : []));
}

async function answer(id: number, request: Request, signal: AbortSignal): Promise<void> {
  try {
    signal.throwIfAborted();
    const value = await serve(request, (progress: Progress) => self.postMessage({ id, progress }), signal);
    self.postMessage({ id, value }, transfers(value));
  } catch (thrown) {
    self.postMessage({ id, error: toError(thrown) });
  }
  aborters.delete(id);
}

/** Answers what the engine works on, when all before it is answered. */
function answerInTurn(id: number, request: Request, signal: AbortSignal): void {
  queue = queue.then(() => {
    current = id;
    now?.surface.clear_cancel();
    return answer(id, request, signal);
  });
}

// A panic in the middle of a job breaks off where nobody waits for it: its promise never answers.
addEventListener("error", (event) => {
  event.preventDefault();
  self.postMessage({ ended: crash(event.error instanceof Error ? event.error.message : event.message) });
});

self.onmessage = ({ data }) => {
  if ("cancel" in data) {
    aborters.get(data.cancel)?.abort();
    if (data.cancel === current) now?.surface.cancel();
    return;
  }
  const { id, request } = data;
  const aborter = new AbortController();
  aborters.set(id, aborter);
  const take = request.kind === "look" ? answer : answerInTurn;
  void take(id, request, aborter.signal);
};
