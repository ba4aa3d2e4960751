// What a reader does between two draws of the page, or between two steps of it, is not lost.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, noError, open, setNumber, step, useItems } from "./support";

const item = (id: string, context: string): string => JSON.stringify({ id, context, choices: ["left", "right", "middle"], gold: 1 });
const ITEMS = [item("one", "First?"), item("two", "Second?"), item("three", "Third?")].join("\n");

async function choose(page: Page, files: { name: string; bytes: Buffer }[]): Promise<void> {
  await page
    .locator("step-items input[type=file]")
    .setInputFiles(files.map(({ name, bytes }) => ({ name, mimeType: "application/octet-stream", buffer: bytes })));
}

/** Presses where a control is, and releases after the page has had time to draw. */
async function slowClick(page: Page, key: string): Promise<void> {
  await control(page, key).hover();
  await page.mouse.down();
  await page.waitForTimeout(150);
  await page.mouse.up();
}

test("files of any name are read, each for itself", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await control(page, "remove-all").click();
  await choose(page, [
    { name: "quiz.jsonl", bytes: Buffer.from(ITEMS) },
    { name: "quiz.CSV", bytes: Buffer.from("question,a,b,correct\nWarm?,ice,fire,b\n") },
    { name: "pasted.txt", bytes: Buffer.from(item("p", "Pasted?")) },
  ]);
  const previews = page.locator(".import-preview");
  await expect(previews).toHaveCount(3);
  await previews.filter({ hasText: "quiz is CSV" }).getByRole("button", { name: "Add" }).click();
  await previews.filter({ hasText: "quiz is JSON" }).getByRole("button", { name: "Add" }).click();
  await previews.filter({ hasText: "Pasted?" }).getByRole("button", { name: "Add" }).click();
  await expect(page.locator("tr[data-set=quiz] td.number")).toHaveText("1");
  await expect(page.locator("tr[data-set=quiz-2] td.number")).toHaveText("3");
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText("1");
});

test("a file's letters are read as they were written, or not at all", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  const text = "question,a,b,correct\nWo liegt Zürich?,Österreich,Schweiz,b\n";
  await choose(page, [
    { name: "latin.csv", bytes: Buffer.from(text, "latin1") },
    { name: "wide.csv", bytes: Buffer.from(`\ufeff${text}`, "utf16le") },
    { name: "marked.csv", bytes: Buffer.from(`\ufeff${text}`) },
    { name: "blank.csv", bytes: Buffer.from(" \n") },
    { name: "head.csv", bytes: Buffer.from("question,a,b,correct\n") },
    { name: "list.json", bytes: Buffer.from("[]") },
  ]);
  const messages = page.locator(".line-errors");
  await expect(messages).toContainText("“latin.csv” is not UTF-8: save it as UTF-8 and choose it again.");
  for (const name of ["blank.csv", "head.csv", "list.json"]) await expect(messages).toContainText(`“${name}” holds no items.`);
  await expect(page.locator(".import-preview", { hasText: "Zürich? Österreich" })).toHaveCount(2);
  await expect(page.locator(".import-preview")).toHaveCount(2);
  await control(page, "add-pasted").click();
  await expect(messages).toContainText("There are no lines to add");
});

test("a click or a Tab out of a changed field does what it says", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await control(page, "edit-0").click();
  await control(page, "edit-context").fill("First of all?");
  await slowClick(page, "gold-2");
  await expect(control(page, "gold-2")).toBeChecked();
  await expect(control(page, "edit-context")).toHaveValue("First of all?");
  await control(page, "choice-0").fill("up");
  await control(page, "choice-0").press("Tab");
  await expect(control(page, "drop-0")).toBeFocused();
  await control(page, "choice-1").fill("down");
  await slowClick(page, "edit-done");
  await expect(control(page, "edit-0")).toBeFocused();
  const first = page.locator("item-list .item").first();
  await expect(first.locator(".choices")).toHaveText("updownmiddle ✓");
  await expect(first).toContainText("First of all?");

  await control(page, "few-shot-k").fill("1");
  await slowClick(page, "choice-order");
  await expect(control(page, "choice-order-seed")).toBeVisible();
  await expect(control(page, "choice-order")).toBeChecked();
  await expect(control(page, "few-shot-k")).toHaveValue("1");
});

test("fields that change before the form is drawn anew all keep their value", async ({ page }) => {
  await open(page, "wasm");
  for (const [name, fields] of [
    ["attribution", { steps: "3", threshold: "0.25" }],
    ["tuning", { "tune-steps": "7", "tune-rate": "0.02" }],
  ] as const) {
    await step(page, name);
    for (const key of Object.keys(fields)) await expect(control(page, key)).toBeVisible();
    // As on a slow machine: nothing is drawn between a Tab and the change of the next field.
    await page.evaluate((values) => {
      const found = Object.entries(values).map(([key, value]) => {
        const input = document.querySelector<HTMLInputElement>(`[data-key="${key}"]`);
        if (!input) throw new Error(`there is no field ${key}`);
        return [input, value] as const;
      });
      for (const [input, value] of found) {
        input.value = value;
        input.dispatchEvent(new KeyboardEvent("keydown", { key: "Tab", bubbles: true }));
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }
    }, fields);
    for (const [key, value] of Object.entries(fields)) await expect(control(page, key)).toHaveValue(value);
  }
});

