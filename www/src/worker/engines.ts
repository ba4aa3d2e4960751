// The two engines: the small one, which computes on the processor and is there first, and the one with the GPU, which is fetched
// when there is something for it to do. They have one surface; one of them is the engine at a time.

import startCpu, * as cpu from "../../engine/cpu.js";
import type { DeviceChoice } from "./protocol";
import type { Engine } from "./engine-api";
import { compiledKernels, workFor } from "./kernels";

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

async function running(
  loaded: Promise<Loaded>, isPlain: boolean, device: DeviceChoice, adapter: string, before?: Engine,
): Promise<Running> {
  const [{ surface, memory }, kernels] = await Promise.all([loaded, compiledKernels(isPlain)]);
  const engine = await workFor(kernels, { memory, stack: surface.kernel_stack() }, async () => {
    const started = (await surface.Engine.start(device, adapter)) as unknown as Engine;
    if (before) started.take_bench(before.bench());
    return started;
  });
  return { engine, surface, hasGpu: loaded !== small };
}

/** Starts the small engine. */
export function startSmall(isPlain: boolean): Promise<Running> {
  return running(loadSmall(), isPlain, "wasm", "");
}

/** Starts the one with the GPU, on it or on what is faster for each model, with what lies on the bench of one before it. */
export async function startLarge(
  isPlain: boolean, device: DeviceChoice, adapter: string, before?: Engine,
): Promise<Running> {
  // It has what the worker itself needs of an engine.
  await loadSmall();
  return running(loadLarge(), isPlain, device, adapter, before);
}
