// How items are put to the model: a template, shots, an order of the choices; what changes them together and what keeps them.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, kept, open, ready, saved, score, setNumber, step, useItems } from "./support";

const ITEMS = [
  '{"id": "first", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": "B"}',
  '{"id": "fifth", "context": "Three?", "choices": ["a", "b", "c"], "gold": 2}',
].join("\n");

interface Prompting {
  few_shot?: { k: number; seed?: number; set?: string };
  choice_order?: { seed: number };
}

/** The prompting that the saved study describes. */
async function studied(page: Page): Promise<Prompting> {
  await step(page, "result");
  const { few_shot, choice_order } = await saved<Prompting>(page, "save-study");
  await step(page, "items");
  return { ...(few_shot ? { few_shot } : {}), ...(choice_order ? { choice_order } : {}) };
}

test("a template of one's own is written by keyboard, seen token by token, and used", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await control(page, "template").selectOption("own");
  await control(page, "template-prompt").fill("{contxt} Q");
  await expect(page.locator(".template-error")).toContainText("`{contxt}` is no placeholder; known are {context}");
  await control(page, "template-prompt").fill("{context} Q");
  await expect(page.locator(".template-error")).toBeEmpty();
  await expect(page.locator("pre.prompt")).toContainText("Which one is a fruit? Q");
  await expect(page.locator(".choice-tokens > li")).toHaveCount(2);
  await control(page, "template-name").fill("mine");
  await control(page, "use-template").focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("prompt-settings")).toContainText("A template of your own");
  await setNumber(page, "few-shot-k", 1);
  await expect(page.locator("pre.prompt")).toContainText("Three? Q c\n\nWhich one is a fruit? Q");
  await control(page, "preview1").click();
  await expect(page.locator("pre.prompt")).toContainText("Which one is a fruit? Q apple\n\nThree? Q");
  await setNumber(page, "few-shot-k", 9);
  await expect(page.locator("prompt-settings")).toContainText("9 shots need as many");
});

/** The first item after a shot, its choices in the order of seeds 0 and 2, not the file's. */
const PROMPT = /^Three\? c\s+Which one is a fruit\?\s+apple ✓\s+hammer$/;

test("shots and the order of the choices survive a reload beside the scores made with them", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await setNumber(page, "few-shot-k", 1);
  await control(page, "choice-order").check();
  await setNumber(page, "choice-order-seed", 2);
  await expect(page.locator("pre.prompt")).toHaveText(PROMPT);
  await score(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(page.locator(".scores tbody tr")).not.toHaveCount(0);
  expect(await studied(page)).toEqual({ few_shot: { k: 1 }, choice_order: { seed: 2 } });
  await expect(control(page, "few-shot-k")).toHaveValue("1");
  await expect(page.locator("pre.prompt")).toHaveText(PROMPT);

  await step(page, "start");
  await page.getByRole("button", { name: "Start over with the lesson" }).click();
  await idle(page);
  expect(await studied(page)).toEqual({});
  await expect(control(page, "few-shot-k")).toHaveValue("0");
});

test("changes made while another is under way are all taken", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, `${ITEMS}\n${ITEMS.replaceAll("f", "g")}`);
  await setNumber(page, "few-shot-k", 1);
  await control(page, "choice-order").check();
  await expect(control(page, "choice-order-seed")).toBeVisible();
  await page.evaluate(
    (changes) => {
      for (const [key, value] of Object.entries(changes)) {
        const input = document.querySelector<HTMLInputElement>(`[data-key="${key}"]`);
        if (!input) throw new Error(`there is no ${key}`);
        input.value = String(value);
        input.dispatchEvent(new Event("change"));
      }
    },
    { "few-shot-k": 3, "few-shot-seed": 5, "choice-order-seed": 6 },
  );
  await expect(control(page, "choice-order-seed")).toHaveValue("6");
  expect(await studied(page)).toEqual({ few_shot: { k: 3, seed: 5 }, choice_order: { seed: 6 } });
  await expect(control(page, "few-shot-k")).toHaveValue("3");
});

test("a set of shots keeps giving them under a new name, and its removal says whose shots come instead", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await page
    .locator("step-items textarea")
    .first()
    .fill(["Shown first?", "Shown next?"].map((context) => JSON.stringify({ context, choices: ["left", "right"], gold: 1 })).join("\n"));
  await control(page, "add-pasted").click();
  await control(page, "open-pasted").click();
  await setNumber(page, "few-shot-k", 1);
  await control(page, "few-shot-set").selectOption("pasted-2");
  await expect(page.locator("pre.prompt")).toContainText("Shown");
  page.on("dialog", (dialog) => void dialog.accept("shown"));
  await control(page, "rename-pasted-2").click();
  await expect(control(page, "few-shot-set")).toHaveValue("shown");
  expect(await studied(page)).toEqual({ few_shot: { k: 1, set: "shown" } });
  await score(page);
  await step(page, "items");
  await control(page, "open-pasted").click();
  await expect(page.locator("pre.prompt")).toContainText("Shown");

  await control(page, "remove-shown").click();
  await expect(page.locator("body")).toContainText("The set “shown” is gone: shots are now drawn from each set itself.");
  await expect(control(page, "few-shot-set")).toHaveValue("");
  await expect(page.locator("pre.prompt")).not.toContainText("Shown");
  expect(await studied(page)).toEqual({ few_shot: { k: 1 } });
  await score(page);

  // Undone, the set gives them again, under the name that it had.
  await step(page, "items");
  await control(page, "undo-items").click();
  await expect(control(page, "few-shot-set")).toHaveValue("shown");
  await control(page, "undo-items").click();
  await expect(control(page, "few-shot-set")).toHaveValue("pasted-2");
  await expect(page.locator("body")).not.toContainText("is gone");
});
