// How long the page takes: `cargo xtask bench`. No test: nothing here can fail but the page itself.

import { existsSync, readFileSync } from "node:fs";
import { expect, test, type Page } from "@playwright/test";
import {
  attributeFast,
  callEngine,
  control,
  type Device,
  MODEL,
  noError,
  open,
  openModel,
  reachEngine,
  ready,
  sampleLines,
  saved,
  step,
  useItems,
} from "./support";
import { attribution, FAST, gains, itemLines, prepare, PROMPT, SEARCH, timeEngine } from "./works";

const TIMES = 5;

interface Report {
  attribution: { seconds: number; items_used: unknown[] };
}

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

/** What one does with the lesson from the beginning to the end: the step, and the button. */
const STORY = [
  ["scores", "score"],
  ["attribution", "attribute"],
  ["pruning", "search"],
  ["pruning", "prune"],
  ["pruning", "control"],
  ["pruning", "harm-measure"],
  ["attribution", "race"],
] as const;

for (const threads of [1, 2]) {
  test(`the lesson's story on WebAssembly, threads: ${threads}`, async ({ page }) => {
    const told: string[] = [];
    const time = async (what: string, work: () => Promise<void>): Promise<void> => {
      const started = performance.now();
      await work();
      told.push(`${what} ${((performance.now() - started) / 1000).toFixed(2)} s`);
    };
    await time("open", async () => {
      await page.goto(`./?device=wasm&threads=${threads}`);
      await ready(page);
    });
    for (const [place, key] of STORY) {
      await step(page, place);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      await expect(control(page, key)).toBeEnabled();
      await time(key, async () => {
        await control(page, key).click();
        await page.waitForTimeout(30);
        // At the next frame, where an expectation looks every half second.
        await page.waitForFunction(() => document.body.dataset["job"] === "none");
      });
      await noError(page);
    }
    console.log(`the lesson, threads: ${threads}: ${told.join(", ")}`);
  });
}

/** Figures that the same command measured natively, if it did: `benches/engine.rs` writes them. */
const NATIVE = process.env["SECATEUR_BENCH_NATIVE"] ?? "";
/** What takes longer is not waited for. */
const MOST_SECS = 60;

/** Seconds, or why there are none. */
type Figure = number | string;
type Figures = Record<string, Figure>;

/** The aims for the page on a large GPU, in seconds, and about how many forward passes of 64 tokens a work takes. */
const WORKS = {
  "forward pass, 64 tokens": { aim: 0.03, passes: 1 },
  "first forward pass after loading": { aim: 0.3, passes: 1 },
  "IG, per_layer, last, all layers, 20 midpoints, one item": { aim: 0.15, passes: 12 },
  "exact ablation of every neuron, last position, one prompt": { aim: 2, passes: 290 },
  "search, 20 items × all layers × 6 percentages": { aim: 10, passes: 1500 },
  "gains, 10 steps, 20 items": { aim: 1, passes: 100 },
} as const;
type Work = keyof typeof WORKS;

/** The median of a few, or of one that takes long. */
async function several(page: Page, method: string, ...values: unknown[]): Promise<number> {
  const seconds: number[] = [];
  while (seconds.length < TIMES && (seconds.length === 0 || Math.max(...seconds) < 2))
    seconds.push(await timeEngine(page, method, ...values));
  return median(seconds);
}

/** Every work of the table with SmolLM2. */
async function measureModel(page: Page, found: Figures): Promise<void> {
  if (!existsSync(MODEL)) {
    Object.assign(found, all("no model: cargo xtask model smollm2-135m-instruct"));
    return;
  }
  await openModel(page, 600_000);
  found["first forward pass after loading" satisfies Work] = await timeEngine(page, "forward", PROMPT);
  const pass = await several(page, "forward", PROMPT);
  found["forward pass, 64 tokens" satisfies Work] = pass;
  const lines = itemLines();
  const within = async (work: Work, measure: () => Promise<number>): Promise<void> => {
    const estimate = pass * WORKS[work].passes;
    found[work] = estimate > MOST_SECS ? `about ${Math.round(estimate)} s by the forward pass` : await measure();
  };
  await prepare(page, lines[0] ?? "");
  await within("IG, per_layer, last, all layers, 20 midpoints, one item", async () => {
    await callEngine(page, "score", { set: "bench" });
    return several(page, "attribute", attribution(20));
  });
  await within("exact ablation of every neuron, last position, one prompt", () =>
    timeEngine(page, "ablate", { ...PROMPT, settings: FAST }),
  );
  await prepare(page, lines.slice(0, 20).join("\n"));
  await within("search, 20 items × all layers × 6 percentages", async () => {
    await callEngine(page, "score", { set: "bench" });
    await callEngine(page, "attribute", attribution(1));
    return timeEngine(page, "search", SEARCH);
  });
  await within("gains, 10 steps, 20 items", () => timeEngine(page, "tune", gains()));
}

