// The engine's end and its cancel: neither is without a word, and neither loses work.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, type Page } from "@playwright/test";
import { withHub, type HubServer } from "./hub-server";
import { control, idle, noError, ready, score, setNumber, step, useItems } from "./support";

const test = withHub(() => ({}));

const ITEMS = [1, 2, 3, 4].map((id) => `{"id":"${id}","context":"bench ship","choices":["milk","elm"],"gold":0}`).join("\n");

/** A panic within a job is an error that nobody in the worker waits for. Scoring the set "pasted" ends in one. */
const PANIC = `addEventListener("message", ({ data }) => {
  const { method, arguments: values } = data.request ?? {};
  if (method === "score" && values[0].set === "pasted") queueMicrotask(() => { throw new WebAssembly.RuntimeError("unreachable"); });
});\n`;

/** How long the slow GPU of a test takes with each answer, in milliseconds. */
const SLOW_MS = 500;
const SLOW_GPU = `const { mapAsync } = GPUBuffer.prototype;
GPUBuffer.prototype.mapAsync = async function (...values) {
  await mapAsync.apply(this, values);
  await new Promise((done) => setTimeout(done, ${SLOW_MS}));
};\n`;

/** The engine's own GPU, lost on demand. */
const LOSS = `const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...values) {
  const device = await requestDevice.apply(this, values);
  new BroadcastChannel("gpu").onmessage = () => device.destroy();
  return device;
};\n`;

/** A browser that says so many times that it has no adapter. */
function withoutAdapter(times: number): string {
  return `let asked = 0;
const { requestAdapter } = GPU.prototype;
GPU.prototype.requestAdapter = function (...values) {
  asked += 1;
  return asked <= ${times} ? Promise.resolve(null) : requestAdapter.apply(this, values);
};\n`;
}

async function open(page: Page, hub: HubServer, device: string): Promise<void> {
  await page.goto(`${hub.origin}/secateur/?device=${device}`);
  await ready(page);
}

test("a panic is told until it is read, and the engine goes on with the study at hand", async ({ page, hub }) => {
  hub.stub = PANIC;
  await open(page, hub, "wasm");
  await useItems(page, ITEMS);
  await step(page, "scores");
  await control(page, "score").click();
  const banner = page.locator(".banner.error");
  await expect(banner).toContainText("The engine stopped: ");
  await ready(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "lesson-planted");
  // The jobs that brought the model back took nothing of it away, nor does the next one.
  page.on("dialog", (dialog) => void dialog.accept("shown"));
  await step(page, "items");
  await control(page, "rename-pasted").click();
  await expect(page.locator("tr[data-set=shown] td.number")).toHaveText("4");
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await expect(page.locator("table.summary tr[data-set=shown]")).toContainText("of 4");
  await expect(banner).toHaveCount(1);
  await page.getByRole("button", { name: "Dismiss" }).click();
  await noError(page);
});

