// Several cores: the same numbers as on one, on hosts that send the headers for it and on those that do not.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { expect, test, type Page } from "@playwright/test";
import { attributeFast, ready, sampleLines, saved, step, useItems } from "./support";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** The page on a host that sends no headers of its own. */
async function plainHost(): Promise<{ url: string; stop(): Promise<unknown> }> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://host");
    const name = pathname === "/" ? "/index.html" : pathname;
    try {
      const body = await readFile(join("dist", name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

interface Report {
  attribution: { scores: number[][] };
}

/** What an attribution on so many threads comes to. */
async function attribution(page: Page, threads: number): Promise<number[][]> {
  await page.goto(`./?device=wasm&threads=${threads}`);
  await ready(page);
  await step(page, "model");
  await expect(page.locator("model-device")).toContainText(threads === 1 ? "one core" : `${threads} threads`);
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
  await attributeFast(page);
  await step(page, "result");
  return (await saved<Report>(page, "save-report")).attribution.scores;
}

test("on several threads the numbers are those of one, bit for bit", async ({ page }) => {
  const alone = await attribution(page, 1);
  expect(alone.flat().filter((score) => score !== 0).length).toBeGreaterThan(500);
  expect(page.workers()).toHaveLength(1);
  expect(await attribution(page, 3)).toEqual(alone);
  // The engine's own, and one for each other.
  expect(page.workers()).toHaveLength(3);
});

test("a host that sends no headers has several threads all the same, and a browser without service workers one", async ({ browser }) => {
  const host = await plainHost();
  try {
    for (const serviceWorkers of ["allow", "block"] as const) {
      const context = await browser.newContext({ serviceWorkers });
      const page = await context.newPage();
      await page.goto(`${host.url}?device=wasm&threads=2`);
      await ready(page);
      await step(page, "model");
      const isAllowed = serviceWorkers === "allow";
      await expect(page.locator("model-device")).toContainText(isAllowed ? "2 threads" : "one core");
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(isAllowed);
      // A reload with Shift, some time later, goes past the service worker.
      await page.clock.setFixedTime(Date.now() + 120_000);
      const client = await context.newCDPSession(page);
      await page.evaluate(() => Object.assign(window, { isBefore: true }));
      await client.send("Page.reload", { ignoreCache: true });
      await page.waitForFunction(() => !("isBefore" in window));
      await expect(page.locator("model-device")).toContainText(isAllowed ? "2 threads" : "one core");
      await context.close();
    }
  } finally {
    await host.stop();
  }
});
