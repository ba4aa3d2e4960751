// A real language model in the tab, by the file picker: the page's numbers are the command line's.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "@playwright/test";
import { control, idle, noError, open, ready, saved, step, useItems } from "./support";

const MODEL = resolve("models/cache/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
/** Items and their log-likelihoods, written by `secateur score`. */
const NUMBERS = resolve("tests/fixtures/smollm2_page.json");

interface Numbers {
  items: { id: string; context: string; choices: string[]; gold: number }[];
  scores: { items: { id: string; predicted: number; choices: { log_likelihood: number }[] }[] };
}

test("SmolLM2 on WebAssembly scores as on the command line", async ({ page }) => {
  test.skip(Boolean(process.env["SECATEUR_NO_SMOLLM2"]), "the model could not be fetched");
  test.skip(!existsSync(MODEL), "cargo xtask model smollm2-135m-instruct has not been run");
  test.skip(!existsSync(NUMBERS), "there are no numbers to compare with");
  test.setTimeout(600_000);
  const expected = JSON.parse(readFileSync(NUMBERS, "utf8")) as Numbers;
  await open(page, "wasm");
  await step(page, "model");
  await page.locator("step-model input[type=file]").setInputFiles(MODEL);
  await expect(page.locator("body")).toHaveAttribute("data-model", "smollm2-135m-instruct", { timeout: 300_000 });
  await idle(page, 300_000);
  await noError(page);
  await expect(page.locator(".loaded")).toContainText("as in the catalogue");
  await expect(page.locator(".stored")).toContainText("98.4 MB");

  await useItems(page, expected.items.map((item) => JSON.stringify(item)).join("\n"));
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page, 300_000);
  await noError(page);
  await step(page, "result");
  const found = await saved<{ baseline: Numbers["scores"][] }>(page, "save-report");
  const items = found.baseline[0]?.items ?? [];
  expect(items).toHaveLength(expected.items.length);
  for (const [index, item] of expected.scores.items.entries()) {
    expect(items[index]?.predicted).toBe(item.predicted);
    for (const [choice, { log_likelihood }] of item.choices.entries()) {
      const own = items[index]?.choices[choice]?.log_likelihood ?? Number.NaN;
      expect(Math.abs(own - log_likelihood), `${item.id}, choice ${choice}`).toBeLessThan(2e-3);
    }
  }

  // It is kept: a reload brings it back without the file.
  await page.waitForTimeout(800);
  await page.reload();
  await ready(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "smollm2-135m-instruct");
});
