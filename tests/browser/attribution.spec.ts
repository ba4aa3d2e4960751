// How neurons are scored: to a tolerance, and by other methods than the paper's.

import { expect } from "@playwright/test";
import { DEFAULT_SETTINGS } from "../../www/src/services/edited";
import { attributeFast, control, idle, noError, open, sampleLines, saved, setNumber, step, test, useItems } from "./support";

interface Report {
  attribution: {
    settings: { method: string; rule: string; tolerance?: number };
    gaps: { difference: number; gap: number; nodes: number }[];
    scores: number[][];
  };
}

test("a layer takes as many steps as the tolerance asks for, and another method has none", async ({ page, plain }) => {
  await open(page, "wasm");
  await step(page, "model");
  const kernels = page.locator("model-device");
  await expect(kernels).toContainText(plain ? "WebAssembly SIMD, one core" : /WebAssembly (relaxed )?SIMD/);
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
  await step(page, "attribution");
  await control(page, "preset").selectOption("paper");
  await control(page, "path").selectOption("per_layer");
  await control(page, "quadrature").selectOption("adaptive");
  await setNumber(page, "tolerance", 0.002);
  await setNumber(page, "threshold", 0);
  await control(page, "attribute").click();
  await expect(page.locator("[data-result=attribution]")).toContainText("to a gap of 0.2 %");
  await idle(page);
  await noError(page);
  const steps = await page.locator("completeness-gaps tbody tr td:last-child").allInnerTexts();
  expect(steps).toHaveLength(4);
  for (const text of steps) expect(Number(text)).toBeGreaterThanOrEqual(8);
  await step(page, "result");
  const adaptive = (await saved<Report>(page, "save-report")).attribution;
  expect(adaptive.settings).toMatchObject({ method: "integrated_gradients", rule: "adaptive", tolerance: 0.002 });
  for (const { gap, difference } of adaptive.gaps) expect(gap).toBeLessThanOrEqual(0.002 * difference + 1e-3);

  await step(page, "attribution");
  await control(page, "method").selectOption("wanda");
  // What it does not know is not asked for.
  for (const key of ["path", "site", "target", "quadrature", "tolerance", "steps"]) await expect(control(page, key)).toHaveCount(0);
  await control(page, "attribute").click();
  await expect(page.locator("[data-result=attribution]")).toContainText("Wanda score, all");
  await idle(page);
  await noError(page);
  await expect(page.locator("completeness-gaps")).toContainText("no parts of a whole");
  await step(page, "result");
  const wanda = (await saved<Report>(page, "save-report")).attribution;
  expect(wanda.settings.method).toBe("wanda");
  expect(wanda.gaps).toEqual([]);
  expect(Math.min(...wanda.scores.flat())).toBeGreaterThanOrEqual(0);

  // Back to the paper's, with a path again.
  await step(page, "attribution");
  await control(page, "method").selectOption("integrated_gradients");
  await expect(control(page, "quadrature")).toHaveValue("middle");
  await expect(control(page, "steps")).toHaveValue("8");
});

test("the settings of a first visit, which are there before the engine is, are those of its preset", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 2));
  await attributeFast(page);
  await step(page, "result");
  const { preset, ...settings } = DEFAULT_SETTINGS;
  expect(preset).toBe("fast");
  const { attribution } = await saved<{ attribution: { settings: unknown } }>(page, "save-report");
  expect(attribution.settings).toEqual({ ...settings, confidence_threshold: 0 });
});
