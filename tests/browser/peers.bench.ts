// The page's engine beside other engines, in one browser: `cargo xtask bench --peers`, which serves the others' pages
// (`benches/peers`) under `peers/` and makes a table of what is written here.

import { existsSync, writeFileSync } from "node:fs";
import { expect, test, type Browser, type Page } from "@playwright/test";
import { callEngine, MODEL, openModel, type PageWithEngine, reachEngine, ready } from "./support";

const OUT = process.env["SECATEUR_PEERS"] ?? "";
/** Every engine has its turn in each; one that takes ten times as long, in the first two. */
const ROUNDS = 7;
const SLOW = { rounds: 2, seconds: 3 };
/** The prompt, of so many tokens. */
const TOKENS = 64;
const TEXT =
  "The gardener cut the old branches of the apple tree in early spring, before the first leaves came out, so that more light and "
  + "air could reach the fruit. Then she cleaned her tools, put them back into the wooden shed, and went inside to drink a cup of hot tea with her older sister and her friends again";
const ENGINES = ["onnxruntime", "jax", "wllama"] as const;
const SHAPES = [
  [64, 576, 1536],
  [640, 576, 1536],
] as const;
/** Products in a row: about a tenth of a second. */
const FLOPS_IN_A_ROW = 2e9;

interface Pass {
  seconds: number;
  logits: number[] | null;
}

/** What an engine does with the prompt, once. */
type Run = (ids: number[]) => Promise<Pass>;

/** An engine in a tab of its own, or why it is left out. */
type Runner = { name: string; page: Page; run: Run } | { name: string; reason: string };

interface Forward {
  ids: number[];
  logits: Float32Array;
}

function reasonOf(error: unknown): string {
  return String(error).split("\n")[0] ?? "";
}

async function own(browser: Browser, threads: number): Promise<{ page: Page; run: Run; ids: number[]; adapter: string }> {
  const page = await browser.newPage();
  await reachEngine(page);
  await page.goto(`./?device=wasm&threads=${threads}`);
  await ready(page);
  await openModel(page, 600_000);
  // Of all that it lays open, what is compared.
  const run = () =>
    page.evaluate(async (prompt) => {
      const { result, seconds } = await (window as unknown as PageWithEngine).askEngine("forward", [{ prompt, tokens: 0 }]);
      const { ids: tokens, logits } = result as Forward;
      return { ids: tokens, logits: [...logits], seconds };
    }, TEXT);
  const { ids } = await run();
  const { adapter } = (await callEngine<{ adapter: string }>(page, "device")).result;
  return { page, run, ids, adapter };
}

/** Another engine, ready to run. */
async function other(browser: Browser, engine: string, threads: number): Promise<Page> {
  const page = await browser.newPage();
  const failed = new Promise<never>((_, reject) => page.on("pageerror", reject));
  await page.goto(`./peers/peer.html?engine=${engine}&threads=${threads}`);
  const started = page.waitForFunction(() => "isReady" in globalThis, null, { timeout: 300_000 });
  await Promise.race([started, failed]);
  return page;
}

async function runnerOf(browser: Browser, engine: string, threads: number, ids: number[]): Promise<Runner> {
  const name = `${engine} ${threads}`;
  try {
    const page = await other(browser, engine, threads);
    const run = (tokens: number[]): Promise<Pass> =>
      page.evaluate((request) => (globalThis as unknown as { forward: (of: object) => Promise<Pass> }).forward(request), {
        ids: tokens,
        text: TEXT,
      });
    await run(ids);
    return { name, page, run };
  } catch (error) {
    return { name, reason: reasonOf(error) };
  }
}

function largestDifference(found: number[], expected: number[]): number {
  return Math.max(...found.map((value, place) => Math.abs(value - (expected[place] ?? Number.NaN))));
}

/** What is measured of one engine: the seconds of each round, or why there are none. */
type Figures = Record<string, number[] | string>;

async function product(page: Page, shape: readonly number[], times: number): Promise<number> {
  return page.evaluate(
    ([sizes, count]) => (globalThis as unknown as { product: (...of: unknown[]) => Promise<number> }).product(sizes, count),
    [shape, times] as const,
  );
}

/** Seconds of products alone, the engines in turn. */
async function products(browser: Browser): Promise<Figures> {
  const found: Figures = {};
  const pages = new Map<string, Page>();
  for (const engine of ["kernels", "jax"]) {
    try {
      pages.set(engine, await other(browser, engine, 1));
    } catch (error) {
      for (const [rows] of SHAPES) found[`${engine} ${rows}`] = reasonOf(error);
    }
  }
  for (const shape of SHAPES) {
    const [rows, depth, columns] = shape;
    const times = Math.ceil(FLOPS_IN_A_ROW / (2 * rows * depth * columns));
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [engine, page] of pages) {
        const seconds = await product(page, shape, times);
        // The first one compiles.
        const measured = (found[`${engine} ${rows}`] ??= []);
        if (round > 0 && Array.isArray(measured)) measured.push(seconds);
      }
    }
  }
  await Promise.all([...pages.values()].map((page) => page.close()));
  return found;
}

test("forward passes and products beside those of other engines", async ({ browser }) => {
  test.setTimeout(3_600_000);
  test.skip(!existsSync(MODEL), "the model is not there: cargo xtask model smollm2-135m-instruct");
  const [one, two] = [await own(browser, 1), await own(browser, 2)];
  const { ids } = one;
  expect(ids).toHaveLength(TOKENS);
  const runners: Runner[] = [
    { name: "secateur 1", page: one.page, run: one.run },
    { name: "secateur 2", page: two.page, run: two.run },
  ];
  for (const engine of ENGINES) {
    for (const threads of [1, 2]) runners.push(await runnerOf(browser, engine, threads, ids));
  }
  const forward: Figures = {};
  const differences: Record<string, number> = {};
  let expected: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const runner of runners) {
      if ("reason" in runner) {
        forward[runner.name] = runner.reason;
        continue;
      }
      const times = (forward[runner.name] ??= []);
      if (!Array.isArray(times) || (times.length >= SLOW.rounds && Math.min(...times) > SLOW.seconds)) continue;
      const pass = await runner.run(ids);
      times.push(pass.seconds);
      if (expected.length === 0) expected = pass.logits ?? [];
      else if (pass.logits) {
        differences[runner.name] = Math.max(differences[runner.name] ?? 0, largestDifference(pass.logits, expected));
      }
    }
  }
  for (const runner of runners) if ("page" in runner) await runner.page.close();
  const alone = await products(browser);
  writeFileSync(OUT, JSON.stringify({ engine: one.adapter, browser: browser.version(), ids, forward, differences, products: alone }));
});