test("a model that the browser has no room for outlives a panic", async ({ page, hub }) => {
  hub.stub = `${PANIC}navigator.storage.estimate = async () => ({ quota: 50_000, usage: 45_000 });\n`;
  await open(page, hub, "wasm");
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(resolve("tests/fixtures/tiny-gpt2/model.gguf"));
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await idle(page);
  await useItems(page, ITEMS);
  await step(page, "scores");
  await control(page, "score").click();
  await expect(page.locator(".banner.error")).toContainText("The engine stopped: ");
  await ready(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
});

test("an engine that stops time after time is started again by a button", async ({ page, hub }) => {
  hub.stub = PANIC;
  await open(page, hub, "wasm");
  await useItems(page, ITEMS);
  await step(page, "scores");
  for (let count = 0; count < 4; count += 1) {
    await expect(page.locator("body")).toHaveAttribute("data-engine", "ready");
    await idle(page);
    await control(page, "score").click();
    await idle(page);
  }
  await expect(page.locator("body")).toHaveAttribute("data-engine", "failed");
  const again = page.locator(".banner.error").getByRole("button", { name: "Start the engine again" });
  await again.click();
  await ready(page);
  await noError(page);
  await step(page, "items");
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText("4");
});

test("a page in whose place a newer version is says so when it needs what is gone with it", async ({ page, hub }) => {
  await open(page, hub, "wasm");
  hub.isNewer = true;
  await step(page, "model");
  await control(page, "start-engine").click();
  const banner = page.locator(".banner.error");
  await expect(banner).toHaveAttribute("data-code", "outdated");
  await banner.getByRole("button", { name: "Dismiss" }).click();
  // Its charts are drawn by a library that is fetched for the first of them.
  await step(page, "scores");
  await expect(banner).toHaveAttribute("data-code", "outdated");
  hub.isNewer = false;
  await control(page, "reload").click();
  await ready(page);
  await noError(page);
});

test("a lost device is told, and the engine starts on another with the study at hand", async ({ page, hub }) => {
  test.setTimeout(300_000);
  hub.stub = LOSS;
  await open(page, hub, "webgpu");
  await useItems(page, ITEMS);
  await step(page, "scores");
  const lose = () => page.evaluate(() => new BroadcastChannel("gpu").postMessage(""));
  await control(page, "score").click();
  await lose();
  const banner = page.locator(".banner.error");
  await expect(banner).toHaveAttribute("data-code", "device_lost");
  await ready(page);
  await expect(page.locator(".device-chip")).toContainText("WebGPU");
  await expect(banner).toHaveCount(1);
  await page.getByRole("button", { name: "Dismiss" }).click();
  await score(page);
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 4");
});

/** A folder's files of a model that is large enough for a graphics card to be tried: a fixture's, with rows for more tokens. */
function largeModel(): { name: string; mimeType: string; buffer: Buffer }[] {
  const read = (name: string): Buffer => readFileSync(resolve("tests/fixtures/tiny-llama-tied", name));
  const config = { ...JSON.parse(read("config.json").toString()), vocab_size: 300_000 };
  const file = read("model.safetensors");
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<string, { shape: number[]; data_offsets: [number, number] }>;
  delete header["__metadata__"];
  const parts: Buffer[] = [];
  let end = 0;
  for (const [name, tensor] of Object.entries(header)) {
    const [from, to] = tensor.data_offsets;
    let data = file.subarray(start + from, start + to);
    if (name === "model.embed_tokens.weight") {
      data = Buffer.concat([data], config.vocab_size * config.hidden_size * 4);
      tensor.shape[0] = config.vocab_size;
    }
    tensor.data_offsets = [end, (end += data.length)];
    parts.push(data);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const files = {
    "config.json": Buffer.from(JSON.stringify(config)),
    "tokenizer.json": read("tokenizer.json"),
    "model.safetensors": Buffer.concat([length, text, ...parts]),
  };
  return Object.entries(files).map(([name, buffer]) => ({ name, mimeType: "", buffer }));
}

async function loadLargeModel(page: Page): Promise<void> {
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(largeModel());
  await expect(page.locator("body")).not.toHaveAttribute("data-model", "lesson-planted");
  await idle(page);
}

test("a graphics card is not tried for a small model, and for a larger one asked for until it is there", async ({ page, hub }) => {
  hub.stub = withoutAdapter(4);
  await open(page, hub, "auto");
  await useItems(page, ITEMS);
  await step(page, "model");
  const device = page.locator("model-device");
  await expect(device).toContainText("Larger models are tried on the graphics card as well");
  await expect(page.locator(".device-chip")).toContainText("WebAssembly");
  await loadLargeModel(page);
  // It was compared with the processor; which of the two is taken is the machine's.
  await expect(device).toContainText(/faster on this model's shapes: [\d.]+ ms, and .+ takes [\d.]+ ms/);
  // The engine with the graphics card has the items of the one that was there before.
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 4");
  await noError(page);
});

test("of two devices the page takes the faster one for the model, and says why", async ({ page, hub }) => {
  hub.stub = SLOW_GPU;
  await open(page, hub, "auto");
  await loadLargeModel(page);
  await expect(page.locator(".device-chip")).toContainText("WebAssembly");
  const told = await page.locator("model-device").innerText();
  const [, processor, card] =
    /Chosen because .* shapes: ([\d.]+) ms, and WebGPU \(google, swiftshader\) takes ([\d.]+) ms/.exec(told) ?? [];
  expect(Number(processor), told).toBeLessThan(Number(card));
  // Two answers are waited for.
  expect(Number(card)).toBeGreaterThan(2 * SLOW_MS);
});

test("without an adapter the page computes all the same, and says why", async ({ page, hub }) => {
  hub.stub = withoutAdapter(10_000);
  await open(page, hub, "auto");
  await expect(page.locator(".device-chip")).toContainText("WebAssembly");
  await step(page, "model");
  await expect(page.locator("model-device")).toContainText("WebGPU is not used: the browser has no graphics card for it");
  await control(page, "device").selectOption("webgpu");
  await expect(page.locator(".banner.error")).toContainText("WebGPU cannot be used");
  await ready(page);
  await expect(page.locator(".device-chip")).toContainText("WebAssembly");
});

/** Starts a long attribution and cancels it after so many milliseconds; how long it then took to end, in milliseconds. */
function cancelAfter(page: Page, delay_ms: number): Promise<number> {
  return page.evaluate(async (delay) => {
    const press = (key: string): void => document.querySelector<HTMLButtonElement>(`[data-key=${key}]`)?.click();
    press("attribute");
    await new Promise((resolve) => setTimeout(resolve, delay));
    const start = performance.now();
    press("cancel");
    const { dataset } = document.body;
    while (dataset["job"] === "running" && performance.now() - start < 10_000) await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - start;
  }, delay_ms);
}

test("a cancel is never lost, however early it comes", async ({ page, hub }) => {
  await open(page, hub, "wasm");
  let starts = 0;
  page.on("worker", () => {
    starts += 1;
  });
  await step(page, "attribution");
  await control(page, "preset").selectOption("paper");
  await setNumber(page, "steps", 1000);
  for (const delay of [0, 0, 1, 2, 4, 8, 16, 24, 36, 60, 100]) {
    expect(await cancelAfter(page, delay), `cancelled after ${delay} ms`).toBeLessThan(1500);
    await expect(page.locator("body")).toHaveAttribute("data-job", "none");
  }
  await noError(page);
  // Nor did it take the engine with it.
  expect(starts).toBe(0);
});

test("a cancel while one piece of a job is computed keeps the next from being asked for", async ({ page, hub }) => {
  await open(page, hub, "wasm");
  await step(page, "attribution");
  await page.evaluate(() => {
    const asked: string[] = [];
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message: { request?: { method?: string } }) {
      postMessage.call(this, message);
      const method = message.request?.method;
      if (method) asked.push(method);
      if (method === "score") document.querySelector<HTMLButtonElement>("[data-key=cancel]")?.click();
    };
    Object.assign(window, { asked });
  });
  await control(page, "attribute").click();
  await idle(page, 5000);
  const asked = await page.evaluate(() => (window as unknown as { asked: string[] }).asked);
  expect(asked).toContain("score");
  expect(asked).not.toContain("attribute");
  await expect(page.locator("body")).toHaveAttribute("data-engine", "ready");
});

test("a job that waits for the network and not for the engine is cancelled, too", async ({ page, hub }) => {
  await open(page, hub, "wasm");
  await step(page, "result");
  await control(page, "make-link").click();
  await expect(control(page, "link")).toHaveValue(/#s1\./);
  const { hash } = new URL(await control(page, "link").inputValue());
  await page.route("**/models/items/*.jsonl", () => undefined);
  await page.goto("about:blank");
  await page.goto(`${hub.origin}/secateur/?device=wasm${hash}`);
  await expect(page.locator("job-bar")).toContainText("Re-running the study");
  await control(page, "cancel").click();
  await idle(page, 5000);
  await expect(control(page, "run-link")).toBeEnabled();
});
