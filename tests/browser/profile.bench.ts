// The kernels of a job by their time on whatever adapter there is: `cargo xtask profile`. No test: it prints.

import { test } from "@playwright/test";
import { attributeFast, open, sampleLines, score, useItems } from "./support";
import { traced, traceGpu, type Trace } from "./trace";

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
  // The first time compiles.
  await score(page);
  await attributeFast(page);
  print("scores of four items", await traced(page, () => score(page)));
  print("attribution of four items, preset fast,", await traced(page, () => attributeFast(page)));
});
