// What the engine computes on the processor: a module of its own that works on the engine's memory.

/** The module's surface. */
interface Exports {
  product(call: number, out: number, from: number, to: number, scratch: number): void;
  /** Where its stack is, which goes down from there. */
  __stack_pointer: WebAssembly.Global;
}

/** What the engine calls. */
interface Kernels {
  product: Exports["product"];
  /** What the module is compiled for. */
  instructions(): string;
}

export interface EngineMemory {
  memory: WebAssembly.Memory;
  /** The end of a piece of it that is the kernels' stack. */
  stack: number;
}

const scope = globalThis as unknown as { kernels: Kernels };

const PLAIN = { url: new URL("../../engine/kernels.wasm", import.meta.url), instructions: "SIMD" };
const RELAXED = { url: new URL("../../engine/kernels-relaxed.wasm", import.meta.url), instructions: "relaxed SIMD" };

export interface Compiled {
  module: WebAssembly.Module;
  instructions: string;
}

/** With fused multiply-add (relaxed SIMD) where the browser has it, and where `isPlain` is not asked for. */
async function compile(isPlain: boolean): Promise<Compiled> {
  for (const { url, instructions } of isPlain ? [PLAIN] : [RELAXED, PLAIN]) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the engine's kernels cannot be fetched (${response.status} for ${url.pathname})`);
    const bytes = await response.arrayBuffer();
    if (WebAssembly.validate(bytes)) return { module: await WebAssembly.compile(bytes), instructions };
  }
  throw new Error("the browser has no WebAssembly SIMD, which the engine needs");
}

let compiled: Promise<Compiled> | null = null;

/** The module, compiled once. */
export function compiledKernels(isPlain: boolean): Promise<Compiled> {
  return compiled ??= compile(isPlain);
}

/** Has the kernels work for an engine while it starts, and from then on where it does start. */
export async function workFor<T>(
  { module, instructions }: Compiled, { memory, stack }: EngineMemory, start: () => Promise<T>,
): Promise<T> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const { product, __stack_pointer } = exports as unknown as Exports;
  __stack_pointer.value = stack;
  const before = scope.kernels;
  scope.kernels = { product, instructions: () => instructions };
  try {
    return await start();
  } catch (error) {
    scope.kernels = before;
    throw error;
  }
}
