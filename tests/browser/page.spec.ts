// The page itself: first paint, keyboard, cancel, reload, sizes, the command line's numbers.

import { expect, test, type Page } from "@playwright/test";
import {
  callEngine,
  control,
  idle,
  kept,
  noError,
  open,
  reachEngine,
  ready,
  sampleLines,
  saved,
  score,
  setNumber,
  step,
  useItems,
} from "./support";

interface Choice {
  log_likelihood: number;
}
interface Scores {
  set: string;
  accuracy: { correct: number; total: number };
  items: { id: string; choices: Choice[] }[];
}
interface Report {
  baseline: Scores[];
  pruned: { mask: unknown; sets: { set: string; after: Scores }[] };
  attribution: { scores: number[][] };
}

async function report(page: Page): Promise<Report> {
  const response = await page.request.get(new URL("models/lesson-planted/report.json", page.url()).href);
  return (await response.json()) as Report;
}

test("the lesson is on screen before anything is computed, and the engine is behind it soon", async ({ page }) => {
  await page.goto("./?device=wasm");
  await expect(page.locator("pruned-neurons .before-after").first()).toBeVisible();
  await expect(page.locator("heat-map canvas")).toHaveAttribute("aria-label", /Strongest neuron/);
  await ready(page);
  // From a warm cache.
  await page.goto("about:blank");
  await page.goto("./?device=wasm");
  await ready(page);
  await noError(page);
});

test("the page's numbers are those of the command line", async ({ page }) => {
  test.setTimeout(300_000);
  await open(page, "wasm");
  const expected = await report(page);
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page, 250_000);
  await step(page, "attribution");
  await control(page, "attribute").click();
  await idle(page, 250_000);
  await step(page, "pruning");
  await control(page, "prune").click();
  await idle(page, 250_000);
  await noError(page);
  await step(page, "result");
  const found = await saved<Report>(page, "save-report");
  let compared = 0;
  const compare = (a: Scores, b: Scores): void => {
    expect(b.accuracy).toEqual(a.accuracy);
    for (const [index, item] of a.items.entries()) {
      expect(b.items[index]?.id).toBe(item.id);
      for (const [choice, { log_likelihood }] of item.choices.entries()) {
        const own = b.items[index]?.choices[choice]?.log_likelihood ?? Number.NaN;
        expect(Math.abs(own - log_likelihood), `${a.set}, ${item.id}, choice ${choice}`).toBeLessThan(1e-3);
        compared += 1;
      }
    }
  };
  for (const scores of expected.baseline) {
    compare(scores, found.baseline.find((other) => other.set === scores.set) as Scores);
  }
  expect(found.pruned.mask).toEqual(expected.pruned.mask);
  for (const { set, after } of expected.pruned.sets) {
    compare(after, found.pruned.sets.find((other) => other.set === set)?.after as Scores);
  }
  expect(compared).toBeGreaterThan(0);
  const largest = Math.max(...expected.attribution.scores.flat().map(Math.abs));
  for (const [layer, row] of expected.attribution.scores.entries()) {
    for (const [neuron, score] of row.entries()) {
      const own = found.attribution.scores[layer]?.[neuron] ?? Number.NaN;
      expect(Math.abs(own - score), `layer ${layer}, neuron ${neuron}`).toBeLessThan(1e-3 * largest);
    }
  }
});

test("the heat map is walked through by keyboard", async ({ page }) => {
  await open(page, "wasm");
  const map = page.locator("heat-map canvas");
  await map.focus();
  await map.press("Home");
  await map.press("ArrowRight");
  await map.press("ArrowRight");
  await map.press("Shift+ArrowRight");
  await map.press("ArrowDown");
  await expect(page.locator(".map-read")).toContainText("blocks.1.mlp.hook_post[12]");
  await map.press("Enter");
  await expect(page.locator("neuron-card .address")).toHaveText("blocks.1.mlp.hook_post[12]");
  await map.press("p");
  await expect(page.locator("pruned-neurons .mask-size")).toContainText("1 neuron of layer 1");
  await expect(page.locator(".map-read")).toContainText("pruned");
  await idle(page);
  await control(page, "mask-Undo").click();
  await expect(page.locator("pruned-neurons .mask-size")).not.toContainText("of layer 1");
  await map.press("s");
  await map.press("+");
  await expect(page.locator(".map-axis")).toContainText("of 256");
});

test("a running job is cancelled, and the page goes on working", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "attribution");
  await control(page, "preset").selectOption("paper");
  await setNumber(page, "steps", 1000);
  await control(page, "attribute").click();
  await expect(page.locator("job-bar")).toBeVisible();
  await control(page, "cancel").click();
  await idle(page);
  await noError(page);
  await ready(page);
  await score(page);
});

test("a cancelled tuning keeps its best state", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "tuning");
  await setNumber(page, "tune-steps", 5000);
  await setNumber(page, "tune-every", 1);
  await control(page, "tune").click();
  await expect(page.locator(".line-chart .first path").last()).toHaveAttribute("d", /L/, { timeout: 60_000 });
  await control(page, "cancel").click();
  await idle(page);
  await expect(page.locator("[data-result=tuning]")).toContainText("the best state until then is kept");
});

