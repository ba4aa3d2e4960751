// Results hold for as long as what they were made of is at hand, and every document says what a re-run gives.

import { expect, test, type Page } from "@playwright/test";
import { control, hold, idle, kept, noError, open, readDownload, ready, saved, score, setNumber, step, useItems } from "./support";

interface Study {
  attribution?: { preset?: string; steps: number };
  pruning?: { mask: { layers: { layer: number; neurons: number[] }[] }; selection?: { layer: number; percent: number } };
  tuning?: { steps: number };
}
interface Report {
  study: Study;
  baseline: { set: string }[];
  pruned?: { mask: { layers: unknown[] }; sets: { set: string }[] };
  tuning?: { layer: number; settings?: unknown };
}

const summary = (page: Page) => page.locator("pruned-neurons");

/** Attributes with a preset of fewer steps, so that the lesson's own is not at hand any more. */
async function attributeAgain(page: Page, steps = 2): Promise<void> {
  await step(page, "attribution");
  await control(page, "preset").selectOption("fast");
  await setNumber(page, "steps", steps);
  await control(page, "attribute").click();
  await idle(page);
  await noError(page);
}

test("a selection is taken again from another attribution, and the link of it reproduces", async ({ page, browser }) => {
  test.setTimeout(300_000);
  await open(page, "wasm");
  await step(page, "result");
  const before = await saved<Study>(page, "save-study");
  expect(before.attribution?.preset).toBe("paper");
  await attributeAgain(page);
  await expect(summary(page).locator(".mask-size")).toContainText("by |IG|");
  await expect(summary(page).locator(".mask-size")).not.toContainText("not at hand");
  await step(page, "result");
  await idle(page);
  const mask = await saved<{ study: Study; layers: unknown }>(page, "export-mask");
  expect(mask.study.attribution?.steps).toBe(2);
  expect(mask.study.pruning?.selection).toEqual(before.pruning?.selection);
  expect(mask.layers).toEqual(mask.study.pruning?.mask.layers);
  expect(mask.layers, "the former one was of the former attribution").not.toEqual(before.pruning?.mask.layers);
  await control(page, "make-link").click();
  const link = new URL(await control(page, "link").inputValue());
  link.searchParams.set("device", "wasm");
  const other = await (await browser.newContext()).newPage();
  await other.goto(link.href);
  await expect(other.locator(".verdict")).toHaveAttribute("data-reproduced", "yes", { timeout: 100_000 });

  // The mask of the former attribution says that it is of that one, and no document gives it out as the present one's.
  await control(page, "mask-Undo").click();
  await idle(page);
  await expect(summary(page).locator(".mask-size")).toContainText("of an attribution that is not at hand (“attribution”, paper");
  const undone = await saved<Study>(page, "save-study");
  expect(undone.pruning?.mask).toEqual(before.pruning?.mask);
  expect(undone.pruning?.selection).toBeUndefined();
  await step(page, "pruning");
  await control(page, "search").click();
  await idle(page);
  await expect(page.locator("table.search [aria-pressed=true]")).toHaveCount(0);
});

test("results follow a set that is renamed, in every document, and back again", async ({ page }) => {
  test.setTimeout(240_000);
  await open(page, "wasm");
  await score(page);
  await attributeAgain(page);
  await step(page, "pruning");
  await idle(page);
  for (const key of ["search", "control"]) {
    await control(page, key).click();
    await idle(page);
  }
  await step(page, "result");
  const before = JSON.stringify(await saved<Report>(page, "save-report"));
  const names: [string, string][] = [
    ["attribution", "trained"],
    ["validation", "picked"],
    ["shifted", "moved"],
  ];
  let renamed = before;
  for (const [, to] of names) {
    const [next] = names.filter((pair) => pair[1] === to);
    page.once("dialog", (dialog) => void dialog.accept(to));
    await step(page, "items");
    await control(page, `rename-${next?.[0]}`).click();
    await expect(page.locator(`tr[data-set=${to}]`)).toBeVisible();
    // Sets are named by `name`, `set` and in the search's `sets`.
    for (const [left, right] of [
      ['"name":"', '"'],
      ['"set":"', '"'],
      ['"sets":["', '"'],
    ]) {
      renamed = renamed.replaceAll(`${left}${next?.[0]}${right}`, `${left}${to}${right}`);
    }
  }
  await step(page, "result");
  expect(JSON.parse(JSON.stringify(await saved<Report>(page, "save-report")))).toEqual(JSON.parse(renamed));
  const mask = await saved<{ results: { set: string }[] }>(page, "export-mask");
  expect(mask.results.map(({ set }) => set)).toContain("moved");

  // The engine has them under these names as well: nothing is computed again, and a selection is of the attribution.
  const computed = await hold(page, "attribute");
  await step(page, "pruning");
  await control(page, "layer").selectOption("1");
  await idle(page);
  await expect(summary(page).locator(".mask-size")).toContainText("of layer 1");
  await expect(summary(page).locator(".mask-size")).not.toContainText("not at hand");
  await computed();
  await control(page, "mask-Undo").click();
  await idle(page);
  for (const [from] of names.toReversed()) {
    await step(page, "items");
    await control(page, "undo-items").click();
    await expect(page.locator(`tr[data-set=${from}]`)).toBeVisible();
  }
  await step(page, "result");
  expect(await saved<Report>(page, "save-report")).toEqual(JSON.parse(before));
});

