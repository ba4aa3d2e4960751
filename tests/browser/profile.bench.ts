// The kernels of a job by their time on whatever adapter there is, and the processor's products: `cargo xtask profile`. No test: it prints.

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

/** Rows, numbers in and numbers out: of the lesson's model, and of SmolLM2-135M's. */
const PRODUCTS = [
  [64, 104, 512],
  [512, 104, 512],
  [1, 576, 49_152],
  [64, 576, 3072],
  [64, 1536, 576],
  [640, 576, 3072],
] as const;
/** A product is repeated for about so many operations; of the rounds the fastest counts. */
const FLOPS_OF_A_ROUND = 1e9;
const ROUNDS = 5;

interface Kernels {
  productOf: (shape: readonly number[], isTransposed: boolean) => Promise<() => void>;
}

test("the processor's products, one thread", async ({ page }) => {
  await page.route("**/kernels.js", (route) => route.fulfill({ path: "benches/peers/kernels.js" }));
  await page.route("**/engine/kernels-relaxed.wasm", (route) => route.fulfill({ path: "www/engine/kernels-relaxed.wasm" }));
  await page.goto("./");
  console.log(`\n${"rows × in → out".padEnd(20)} GFLOP/s, weights [out, in] and [in, out]`);
  for (const shape of PRODUCTS) {
    const [rows, depth, columns] = shape;
    const flops = 2 * rows * depth * columns;
    const rates: string[] = [];
    for (const isTransposed of [true, false]) {
      const seconds = await page.evaluate(
        async ([of, transposed, times, rounds]) => {
          const { productOf } = (await import(new URL("kernels.js", location.href).href)) as Kernels;
          const once = await productOf(of, transposed);
          let best = Infinity;
          for (let round = 0; round < rounds; round += 1) {
            const start = performance.now();
            for (let time = 0; time < times; time += 1) once();
            best = Math.min(best, (performance.now() - start) / 1000 / times);
          }
          return best;
        },
        [shape, isTransposed, Math.ceil(FLOPS_OF_A_ROUND / flops), ROUNDS] as const,
      );
      rates.push((flops / seconds / 1e9).toFixed(1).padStart(6));
    }
    console.log(`${`${rows} × ${depth} → ${columns}`.padEnd(20)} ${rates.join(" ")}`);
  }
});

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
