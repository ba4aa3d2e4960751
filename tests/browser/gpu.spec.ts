// What the engine asks of a GPU: shaders that a browser runs well, and few dispatches.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, noError, open, sampleLines, score, setNumber, step, useItems } from "./support";
import { shaders, traced, traceGpu } from "./trace";

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

async function attribute(page: Page): Promise<void> {
  await step(page, "attribution");
  await control(page, "preset").selectOption("fast");
  await setNumber(page, "threshold", 0);
  await control(page, "attribute").click();
  await idle(page);
  await noError(page);
}

test("no array private to a unit has a computed index, and a block is few dispatches", async ({ page }) => {
  await traceGpu(page);
  await open(page, "webgpu");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 1));
  await score(page);
  // Everything is compiled and its buffers are made.
  await attribute(page);

  const scored = await traced(page, () => score(page));
  // A forward pass of one item with choices of one token: the rest embeds, unembeds and reads.
  expect(scored.dispatches).toBeLessThanOrEqual(15 * LAYERS + 20);
  const attributed = await traced(page, () => attribute(page));
  // A base run, then all nodes of all layers up and back; at each layer rows are born and join.
  expect(attributed.dispatches).toBeLessThanOrEqual((15 + 15 + 5 + 25 + 5) * LAYERS + 80);
  expect(attributed.maps).toBeLessThanOrEqual(6);

  const all = await shaders(page);
  const own = all.filter((wgsl) => /fn (product|attend|by_queries|by_keys|norm|activate|gains|rotate)\w*_kernel/.test(wgsl));
  expect(own.length).toBeGreaterThan(10);
  for (const wgsl of all) expect(computedIndices(wgsl), wgsl.slice(0, 4000)).toEqual([]);
});
