// What a sceptic asks of a study, by keyboard alone: why this method, what drives the answers, and is the best cell more than luck.

import { expect, test, type Page } from "@playwright/test";
import type { Report } from "../../www/src/wire/engine";
import { control, idle, kept, noError, open, ready, saved, step } from "./support";

/** Presses a key on a control, as who has no mouse. */
async function press(page: Page, key: string, what = "Enter"): Promise<void> {
  await control(page, key).focus();
  await page.keyboard.press(what);
}

/** Opens the panel that a view is folded into. */
async function unfold(page: Page, view: string): Promise<void> {
  await page.locator(`${view} summary`).focus();
  await page.keyboard.press("Enter");
}

async function goTo(page: Page, name: string): Promise<void> {
  await page.locator(`[data-step="${name}"]`).focus();
  await page.keyboard.press("Enter");
}

async function type(page: Page, key: string, text: string): Promise<void> {
  await control(page, key).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
  await page.keyboard.press("Tab");
}

test("every method runs against exact ablation in one layer, and the race outlives a reload", async ({ page }) => {
  await open(page, "wasm");
  await goTo(page, "attribution");
  await unfold(page, "method-race");
  await type(page, "race-layers", "9");
  await expect(page.locator("[data-key=race-layers] + .warning")).toContainText("from 0 to 3");
  await type(page, "race-layers", "3");
  await type(page, "race-percent", "10");
  await press(page, "race");
  await idle(page);
  await noError(page);
  const result = page.locator("[data-result=race]");
  await expect(result.locator(".finding")).toContainText("chance finds 10 %");
  await expect(result.locator("tr[data-method]")).toHaveCount(9);
  await expect(result).toContainText("layer 3; ablated: Exact ablation");
  // Random numbers find what chance does, and Integrated Gradients more.
  const correlation = async (method: string): Promise<number> =>
    Number.parseFloat((await result.locator(`tr[data-method=${method}] td`).first().innerText()).replace("−", "-"));
  expect(Math.abs(await correlation("random"))).toBeLessThan(0.2);
  expect(await correlation("integrated_gradients")).toBeGreaterThan(await correlation("random"));
  await expect(result.locator(".race-chart circle")).toHaveCount(18);
  const before = await result.innerText();
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(result).toBeVisible();
  expect(await result.innerText()).toBe(before);
  // It is of these items and of this model, not of the attribution.
  await control(page, "preset").selectOption("fast");
  await expect(result).toBeVisible();
});

test("a set is audited without its questions", async ({ page }) => {
  await open(page, "wasm");
  await goTo(page, "scores");
  await unfold(page, "items-audit");
  await press(page, "audit");
  await idle(page);
  await noError(page);
  const result = page.locator("[data-result=audit]");
  await expect(result.locator(".finding")).not.toBeEmpty();
  await expect(result.locator("tr")).toHaveCount(4);
  await expect(result.locator("tr").nth(1).locator("svg")).toHaveAttribute("aria-label", /guessing has 25.0 %/);
  await expect(result).toContainText("shows the model no list");
  await expect(result).toContainText("equally long");
  await goTo(page, "start");
  await goTo(page, "scores");
  await expect(result).toBeVisible();
});

test("a search by other rules and by halving says its cost before, and its best cell is taken as it was tried", async ({ page }) => {
  test.setTimeout(240_000);
  await open(page, "wasm");
  await goTo(page, "pruning");
  await unfold(page, "layer-search");
  await type(page, "percents", "5");
  await type(page, "search-windows", "1, 2");
  await type(page, "search-shares", "0.01");
  await control(page, "search-halving").check();
  await control(page, "search-operation").selectOption("scale");
  await type(page, "search-factor", "-1");
  await expect(page.locator("[data-result=search-cost]")).toContainText(
    /Cost: \d+ runs of an item under a mask.*with every cell on every item/,
  );
  await press(page, "search");
  await idle(page);
  await noError(page);
  await expect(page.locator("layer-search h3")).toHaveText([
    "Top of a layer by score",
    "Top of several layers together",
    "Above a share of the largest score",
  ]);
  await page.locator("layer-search .cell.best").click();
  await idle(page);
  await noError(page);
  await expect(page.locator("layer-search .cell.best")).toHaveAttribute("aria-pressed", "true");
  await goTo(page, "result");
  const study = await saved<{ search?: unknown; pruning?: { mask: { operation: string; factor?: number } } }>(page, "save-study");
  expect(study.search).toMatchObject({
    percents: [5],
    windows: [1, 2],
    shares: [0.01],
    halving: true,
    operation: "scale",
    factor: -1,
  });
  expect(study.pruning?.mask).toMatchObject({ operation: "scale", factor: -1 });
});

