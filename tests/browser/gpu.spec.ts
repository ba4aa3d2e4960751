// What the engine asks of a GPU: shaders that a browser runs well, and few dispatches.

import { expect, test } from "@playwright/test";
import { attributeFast, open, sampleLines, score, useItems } from "./support";
import { shaders, traced, traceGpu, type Trace } from "./trace";

/** Layers of the shipped model. */
const LAYERS = 4;

/** The indices into arrays private to a unit that are computed, in the WGSL that CubeCL emits. */
function computedIndices(wgsl: string): string[] {
  // `var<function> v1_store: array<…>` is reached by `let v1 = &v1_store;` and indexed as `(*v1)[v2]`.
  const pointers = new Set<string>();
  for (const [, store] of wgsl.matchAll(/var<(?:function|private)> (\w+): array</g)) {
    for (const [, pointer] of wgsl.matchAll(new RegExp(`let (\\w+) = &${store};`, "g"))) pointers.add(pointer ?? "");
  }
  const constants = new Set([...wgsl.matchAll(/let (\w+) = [ui]32\(\d+\);/g)].map(([, name]) => name));
  return [...wgsl.matchAll(/\(\*(\w+)\)\[(\w+)\]/g)]
    .filter(([, pointer, index]) => pointers.has(pointer ?? "") && !constants.has(index) && !/^\d+u?$/.test(index ?? ""))
    .map(([access]) => access);
}

/** Dispatches of the kernels of a name. */
function dispatchesOf(trace: Trace, name: string): number {
  return trace.kernels.filter(({ wgsl }) => wgsl.includes(`fn ${name}`)).reduce((sum, { count }) => sum + count, 0);
}

test("a computed index into a private array is found", () => {
  const wgsl = (index: string): string => `
    var<function> v1_store: array<f32, 4>;
    let v1 = &v1_store;
    let v2 = u32(3);
    let v3 = v2 + v2;
    let v4 = &(*v1)[${index}];`;
  expect(computedIndices(wgsl("v2"))).toEqual([]);
  expect(computedIndices(wgsl("v3"))).toEqual(["(*v1)[v3]"]);
});

test("no array private to a unit has a computed index, and a block is few dispatches", async ({ page }) => {
  await traceGpu(page);
  await open(page, "webgpu");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 1));
  await score(page);
  // Everything is compiled and its buffers are made.
  await attributeFast(page);

  // Another item, whose scores are not there yet.
  await useItems(page, await sampleLines(page, "lesson-planted-neutral", 1));
  const scored = await traced(page, () => score(page));
  // What is not a block embeds, unembeds and reads.
  const blocks = dispatchesOf(scored, "attend_kernel");
  expect(blocks).toBeGreaterThanOrEqual(LAYERS);
  expect(scored.dispatches).toBeLessThanOrEqual(15 * blocks + 40);

  const attributed = await traced(page, () => attributeFast(page));
  // A base run, then all nodes of all layers up and back; at each layer rows are born and join.
  const up = dispatchesOf(attributed, "attend_kernel");
  const back = dispatchesOf(attributed, "by_queries_kernel");
  expect(back).toBeGreaterThanOrEqual(LAYERS - 1);
  const passes = back / (LAYERS - 1);
  const born = 10 * LAYERS * passes;
  expect(attributed.dispatches).toBeLessThanOrEqual(15 * up + 25 * back + born + 40 * (1 + passes));
  // What the target is, its value at the start and, in each pass, gradients and values.
  expect(attributed.maps).toBeLessThanOrEqual(2 + 2 * passes);

  const all = await shaders(page);
  const own = all.filter((wgsl) => /fn (product|attend|by_queries|by_keys|norm|activate|gains|rotate)\w*_kernel/.test(wgsl));
  expect(own.length).toBeGreaterThan(10);
  for (const wgsl of all) expect(computedIndices(wgsl), wgsl.slice(0, 4000)).toEqual([]);
});

/** The names of the engine's own kernels among shaders; how many shaders a kernel has goes by the device's speed. */
function ownKernels(wgsl: string[]): Set<string> {
  const own = /fn ((?:product|attend|by_queries|by_keys|norm|activate|gains|rotate|slices)\w*_kernel)/g;
  return new Set(wgsl.flatMap((text) => [...text.matchAll(own)].map(([, name]) => name ?? "")));
}

test("what the first jobs need is compiled while the model loads", async ({ page }) => {
  await traceGpu(page);
  await open(page, "webgpu");
  const loaded = ownKernels(await shaders(page));
  expect(loaded.size).toBeGreaterThan(8);
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
  await score(page);
  await attributeFast(page);
  const used = ownKernels(await shaders(page));
  expect([...used].filter((name) => !loaded.has(name))).toEqual([]);
});