test("a reload keeps the study and its results", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "pruning");
  await control(page, "layer").selectOption("1");
  await setNumber(page, "percent-number", 4);
  await idle(page);
  await noError(page);
  const summary = await page.locator("pruned-neurons").innerText();
  expect(summary).toContain("of layer 1");
  await kept(page);
  await page.reload();
  await ready(page);
  expect(await page.locator("pruned-neurons").innerText()).toBe(summary);
  await expect(page.locator("[data-step=pruning]")).toHaveAttribute("aria-current", "step");
  await control(page, "layer").selectOption("0");
  await idle(page);
  await noError(page);
  await expect(page.locator("pruned-neurons .mask-size")).toContainText("of layer 0");
});

test("of two tabs one keeps its study; the other one's is kept once that is closed, and takes nothing away", async ({ page, context }) => {
  await open(page, "wasm");
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
  await kept(page);
  const second = await context.newPage();
  await open(second, "wasm");
  await expect(second.locator(".banner.notice")).toContainText("open in another tab");
  await useItems(second, await sampleLines(second, "lesson-planted-shifted", 5));
  await kept(second);
  await useItems(page, await sampleLines(page, "lesson-planted-shifted", 6));
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(page.locator("step-items tr[data-set=pasted] td.number")).toHaveText("6");
  await expect(page.locator(".banner.notice")).toHaveCount(0);

  await page.close();
  await step(second, "scores");
  await expect(second.locator(".banner.notice")).toHaveCount(0);
  await kept(second);
  await second.reload();
  await ready(second);
  await step(second, "items");
  await expect(second.locator("step-items tr[data-set=pasted] td.number")).toHaveText("5");
  await step(second, "start");
  await control(second, "earlier").click();
  await expect(second.locator("[data-step=items]")).toContainText("6 items");
});

test("nothing can be started after a reload before the model is back", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "pruning");
  await setNumber(page, "percent-number", 4);
  await idle(page);
  await kept(page);
  await page.addInitScript(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    addEventListener("DOMContentLoaded", () =>
      new MutationObserver(() => {
        const { engine, job, model } = document.body.dataset;
        if (engine === "ready" && model !== "") seen.push(job ?? "");
      }).observe(document.body, { attributes: true }),
    );
  });
  await page.reload();
  await ready(page);
  const jobs = await page.evaluate(() => (window as unknown as { seen: string[] }).seen);
  expect(jobs[0]).toBe("running");
  expect(jobs.at(-1)).toBe("none");
});

test("no step needs sideways scrolling, in light and dark", async ({ page }) => {
  await open(page, "wasm");
  for (const [width, height] of [
    [1280, 720],
    [1366, 768],
    [1024, 700],
    [640, 360],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const name of ["start", "model", "items", "scores", "attribution", "pruning", "tuning", "result"]) {
        await step(page, name);
        const isWider = await page.evaluate(() =>
          ["html", "#workspace", "aside"].some((part) => {
            const element = document.querySelector(part);
            return element !== null && element.scrollWidth > element.clientWidth;
          }),
        );
        expect(isWider, `${name} at ${width} × ${height}`).toBe(false);
        if (width === 1280) await page.screenshot({ path: `test-results/screens/${name}-${scheme}.png` });
      }
    }
  }
});

test("a step that is chosen comes into view, on a phone too", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 700 });
  await open(page, "wasm");
  for (const name of ["items", "pruning"]) {
    await step(page, name);
    await expect(page.locator("#workspace h1")).toBeInViewport();
    await page.screenshot({ path: `test-results/screens/${name}-phone.png` });
  }
});

test("Back leads to the step before, and no fragment that holds no study goes unsaid", async ({ page }) => {
  await open(page, "wasm");
  await step(page, "items");
  await step(page, "scores");
  await page.goBack();
  await expect(page.locator("step-items")).toBeVisible();
  await page.goBack();
  await expect(page.locator("step-overview")).toBeVisible();
  await page.goForward();
  await expect(page.locator("step-items")).toBeVisible();
  await page.evaluate(() => {
    location.hash = "#garbage";
  });
  await expect(page.locator(".banner.error")).toContainText("This address holds no study that can be read");
});

test("a damaged link says so and loses nothing", async ({ page }) => {
  await open(page, "wasm");
  await page.evaluate(() => {
    location.hash = "#s1.damaged";
  });
  await expect(page.locator(".banner.error")).toContainText("link");
  await step(page, "items");
  await expect(page.locator(".sets tbody tr")).not.toHaveCount(0);
});

test("without relaxed SIMD the numbers are the same to rounding, and the page says without what it is", async ({ page }) => {
  await reachEngine(page);
  const found: number[][] = [];
  for (const query of ["", "&simd=plain"]) {
    await page.goto(`./?device=wasm&threads=1${query}`);
    await ready(page);
    await useItems(page, await sampleLines(page, "lesson-planted-shifted", 4));
    const { result } = await callEngine<Scores>(page, "score", { set: "pasted" });
    found.push(result.items.flatMap(({ choices }) => choices.map(({ log_likelihood }) => log_likelihood)));
    await step(page, "model");
    await expect(page.locator("model-device")).toContainText(
      query ? "WebAssembly SIMD, one core" : /WebAssembly (relaxed )?SIMD, one core/,
    );
  }
  const [first = [], plain = []] = found;
  expect(first.length).toBeGreaterThan(4);
  for (const [index, value] of first.entries()) expect(Math.abs(value - (plain[index] ?? Number.NaN))).toBeLessThan(1e-4);
});