test("what is being typed outlives a redraw, and is taken with what changed meanwhile", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "attribution");
  await expect(control(page, "preset")).not.toHaveValue("");
  await control(page, "steps").fill("3");
  const path = await page.evaluate(() => {
    const select = document.querySelector<HTMLSelectElement>("[data-key=path]");
    if (!select) throw new Error("there is no choice of a path");
    select.value = select.value === "joint" ? "per_layer" : "joint";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    return select.value;
  });
  await expect(control(page, "steps")).toHaveValue("3");
  await expect(control(page, "steps")).toBeFocused();
  await control(page, "steps").press("Enter");
  await expect(control(page, "preset")).toHaveValue("");
  await expect(control(page, "steps")).toHaveValue("3");
  await expect(control(page, "steps")).toBeFocused();
  await expect(control(page, "path")).toHaveValue(path);
});

test("a form is left alone while a job runs, and its button can be pressed once the job is over", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "tuning");
  await setNumber(page, "tune-steps", 300);
  await control(page, "tune").click();
  await expect(page.locator("body")).toHaveAttribute("data-job", "running");
  const field = await control(page, "tune-rate").elementHandle();
  await expect(page.locator(".line-chart .first path").first()).toHaveAttribute("d", /L.*L.*L/, { timeout: 60_000 });
  expect(await field?.evaluate((element) => element.isConnected)).toBe(true);
  await control(page, "tune-decay").fill("0.5");
  await expect(control(page, "tune")).toBeDisabled();
  await idle(page);
  await control(page, "tune").click();
  await expect(page.locator("body")).toHaveAttribute("data-job", "running");
  await control(page, "cancel").click();
  await idle(page);
  await expect(control(page, "tune-decay")).toHaveValue("0.5");
});

test("shares of a layer that cannot be give way to those in use, with a word", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "pruning");
  const before = await control(page, "percent-number").inputValue();
  await setNumber(page, "percent-number", 200);
  await expect(control(page, "percent-number")).toHaveValue(before);
  await expect(page.locator("[data-key=percent-number] + .warning")).toHaveText("a number from 0.01 to 100");
  await control(page, "percents").fill("5, abc");
  await control(page, "percents").press("Enter");
  await expect(page.locator("[data-key=percents] + .warning")).toContainText("not “abc”");
  await expect(control(page, "percents")).not.toHaveValue("5");
});

test("the form stays with its item when one before it goes, and a new item's form is open", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await control(page, "edit-1").click();
  await control(page, "delete-0").click();
  await expect(control(page, "edit-context")).toHaveValue("Second?");
  await control(page, "edit-done").press("Enter");
  await expect(control(page, "edit-0")).toBeFocused();
  await control(page, "add-item").click();
  await expect(control(page, "edit-context")).toBeFocused();
  await expect(control(page, "edit-context")).toHaveValue("");
});

test("a template of one's own outlives a discarded change and a named one", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await control(page, "template").selectOption("own");
  await control(page, "template-prompt").fill("{context} Mine");
  await control(page, "use-template").click();
  const settings = page.locator("prompt-settings");
  await expect(settings).toContainText("A template of your own");
  await control(page, "template-prompt").fill("{context} Other");
  await expect(settings).toContainText("Other");
  await control(page, "close-template").click();
  await expect(control(page, "template-prompt")).toHaveValue("{context} Mine");
  await expect(settings).toContainText("A template of your own");

  await control(page, "template").selectOption("plain@1");
  await expect(control(page, "template-prompt")).toHaveCount(0);
  await control(page, "template").selectOption("own");
  await expect(control(page, "template-prompt")).toHaveValue("{context} Mine");
  await control(page, "close-template").click();
  await expect(control(page, "template")).toHaveValue("plain@1");
});

test("what is under way among the items outlives a visit to another step", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await choose(page, [
    { name: "later.jsonl", bytes: Buffer.from(Array.from({ length: 6 }, (_, at) => item(`l${at}`, "Later?")).join("\n")) },
  ]);
  await control(page, "add-later").click();
  await choose(page, [{ name: "never.jsonl", bytes: Buffer.from(item("n", "Never?")) }]);
  await expect(control(page, "add-never")).toBeVisible();
  await setNumber(page, "share-0", 3);
  await setNumber(page, "split-seed", 7);
  await control(page, "open-pasted").click();
  await control(page, "open-later").click();
  const typed = page.locator("step-items textarea").first();
  await typed.fill("half a li");
  await control(page, "template").selectOption("own");
  await control(page, "template-prompt").fill("{context} Draft");

  await step(page, "scores");
  await step(page, "items");
  await expect(typed).toHaveValue("half a li");
  await expect(control(page, "add-never")).toBeVisible();
  await expect(control(page, "share-0")).toHaveValue("3");
  await expect(control(page, "split-seed")).toHaveValue("7");
  await expect(page.locator("tr.selected")).toHaveAttribute("data-set", "later");
  await expect(control(page, "template-prompt")).toHaveValue("{context} Draft");
  await expect(page.locator("prompt-settings")).toContainText("Being written");
});

