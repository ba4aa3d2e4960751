// A real language model in the tab, by the file picker: the page's numbers are the command line's.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "@playwright/test";
import { control, idle, kept, MODEL, noError, open, openModel, ready, saved, setNumber, step, useItems } from "./support";

/** A few bundled items, and what `secateur score` and `secateur attribute` make of them; `cargo xtask test` has them made. */
const FOLDER = process.env["SECATEUR_SMOLLM2"] ?? "";

interface Scores {
  items: { id: string; predicted: number; choices: { log_likelihood: number }[] }[];
}
interface Attribution {
  settings: { steps: number; confidence_threshold: number };
  items_used: unknown[];
  scores: number[][];
}

function made<T>(name: string): T {
  return JSON.parse(readFileSync(resolve(FOLDER, name), "utf8")) as T;
}

test("SmolLM2 on WebAssembly scores and attributes as on the command line", async ({ page }) => {
  test.skip(FOLDER === "" || !existsSync(MODEL), "the model is not there: cargo xtask model smollm2-135m-instruct");
  test.setTimeout(900_000);
  const expected = made<Scores>("scores.json");
  await open(page, "wasm");
  await openModel(page, 300_000);
  await expect(page.locator(".loaded")).toContainText("as in the catalogue");
  await expect(page.locator(".stored")).toContainText("98.4 MB");

  await useItems(page, readFileSync(resolve(FOLDER, "items.jsonl"), "utf8"));
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page, 300_000);
  await noError(page);
  const attribution = made<Attribution>("attribution.json");
  await step(page, "attribution");
  await control(page, "preset").selectOption("fast");
  await setNumber(page, "steps", attribution.settings.steps);
  await setNumber(page, "threshold", attribution.settings.confidence_threshold);
  await control(page, "attribute").click();
  await idle(page, 500_000);
  await noError(page);
  await step(page, "result");
  const found = await saved<{ baseline: Scores[]; attribution: Attribution }>(page, "save-report");
  const items = found.baseline[0]?.items ?? [];
  expect(items).toHaveLength(expected.items.length);
  for (const [index, item] of expected.items.entries()) {
    expect(items[index]?.predicted).toBe(item.predicted);
    for (const [choice, { log_likelihood }] of item.choices.entries()) {
      const own = items[index]?.choices[choice]?.log_likelihood ?? Number.NaN;
      expect(Math.abs(own - log_likelihood), `${item.id}, choice ${choice}`).toBeLessThan(2e-3);
    }
  }
  expect(found.attribution.settings).toEqual(attribution.settings);
  expect(found.attribution.items_used).toEqual(attribution.items_used);
  for (const [layer, row] of attribution.scores.entries()) {
    const largest = Math.max(...row.map(Math.abs));
    const difference = Math.max(...row.map((score, neuron) => Math.abs((found.attribution.scores[layer]?.[neuron] ?? Number.NaN) - score)));
    expect(difference / largest, `layer ${layer}`).toBeLessThan(1e-3);
  }

  // It is kept: a reload brings it back without the file.
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "smollm2-135m-instruct");
});
