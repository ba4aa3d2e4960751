// The kernels' module: it has no memory of its own, and works on an engine's.

import type { Fill } from "./threads";

/** The module's surface. */
type Exports = {
  fill: Fill;
  /** Where its stack is, which goes down from there. */
  __stack_pointer: WebAssembly.Global;
};

/** Starts it on an engine's memory, with the end of a piece of it as its stack. */
export async function startKernels(module: WebAssembly.Module, memory: WebAssembly.Memory, stack: number): Promise<Exports> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const surface = exports as Exports;
  surface.__stack_pointer.value = stack;
  return surface;
}
