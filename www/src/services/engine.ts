// The page's side of the worker: typed calls, progress, and a cancel that always answers.

import type { Precision, Progress, SecateurError } from "../types";
import type { HubListing } from "../worker/plan";
import type {
  DeviceChoice, EngineArguments, EngineMethod, EngineResult, FromWorker, Loaded, ModelSource, Request, Started,
  StorageInfo, ToWorker,
} from "../worker/protocol";

export type OnProgress = (progress: Progress) => void;

interface Pending {
  resolve(value: unknown): void;
  reject(error: SecateurError): void;
  onProgress: OnProgress | undefined;
}

/** How long a cancelled job may take to come to an end before its worker is ended. */
const PATIENCE_MS = 1000;

/** Where models are fetched from. */
const HUB = "https://huggingface.co";

export const CANCELLED: SecateurError = { code: "cancelled", message: "cancelled", hint: "" };

export function isError(thrown: unknown): thrown is SecateurError {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && "hint" in thrown;
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
      this.#end({
        code: "crashed",
        message: event.message ? `the engine stopped: ${event.message}` : "the engine could not be loaded",
        hint: "Reload the page. The engine needs a browser with WebAssembly SIMD.",
      });
      this.dispatchEvent(new Event("ended"));
    };
    this.#worker = worker;
    return this.#ask<Started>({ kind: "start", device, hub: HUB });
  }

  load(source: ModelSource, precision: Precision, onProgress: OnProgress): Promise<Loaded> {
    return this.#ask({ kind: "load", source, precision }, onProgress);
  }

  /** What a repository of the hub offers. */
  look(text: string): Promise<HubListing> {
    return this.#ask({ kind: "look", text });
  }

  storage(): Promise<StorageInfo> {
    return this.#ask({ kind: "storage" });
  }

  forget(id: string): Promise<void> {
    return this.#ask({ kind: "forget", id });
  }

  /** Calls a method of the engine. */
  call<M extends EngineMethod>(
    method: M, values: EngineArguments<M>, onProgress?: OnProgress,
  ): Promise<EngineResult<M>> {
    return this.#ask({ kind: "call", method, arguments: values }, onProgress);
  }

  /**
   * Asks the running job to stop. When it does not within `patience_ms`, the worker ends and `ended` is dispatched:
   * whoever listens starts a new one and brings back the model and the items.
   */
  cancel(patience_ms = PATIENCE_MS): void {
    const waiting = [...this.#pending.keys()];
    if (waiting.length === 0) return;
    this.#worker?.postMessage({ cancel: true } satisfies ToWorker);
    const worker = this.#worker;
    setTimeout(() => {
      const isStuck = worker === this.#worker && waiting.some((id) => this.#pending.has(id));
      if (!isStuck) return;
      this.#end(CANCELLED);
      this.dispatchEvent(new Event("ended"));
    }, patience_ms);
  }

  #ask<T>(request: Request, onProgress?: OnProgress): Promise<T> {
    const worker = this.#worker;
    if (!worker) {
      return Promise.reject({
        code: "no_engine", message: "the engine is not running", hint: "Reload the page.",
      } satisfies SecateurError);
    }
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, onProgress });
      worker.postMessage({ id, request } satisfies ToWorker);
    });
  }

  #receive(message: FromWorker): void {
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
      if (message.error.code === "crashed") {
        this.#end(message.error);
        this.dispatchEvent(new Event("ended"));
      }
    } else {
      pending.resolve(message.value);
    }
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
