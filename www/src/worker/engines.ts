// The two engines: the small one, which computes on the processor and is there first, and the one with the GPU, which is fetched
// when there is something for it to do. They have one surface; one of them is the engine at a time.

import startCpu, * as cpu from "../../engine/cpu.js";
import type { DeviceChoice } from "./protocol";
import { part } from "../version";
import type { Engine } from "../wire/engine";
import { compiledKernels, workFor } from "./kernels";
import { fetchModule, giveUp, isSharing, threads } from "./sharing";

/** What both modules have. */
type Surface = Pick<typeof cpu, "version" | "cancel" | "clear_cancel" | "kernel_stack"> & {
  Engine: { start(device: string, adapter: string): Promise<Engine> };
};

/** What starts either of them. */
type Start = (from: { module_or_path: Response }) => Promise<{ memory: WebAssembly.Memory }>;

/** An engine that is loaded, and the memory that it works on. */
interface Loaded {
  surface: Surface;
  memory: WebAssembly.Memory;
}

let small: Promise<Loaded> | null = null;
let large: Promise<Loaded> | null = null;

/** Starts a module on memory that threads share, or on its own where the browser does not give so much to share. */
async function instantiated(start: Start, name: "cpu_bg.wasm" | "gpu_bg.wasm", url: URL): Promise<WebAssembly.Memory> {
  try {
    return (await start({ module_or_path: await fetchModule(name, url) })).memory;
  } catch (error) {
    if (!isSharing() || !(error instanceof RangeError)) throw error;
    giveUp();
    return (await start({ module_or_path: await fetchModule(name, url) })).memory;
  }
}

function loadSmall(): Promise<Loaded> {
  small ??= instantiated(startCpu, "cpu_bg.wasm", new URL("../../engine/cpu_bg.wasm", import.meta.url)).then((memory) => ({
    surface: cpu,
    memory,
  }));
  // A connection that failed once may be there the next time.
  small.catch(() => {
    small = null;
  });
  return small;
}

function loadLarge(): Promise<Loaded> {
  large ??= part(() => import("../../engine/gpu.js")).then(async (gpu) => {
    const url = new URL("../../engine/gpu_bg.wasm", import.meta.url);
    const memory = await instantiated(gpu.default, "gpu_bg.wasm", url);
    return { surface: gpu, memory };
  });
  large.catch(() => {
    large = null;
  });
  return large;
}

/** The engine, and its module's own calls. */
export interface Running {
  engine: Engine;
  surface: Surface;
  hasGpu: boolean;
}

/** What the processor's part may use. */
export interface Wanted {
  /** No relaxed SIMD, whatever the browser has. */
  isPlain: boolean;
  /** So many threads at most. */
  threads: number | null;
}

async function running(
  loaded: Promise<Loaded>,
  { isPlain, threads: asked }: Wanted,
  device: DeviceChoice,
  adapter: string,
  before?: Engine,
): Promise<Running> {
  // They are fetched beside the engine, which may find out that it cannot share its memory.
  const [{ surface, memory }] = await Promise.all([loaded, compiledKernels(isPlain)]);
  const kernels = await compiledKernels(isPlain);
  const stacks = Array.from({ length: threads(asked) }, () => surface.kernel_stack());
  const engine = await workFor(kernels, { memory, stacks }, async () => {
    const started = await surface.Engine.start(device, adapter);
    if (before) started.take_bench(before.bench());
    return started;
  });
  return { engine, surface, hasGpu: loaded !== small };
}

/** Starts the small engine. */
export function startSmall(wanted: Wanted): Promise<Running> {
  return running(loadSmall(), wanted, "wasm", "");
}

/** Starts the one with the GPU, on it or on what is faster for each model, with what lies on the bench of one before it. */
export async function startLarge(wanted: Wanted, device: DeviceChoice, adapter: string, before?: Engine): Promise<Running> {
  // It has what the worker itself needs of an engine.
  await loadSmall();
  return running(loadLarge(), wanted, device, adapter, before);
}
