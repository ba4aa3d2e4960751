// Items come in with errors by line, are edited in place, and every change can be undone.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, noError, open, readDownload, setNumber, step, useItems } from "./support";

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
    name: "mine.jsonl",
    mimeType: "application/jsonl",
    buffer: Buffer.from(LINES),
  });
  const preview = page.locator(".import-preview");
  await expect(preview).toHaveAttribute("data-format", "jsonl");
  await expect(preview).toContainText("2 items can be read, 3 lines cannot");
  await expect(preview.locator(".first-items")).toContainText("Which one is a fruit?");
  await expect(preview).toContainText("Line 4, column 60: `gold` is 7");
  await expect(page.locator("tr[data-set=mine]")).toHaveCount(0);
  await control(page, "add-mine").click();
  const messages = page.locator(".line-errors");
  await expect(messages).toContainText("2 items added as “mine”. 3 lines left out");
  for (const line of [2, 3, 4]) await expect(messages).toContainText(`Line ${line}, column`);
  await expect(messages).not.toContainText("Line 5,");
  await expect(preview).toHaveCount(0);
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

/** Answers 1 and 2 of three choices, which could be counted from 0 or from 1. */
const EITHER = "question,a,b,c,answer\nWho barks?,a dog,a cat,a cow,1\nWho mews?,a dog,a cat,a cow,2\n";

test("numbers that could be counted from 0 or from 1 are asked about before anything is taken", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await page
    .locator("step-items input[type=file]")
    .setInputFiles({ name: "either.csv", mimeType: "text/csv", buffer: Buffer.from(EITHER) });
  const preview = page.locator(".import-preview");
  await expect(preview).toContainText("no item can be read");
  await expect(preview).toContainText("No item can be taken before that is said.");
  await expect(control(page, "add-either")).toHaveCount(0);
  const counted = control(page, "answers-from-either");
  await expect(counted).toHaveValue("");
  const right = preview.locator(".first-items .gold");
  await counted.selectOption("0");
  await expect(right).toHaveText([/a cat/, /a cow/]);
  await counted.selectOption("1");
  await expect(right).toHaveText([/a dog/, /a cat/]);
  await control(page, "add-either").click();
  await expect(page.locator("item-list .item .gold")).toHaveText([/a dog/, /a cat/]);

  // What was said of typed lines holds for as long as they are the same.
  await page.locator("step-items textarea").first().fill(EITHER);
  await control(page, "answers-from-pasted").selectOption("1");
  await expect(right).toHaveText([/a dog/, /a cat/]);
  await page.getByRole("button", { name: "Add these lines" }).click();
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText("2");
  // A file that shows it is not asked about, and says how it was read.
  await page.locator("step-items textarea").first().fill(EITHER.replace(",2\n", ",3\n"));
  await expect(control(page, "answers-from-pasted")).toHaveValue("1");
  await expect(right).toHaveText([/a dog/, /a cow/]);
});

for (const [how, select] of [
  ["by Tab", async (page: Page) => page.keyboard.press("Tab")],
  ["by a double click", async (page: Page) => control(page, "choice-1").dblclick()],
  ["by three clicks", async (page: Page) => control(page, "choice-1").click({ clickCount: 3 })],
  [
    "by Shift and Home",
    async (page: Page) => {
      await control(page, "choice-1").click();
      await page.keyboard.press("End");
      await page.keyboard.press("Shift+Home");
    },
  ],
] as const) {
  test(`what is typed over a selection ${how} replaces it, after another field was left`, async ({ page }) => {
    await open(page, "wasm");
    await useItems(page, GOOD);
    await control(page, "edit-0").click();
    await control(page, "choice-0").click();
    await page.keyboard.press("End");
    await page.keyboard.type(" or saw");
    if (how === "by Tab") await page.keyboard.press("Tab");
    await select(page);
    // The form has been drawn anew for what was typed.
    await expect(page.locator("item-list .item.editing")).toBeVisible();
    await page.waitForTimeout(100);
    if (how === "by Tab") await expect(control(page, "choice-1")).toBeFocused();
    await page.keyboard.type("pear");
    await control(page, "edit-done").click();
    await expect(page.locator("item-list .item .choices")).toHaveText(/^hammer or saw\s*pear ✓$/);
  });
}

