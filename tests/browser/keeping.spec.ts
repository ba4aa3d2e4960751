// What was done is there at the next visit: the last change, the study of each tab, those put aside; or the user is told.

import { expect, type Page } from "@playwright/test";
import { resolve } from "node:path";
import { withHub, type HubServer } from "./hub-server";
import { control, hold, idle, kept, noError, ready, sampleLines, score, setNumber, step, useItems } from "./support";

const test = withHub(() => ({}));

const item = (id: number): string => `{"id":"${id}","context":"bench ship","choices":["milk","elm"],"gold":0}`;

function items(count: number): string {
  return Array.from({ length: count }, (_, index) => item(index)).join("\n");
}

async function open(page: Page, hub: HubServer, hash = ""): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`${hub.origin}/secateur/?device=wasm${hash}`);
  await ready(page);
}

/** A study with so many items, kept. */
async function own(page: Page, hub: HubServer, count: number): Promise<void> {
  await open(page, hub);
  await useItems(page, items(count));
  await idle(page);
  await kept(page);
}

async function expectItems(page: Page, count: number): Promise<void> {
  await step(page, "items");
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText(String(count));
}

test("the last change before a reload or the end of a tab is kept, however late it comes", async ({ page, hub, context }) => {
  test.setTimeout(300_000);
  await own(page, hub, 20);
  let left = 20;
  for (const delay of [0, 5, 20, 60]) {
    const reloaded = page.waitForEvent("load");
    await page.evaluate((ms) => {
      const press = (): void => document.querySelector<HTMLButtonElement>("[data-key=delete-0]")?.click();
      const end = (): void => {
        press();
        if (ms === 0) location.reload();
        else setTimeout(() => location.reload(), ms);
      };
      press();
      setTimeout(end, 10);
    }, delay);
    left -= 2;
    await reloaded;
    await ready(page);
    await expectItems(page, left);
  }
  await page.evaluate(() => {
    document.querySelector<HTMLButtonElement>("[data-key=delete-0]")?.click();
    document.querySelector<HTMLButtonElement>("[data-key=delete-0]")?.click();
  });
  await page.close();
  const next = await context.newPage();
  await open(next, hub);
  await expectItems(next, left - 2);
});

test("how items are asked, changed while the engine is busy, is kept at once", async ({ page, hub }) => {
  await open(page, hub);
  await useItems(page, Array.from({ length: 4 }, (_, id) => item(id).replace("bench", `bench ${id}`)).join("\n"));
  await step(page, "scores");
  await hold(page, "score");
  await control(page, "score").click();
  await control(page, "rule").selectOption("per_byte");
  await step(page, "items");
  await control(page, "open-pasted").click();
  await control(page, "template").selectOption("plain@1");
  await setNumber(page, "few-shot-k", 1);
  await setNumber(page, "few-shot-seed", 7);
  await kept(page);
  await page.reload();
  await ready(page);
  await step(page, "items");
  await control(page, "open-pasted").click();
  await expect(control(page, "template")).toHaveValue("plain@1");
  await expect(control(page, "few-shot-k")).toHaveValue("1");
  await expect(control(page, "few-shot-seed")).toHaveValue("7");
  await step(page, "scores");
  await expect(control(page, "rule")).toHaveValue("per_byte");
  await score(page);
  await expect(page.locator("table.summary td.in-use")).toHaveAttribute("data-rule", "per_byte");
});

test("what is being typed when the page is reloaded is taken", async ({ page, hub }) => {
  await own(page, hub, 2);
  await control(page, "edit-0").click();
  await control(page, "edit-context").fill("typed");
  await page.reload();
  await ready(page);
  await step(page, "items");
  await expect(page.locator("item-list .item").first()).toContainText("typed");
});

test("a second tab keeps its study once the first is closed, without another change", async ({ page, hub, context }) => {
  await own(page, hub, 4);
  const second = await context.newPage();
  await open(second, hub);
  await expect(second.locator(".banner.notice")).toContainText("open in another tab");
  await useItems(second, items(5));
  await idle(second);
  // A reload of the first hands nothing over.
  await page.reload();
  await ready(page);
  await expectItems(page, 4);
  await expect(page.locator(".banner.notice")).toHaveCount(0);
  await expect(second.locator(".banner.notice")).toHaveCount(1);

  await page.close();
  await expect(second.locator(".banner.notice")).toHaveCount(0);
  await kept(second);
  await second.reload();
  await ready(second);
  await expectItems(second, 5);
  await step(second, "start");
  await control(second, "earlier").click();
  await expect(second.locator("[data-step=items]")).toContainText("4 items");
});

test("a second tab that was only looked at puts no older study in the place of the first one's", async ({ page, hub, context }) => {
  await own(page, hub, 4);
  const second = await context.newPage();
  await open(second, hub);
  await expect(second.locator(".banner.notice")).toContainText("open in another tab");
  await step(page, "items");
  await control(page, "delete-0").click();
  await kept(page);
  await page.close();
  await expect(second.locator(".banner.notice")).toHaveCount(0);
  await second.reload();
  await ready(second);
  await expectItems(second, 3);
});

