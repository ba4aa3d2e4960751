// How long the page takes: `cargo xtask bench`. No test: nothing here can fail but the page itself.

import { test } from "@playwright/test";
import { attributeFast, open, ready, sampleLines, saved, step, useItems } from "./support";

const TIMES = 5;

interface Report { attribution: { seconds: number; items_used: unknown[] } }

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test("ready with the shipped model, from a warm cache", async ({ page }) => {
  await open(page, "wasm");
  const seconds: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    await page.goto("about:blank");
    const started = Date.now();
    await page.goto("./?device=wasm");
    await ready(page);
    seconds.push((Date.now() - started) / 1000);
  }
  console.log(`page ready, warm cache: ${median(seconds).toFixed(2)} s (median of ${TIMES})`);
});

test("attribution of one item of the shipped model on WebAssembly", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 1));
  const seconds: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    await attributeFast(page);
    await step(page, "result");
    seconds.push((await saved<Report>(page, "save-report")).attribution.seconds);
  }
  console.log(`attribution, preset fast, one item, WebAssembly: ${median(seconds).toFixed(3)} s (median of ${TIMES})`);
});
