// A link beside a study of one's own: neither takes the other's place.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { expect, test, type Page } from "@playwright/test";
import { control, hold, idle, kept, noError, open, ready, score, setNumber, step, useItems } from "./support";

const OWN = [1, 2, 3]
  .map((index) => JSON.stringify({ id: `own${index}`, context: "bench ship", choices: ["milk", "elm"], gold: 0 }))
  .join("\n");

/** A link to the lesson's study. */
async function lessonLink(page: Page): Promise<string> {
  await open(page, "wasm");
  await step(page, "result");
  await control(page, "make-link").click();
  const link = new URL(await control(page, "link").inputValue());
  link.searchParams.set("device", "wasm");
  return link.href;
}

function gguf(name: string): { mimeType: string; buffer: Buffer } {
  return { mimeType: "application/octet-stream", buffer: readFileSync(resolve("tests/fixtures", name, "model.gguf")) };
}

/** Goes back to the study that was put aside, which has so many items. */
async function goBack(page: Page, items: string): Promise<void> {
  await control(page, "earlier").click();
  await expect(page.locator("[data-step=items]")).toContainText(items);
  await idle(page);
  await noError(page);
}

/** Opens a link in the page as it is. */
async function paste(page: Page, link: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
}

async function verdict(page: Page): Promise<void> {
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 100_000 });
  await idle(page);
  await noError(page);
}

/** Makes a study of one's own, and opens a link in its place at another visit. */
async function visitAfterOwn(page: Page, link: string): Promise<void> {
  await useItems(page, OWN);
  await kept(page);
  await page.goto("about:blank");
  await page.goto(link);
  await verdict(page);
}

/** A study of one's own with another model than the lesson's, scored. */
async function ownModel(page: Page): Promise<void> {
  await step(page, "model");
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(resolve("tests/fixtures/tiny-gpt2/model.gguf"));
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await idle(page);
  await useItems(page, OWN);
  await score(page);
  await kept(page);
}

/** That study, with its results. */
async function expectOwnModel(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await idle(page);
  await noError(page);
  await step(page, "scores");
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 3");
}

test("one's own study comes back however often a link beside it is run", async ({ page }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await visitAfterOwn(page, link);
  await control(page, "again").click();
  await idle(page);
  await kept(page);
  await page.reload();
  await verdict(page);
  await goBack(page, "3 items");
});

test("a link's study whose items were changed is one's own: a reload brings it back, and the one before is still there", async ({
  page,
}) => {
  const link = await lessonLink(page);
  await visitAfterOwn(page, link);
  await step(page, "items");
  await control(page, "delete-0").click();
  const size = page.locator("tr[data-set=attribution] td.number").first();
  await expect(size).toHaveText("31");
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(size).toHaveText("31");
  await step(page, "start");
  await goBack(page, "3 items");
});

test("a link that is opened while a job runs is opened once that is done", async ({ page }) => {
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await paste(page, link);
  await expect(page.locator(".banner.notice")).toContainText("once the job under way is done");
  await expect(page.locator("link-panel h1")).toHaveCount(0);
  await release();
  await verdict(page);
  await goBack(page, "3 items");
});

test("a link that is opened while a job runs is opened after its cancel, too", async ({ page }) => {
  const link = await lessonLink(page);
  await step(page, "scores");
  const release = await hold(page, "score");
  await control(page, "score").click();
  await paste(page, link);
  await control(page, "cancel").click();
  await verdict(page);
  await release();
});

test("one's own results outlive a link's run that was cancelled, in the middle of it and at its end", async ({ page }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await ownModel(page);
  for (const after of ["rerun", "leave", "reload"]) {
    const release = await hold(page, "reproduce");
    await paste(page, link);
    await expect(page.locator("job-bar")).toContainText("Re-running");
    if (after === "reload") {
      await page.reload();
    } else {
      await control(page, "cancel").click();
      await idle(page);
      await expect(control(page, "run-link")).toBeEnabled();
      await release();
    }
    if (after === "rerun") await control(page, "run-link").click();
    if (after === "leave") {
      await control(page, "close-link").click();
    } else {
      await verdict(page);
      await control(page, "earlier").click();
    }
    await expectOwnModel(page);
    await kept(page);
  }
});

