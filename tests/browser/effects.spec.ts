// What every neuron does to the gold margin: measured, looked at, picked; and whether a selection would be made again.

import { expect, test, type Page } from "@playwright/test";
import { control, idle, kept, noError, open, ready, setNumber, step } from "./support";

/** The pruning step with the lesson's items of the shortcut's end, zeroed at the last position, which is quick. */
async function start(page: Page): Promise<void> {
  await open(page, "wasm");
  await step(page, "pruning");
  await control(page, "harm-set").selectOption("shifted");
  await control(page, "harm-positions").selectOption("last");
}

async function measure(page: Page, layer: string): Promise<void> {
  await control(page, "harm-layer").selectOption(layer);
  await control(page, "harm-measure").click();
  await idle(page);
  await noError(page);
}

const said = (page: Page) => page.locator("[data-result=effects]");

test("a layer is measured, then all; the numbers pick a rectangle, which becomes the mask and outlives a reload", async ({ page }) => {
  await start(page);
  await measure(page, "0");
  await expect(said(page)).toContainText("Measured 1 of 4 layers");
  await expect(page.locator(".harmful tbody tr")).toHaveCount(50);
  await expect(page.locator(".harmful tbody .point.hollow")).toHaveCount(0);

  // The others are estimates until they are measured.
  await control(page, "harm-layer").selectOption("");
  await expect(said(page)).toContainText("Measure goes on from there");
  await expect(page.locator(".harm-key")).toContainText("first-order estimate");
  await measure(page, "");
  await expect(said(page)).toContainText("Measured 4 of 4 layers");
  await expect(page.locator(".harm-key")).not.toContainText("first-order estimate");
  await expect(control(page, "harm-measure")).toBeDisabled();

  await setNumber(page, "least-prominence", 0.05);
  await setNumber(page, "least-harm", 0.2);
  const text = await control(page, "harm-prune").innerText();
  const picked = Number(/Prune these (\d+) neurons/.exec(text)?.[1]);
  expect(picked).toBeGreaterThan(1);
  await control(page, "harm-prune").click();
  await idle(page);
  // Pruning what is prominent and harmful mends the items on which the shortcut is wrong.
  await expect(page.locator(".mask-size")).toContainText(`${picked} neurons of layer 0`);
  const after = await page.locator(".before-after", { hasText: "shifted" }).locator(".numbers").innerText();
  const [before, now] = after.replace(" %", "").split(" → ").map(Number);
  expect(now).toBeGreaterThan((before ?? 100) + 50);
  await expect(page.locator(".harmful tbody tr").first().getByRole("button", { name: /^Keep/ })).toBeVisible();

  await kept(page);
  await page.reload();
  await ready(page);
  await control(page, "harm-set").selectOption("shifted");
  await control(page, "harm-positions").selectOption("last");
  await expect(said(page)).toContainText("Measured 4 of 4 layers");
  await expect(page.locator(".mask-size")).toContainText(`${picked} neurons of layer 0`);
  await control(page, "mask-Undo").click();
  await expect(page.locator(".mask-size")).toContainText("13 neurons of layer 0");
});

test("a rectangle that is drawn is the mask at once, and a click shows a neuron", async ({ page }) => {
  await start(page);
  await measure(page, "0");
  const canvas = page.locator("harm-scatter canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  if (!box) throw new Error("there is no picture");
  await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.5 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.6 * box.width, box.y + 0.2 * box.height, { steps: 3 });
  await page.mouse.move(box.x + box.width - 1, box.y + 1, { steps: 3 });
  await page.mouse.up();
  await idle(page);
  const size = Number(/^(\d+) neurons? of layer 0/.exec(await page.locator(".mask-size").innerText())?.[1]);
  await expect(control(page, "harm-prune")).toContainText(`Prune these ${size} neuron`);
  await expect(control(page, "harm-prune")).toBeDisabled();

  // The most harmful neuron, where the picture says that it is.
  const first = page.locator(".harmful tbody tr").first();
  await first.locator(".link").click();
  const ring = await page.locator(".harm-cursor").boundingBox();
  const address = await page.locator("neuron-card .address").innerText();
  if (!ring) throw new Error("there is no ring");
  await page.locator(".harmful tbody tr").nth(5).locator(".link").click();
  await expect(page.locator("neuron-card .address")).not.toHaveText(address);
  await page.mouse.click(ring.x + ring.width / 2, ring.y + ring.height / 2);
  await expect(page.locator("neuron-card .address")).toHaveText(address);
  await expect(page.locator("neuron-card")).toContainText("on “shifted”");
});

