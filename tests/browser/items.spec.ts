// Items come in with errors by line, are edited in place, and every change can be undone.

import { expect, test } from "@playwright/test";
import { control, open, step, useItems } from "./support";

const GOOD = '{"id": "first", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": "B"}';
const LINES = [
  GOOD,
  "this is no JSON",
  '{"id": "third", "context": "One?", "choices": ["only"], "gold": 0}',
  '{"id": "fourth", "context": "Two?", "choices": ["a", "b"], "gold": 7}',
  '{"id": "fifth", "context": "Three?", "choices": ["a", "b", "c"], "gold": 2}',
].join("\n");

test("a bad file names its lines and keeps the good ones", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await page.locator("step-items input[type=file]").setInputFiles({
    name: "mine.jsonl", mimeType: "application/jsonl", buffer: Buffer.from(LINES),
  });
  const messages = page.locator(".line-errors");
  await expect(messages).toContainText("2 items added as “mine”");
  for (const line of [2, 3, 4]) await expect(messages).toContainText(`Line ${line}:`);
  await expect(messages).not.toContainText("Line 5:");
  await expect(page.locator("item-list .item")).toHaveCount(2);
});

test("items are edited, deleted and brought back", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, `${GOOD}\n${LINES.split("\n")[4]}`);
  await control(page, "edit-0").click();
  await control(page, "edit-context").fill("Which one grows on a tree?");
  await control(page, "choice-0").fill("saw");
  await control(page, "choice-0").press("Tab");
  await control(page, "gold-0").check();
  await control(page, "edit-done").click();
  const first = page.locator("item-list .item").first();
  await expect(first).toContainText("Which one grows on a tree?");
  await expect(first.locator(".gold")).toContainText("saw");
  await control(page, "delete-1").click();
  await expect(page.locator("item-list .item")).toHaveCount(1);
  await control(page, "undo-items").click();
  await expect(page.locator("item-list .item")).toHaveCount(2);
  await expect(page.locator(".prompt")).toContainText("Which one grows on a tree?");
});

test("a sample set is added, split and given roles", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await control(page, "remove-all").click();
  await control(page, "sample").selectOption("general-knowledge");
  await control(page, "split-general-knowledge").click();
  for (const role of ["attribution", "validation", "test"]) {
    await expect(control(page, `role-general-knowledge-${role}-${role}`)).toBeChecked();
  }
  await control(page, "role-general-knowledge-test-attribution").check();
  await expect(control(page, "role-general-knowledge-attribution-attribution")).not.toBeChecked();
});
