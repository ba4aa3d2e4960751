// What the engine computes on the processor: a module of its own that works on the engine's memory, on as many threads as there are.

import { startKernels } from "./kernels-module";
import { fetchModule, isSharing } from "./sharing";
import { startHelpers, type Helpers } from "./threads";

/** What the engine calls. */
interface Kernels {
  fill(call: number, out: number, parts: number, piece: number, scratch: number, share: number): void;
  /** What the module is compiled for. */
  instructions(): string;
  threads(): number;
}

export interface EngineMemory {
  memory: WebAssembly.Memory;
  /** The ends of pieces of it that are the kernels' stacks, one for each thread. */
  stacks: readonly number[];
}

declare const self: { kernels: Kernels };

const PLAIN = { name: "kernels.wasm", url: new URL("../../engine/kernels.wasm", import.meta.url), instructions: "SIMD" } as const;
const RELAXED = {
  name: "kernels-relaxed.wasm",
  url: new URL("../../engine/kernels-relaxed.wasm", import.meta.url),
  instructions: "relaxed SIMD",
} as const;

export interface Compiled {
  module: WebAssembly.Module;
  instructions: string;
}

/** With fused multiply-add (relaxed SIMD) where the browser has it, and where `isPlain` is not asked for. */
async function compile(isPlain: boolean): Promise<Compiled> {
  for (const { name, url, instructions } of isPlain ? [PLAIN] : [RELAXED, PLAIN]) {
    const bytes = await (await fetchModule(name, url)).arrayBuffer();
    if (WebAssembly.validate(bytes)) return { module: await WebAssembly.compile(bytes), instructions };
  }
  throw new Error("the browser has no WebAssembly SIMD, which the engine needs");
}

const compiled = new Map<boolean, Promise<Compiled>>();

/** The module, compiled once for shared memory and once for an engine's own. */
export function compiledKernels(isPlain: boolean): Promise<Compiled> {
  const module = compiled.get(isSharing()) ?? compile(isPlain);
  compiled.set(isSharing(), module);
  return module;
}

/** The threads of the engine that is there. */
let helpers: Helpers | null = null;

/** Has the kernels work for an engine while it starts, and from then on where it does start. */
export async function workFor<T>(
  { module, instructions }: Compiled,
  { memory, stacks }: EngineMemory,
  start: () => Promise<T>,
): Promise<T> {
  const [own = 0, ...others] = stacks;
  const [{ fill }, started] = await Promise.all([
    startKernels(module, memory, own),
    others.length > 0 ? startHelpers(module, memory, others) : null,
  ]);
  const before = self.kernels;
  const count = 1 + (started?.count ?? 0);
  self.kernels = {
    fill(call, out, parts, piece, scratch, share) {
      if (started && piece < parts) started.board.run({ call, out, parts, piece, scratch, share }, fill);
      else fill(call, out, 0, parts, scratch);
    },
    instructions: () => instructions,
    threads: () => count,
  };
  try {
    const value = await start();
    helpers?.end();
    helpers = started;
    return value;
  } catch (error) {
    started?.end();
    self.kernels = before;
    throw error;
  }
}
