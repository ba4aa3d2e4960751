// The browser's GPU: asked for until it is there, and watched until it is lost.

/** How long one that is not there yet is asked for: a young browser says for its first moments that there is none. */
const PATIENCE_MS = 2000;
const PAUSE_MS = 100;

/** The part of WebGPU that is used here; TypeScript's own types have none of it. */
interface Device {
  readonly lost: Promise<{ reason: string; message: string }>;
}

interface Adapter {
  requestDevice(...values: unknown[]): Promise<Device>;
}

interface Scope {
  navigator: { gpu?: { requestAdapter(): Promise<Adapter | null> } };
  GPUAdapter?: { prototype: Adapter };
}

const scope = globalThis as unknown as Scope;

/** Why there is no GPU to compute with; null where there is one. */
export async function missing(): Promise<string | null> {
  if (!isSecureContext) return "browsers give it only to pages on https or localhost";
  const { gpu } = scope.navigator;
  if (!gpu) return "this browser does not have it";
  const start = performance.now();
  let reason = "";
  while (performance.now() - start < PATIENCE_MS) {
    try {
      if (await gpu.requestAdapter()) return null;
    } catch (error) {
      reason = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return `the browser has no graphics card for it${reason}; its own page about graphics cards (such as chrome://gpu) may say why`;
}

/** Tells when a device that is asked for from now on is lost. */
export function watch(onLost: (reason: string) => void): void {
  const adapters = scope.GPUAdapter?.prototype;
  if (!adapters) return;
  const { requestDevice } = adapters;
  // The engine keeps its device to itself, and what it is told of it can be told to one listener alone.
  adapters.requestDevice = async function (this: Adapter, ...values: unknown[]): Promise<Device> {
    const device = await requestDevice.apply(this, values);
    void device.lost.then(({ reason, message }) => onLost(message || reason));
    return device;
  };
}