test("a set that is renamed while it is scored has its scores under its new name", async ({ page }) => {
  await open(page, "wasm");
  await useItems(
    page,
    Array.from({ length: 4 }, (_, id) => `{"id":"${id}","context":"bench ship","choices":["milk","elm"],"gold":0}`).join("\n"),
  );
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  page.once("dialog", (dialog) => void dialog.accept("shown"));
  await step(page, "items");
  await control(page, "rename-pasted").click();
  await expect(page.locator("tr[data-set=shown]")).toBeVisible();
  await release();
  await idle(page);
  await noError(page);
  await step(page, "result");
  expect((await saved<Report>(page, "save-report")).baseline.map(({ set }) => set)).toEqual(["shown"]);
});

test("a set, and all sets, come back with their scores, their attribution and what followed from it", async ({ page }) => {
  await open(page, "wasm");
  await score(page);
  await attributeAgain(page);
  await step(page, "pruning");
  await idle(page);
  await control(page, "search").click();
  await idle(page);
  await step(page, "result");
  const before = await saved<Report>(page, "save-report");
  for (const remove of ["remove-attribution", "remove-shifted", "remove-all"]) {
    await step(page, "items");
    await control(page, remove).click();
    await step(page, "result");
    const without = await saved<Report>(page, "save-report");
    expect(without.baseline.length).toBeLessThan(before.baseline.length);
    await step(page, "items");
    await control(page, "undo-items").click();
    await step(page, "result");
    const { baseline, ...rest } = await saved<Report>(page, "save-report");
    expect(rest).toEqual((({ baseline: _, ...others }) => others)(before));
    expect(new Set(baseline.map(({ set }) => set))).toEqual(new Set(before.baseline.map(({ set }) => set)));
  }
  // The engine has them again, too.
  await step(page, "pruning");
  await setNumber(page, "percent-number", 3);
  await idle(page);
  await noError(page);
  await expect(summary(page)).toContainText("top 3 % by |IG|");
});

test("an item that is edited takes its set's results along, and brings them back when that is undone", async ({ page }) => {
  await open(page, "wasm");
  await score(page);
  await step(page, "items");
  await control(page, "open-shifted").click();
  await control(page, "delete-0").click();
  await step(page, "result");
  const edited = await saved<Report>(page, "save-report");
  expect(edited.baseline.map(({ set }) => set)).not.toContain("shifted");
  expect(edited.pruned?.sets.map(({ set }) => set) ?? []).not.toContain("shifted");
  expect(edited.pruned?.sets.map(({ set }) => set)).toContain("neutral");
  await step(page, "items");
  await control(page, "undo-items").click();
  await idle(page);
  await step(page, "result");
  const undone = await saved<Report>(page, "save-report");
  expect(undone.pruned?.sets.map(({ set }) => set)).toContain("shifted");
});

test("a tuning is of its mask, and of the sets that its study has", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "tuning");
  await setNumber(page, "tune-steps", 2);
  await control(page, "tune").click();
  await idle(page);
  await noError(page);
  const tuning = page.locator("[data-result=tuning]");
  await expect(tuning).toContainText("2 steps");
  await setNumber(page, "tune-steps", 9);
  await expect(tuning).toContainText("2 steps");
  await control(page, "mask-Prune nothing").click();
  await expect(tuning).toHaveCount(0);
  await control(page, "mask-Undo").click();
  await expect(tuning).toContainText("2 steps");
  await idle(page);
  await step(page, "result");
  const report = await saved<Report>(page, "save-report");
  expect(report.study.tuning?.steps).toBe(2);
  expect(report.tuning?.settings).toBeUndefined();
  await step(page, "items");
  await control(page, "role-neutral-test").uncheck();
  await step(page, "result");
  const fewer = await saved<Report>(page, "save-report");
  expect(fewer.tuning).toBeUndefined();
  expect(fewer.pruned?.sets.map(({ set }) => set)).not.toContain("neutral");
});

test("what was computed beforehand is said to be so for as long as it is", async ({ page }) => {
  await open(page, "wasm");
  const note = summary(page).getByText("Computed beforehand");
  await expect(note).toBeVisible();
  await expect(page.locator("step-overview")).toContainText("In the shifted set");
  await step(page, "attribution");
  await expect(page.locator("[data-result=attribution]")).toContainText("on the command line");
  await attributeAgain(page);
  await expect(page.locator("[data-result=attribution]")).not.toContainText("on the command line");
  await expect(note).toHaveCount(0);
  await step(page, "start");
  await expect(page.locator("step-overview")).toContainText("In the shifted set");
  await useItems(page, JSON.stringify({ id: "1", context: "bench ship", choices: ["milk", "elm"], gold: 0 }));
  await step(page, "start");
  await expect(page.locator("step-overview")).not.toContainText("shifted");
  await expect(page.locator("step-overview")).not.toContainText("Follow the lesson");
});

