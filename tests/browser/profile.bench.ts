// The kernels of a job by their time on whatever adapter there is: `cargo xtask profile`. No test: it prints.

import { existsSync } from "node:fs";
import { test } from "@playwright/test";
import { attributeFast, callEngine, MODEL, open, openModel, reachEngine, sampleLines, score, useItems } from "./support";
import { traced, traceGpu, type Trace } from "./trace";
import { attribution, gains, itemLines, prepare, PROMPT, SEARCH, timeEngine } from "./works";

function print(job: string, trace: Trace): void {
  const { adapter, dispatches, submits, maps, writes, kernels } = trace;
  const total = kernels.reduce((sum, kernel) => sum + (kernel.milliseconds ?? 0), 0);
  console.log(`\n${job} on ${adapter}`);
  console.log(`${dispatches} dispatches, ${submits} submits, ${maps} maps, ${writes} writes; kernels ${total.toFixed(1)} ms`);
  const rows = [...kernels].sort((a, b) => (b.milliseconds ?? 0) - (a.milliseconds ?? 0)).slice(0, 20);
  for (const { wgsl, count, milliseconds, grid } of rows) {
    const name = /@compute[^f]*fn (\w+?)(?:_[0-9a-f]+)?\(/.exec(wgsl)?.[1] ?? "?";
    const lines = wgsl.split("\n").length;
    const time = milliseconds === undefined ? "not timed" : `${milliseconds.toFixed(2)} ms`;
    console.log(`${time.padStart(12)}  ${String(count).padStart(5)} ×  ${name}, ${lines} lines, longest ${grid}`);
  }
}

test("kernels of the shipped model's jobs", async ({ page }) => {
  await traceGpu(page);
  await open(page, "webgpu");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
  print("scores of four items", await traced(page, () => score(page)));
  // The first time compiles.
  await attributeFast(page);
  print("attribution of four items, preset fast,", await traced(page, () => attributeFast(page)));
});

test("kernels of a real model's jobs", async ({ page }) => {
  test.skip(!existsSync(MODEL), "no model: cargo xtask model smollm2-135m-instruct");
  test.setTimeout(3_600_000);
  await traceGpu(page);
  await reachEngine(page);
  await open(page, "webgpu");
  const { result } = await callEngine<{ adapter: string }>(page, "device");
  test.skip(/swiftshader/i.test(result.adapter), "a software adapter takes minutes for it");
  await openModel(page, 600_000);
  const lines = itemLines();
  await prepare(page, lines[0] ?? "");
  await callEngine(page, "score", { set: "bench" });
  const jobs: [string, string, object][] = [
    ["forward pass, 64 tokens,", "forward", PROMPT],
    ["attribution of one item, all layers, 20 midpoints,", "attribute", attribution(20)],
    ["search of one item over all layers and six percentages", "search", SEARCH],
    ["ten steps of gains on one item", "tune", gains()],
  ];
  for (const [name, method, request] of jobs) {
    // The first time compiles.
    await timeEngine(page, method, request);
    let seconds = 0;
    const trace = await traced(page, async () => {
      seconds = await timeEngine(page, method, request);
    });
    print(`${name} (${seconds.toFixed(3)} s, traced)`, trace);
  }
});
