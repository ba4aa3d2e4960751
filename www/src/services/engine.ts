// The page's side of the worker: typed calls, progress, a cancel that always answers, and an end that says why.

import { reasonOf } from "../version";
import type { DeviceInfo, Precision, Progress, SecateurError } from "../wire/engine";
import type { HubListing } from "../worker/plan";
import type {
  DeviceChoice,
  EngineArguments,
  EngineMethod,
  EngineResult,
  FromWorker,
  Loaded,
  ModelSource,
  Request,
  Started,
  StorageInfo,
  ToWorker,
} from "../worker/protocol";

/** Is told how far a request is. One of a job has the job's signal: once that is aborted, the request is cancelled. */
export interface OnProgress {
  (progress: Progress): void;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: SecateurError): void;
  onProgress: OnProgress | undefined;
}

/** Where models are fetched from. */
const HUB = "https://huggingface.co";

export const CANCELLED: SecateurError = { code: "cancelled", message: "cancelled", hint: "" };

export function isError(thrown: unknown): thrown is SecateurError {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && "hint" in thrown;
}

/** The worker is gone, other than by a start anew: after a cancel that it did not answer, a crash, a lost device. */
export class Ended extends Event {
  constructor(readonly reason: SecateurError) {
    super("ended");
  }
}

/** More is known of where the engine computes. */
export class DeviceKnown extends Event {
  constructor(readonly device: DeviceInfo) {
    super("device");
  }
}

/** Whether an error is the end of the engine, which `Ended` tells as well. */
export function isEnd({ code }: SecateurError): boolean {
  return code === "crashed" || code === "device_lost";
}

class EngineClient extends EventTarget {
  #worker: Worker | null = null;
  #pending = new Map<number, Pending>();
  #next = 1;

  /** Starts a worker and the engine in it. An earlier worker ends. */
  start(device: DeviceChoice): Promise<Started> {
    this.#end(CANCELLED);
    // Vite finds the worker's source by this very form of the address; the page's own address travels by its name.
    const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module", name: document.baseURI });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const error: SecateurError = {
        code: "crashed",
        message: event.message ? `the engine stopped: ${event.message}` : "the engine could not be loaded",
        hint: "Reload the page. The engine needs a browser with WebAssembly SIMD.",
      };
      if (event.message) this.#fail(error);
      else void reasonOf(error).then((reason) => this.#worker === worker && this.#fail(reason));
    };
    this.#worker = worker;
    return this.#ask<Started>({ kind: "start", device, hub: HUB });
  }

  load(source: ModelSource, precision: Precision, onProgress: OnProgress): Promise<Loaded> {
    return this.#ask({ kind: "load", source, precision }, onProgress);
  }

  /** The sha256 of the model that the engine holds; null where it has none. */
  held(): Promise<string | null> {
    return this.#ask({ kind: "held" });
  }

  /** What a repository of the hub offers. The engine's work does not wait for it. */
  look(text: string, signal: AbortSignal): Promise<HubListing> {
    return this.#ask(
      { kind: "look", text },
      Object.assign(() => undefined, { signal }),
    );
  }

  storage(): Promise<StorageInfo> {
    return this.#ask({ kind: "storage" });
  }

  forget(id: string): Promise<void> {
    return this.#ask({ kind: "forget", id });
  }

  /** Calls a method of the engine. */
  call<M extends EngineMethod>(method: M, values: EngineArguments<M>, onProgress?: OnProgress): Promise<EngineResult<M>> {
    return this.#ask({ kind: "call", method, arguments: values }, onProgress);
  }

  /**
   * Ends the worker if it still has something to do for a job that was cancelled; whoever listens to `Ended` starts a new
   * one and brings back the model and the items.
   */
  stop(signal: AbortSignal): void {
    const isStuck = [...this.#pending.values()].some(({ onProgress }) => onProgress?.signal === signal);
    if (isStuck) this.#fail(CANCELLED);
  }

  #ask<T>(request: Request, onProgress?: OnProgress): Promise<T> {
    const signal = onProgress?.signal;
    if (signal?.aborted) return Promise.reject(CANCELLED);
    const worker = this.#worker;
    if (!worker) {
      return Promise.reject({
        code: "no_engine",
        message: "the engine is not running",
        hint: "Start it again.",
      } satisfies SecateurError);
    }
    const id = this.#next++;
    // The worker may not have begun with it: a cancel says what it is of.
    signal?.addEventListener("abort", () => {
      if (this.#pending.has(id)) worker.postMessage({ cancel: id } satisfies ToWorker);
    });
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, onProgress });
      worker.postMessage({ id, request } satisfies ToWorker);
    });
  }

  #receive(message: FromWorker): void {
    if ("ended" in message) {
      this.#fail(message.ended);
      return;
    }
    if ("device" in message) {
      this.dispatchEvent(new DeviceKnown(message.device));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ("progress" in message) {
      pending.onProgress?.(message.progress);
      return;
    }
    this.#pending.delete(message.id);
    if ("error" in message) {
      pending.reject(message.error);
      // After a panic the module's memory is in no known state.
      if (isEnd(message.error)) this.#fail(message.error);
    } else {
      pending.resolve(message.value);
    }
  }

  #fail(reason: SecateurError): void {
    this.#end(reason);
    this.dispatchEvent(new Ended(reason));
  }

  #end(reason: SecateurError): void {
    this.#worker?.terminate();
    this.#worker = null;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(reason);
  }
}

export const engine = new EngineClient();
