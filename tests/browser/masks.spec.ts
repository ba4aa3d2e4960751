// Masks that are kept: made one of two by the engine, measured side by side, in the study's documents and after a reload.

import { expect, test, type Page } from "@playwright/test";
import { callEngine, control, idle, kept, noError, open, reachEngine, ready, saved, setNumber, step } from "./support";

interface Mask {
  operation: string;
  factor?: number;
  means_of?: string;
  layers: { layer: number; neurons: number[]; means?: number[] }[];
}
interface Study {
  pruning?: { mask: Mask };
  kept_masks?: { name: string; mask: Mask }[];
}

const row = (page: Page, name: string) => page.locator(`table.masks tr[data-mask="${name}"]`);

async function top(page: Page, layer: number, percent: number): Promise<void> {
  await control(page, "layer").selectOption(String(layer));
  await setNumber(page, "percent-number", percent);
  await idle(page);
}

async function keep(page: Page, name: string): Promise<void> {
  await control(page, "keep-name").fill(name);
  await control(page, "keep-name").press("Enter");
  await expect(row(page, name)).toBeVisible();
}

async function combine(page: Page, first: string, how: string, second: string): Promise<void> {
  await control(page, "combine-0").selectOption({ label: first });
  await control(page, "combine-how").selectOption(how);
  await control(page, "combine-1").selectOption({ label: second });
  await control(page, "combine").click();
  await idle(page);
  await noError(page);
}

/** The study's document. */
async function studyOf(page: Page): Promise<Study> {
  await step(page, "result");
  const study = await saved<Study>(page, "save-study");
  await step(page, "pruning");
  return study;
}

const neurons = ({ layers }: Mask): string[] =>
  layers.flatMap(({ layer, neurons: all }) => all.map((neuron) => `${layer}/${neuron}`)).sort();

test("masks are kept, combined, changed, measured side by side, and stay", async ({ page, browser }) => {
  test.setTimeout(300_000);
  await reachEngine(page);
  await open(page, "wasm");
  await step(page, "pruning");
  // Only what is asked for is measured.
  await control(page, "live").uncheck();
  await top(page, 0, 5);
  await keep(page, "five");
  await top(page, 0, 10);
  await keep(page, "ten");
  await top(page, 1, 5);
  await keep(page, "other layer");

  const { kept_masks = [] } = await studyOf(page);
  expect(kept_masks.map(({ name }) => name)).toEqual(["five", "ten", "other layer"]);
  const [five, ten, other] = kept_masks.map(({ mask }) => neurons(mask)) as [string[], string[], string[]];
  await expect(row(page, "five").locator("td").nth(1)).toHaveText(String(five.length));
  const made = async (first: string, how: string, second: string): Promise<string[]> => {
    await combine(page, first, how, second);
    const { pruning } = await studyOf(page);
    return pruning ? neurons(pruning.mask) : [];
  };
  expect(await made("ten", "difference", "five")).toEqual(ten.filter((neuron) => !five.includes(neuron)));
  expect(await made("ten", "intersection", "five")).toEqual(five);
  expect(await made("five", "union", "other layer")).toEqual([...five, ...other].sort());
  await expect(row(page, "five").locator("td").nth(3), "shared with the one at hand").toHaveText(String(five.length));

  // The union, at its neurons' means over the attribution items.
  await control(page, "operation").selectOption("mean");
  await idle(page);
  await expect(page.locator("pruned-neurons")).toContainText("Their activations are set to their mean over “attribution”.");
  await keep(page, "means");
  const [{ mask: means } = { mask: null }] = ((await studyOf(page)).kept_masks ?? []).slice(3);
  expect(means).toMatchObject({ operation: "mean", means_of: "attribution" });
  for (const { neurons: all, means: values } of means?.layers ?? []) expect(values).toHaveLength(all.length);
  await combine(page, "means", "union", "means");
  await control(page, "combine-1").selectOption({ label: "five" });
  await control(page, "combine").click();
  await expect(page.locator(".banner.error")).toContainText("the masks have two operations");

  // All of them at once; the numbers are those of a mask that is taken and measured alone.
  await control(page, "measure-masks").click();
  await idle(page);
  await expect(control(page, "measure-masks")).toBeDisabled();
  await noError(page);
  const cells = await row(page, "five").locator("td.effect").allInnerTexts();
  expect(cells.length).toBeGreaterThan(0);
  for (const cell of cells) expect(cell).toMatch(/^\d+\.\d → \d+\.\d\s%\s+\d+\.\d–\d+\.\d\s%\s+p [=<] [01]\.\d+$/);
  await control(page, "take-mask-five").click();
  await expect(row(page, "five")).toContainText("at hand");
  const effects = page.locator("pruned-neurons .before-after .numbers");
  await expect(effects.first()).toContainText("→");
  expect(cells.map((cell) => cell.split(/\n/)[0])).toEqual(await effects.allInnerTexts());

  // Another prompt: what was measured is of the former one, and comes back with it.
  await step(page, "items");
  await control(page, "choice-order").check();
  await idle(page);
  await step(page, "pruning");
  await expect(row(page, "ten")).toContainText("was measured with another prompt");
  await step(page, "items");
  await control(page, "choice-order").uncheck();
  await idle(page);
  await step(page, "pruning");
  await expect(row(page, "ten")).not.toContainText("was measured");

  // After a reload they are there with their results, and what was deleted comes back.
  await control(page, "delete-mask-ten").click();
  await expect(row(page, "ten")).toHaveCount(0);
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(row(page, "means").locator("td.effect")).toHaveCount(cells.length);
  await control(page, "undo-kept").click();
  await expect(row(page, "ten").locator("td.effect")).toHaveCount(cells.length);

  // A link carries the mask at hand and none of them; the study's file carries all.
  const document = await studyOf(page);
  expect(document.kept_masks).toHaveLength(4);
  await step(page, "result");
  await control(page, "make-link").click();
  const [, fragment] = (await control(page, "link").inputValue()).split("#");
  const { result: shared } = await callEngine<{ study: Study }>(page, "decode_link", fragment);
  expect(shared.study.pruning).toEqual(document.pruning);
  expect(shared.study.kept_masks).toBeUndefined();

  const elsewhere = await (await browser.newContext()).newPage();
  await open(elsewhere, "wasm");
  await step(elsewhere, "result");
  await elsewhere.locator("mask-file input[type=file]").setInputFiles({
    name: "study.json",
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify(document)),
  });
  // A study that is opened is run, and only then takes the place of the one at hand.
  await expect(elsewhere.getByRole("heading", { name: "It was run" })).toBeVisible({ timeout: 120_000 });
  await idle(elsewhere);
  await step(elsewhere, "pruning");
  await expect(row(elsewhere, "means")).toContainText("set to their mean over “attribution”");
  expect((await studyOf(elsewhere)).kept_masks).toEqual(document.kept_masks);
});
