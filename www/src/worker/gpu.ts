// The browser's GPU: asked for until it is there, and watched until it is lost.

import type { Limits } from "../wire/engine";

/** How long one that is not there yet is asked for: a young browser says for its first moments that there is none. */
const PATIENCE_MS = 2000;
const PAUSE_MS = 100;

/** The GPU's name, or why there is none to compute with. */
export interface Found {
  adapter: string;
  limits: Limits;
  missing: string | null;
}

/** What the browser tells of a GPU; some tell nothing. */
function named({ vendor, architecture, description }: GPUAdapterInfo): string {
  return [description || vendor, architecture].filter((part) => part !== "").join(", ");
}

/** That there is none to compute with, and why. */
export function none(missing: string): Found {
  return { adapter: "", limits: { binding_bytes: null, memory_bytes: null }, missing };
}

export async function find(): Promise<Found> {
  if (!isSecureContext) return none("browsers give it only to pages on https or localhost");
  const { gpu } = navigator as Partial<NavigatorGPU>;
  if (!gpu) return none("this browser does not have it");
  const start = performance.now();
  let reason = "";
  while (performance.now() - start < PATIENCE_MS) {
    try {
      const adapter = await gpu.requestAdapter();
      if (adapter) {
        const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
        const limits = { binding_bytes: Math.min(maxStorageBufferBindingSize, maxBufferSize), memory_bytes: null };
        return { adapter: named(adapter.info), limits, missing: null };
      }
    } catch (error) {
      reason = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return none(`the browser has no graphics card for it${reason}; its own page about graphics cards (such as chrome://gpu) may say why`);
}

/** Tells when a device that is asked for from now on is lost. */
export function watch(onLost: (reason: string) => void): void {
  if (typeof GPUAdapter === "undefined") return;
  const adapters = GPUAdapter.prototype;
  const { requestDevice } = adapters;
  // The engine keeps its device to itself, and what it is told of it can be told to one listener alone.
  adapters.requestDevice = async function (...values): Promise<GPUDevice> {
    const device = await requestDevice.apply(this, values);
    void device.lost.then(({ reason, message }) => onLost(message || reason));
    return device;
  };
}