/** The lesson's jobs, once everything is compiled. */
async function measureLesson(page: Page, found: Figures): Promise<void> {
  await prepare(page, await sampleLines(page, "lesson-planted-shifted", 4));
  await callEngine(page, "score", { set: "bench" });
  const jobs: [string, string, object][] = [
    ["forward pass", "forward", { prompt: "cat dog pear oak drum snow", tokens: 0 }],
    ["preset fast", "attribute", attribution(8)],
    ["search", "search", SEARCH],
    ["gains, 10 steps", "tune", gains()],
  ];
  for (const [name, method, request] of jobs) {
    await timeEngine(page, method, request);
    found[`lesson: ${name}, 4 items`] = await several(page, method, request);
  }
}

/** Whatever can be measured on a device; what a failure left out is named by it. Its name. */
async function measure(page: Page, device: Device, found: Figures): Promise<string> {
  await reachEngine(page);
  await page.goto(`./?device=${device}`);
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-engine", /ready|failed/, { timeout: 120_000 });
  if ((await body.getAttribute("data-engine")) === "failed") {
    Object.assign(found, all("no GPU adapter"));
    return "none";
  }
  await ready(page);
  const { result } = await callEngine<{ adapter: string }>(page, "device");
  try {
    await measureLesson(page, found);
    await measureModel(page, found);
  } catch (error) {
    const [reason] = String(error).split("\n");
    Object.assign(found, { ...all(`the page failed (${reason})`), ...found });
  }
  return result.adapter;
}

function all(reason: string): Figures {
  return Object.fromEntries(Object.keys(WORKS).map((work) => [work, reason]));
}

function cell(figure: Figure | undefined): string {
  if (typeof figure === "number") return `${figure.toPrecision(2)} s`;
  return `not measured: ${figure ?? "this command does not"}`;
}

test("the works that have an aim", async ({ browser }) => {
  test.setTimeout(3_600_000);
  const measured: Record<Device, Figures> = { webgpu: {}, wasm: {} };
  const names: Record<Device, string> = { webgpu: "", wasm: "" };
  for (const device of ["wasm", "webgpu"] as const) {
    // Without what the other one keeps.
    const page = await browser.newPage();
    names[device] = await measure(page, device, measured[device]);
    await page.close();
  }
  const native = existsSync(NATIVE) ? (JSON.parse(readFileSync(NATIVE, "utf8")) as Figures) : all("run by `cargo xtask bench`");
  const lines = Object.entries(WORKS).map(([work, { aim }]) => [
    work,
    `≤ ${aim} s`,
    cell(measured.webgpu[work]),
    cell(measured.wasm[work]),
    cell(native[work]),
  ]);
  for (const work of Object.keys(measured.wasm).filter((name) => name.startsWith("lesson: "))) {
    lines.push([work, "WebGPU ≤ WebAssembly + 0.02 s", cell(measured.webgpu[work]), cell(measured.wasm[work]), ""]);
  }
  const head = [
    "work (SmolLM2-135M, f32)",
    "aim, on an H100",
    `page, WebGPU: ${names.webgpu}`,
    `page, ${names.wasm}`,
    "command line, processor",
  ];
  console.log(
    ["", head, head.map(() => "---"), ...lines].map((line) => (line === "" ? line : `| ${(line as string[]).join(" | ")} |`)).join("\n"),
  );
});