test("a number that cannot be is refused, says its range, and leaves the last one taken", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, Array.from({ length: 6 }, (_, at) => item(`i${at}`, "Which?")).join("\n"));
  await setNumber(page, "split-seed", 4);
  await setNumber(page, "split-seed", -1);
  await expect(control(page, "split-seed")).toHaveValue("4");
  await expect(page.locator(".split-shares")).toContainText("a whole number from 0 to");
  await setNumber(page, "few-shot-k", 1.5);
  await expect(control(page, "few-shot-k")).toHaveValue("0");
  await expect(page.locator("prompt-settings")).toContainText("a whole number from 0 to 64");
  await expect(page.locator(".template-error")).toBeEmpty();
});

test("the orders asked of the position bias stay while it is measured", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, ITEMS);
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await page.locator(".position-bias summary").click();
  await control(page, "bias-orders").selectOption("seeded");
  await setNumber(page, "bias-count", 2);
  await setNumber(page, "bias-seed", 3);
  await control(page, "measure-bias").click();
  await expect(page.locator("[data-result=bias]")).toBeVisible();
  await idle(page);
  await noError(page);
  await control(page, "score").click();
  await idle(page);
  await expect(control(page, "bias-orders")).toHaveValue("seeded");
  await expect(control(page, "bias-count")).toHaveValue("2");
  await expect(control(page, "bias-seed")).toHaveValue("3");
  await step(page, "items");
  await step(page, "scores");
  await expect(control(page, "bias-count")).toHaveValue("2");
});

test("a job leaves the focus where it was, and moves nothing that is being dragged; one drag is undone at once", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "attribution");
  await control(page, "attribute").focus();
  await page.keyboard.press("Enter");
  await expect(control(page, "attribute")).toBeDisabled();
  await idle(page);
  await expect(control(page, "attribute")).toBeFocused();
  await expect(page.locator("[data-result=news]")).toHaveText("Attribution: done.");
  await step(page, "pruning");
  const before = await page.locator(".mask-size").innerText();
  const slider = control(page, "percent");
  const { x, y, width, height } = (await slider.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const at = (share: number) => page.mouse.move(x + share * width, y + height / 2);
  await at(0.25);
  await page.mouse.down();
  for (let share = 0.25; share < 0.6; share += 0.05) {
    await at(share);
    await page.waitForTimeout(80);
    expect((await slider.boundingBox())?.y).toBe(y);
  }
  await page.mouse.up();
  await idle(page);
  await expect(page.locator("[data-result=news]")).toContainText("shifted: 5.0 % →");
  await expect(page.locator(".mask-size")).not.toHaveText(before);
  await control(page, "mask-Undo").click();
  await expect(page.locator(".mask-size")).toHaveText(before);
});

test("long words stay within the workspace", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await control(page, "remove-all").click();
  const long = "Donaudampfschifffahrtsgesellschaftskapitaen".repeat(2);
  const name = long.repeat(2).slice(0, 120);
  const lines = ["a", "b"].map((id) => JSON.stringify({ id: `${id}${long}`, context: `${long}?`, choices: [long, `x${long}`], gold: 1 }));
  await choose(page, [{ name: `${name}.jsonl`, bytes: Buffer.from(lines.join("\n")) }]);
  const fits = async (what: string): Promise<void> => {
    const widths = await page.locator("#workspace").evaluate((element) => [element.scrollWidth, element.clientWidth]);
    await page.screenshot({ path: `test-results/screens/long-${what}.png` });
    expect(widths[0], what).toBe(widths[1]);
  };
  await expect(control(page, `add-${name}`)).toBeVisible();
  await fits("preview");
  await control(page, `add-${name}`).click();
  await setNumber(page, "few-shot-k", 1);
  await expect(control(page, "few-shot-set")).toBeVisible();
  await fits("items");
  await control(page, "edit-0").click();
  await fits("form");
  await setNumber(page, "few-shot-k", 0);
  await expect(control(page, "few-shot-set")).toHaveCount(0);
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await noError(page);
  await page.locator(".position-bias summary").click();
  await control(page, "measure-bias").click();
  await expect(page.locator("[data-result=bias]")).toBeVisible();
  await fits("scores");
  // Only a table that cannot be narrower scrolls by itself.
  for (const table of await page.locator("step-scores .table-scroll").all()) {
    expect(await table.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  }
});
