// What is changed while something else is under way, and results that say what they were made of.

import { resolve } from "node:path";
import { expect, test, type Page } from "@playwright/test";
import { control, hold, idle, kept, noError, open, ready, saved, score, setNumber, step, useItems } from "./support";

interface Scores {
  set: string;
  items: unknown[];
}
interface Report {
  study: { item_sets: { name: string; roles: string[] }[]; search?: { percents: number[] }; tuning?: { steps: number } };
  baseline: Scores[];
  attribution?: { set: string };
}

const MANY = 8;
function many(count = MANY): string {
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({ id: `i${index}`, context: `bench ship ${index}`, choices: ["milk", "elm", "sock", "bear"], gold: index % 4 }),
  ).join("\n");
}

/** Pastes further items as another set. */
async function addItems(page: Page, lines: string): Promise<void> {
  await page.locator("step-items textarea").first().fill(lines);
  await control(page, "add-pasted").click();
  await expect(page.locator(".line-errors")).toContainText("added");
}

/** Starts scoring and goes to the items; it is under way until the function that this returns is called. */
async function scoring(page: Page): Promise<() => Promise<void>> {
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await step(page, "items");
  await expect(page.locator("job-bar")).toBeVisible();
  return release;
}

test("scores of items that were deleted meanwhile are not shown", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many());
  const release = await scoring(page);
  await control(page, "delete-0").click();
  await release();
  await idle(page);
  await noError(page);
  await step(page, "scores");
  await expect(page.locator("table.summary tbody tr")).toHaveCount(0);
  await control(page, "score").click();
  await idle(page);
  await expect(page.locator("table.summary")).toContainText(`of ${MANY - 1}`);
});

test("sets that are removed while they are scored or wait for it leave nothing behind", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many());
  await addItems(page, many(5));
  const release = await scoring(page);
  await control(page, "remove-pasted").click();
  await control(page, "remove-pasted-2").click();
  await release();
  await idle(page);
  await noError(page);
  await step(page, "result");
  expect((await saved<Report>(page, "save-report")).baseline).toEqual([]);
});

test("a split takes the items as they are when it is made, and its parts have names of their own", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many());
  const release = await scoring(page);
  await control(page, "split-pasted").click();
  await control(page, "delete-0").click();
  await release();
  await expect(page.locator("tr[data-set=pasted-test]")).toBeVisible();
  await idle(page);
  const parts = ["attribution", "validation", "test"].map((role) => page.locator(`tr[data-set=pasted-${role}] td.number`).innerText());
  expect((await Promise.all(parts)).reduce((sum, size) => sum + Number(size), 0)).toBe(MANY - 1);
  await addItems(page, many(30));
  await control(page, "split-pasted").click();
  await expect(page.locator("tr[data-set=pasted-test-2]")).toBeVisible();
  await control(page, "remove-pasted-test").click();
  await expect(page.locator("tr[data-set=pasted-test]")).toHaveCount(0);
  await expect(page.locator("tr[data-set=pasted-test-2]")).toHaveCount(1);
});

test("a report says what was run, whatever the fields say since", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "pruning");
  await control(page, "percents").fill("1, 2");
  await control(page, "percents").press("Tab");
  await control(page, "search").click();
  await idle(page);
  await control(page, "percents").fill("50");
  await control(page, "percents").press("Tab");
  await step(page, "tuning");
  await setNumber(page, "tune-steps", 3);
  await control(page, "tune").click();
  await idle(page);
  await noError(page);
  await setNumber(page, "tune-steps", 77);
  await step(page, "result");
  const { study } = await saved<Report>(page, "save-report");
  expect(study.search?.percents).toEqual([1, 2]);
  expect(study.tuning?.steps).toBe(3);

  await step(page, "items");
  await control(page, "role-validation-attribution").check();
  await step(page, "attribution");
  await expect(page.locator("[data-result=attribution]")).toContainText("“attribution”");
  await step(page, "result");
  const later = await saved<Report>(page, "save-report");
  expect(later.attribution?.set).toBe("attribution");
  expect(later.study.item_sets.filter((set) => set.roles.includes("attribution")).map((set) => set.name)).toEqual(["attribution"]);
  // Of these roles the tuning is still the one that a re-run gives; of others it is not.
  expect(later.study.tuning?.steps).toBe(3);
  await step(page, "items");
  await control(page, "role-validation-validation").uncheck();
  await step(page, "result");
  const last = await saved<Report>(page, "save-report");
  expect(last.study.tuning).toBeUndefined();
  expect(last.study.search).toBeUndefined();
});

