// A link beside a study of one's own: neither takes the other's place.

import { expect, test, type Page } from "@playwright/test";
import { control, hold, idle, kept, noError, open, ready, step, useItems } from "./support";

const OWN = [1, 2, 3].map((index) => JSON.stringify({ id: `own${index}`, context: "bench ship", choices: ["milk", "elm"], gold: 0 })).join("\n");

/** A link to the lesson's study. */
async function lessonLink(page: Page): Promise<string> {
  await open(page, "wasm");
  await step(page, "result");
  await control(page, "make-link").click();
  const link = new URL(await control(page, "link").inputValue());
  link.searchParams.set("device", "wasm");
  return link.href;
}

test("one's own study comes back however often a link beside it is run", async ({ page }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await kept(page);
  await page.goto("about:blank");
  await page.goto(link);
  await ready(page);
  const verdict = page.locator(".verdict");
  await expect(verdict).toBeVisible({ timeout: 100_000 });
  await control(page, "again").click();
  await idle(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(verdict).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await noError(page);
  await control(page, "earlier").click();
  await expect(page.locator("step-items table.sets tbody tr")).toHaveCount(1);
  await expect(page.locator("tr[data-set=pasted] td.number").first()).toHaveText("3");
});

test("a link's study whose items were changed is one's own: a reload brings it back, and the one before is still there", async ({ page }) => {
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await kept(page);
  await page.goto("about:blank");
  await page.goto(link);
  await ready(page);
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await step(page, "items");
  await control(page, "delete-0").click();
  const size = page.locator("tr[data-set=attribution] td.number").first();
  await expect(size).toHaveText("31");
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(size).toHaveText("31");
  await step(page, "start");
  await control(page, "earlier").click();
  await expect(page.locator("tr[data-set=pasted] td.number").first()).toHaveText("3");
});

test("a link that is opened while a job runs is opened once that is done", async ({ page }) => {
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  await expect(page.locator(".banner.notice")).toContainText("once the job under way is done");
  await expect(page.locator("link-panel h1")).toHaveCount(0);
  await release();
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await noError(page);
  await control(page, "earlier").click();
  await expect(page.locator("[data-step=scores]")).toHaveAttribute("aria-current", "step");
  await idle(page);
  await step(page, "items");
  await expect(page.locator("tr[data-set=pasted] td.number").first()).toHaveText("3");
});

test("a link that is opened while a job runs is opened after its cancel, too", async ({ page }) => {
  const link = await lessonLink(page);
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  await control(page, "cancel").click();
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await noError(page);
  await release();
});