test("a lasso that is drawn is the mask at once, and the fields pick a rectangle again", async ({ page }) => {
  await start(page);
  await measure(page, "0");
  await control(page, "harm-lasso").click();
  await expect(control(page, "harm-lasso")).toHaveAttribute("aria-pressed", "true");
  const canvas = page.locator("harm-scatter canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  if (!box) throw new Error("there is no picture");
  const at = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.12, 0.5));
  await page.mouse.down();
  for (const place of [at(0.97, 0.6), at(0.97, 0.03), at(0.12, 0.03)]) await page.mouse.move(...place, { steps: 8 });
  await page.mouse.up();
  await idle(page);
  await expect(page.locator("harm-scatter .harm-lasso polygon")).toBeVisible();
  await expect(page.locator("harm-panel")).toContainText("Picked by the lasso");
  const size = Number(/^(\d+) neurons? of layer 0/.exec(await page.locator(".mask-size").innerText())?.[1]);
  await expect(control(page, "harm-prune")).toContainText(`Prune these ${size} neuron`);
  // The scale moves the outline, and takes nothing else in.
  await control(page, "harm-scale").selectOption("linear");
  await expect(control(page, "harm-prune")).toContainText(`Prune these ${size} neuron`);
  await expect(control(page, "harm-prune")).toBeDisabled();
  await setNumber(page, "least-harm", 0.2);
  await expect(page.locator("harm-scatter .harm-frame")).toBeVisible();
  await expect(page.locator("harm-scatter .harm-lasso")).toHaveCount(0);
});

test("a measurement that is cancelled keeps what is there, and the next one goes on", async ({ page }) => {
  await start(page);
  await control(page, "harm-set").selectOption("attribution");
  await control(page, "harm-positions").selectOption("all");
  await control(page, "harm-measure").click();
  // Its first numbers come before it ends.
  await expect(page.locator(".harmful tbody tr")).toHaveCount(50);
  await expect(page.locator("body")).toHaveAttribute("data-job", "running");
  await control(page, "cancel").click();
  await idle(page);
  await noError(page);
  await expect(said(page)).toContainText(/Measured \d of 4 layers.*Measure goes on from there/);
  await expect(page.locator("harm-scatter canvas")).toBeVisible();
  await measure(page, "3");
  await expect(said(page)).toContainText(/Measured [1-4] of 4 layers/);
});

test("everything works by keyboard: measured, walked through, pruned", async ({ page }) => {
  await start(page);
  await control(page, "harm-layer").selectOption("0");
  await control(page, "harm-measure").focus();
  await page.keyboard.press("Enter");
  await expect(said(page)).toContainText("Measured 1 of 4 layers");
  await idle(page);
  await page.locator("harm-scatter canvas").focus();
  await page.keyboard.press("Home");
  const read = page.locator("harm-scatter .harm-read");
  const most = await page.locator(".harmful tbody tr").first().locator(".link").getAttribute("title");
  await expect(read).toContainText(`${most}  prominence`);
  await expect(read).toContainText("±");
  await page.keyboard.press("ArrowDown");
  const second = await page.locator(".harmful tbody tr").nth(1).locator(".link").getAttribute("title");
  await expect(read).toContainText(`${second}`);
  await page.keyboard.press("Enter");
  await expect(page.locator("neuron-card .address")).toHaveText(`${second}`);
  const wasPruned = (await read.innerText()).endsWith("pruned");
  await page.keyboard.press("p");
  if (wasPruned) await expect(read).not.toContainText("pruned");
  else await expect(read).toContainText("pruned");
});

test("whether other items would have chosen the same neurons stands beside the mask", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "pruning");
  await control(page, "stability").click();
  const line = page.locator("[data-result=stability]");
  await expect(line).toContainText(/Two halves of the 32 items choose \d+ % \(\d+–\d+ %\) of the same neurons \(chance: 5 %\)/);
  await expect(line).toContainText(/Resamples of the same items choose \d+ % \(\d+–\d+ %\) of these again/);
  await idle(page);
  await expect(page.locator(".ranked").last()).toContainText("Chosen again");
  // After a new selection it is asked again by itself.
  await setNumber(page, "percent-number", 10);
  await idle(page);
  await expect(line).toContainText("(chance: 10 %)");
  await page.locator("strongest-neurons .ranked .link").first().click();
  await expect(page.locator("neuron-card")).toContainText("of 200 resamples, top 10 %");
  // A mask by hand is no selection.
  await control(page, "card-toggle").click();
  await expect(line).toHaveCount(0);
});