test("a set may be called as what every object has", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many(4));
  page.once("dialog", (dialog) => void dialog.accept("constructor"));
  await control(page, "rename-pasted").click();
  await expect(page.locator("tr[data-set=constructor]")).toBeVisible();
  await score(page);
});

test("a page opened by a damaged link works as without it", async ({ page }) => {
  await page.goto("./?device=wasm#s1.damaged");
  await ready(page);
  await expect(page.locator(".banner.error")).toContainText("link");
  await useItems(page, many(5));
  await kept(page);
  await page.goto("./?device=wasm");
  await ready(page);
  await step(page, "items");
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText("5");
});

test("a rule that is changed while sets are scored counts them all", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many());
  await addItems(page, many(5));
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await control(page, "rule").selectOption("per_byte");
  await release();
  await idle(page);
  await noError(page);
  await expect(page.locator("table.summary tbody tr")).toHaveCount(2);
  await expect(page.locator("table.summary tr[data-set=pasted] td.in-use")).toHaveAttribute("data-rule", "per_byte");
});

test("an attribution whose settings changed while it ran is dropped with a word", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "attribution");
  await setNumber(page, "steps", 4);
  const release = await hold(page, "attribute");
  await control(page, "attribute").click();
  await step(page, "scores");
  await control(page, "rule").selectOption("per_byte");
  await release();
  await idle(page);
  await noError(page);
  await expect(page.locator(".banner.notice")).toContainText("was dropped");
});

test("a mask that is changed by hand is measured, and the code for it follows", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "result");
  await expect(page.locator(".snippet")).toContainText("import torch");
  await step(page, "pruning");
  await control(page, "layer").selectOption("1");
  await idle(page);
  const summary = page.locator("pruned-neurons");
  await expect(summary).toContainText("of layer 1");
  for (const change of ["mask-Undo", "mask-Redo"]) {
    await control(page, change).click();
    await expect(summary).not.toContainText("Not measured yet");
    await expect(summary.locator(".before-after").first()).toBeVisible();
  }
  await idle(page);
  await control(page, "mask-Prune nothing").click();
  await step(page, "result");
  await expect(page.locator(".snippet")).not.toContainText("import torch");
});

test("scores that were made with another prediction are shelved once, not for ever", async ({ page }) => {
  await open(page, "wasm");
  // The lesson's model has no first token to score a choice after.
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(resolve("tests/fixtures/tiny-gemma3/model.gguf"));
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await idle(page);
  await useItems(page, many(4));
  await score(page);
  await control(page, "rule").selectOption("mutual_information");
  const note = page.locator("step-scores").getByText("without its context as well");
  await expect(note).toBeVisible();
  await score(page);
  await expect(note).toHaveCount(0);
});

test("a link is made as a job, which can be cancelled", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, many(4));
  await step(page, "result");
  const release = await hold(page, "score");
  await control(page, "make-link").click();
  await expect(page.locator("job-bar")).toContainText("Making the link");
  await release();
  await expect(control(page, "link")).toHaveValue(/#s1\./);
});

test("an item has no more choices than a study may hold", async ({ page }) => {
  await open(page, "wasm");
  const choices = Array.from({ length: 25 }, (_, index) => `c${index}`);
  await useItems(page, JSON.stringify({ id: "c", context: "q", choices, gold: 0 }));
  await control(page, "edit-0").click();
  await control(page, "add-choice").click();
  await expect(control(page, "add-choice")).toBeDisabled();
});
