// What the browser tests share: a page that is ready, and the numbers it shows.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test as base, type Download, type Locator, type Page } from "@playwright/test";

/** What a project of `playwright.config.ts` may ask for. */
export interface Options {
  /** The page has one core, as where it cannot be isolated, and no relaxed SIMD. */
  plain: boolean;
}

/** A test whose page is plain where its project says so. */
export const test = base.extend<Options>({
  plain: [false, { option: true }],
  page: async ({ page, plain }, use) => {
    if (plain) await makePlain(page);
    await use(page);
  },
});

async function makePlain(page: Page): Promise<void> {
  await page.route(
    () => true,
    async (route) => {
      if (route.request().resourceType() !== "document") return route.fallback();
      const response = await route.fetch();
      const headers = Object.entries(response.headers()).filter(([name]) => !name.startsWith("cross-origin-"));
      return route.fulfill({ response, headers: Object.fromEntries(headers) });
    },
  );
  await page.addInitScript(() => {
    const address = new URL(location.href);
    address.searchParams.set("simd", "plain");
    if (location.protocol.startsWith("http")) history.replaceState(null, "", address);
  });
}

export type Device = "webgpu" | "wasm";

/** Opens the page and waits until the engine and the shipped model are there. */
export async function open(page: Page, device: Device): Promise<void> {
  await page.goto(`./?device=${device}`);
  await ready(page);
}

export async function ready(page: Page): Promise<void> {
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-engine", "ready", { timeout: 60_000 });
  await expect(body).toHaveAttribute("data-model", /./, { timeout: 60_000 });
  await idle(page);
}

/** A real model, as `cargo xtask model smollm2-135m-instruct` fetches it. */
export const MODEL = resolve("models/cache/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");

/** Opens it in the page. */
export async function openModel(page: Page, timeout: number): Promise<void> {
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(MODEL);
  await expect(page.locator("body")).toHaveAttribute("data-model", "smollm2-135m-instruct", { timeout });
  await idle(page, timeout);
  await noError(page);
}

/** Waits until no job runs. */
export async function idle(page: Page, timeout = 100_000): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-job", "none", { timeout });
}

/** Waits until the study is where a reload finds it. */
export async function kept(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-study", "saved");
}

/**
 * From now on the engine gets no call of `method`, nor what is asked of it after that, until the function that this
 * returns is called: a job that is under way for as long as a test needs. A cancel overtakes, as everywhere.
 */
export async function hold(page: Page, method: string): Promise<() => Promise<void>> {
  await page.evaluate((name) => {
    const { postMessage } = Worker.prototype;
    const held: [Worker, unknown][] = [];
    Worker.prototype.postMessage = function (message: { request?: { kind: string; method?: string } }) {
      const isBehind = message.request !== undefined && held.some(([worker]) => worker === this);
      if (isBehind || message.request?.method === name) held.push([this, message]);
      else postMessage.call(this, message);
    };
    Object.assign(window, {
      release: () => {
        Worker.prototype.postMessage = postMessage;
        for (const [worker, message] of held) postMessage.call(worker, message);
      },
    });
  }, method);
  return () => page.evaluate(() => (window as unknown as { release: () => void }).release());
}

/** No error is on screen. */
export async function noError(page: Page): Promise<void> {
  await expect(page.locator(".banner.error")).toHaveCount(0);
}

export async function step(page: Page, name: string): Promise<void> {
  await page.click(`[data-step="${name}"]`);
}

/** Scores all item sets. */
export async function score(page: Page): Promise<void> {
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await noError(page);
}

/** Attributes the items with the preset `fast`, whatever their confidence. */
export async function attributeFast(page: Page): Promise<void> {
  await step(page, "attribution");
  await control(page, "preset").selectOption("fast");
  await setNumber(page, "threshold", 0);
  await control(page, "attribute").click();
  await idle(page);
  await noError(page);
}

/** A control by its stable key. */
export function control(page: Page, key: string): Locator {
  return page.locator(`[data-key="${key}"]`);
}

/** Types a number and leaves the field. */
export async function setNumber(page: Page, key: string, value: number): Promise<void> {
  await control(page, key).fill(String(value));
  await control(page, key).press("Tab");
}

/** The first lines of a bundled sample. */
export async function sampleLines(page: Page, name: string, count: number): Promise<string> {
  const response = await page.request.get(new URL(`models/items/${name}.jsonl`, page.url()).href);
  expect(response.ok(), `${name} is bundled`).toBe(true);
  return (await response.text()).split("\n").slice(0, count).join("\n");
}

/** Replaces all item sets by pasted lines, which take all three roles. */
export async function useItems(page: Page, lines: string): Promise<void> {
  await step(page, "items");
  const pasted = page.locator("tr[data-set=pasted]");
  await control(page, "remove-all").click();
  await expect(pasted).toHaveCount(0);
  await page.locator("step-items textarea").first().fill(lines);
  await control(page, "add-pasted").click();
  // What an earlier call added is still told of.
  await expect(pasted).toHaveCount(1);
  await expect(page.locator(".line-errors")).toContainText("added");
}

export async function readDownload(download: Download): Promise<string> {
  return readFile(await download.path(), "utf8");
}

/** Downloads what a button saves, and reads it as JSON. */
export async function saved<T>(page: Page, key: string): Promise<T> {
  const waiting = page.waitForEvent("download");
  await control(page, key).click();
  return JSON.parse(await readDownload(await waiting)) as T;
}

/** What a call of the engine answers, within the page. */
interface Answer {
  result: object;
  seconds: number;
}

export interface PageWithEngine {
  askEngine: (method: string, values: unknown[]) => Promise<Answer>;
}

/** From the next load on the page's worker can be asked directly. Call it before the page is opened. */
export async function reachEngine(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    const page = window as unknown as { engineWorker: Worker };
    Worker.prototype.postMessage = function (this: Worker, ...message: []): void {
      page.engineWorker = this;
      post.apply(this, message);
    } as typeof post;
    const askEngine = async (method: string, values: unknown[]): Promise<Answer> => {
      const started = performance.now();
      const id = 1_000_000 + started;
      const result = await new Promise<object>((done, failed) => {
        page.engineWorker.addEventListener("message", ({ data }: MessageEvent) => {
          if (data.id !== id || "progress" in data) return;
          if (data.error) failed(new Error(data.error.message));
          else done(data.value);
        });
        page.engineWorker.postMessage({ id, request: { kind: "call", method, arguments: values } });
      });
      return { result, seconds: (performance.now() - started) / 1000 };
    };
    Object.assign(page, { askEngine });
  });
}

/**
 * Calls a method of the engine in the page's worker, since the page shows answers and not residual streams: its result,
 * with arrays for typed arrays, and the seconds that it took.
 */
export async function callEngine<T>(page: Page, method: string, ...values: unknown[]): Promise<{ result: T; seconds: number }> {
  return page.evaluate(
    async ([name, given]) => {
      const { result, seconds } = await (window as unknown as PageWithEngine).askEngine(name, given);
      const plain = Object.entries(result ?? {}).map(([key, value]) => [key, value instanceof Float32Array ? [...value] : value]);
      return { result: (Array.isArray(result) ? result : Object.fromEntries(plain)) as T, seconds };
    },
    [method, values] as const,
  );
}