test("a template of one's own that cannot be used is no fault of the page", async ({ page }) => {
  // What the engine answers, hints included.
  await page.addInitScript(() => {
    const errors: { code: string; hint: string }[] = [];
    Object.assign(window, { errors });
    const Plain = Worker;
    window.Worker = class extends Plain {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        this.addEventListener("message", ({ data }) => data.error && errors.push(data.error));
      }
    };
  });
  await open(page, "wasm");
  await step(page, "items");
  await control(page, "template").selectOption("own");
  await control(page, "template-prompt").fill("{contxt}");
  await control(page, "use-template").click();
  await expect(page.locator(".template-error")).toContainText("is no placeholder");
  const errors = await page.evaluate(() => (window as unknown as { errors: { code: string; hint: string }[] }).errors);
  expect(errors.length).toBeGreaterThan(0);
  for (const { code, hint } of errors) {
    expect(code).toBe("template");
    expect(hint).toBe("Correct that part of the template.");
  }
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

test("a split has its share of every place of the right choice, and its seed and shares", async ({ page }) => {
  await open(page, "wasm");
  const item = (index: number): string => JSON.stringify({ id: `i${index}`, context: `q${index}`, choices: ["a", "b"], gold: index % 2 });
  await useItems(page, Array.from({ length: 24 }, (_, index) => item(index)).join("\n"));
  await setNumber(page, "share-0", 2);
  await setNumber(page, "split-seed", 5);
  await control(page, "split-pasted").click();
  const sizes = { attribution: 12, validation: 6, test: 6 };
  for (const [role, size] of Object.entries(sizes)) {
    await expect(page.locator(`tr[data-set=pasted-${role}] td.number`)).toHaveText(String(size));
  }
  await control(page, "open-pasted-validation").click();
  await expect(page.locator("item-list .item")).toHaveCount(6);
  await expect(page.locator("item-list .item .choices .gold", { hasText: "a" })).toHaveCount(3);
});

test("items are saved as files that read back as the same items", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, GOOD);
  for (const [format, text] of [
    ["jsonl", '{"id":"first","context":"Which one is a fruit?","choices":["hammer","apple"],"gold":1}\n'],
    ["csv", "id,question,a,b,correct\nfirst,Which one is a fruit?,hammer,apple,b\n"],
  ] as const) {
    const waiting = page.waitForEvent("download");
    await control(page, `export-${format}`).click();
    expect(await readDownload(await waiting)).toBe(text);
  }
});

test("scores show every metric, single tokens, calibration and the preference for a place", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "scores");
  await control(page, "rule").selectOption("per_byte");
  await control(page, "score").click();
  await idle(page);
  await noError(page);
  const row = page.locator("table.summary tbody tr.selected");
  await expect(row.locator("td.in-use")).toHaveText(/%$/);
  // Another rule counts the same log-likelihoods anew; one that needs more waits to be scored.
  await control(page, "rule").selectOption("sum");
  await expect(row.locator("td.in-use")).toHaveText(/%$/);
  await expect(row.locator("td.in-use")).toHaveAttribute("data-rule", "sum");
  await control(page, "rule").selectOption("mutual_information");
  await expect(page.locator("step-scores")).toContainText("Nothing is scored yet.");
  await expect(page.locator("step-scores")).toContainText("without its context as well");
  await control(page, "rule").selectOption("per_byte");
  await expect(row.locator("td.in-use")).toHaveAttribute("data-rule", "per_byte");
  await expect(page.locator(".calibration")).toContainText("expected error");
  const first = page.locator(".scores tbody tr").first();
  const sum = Number(await first.locator("li").first().getAttribute("data-log-likelihood"));
  await first.getByRole("button", { name: "Tokens" }).click();
  const tokens = page.locator(".token-row li").first().locator(".token");
  await expect(tokens.first().locator("code")).not.toHaveText("…");
  const values = await tokens.locator("small").allTextContents();
  const total = values.reduce((all, value) => all + Number(value.replace("−", "-")), 0);
  expect(Math.abs(total - sum)).toBeLessThan(0.01 * values.length);

  await page.locator(".position-bias summary").click();
  await control(page, "measure-bias").click();
  await idle(page);
  await noError(page);
  await expect(page.locator("[data-result=bias]")).toContainText("get the same answer in every order");
  await expect(page.locator("[data-result=bias]")).toContainText("shows the model no list");
});