test("a search by measured harm measures every neuron first, and prunes by what was measured", async ({ page }) => {
  test.setTimeout(300_000);
  await open(page, "wasm");
  await goTo(page, "pruning");
  await unfold(page, "layer-search");
  await type(page, "percents", "5");
  await control(page, "search-harm").check();
  await expect(page.locator("[data-result=search-cost]")).toContainText("before it every neuron's effect is measured");
  await press(page, "search");
  await idle(page, 200_000);
  await noError(page);
  await expect(page.locator("layer-search h3")).toHaveText(["Top of a layer by score", "Most harmful of a layer, as measured"]);
  await page.locator("layer-search .cell").last().click();
  await idle(page);
  await noError(page);
  await goTo(page, "result");
  const study = await saved<{ search?: unknown; pruning?: { selection?: unknown } }>(page, "save-study");
  expect(study.search).toMatchObject({ percents: [5], harm: true });
  expect(study.pruning?.selection).toMatchObject({ harmful_percent: 5 });
});

test("a search with random masks says what luck gives, and the study carries them", async ({ page }) => {
  test.setTimeout(240_000);
  await open(page, "wasm");
  await goTo(page, "pruning");
  await expect(page.locator("[data-result=luck]")).toHaveCount(0);
  await type(page, "percents", "2, 5");
  await type(page, "search-control", "3");
  await press(page, "search");
  await idle(page);
  await noError(page);
  await expect(page.locator("[data-result=luck]")).toHaveText(
    /The best cell of 3 random surfaces \(a random mask of its size in every cell\) has [\d.]+ of 64 right on average \(from \d+ to \d+\); the best cell here has \d+\. Not clearly better than luck: 1 of them does/,
  );
  const said = await page.locator("[data-result=luck]").innerText();
  await expect(control(page, "cell-0-5")).toHaveAttribute("title", /random masks of this size: median \d+ right, best \d+/);
  await expect(page.locator("[data-result=tried]")).toContainText("8 masks and 24 random ones");
  // The lesson's model has no words for a text.
  await expect(page.locator("general-ability")).toContainText("knows the words of its quiz alone");
  await expect(control(page, "general")).toHaveCount(0);
  await goTo(page, "result");
  const study = await saved<{ search?: unknown }>(page, "save-study");
  expect(study.search).toEqual({ percents: [2, 5], control: { masks: 3, seed: 1 } });
  await step(page, "result");
  await control(page, "make-link").click();
  const link = new URL(await control(page, "link").inputValue());
  link.searchParams.set("device", "wasm");
  const other = await page.context().browser()?.newContext();
  const opened = await other?.newPage();
  if (!opened) throw new Error("there is no second page");
  await opened.goto(link.href);
  await expect(opened.locator(".verdict")).toHaveAttribute("data-reproduced", "yes", { timeout: 100_000 });
  await goTo(opened, "pruning");
  await expect(control(opened, "search-control")).toHaveValue("3");
  await expect(opened.locator("[data-result=luck]")).toHaveText(said);
});

test("what was asked beside stands in the report, and an audit is run again with it", async ({ page }) => {
  await open(page, "wasm");
  await goTo(page, "scores");
  await unfold(page, "items-audit");
  await press(page, "audit");
  await idle(page);
  await goTo(page, "pruning");
  await control(page, "harm-set").selectOption("shifted");
  await control(page, "harm-positions").selectOption("last");
  await control(page, "harm-layer").selectOption("3");
  await press(page, "harm-measure");
  await idle(page);
  await noError(page);
  await goTo(page, "result");
  const report = await saved<Report>(page, "save-report");
  expect(report.study.audit).toEqual({ set: "in-distribution" });
  expect(report.audit).toMatchObject({ set: "in-distribution", accuracy: { total: 100 } });
  // Of all neurons the counts and the strongest.
  expect(report.effects).toHaveLength(1);
  const { set, items, layers, strongest } = report.effects?.[0] ?? { layers: [], strongest: [] };
  expect([set, items, layers.map(({ layer }) => layer), strongest.length]).toEqual(["shifted", 100, [3], 50]);
  await page
    .locator("step-result input[type=file]")
    .setInputFiles({ name: "a.report.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(report)) });
  await expect(page.locator(".verdict")).toHaveAttribute("data-reproduced", "yes", { timeout: 200_000 });
  await goTo(page, "scores");
  await expect(page.locator("[data-result=audit]")).toBeVisible();
});