test("the page opens the study, the report and the mask that it wrote, picked and dropped", async ({ page }) => {
  test.setTimeout(300_000);
  await open(page, "wasm");
  await step(page, "result");
  const texts: string[] = [];
  for (const key of ["save-report", "save-study", "export-mask"]) {
    const waiting = page.waitForEvent("download");
    await control(page, key).click();
    texts.push(await readDownload(await waiting));
  }
  const [report = "", study = "", mask = ""] = texts;
  const file = (name: string, text: string) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });
  const drop = (place: string, name: string, text: string): Promise<void> =>
    page.locator(place).evaluate(
      (element, [name, text]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text ?? ""], name ?? ""));
        element.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
      },
      [name, text] as const,
    );
  const verdict = page.locator(".verdict");

  await page.locator("step-result input[type=file]").setInputFiles(file("a.report.json", report));
  await expect(verdict).toHaveAttribute("data-reproduced", "yes", { timeout: 100_000 });
  await expect(page.locator("link-panel")).toContainText("A study from a file");
  await idle(page);

  await step(page, "items");
  await drop("step-items", "a.study.json", study);
  await expect(verdict).toHaveAttribute("data-reproduced", "nothing", { timeout: 100_000 });
  await idle(page);
  await noError(page);

  await step(page, "scores");
  await drop("step-scores", "a.report.json", report);
  await expect(verdict).toHaveAttribute("data-reproduced", "yes", { timeout: 100_000 });
  await idle(page);
  await control(page, "mask-Prune nothing").click();
  await step(page, "model");
  await drop("step-model", "a.mask.json", mask);
  await expect(page.locator(".banner.notice")).toContainText("Mask taken");
  await expect(summary(page).locator(".mask-size")).not.toContainText("Nothing is pruned");
  await idle(page);
  await noError(page);

  const lying = report.replace(/"p_value":[0-9.e-]+/, '"p_value":0.5');
  await drop("step-model", "a.report.json", lying);
  await expect(page.locator(".banner.error")).toContainText("contradicts itself");
});

test("what waits for what it was made of still does so after a reload", async ({ page }) => {
  await open(page, "wasm");
  const measured = summary(page).locator(".before-after").last();
  const before = (await measured.textContent()) ?? "";
  await step(page, "pruning");
  await control(page, "layer").selectOption("1");
  await idle(page);
  await expect(measured).not.toHaveText(before);
  await step(page, "items");
  await control(page, "open-shifted").click();
  await control(page, "template").selectOption("lettered@1");
  await step(page, "scores");
  await expect(page.locator("table.summary tbody tr")).toHaveCount(0);
  await kept(page);
  await page.reload();
  await ready(page);
  for (const method of ["score", "prune", "attribute"]) await hold(page, method);
  await step(page, "items");
  await control(page, "open-shifted").click();
  await control(page, "template").selectOption("plain@1");
  await step(page, "scores");
  await expect(page.locator("table.summary tbody tr")).not.toHaveCount(0);
  await expect(measured).toBeVisible();
  await control(page, "mask-Undo").click();
  await expect(measured).toHaveText(before);
  await expect(summary(page).getByText("Computed beforehand")).toBeVisible();
});

test("a position bias says of which orders it is", async ({ page }) => {
  await open(page, "wasm");
  await useItems(page, JSON.stringify({ id: "1", context: "bench ship", choices: ["milk", "elm"], gold: 0 }));
  await score(page);
  await page.locator(".position-bias summary").click();
  await control(page, "bias-orders").selectOption("seeded");
  await setNumber(page, "bias-count", 2);
  await control(page, "measure-bias").click();
  await idle(page);
  await control(page, "bias-orders").selectOption("cyclic");
  await expect(page.locator("[data-result=bias]")).toContainText("2 orders of seed 0");
  await control(page, "rule").selectOption("per_byte");
  await expect(page.locator("[data-result=bias]")).toHaveCount(0);
  await control(page, "rule").selectOption("sum");
  await expect(page.locator("[data-result=bias]")).toContainText("2 orders of seed 0");
});

test("a measurement of what was changed meanwhile waits for that to be at hand again", async ({ page }) => {
  await open(page, "wasm");
  await score(page);
  await step(page, "pruning");
  const release = await hold(page, "prune");
  await control(page, "live").uncheck();
  await control(page, "prune").click();
  await control(page, "mask-Prune nothing").click();
  await release();
  await idle(page);
  await expect(page.locator("[data-result=flips]")).toHaveCount(0);
  await control(page, "mask-Undo").click();
  await expect(page.locator("[data-result=flips]")).toBeVisible();
  await kept(page);
  await page.reload();
  await ready(page);
  await step(page, "pruning");
  await expect(page.locator("[data-result=flips]")).toBeVisible();
});
