// The two engines: the small one, which computes on the processor and is there first, and the one with the GPU, which is fetched
// when there is something for it to do. They have one surface; one of them is the engine at a time.

import startCpu, * as cpu from "../../engine/cpu.js";
import type { DeviceChoice } from "./protocol";
import type { Engine } from "./engine-api";
import { workFor } from "./kernels";

type Surface = Omit<typeof cpu, "default" | "initSync">;

/** An engine that is loaded, and the memory that it works on. */
interface Loaded {
  surface: Surface;
  memory: WebAssembly.Memory;
}

let small: Promise<Loaded> | null = null;
let large: Promise<Loaded> | null = null;

function loadSmall(): Promise<Loaded> {
  return small ??= startCpu().then(({ memory }) => ({ surface: cpu, memory }));
}

function loadLarge(): Promise<Loaded> {
  large ??= import("../../engine/gpu.js").then(async (gpu) => {
    const { memory } = await gpu.default();
    return { surface: gpu as unknown as Surface, memory };
  });
  // A connection that failed once may be there the next time.
  large.catch(() => { large = null; });
  return large;
}

/** The engine, and its module's own calls. */
export interface Running {
  engine: Engine;
  surface: Surface;
  hasGpu: boolean;
}

async function running(loaded: Promise<Loaded>, isPlain: boolean, device: DeviceChoice, adapter: string): Promise<Running> {
  const { surface, memory } = await loaded;
  const start = (): Promise<unknown> => surface.Engine.start(device, adapter);
  const engine = await workFor({ memory, stack: surface.kernel_stack() }, isPlain, start);
  return { engine: engine as Engine, surface, hasGpu: loaded !== small };
}

/** Starts the small engine. */
export function startSmall(isPlain: boolean): Promise<Running> {
  return running(loadSmall(), isPlain, "wasm", "");
}

/** Starts the one with the GPU, on it or on what is faster for each model. */
export async function startLarge(isPlain: boolean, device: DeviceChoice, adapter: string): Promise<Running> {
  // It has what the worker itself needs of an engine.
  await loadSmall();
  return running(loadLarge(), isPlain, device, adapter);
}