test("a study whose model was deleted meanwhile comes back without one", async ({ page }) => {
  const link = await lessonLink(page);
  await ownModel(page);
  await step(page, "model");
  await control(page, "forget-model").click();
  await expect(page.locator('[data-stored="model"]')).toHaveCount(0);
  await paste(page, link);
  await verdict(page);
  await control(page, "earlier").click();
  await expect(page.locator("body")).toHaveAttribute("data-model", "");
  await idle(page);
  await step(page, "scores");
  await expect(control(page, "score")).toBeDisabled();
});

test("work on a link's study is one's own: a reload and another link take nothing of it", async ({ page }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await kept(page);
  await paste(page, link);
  await verdict(page);
  await step(page, "pruning");
  await control(page, "layer").selectOption("1");
  const size = page.locator("pruned-neurons .mask-size");
  await expect(size).toContainText("of layer 1");
  await idle(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(size).toContainText("of layer 1");
  await paste(page, link);
  await verdict(page);
  await expect(size).toContainText("of layer 0");
  await control(page, "earlier").click();
  await expect(size).toContainText("of layer 1");
  await idle(page);
  await step(page, "start");
  await goBack(page, "3 items");
});

test("a second tab has studies of its own, and takes none from the first", async ({ page, context }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await kept(page);
  await paste(page, link);
  await verdict(page);
  const second = await context.newPage();
  await open(second, "wasm");
  await expect(second.locator(".banner.notice")).toContainText("open in another tab");
  await expect(control(second, "earlier")).toHaveCount(0);
  await useItems(second, OWN.split("\n").slice(0, 2).join("\n"));
  await paste(second, link);
  await verdict(second);
  await goBack(second, "2 items");
  await second.close();
  await goBack(page, "3 items");
});

test("a link that is opened between a mask's selection and its measurement is run all the same", async ({ page }) => {
  const link = await lessonLink(page);
  await step(page, "pruning");
  const release = await hold(page, "mask_top");
  await setNumber(page, "percent-number", 7);
  await paste(page, link);
  await expect(page.locator(".banner.notice")).toContainText("once the job under way is done");
  await release();
  await verdict(page);
});

test("another model of the study's name is said to be another, and the right one can be chosen", async ({ page, browser }) => {
  test.setTimeout(300_000);
  await open(page, "wasm");
  await ownModel(page);
  await step(page, "result");
  await control(page, "make-link").click();
  const link = new URL(await control(page, "link").inputValue());
  link.searchParams.set("device", "wasm");
  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(link.href);
  await expect(other.locator("body")).toHaveAttribute("data-engine", "ready", { timeout: 60_000 });
  const choose = other.locator("link-panel input[type=file]");
  await ready(other);
  await choose.setInputFiles({ ...gguf("tiny-qwen2"), name: "model.gguf" });
  await expect(other.locator(".banner.error")).toContainText("its weights differ");
  await idle(other);
  await expect(other.locator("body")).toHaveAttribute("data-model", "lesson-planted");
  await expect(other.locator(".verdict")).toHaveCount(0);
  await choose.setInputFiles({ ...gguf("tiny-gpt2"), name: "model.gguf" });
  await verdict(other);
  await expect(other.locator(".verdict")).toHaveAttribute("data-reproduced", "yes");
  await context.close();
});

interface Document {
  study: { item_sets: { name: string }[]; model: { name?: string }; attribution: { confidence_threshold: number } };
  expected?: unknown;
}

/** The fragment of a link to a document. */
function fragmentOf(document: unknown): string {
  return `#s1.${deflateRawSync(JSON.stringify(document)).toString("base64url")}`;
}

/** What a link carries. */
function documentOf(link: string): Document {
  return JSON.parse(inflateRawSync(Buffer.from(new URL(link).hash.slice(4), "base64url")).toString()) as Document;
}

/** The study of one's own, with nothing of a link's in it. */
async function expectOwn(page: Page): Promise<void> {
  await idle(page);
  await expect(page.locator("[data-step=items]")).toContainText("1 set, 3 items");
  await score(page);
  await expect(page.locator("table.summary tbody tr")).toHaveCount(1);
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 3 (");
}

for (const way of ["fails", "is cancelled"] as const) {
  test(`a link's study whose run ${way} leaves nothing in one's own, and later work is kept`, async ({ page }) => {
    test.setTimeout(300_000);
    const link = await lessonLink(page);
    await useItems(page, OWN);
    await score(page);
    const own = await page.locator("table.summary").innerText();
    await kept(page);
    const document = documentOf(link);
    if (way === "fails") document.study.attribution.confidence_threshold = 1;
    delete document.expected;
    const release = way === "fails" ? null : await hold(page, "reproduce");
    await page.evaluate((hash) => {
      location.hash = hash;
    }, fragmentOf(document));
    if (release) {
      await expect(page.locator("job-bar")).toContainText("Re-running");
      await control(page, "cancel").click();
      await release();
    } else {
      await expect(page.locator(".banner.error")).toContainText("confidence threshold");
    }
    await idle(page);
    await expect(control(page, "run-link")).toBeEnabled();
    await step(page, "scores");
    expect(await page.locator("table.summary").innerText()).toBe(own);
    await expectOwn(page);
    await step(page, "items");
    await control(page, "delete-0").click();
    await kept(page);
    await page.reload();
    await ready(page);
    await step(page, "items");
    await expect(page.locator("step-items tr[data-set=pasted] td.number").first()).toHaveText("2");
  });
}

test("a page that is opened by a link whose run fails has one's own study, and keeps later work", async ({ page }) => {
  test.setTimeout(300_000);
  const link = await lessonLink(page);
  await useItems(page, OWN);
  await kept(page);
  const document = documentOf(link);
  document.study.attribution.confidence_threshold = 1;
  await page.goto("about:blank");
  await page.goto(`./?device=wasm${fragmentOf(document)}`);
  await expect(page.locator(".banner.error")).toContainText("confidence threshold", { timeout: 60_000 });
  await ready(page);
  await expectOwn(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await step(page, "scores");
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 3 (");
});

test("a link is read as chats and mail programs leave it, and one of a newer version says so", async ({ page }) => {
  test.setTimeout(300_000);
  const { hash } = new URL(await lessonLink(page));
  for (const left of [
    `${hash}>.`,
    `${hash})`,
    `${hash.slice(0, 90)}%0A${hash.slice(90)}`,
    hash.replaceAll("-", "%2D").replaceAll("_", "%5F"),
  ]) {
    await page.goto("about:blank");
    await page.goto(`./?device=wasm${left}`);
    await verdict(page);
  }
  for (const newer of ["#s2.AAAA", "#s12%2EAAAA"]) {
    await page.evaluate((to) => {
      location.hash = to;
    }, newer);
    await expect(page.locator(".banner.error")).toContainText("newer version");
    await control(page, "close-error").click();
  }
  await page.goto("about:blank");
  await page.goto("./?device=wasm#s2.AAAA");
  await expect(page.locator(".banner.error")).toContainText("newer version");
  await ready(page);
  await expect(page.locator("pruned-neurons .before-after").first()).toBeVisible();
});

test("a link that contradicts itself is refused, and marks in its names are seen", async ({ page }) => {
  const link = await lessonLink(page);
  const lying = documentOf(link) as unknown as { expected: { sets: { before: { value: number } }[] } };
  const [first] = lying.expected.sets;
  if (first) first.before.value = 0.011;
  await page.evaluate((hash) => {
    location.hash = hash;
  }, fragmentOf(lying));
  await expect(page.locator(".banner.error")).toContainText("contradicts itself");
  const marked = documentOf(link);
  marked.study.model.name = "gpt\u200b2\u202e";
  delete marked.expected;
  await page.evaluate((hash) => {
    location.hash = hash;
  }, fragmentOf(marked));
  await expect(page.locator("link-panel")).toContainText("gpt⟨U+200B⟩2⟨U+202E⟩");
  // Where nothing came with it, nothing is said to have reproduced.
  await expect(page.locator(".verdict")).toHaveAttribute("data-reproduced", "nothing", { timeout: 100_000 });
  await expect(page.locator(".verdict")).not.toContainText("reproduced");
});

test("a link and a study of version 0.1 open", async ({ page }) => {
  const written = (name: string): string => readFileSync(resolve("tests/version_0_1", name), "utf8");
  await page.goto(`./?device=wasm#${written("page.link").trim()}`);
  await expect(page.locator(".verdict")).toHaveAttribute("data-reproduced", "yes", { timeout: 100_000 });
  await expect(page.locator("pruned-neurons")).toContainText("13 neurons of layer 0");
  await step(page, "result");
  await page.locator("step-result input[type=file]").setInputFiles({
    name: "a.study.json",
    mimeType: "application/json",
    buffer: Buffer.from(written("page.study.json")),
  });
  await expect(page.locator("link-panel")).toContainText("A study from a file");
  await verdict(page);
  await expect(page.locator("pruned-neurons")).toContainText("13 neurons of layer 0");
});
