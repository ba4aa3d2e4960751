// Which neurons drive some items more than others, and which words an answer: measured, ranked, picked, and kept.

import { expect, test } from "@playwright/test";
import { control, idle, kept, noError, open, ready, step } from "./support";

test("the lesson's shortcut stands out between the items that have it and those that have not, and its top share is the mask", async ({
  page,
}) => {
  await open(page, "wasm");
  await step(page, "attribution");
  await page.locator("neuron-contrast summary").click();
  await expect(control(page, "contrast-set")).toHaveValue("attribution");
  await control(page, "contrast-against").selectOption("set:neutral");
  await control(page, "contrast").click();
  await idle(page);
  await noError(page);
  const result = page.locator("neuron-contrast [data-result=contrast]");
  await expect(result.locator(".finding")).toContainText(/The 95 % interval of [\d,]+ of \d[\d,]* neurons leaves out zero/);
  await expect(result).toContainText("of “attribution” minus that on");
  await expect(result.locator("tbody tr")).toHaveCount(50);
  await result.locator("tbody .link").first().click();
  await expect(page.locator("neuron-card .address")).toHaveText(await result.locator("tbody .link").first().innerText());

  // The planted shortcut lives in layer 0.
  await control(page, "contrast-side").selectOption("here");
  await control(page, "contrast-layer").selectOption("0");
  await control(page, "contrast-prune").click();
  await idle(page);
  await expect(page.locator(".mask-size")).toContainText("13 neurons of layer 0");
  const after = await page.locator(".before-after", { hasText: "shifted" }).locator(".numbers").innerText();
  const [before, now] = after.replace(" %", "").split(" → ").map(Number);
  expect(now).toBeGreaterThan((before ?? 100) + 30);

  const said = await result.innerText();
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(result).toBeVisible();
  await control(page, "contrast-side").selectOption("here");
  await control(page, "contrast-layer").selectOption("0");
  await expect(control(page, "contrast-prune")).toBeDisabled();
  expect(await result.innerText()).toBe(said);
  // Another set's contrast is another question.
  await control(page, "contrast-against").selectOption("question:removed");
  await expect(result).toHaveCount(0);
  await control(page, "contrast-against").selectOption("set:neutral");
  await expect(result).toBeVisible();
});

test("from an audit one click leads to the neurons that carry what it says, by keyboard", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "scores");
  await page.locator("items-audit summary").focus();
  await page.keyboard.press("Enter");
  await control(page, "audit").focus();
  await page.keyboard.press("Enter");
  await idle(page);
  await control(page, "audit-contrast").focus();
  await page.keyboard.press("Enter");
  await idle(page);
  await noError(page);
  const result = page.locator("items-audit [data-result=contrast]");
  await expect(result).toContainText("the items' own differences");
  // The lesson's items are nothing without a question.
  await expect(result).toContainText("minus the score with “N/A” for the question");
  await expect(result.locator("tbody tr")).toHaveCount(50);
  // It is the same one in the attribution's step.
  await step(page, "attribution");
  await expect(control(page, "contrast-against")).toHaveValue("question:meaningless");
  await expect(page.locator("neuron-contrast [data-result=contrast]")).toBeVisible();
});

test("the words of an item's prompt are shaded by what they add to its answer, with their numbers beside them", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "scores");
  const row = page.locator("tr[data-item]").first();
  await row.getByRole("button", { name: "Tokens" }).click();
  await control(page, "salience").click();
  await idle(page);
  await noError(page);
  const result = page.locator("[data-result=salience]");
  await expect(result).toContainText("gradient × input");
  await expect(result.locator(".key")).toContainText("against it (below zero)");
  const words = result.locator(".tokens span");
  const count = await words.count();
  expect(count).toBeGreaterThan(8);
  await expect(result.locator("tbody tr")).toHaveCount(count);
  // Each word has the number of its row.
  const [place, , number] = await result.locator("tbody tr").first().locator("td").allInnerTexts();
  await expect(words.nth(Number(place) - 1)).toHaveAttribute("title", number ?? "");
  await kept(page);
  await page.reload();
  await ready(page);
  await page.locator("tr[data-item]").first().getByRole("button", { name: "Tokens" }).click();
  await expect(result.locator("tbody tr")).toHaveCount(count);
});