test("a page whose reload takes long finds its own study, and puts nothing aside", async ({ page, hub }) => {
  await page.addInitScript(() => {
    const { request } = LockManager.prototype;
    LockManager.prototype.request = function (...values: unknown[]) {
      const isFirst = values.some((value) => typeof value === "object" && value !== null && "signal" in value);
      if (isFirst && "isSlow" in sessionStorage) return Promise.reject(new Error("another page has it"));
      return request.apply(this, values as never);
    } as typeof request;
  });
  await own(page, hub, 4);
  await page.evaluate(() => sessionStorage.setItem("isSlow", "yes"));
  await page.reload();
  await ready(page);
  await expect(page.locator(".banner.notice")).toContainText("open in another tab");
  await step(page, "items");
  await control(page, "delete-0").click();
  await expect(page.locator(".banner.notice")).toHaveCount(0);
  await kept(page);
  await step(page, "start");
  await expect(control(page, "earlier")).toHaveCount(0);
});

/** The browser's storage has no room for studies that are put aside. */
function withoutRoom(): void {
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
    if (key === "earlier") throw new DOMException("no room", "QuotaExceededError");
    return put.call(this, value, key);
  };
}

/** A link to the lesson's study. */
async function lessonLink(page: Page, hub: HubServer): Promise<string> {
  await open(page, hub);
  await step(page, "result");
  await control(page, "make-link").click();
  await expect(control(page, "link")).toHaveValue(/#s1\./);
  return new URL(await control(page, "link").inputValue()).hash;
}

test("a study that cannot be put aside stays, and nothing takes its place", async ({ page, hub }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page, hub);
  await useItems(page, items(3));
  await kept(page);
  await page.addInitScript(withoutRoom);
  await page.reload();
  await ready(page);
  await page.evaluate((hash) => {
    location.hash = hash;
  }, link);
  await expect(page.locator(".banner.error")).toContainText("Your own study cannot be put aside", { timeout: 100_000 });
  await idle(page);
  await expectItems(page, 3);
  await step(page, "start");
  await expect(page.locator(".verdict")).toHaveCount(0);
  await control(page, "close-link").click();
  await control(page, "lesson").click();
  await expect(page.locator(".banner.error")).toContainText("Your own study cannot be put aside");
  await expectItems(page, 3);
  await page.reload();
  await ready(page);
  await expectItems(page, 3);
});

test("starting over with the lesson puts one's own study aside", async ({ page, hub }) => {
  await own(page, hub, 3);
  await step(page, "start");
  await control(page, "lesson").click();
  await expect(page.locator("[data-step=items]")).not.toContainText("3 items");
  await idle(page);
  await page.reload();
  await ready(page);
  // The lesson as it came is nobody's own study.
  await control(page, "lesson").click();
  await idle(page);
  await control(page, "earlier").click();
  await expect(page.locator("[data-step=items]")).toContainText("3 items");
  await idle(page);
  await expect(control(page, "earlier")).toHaveCount(0);
  await expectItems(page, 3);
});

test("a study is back whatever its size, also where a transaction is complete before its value is there", async ({ page, hub }) => {
  await open(page, hub);
  const long = Array.from({ length: 2000 }, (_, id) => item(id)).join("\n");
  await useItems(page, long);
  await idle(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await noError(page);
  await expectItems(page, 2000);
});

test("storage that never answers is told soon, and nothing is written over what it holds", async ({ page, hub, context }) => {
  await own(page, hub, 3);
  await page.close();
  const silent = await context.newPage();
  await silent.addInitScript(() => {
    IDBFactory.prototype.open = () => ({}) as IDBOpenDBRequest;
  });
  await silent.goto(`${hub.origin}/secateur/?device=wasm`);
  await expect(silent.locator(".banner.notice")).toContainText("storage cannot be read", { timeout: 8000 });
  await ready(silent);
  await useItems(silent, items(5));
  await score(silent);
  await silent.close();
  const next = await context.newPage();
  await open(next, hub);
  await expectItems(next, 3);
});

test("storage of files that never answers is told, and the page works without it", async ({ page, hub }) => {
  hub.stub = "StorageManager.prototype.getDirectory = () => new Promise(() => undefined);\n";
  await open(page, hub);
  await expect(page.locator(".banner.notice")).toContainText("storage of files does not answer");
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(resolve("tests/fixtures/tiny-gpt2/model.gguf"));
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await idle(page);
  await noError(page);
});

test("that a model is not kept stays on screen, whatever is told after it", async ({ page, hub }) => {
  hub.stub = "navigator.storage.estimate = async () => ({ quota: 50_000, usage: 45_000 });\n";
  await open(page, hub);
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(resolve("tests/fixtures/tiny-gpt2/model.gguf"));
  const notices = page.locator(".banner.notice");
  await expect(notices.filter({ hasText: "is not kept for the next visit" })).toHaveCount(1);
  // The model's first items are told of as well.
  await expect(notices.filter({ hasText: "took their place" })).toHaveCount(1);
  await idle(page);
  await expect(notices.filter({ hasText: "is not kept for the next visit" })).toHaveCount(1);
});

test("a study with results that the storage has no room for is told of, and kept once there is room", async ({ page, hub }) => {
  await page.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
      if (key === "current" && !("hasRoom" in window)) throw new DOMException("no room", "QuotaExceededError");
      return put.call(this, value, key);
    };
  });
  await open(page, hub);
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 3));
  await expect(page.locator(".banner.notice")).toContainText("does not keep the study");
  await page.evaluate(() => Object.assign(window, { hasRoom: true }));
  await step(page, "items");
  await control(page, "delete-0").click();
  await expect(page.locator(".banner.notice")).toHaveCount(0);
  await kept(page);
});
