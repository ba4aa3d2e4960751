// A link beside a study of one's own: neither takes the other's place.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, noError, open, ready, step, useItems } from "./support";

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
  await page.waitForTimeout(600);
  await page.goto("about:blank");
  await page.goto(link);
  await ready(page);
  const verdict = page.locator(".verdict");
  await expect(verdict).toBeVisible({ timeout: 100_000 });
  await control(page, "again").click();
  await idle(page);
  await page.waitForTimeout(600);
  await page.reload();
  await ready(page);
  await expect(verdict).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await noError(page);
  await control(page, "earlier").click();
  await idle(page);
  await step(page, "items");
  await expect(page.locator("step-items table.sets tbody tr")).toHaveCount(1);
  await expect(page.locator("tr[data-set=pasted] td.number").first()).toHaveText("3");
});

test("a link that is opened while a job runs says when it can be", async ({ page }) => {
  const link = await lessonLink(page);
  await useItems(page, Array.from({ length: 2500 }, (_, index) => OWN.split("\n")[0]?.replace("own1", `i${index}`)).join("\n"));
  await step(page, "scores");
  await control(page, "score").click();
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  await expect(page.locator(".banner.notice")).toContainText("once the job under way is done");
  await control(page, "cancel").click();
  await idle(page);
  await expect(page.locator(".verdict")).toHaveCount(0);
});
