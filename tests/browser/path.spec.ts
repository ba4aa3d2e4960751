// The whole path on both devices: own items in, scores, attribution, a mask, its control, the file, the link, and the
// link opened by someone else.

import { expect } from "@playwright/test";
import { control, idle, noError, open, readDownload, sampleLines, setNumber, step, test, useItems, type Device } from "./support";

const STEPS_OF: Record<Device, number> = { wasm: 8, webgpu: 2 };
const ITEMS_OF: Record<Device, number> = { wasm: 24, webgpu: 4 };

for (const device of ["wasm", "webgpu"] as const) {
  test(`from items to a reproduced link on ${device}`, async ({ page, browser, baseURL }) => {
    // The software adapter computes about a thousandth as fast as a graphics card.
    test.setTimeout(device === "webgpu" ? 400_000 : 120_000);
    const home = new URL(baseURL ?? "").host;
    const elsewhere: string[] = [];
    page.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol.startsWith("http") && host !== home) elsewhere.push(request.url());
    });
    await open(page, device);
    await expect(page.locator(".device-chip")).toContainText(device === "webgpu" ? "WebGPU" : "WebAssembly");

    await useItems(page, await sampleLines(page, "lesson-planted-shifted", ITEMS_OF[device]));

    await step(page, "scores");
    await control(page, "score").click();
    await idle(page, 200_000);
    await noError(page);
    await expect(page.locator("tr[data-set=pasted] .accuracy-text")).toContainText(`of ${ITEMS_OF[device]} (95 % Wilson interval`);
    await expect(page.locator(".scores tbody tr")).toHaveCount(ITEMS_OF[device]);

    await step(page, "attribution");
    await control(page, "preset").selectOption("fast");
    await setNumber(page, "steps", STEPS_OF[device]);
    await setNumber(page, "threshold", 0);
    await control(page, "attribute").click();
    await idle(page, 300_000);
    await noError(page);
    await expect(page.locator("[data-result=attribution]")).toContainText(`${ITEMS_OF[device]} items used`);
    await expect(page.locator(".gaps tbody tr").first()).toBeVisible();
    await expect(page.locator("heat-map canvas")).toHaveAttribute("aria-label", /Strongest neuron: blocks\.\d+\.mlp\.hook_post\[\d+\]/);

    await step(page, "pruning");
    await control(page, "layer").selectOption("0");
    await setNumber(page, "percent-number", 10);
    await idle(page, 200_000);
    await noError(page);
    await expect(page.locator("pruned-neurons")).toContainText("of layer 0 (10.2\u00a0%)");
    await expect(page.locator("pruned-neurons .before-after")).toHaveCount(1);
    await expect(page.locator("[data-result=flips]")).toContainText("changed their answer");
    await setNumber(page, "control-masks", 2);
    await control(page, "control").click();
    await idle(page, 300_000);
    await expect(page.locator(".dot-strip circle.random")).toHaveCount(2);

    await step(page, "result");
    const waiting = page.waitForEvent("download");
    await control(page, "export-mask").click();
    const text = await readDownload(await waiting);
    const mask = JSON.parse(text);
    expect(mask.format).toBe("secateur-mask");
    expect(mask.model.id).toBe("lesson-planted");
    expect(mask.layers).toHaveLength(1);
    expect(mask.results[0].set).toBe("pasted");
    await expect(page.locator(".snippet")).toContainText("import torch");

    await control(page, "mask-Prune nothing").click();
    await expect(page.locator("pruned-neurons")).toContainText("Nothing is pruned");
    await page.locator("step-result input[type=file]").setInputFiles({
      name: "mask.json",
      mimeType: "application/json",
      buffer: Buffer.from(text),
    });
    await expect(page.locator(".banner.notice")).toContainText("Mask taken");
    await expect(page.locator("pruned-neurons")).toContainText(`${mask.layers[0].neurons.length} neurons of layer 0`);
    await idle(page, 200_000);

    await control(page, "make-link").click();
    const link = new URL(await control(page, "link").inputValue());
    expect(link.hash).toMatch(/^#s1\.[A-Za-z0-9_-]+$/);
    link.searchParams.set("device", device);

    const other = await (await browser.newContext()).newPage();
    await other.goto(link.href);
    await expect(other.locator(".verdict")).toHaveAttribute("data-reproduced", "yes", { timeout: 300_000 });
    await expect(other.locator("pruned-neurons")).toContainText(`${mask.layers[0].neurons.length} neurons of layer 0`);
    await noError(other);
    expect(elsewhere, "nothing is fetched from or sent to another host").toEqual([]);
  });
}
