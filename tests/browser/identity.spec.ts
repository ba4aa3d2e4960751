// Who a model is: its hash, whatever a file, an id or an entry of the catalogue is called.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, type Locator, type Page } from "@playwright/test";
import { sha256, withHub, type HubServer } from "./hub-server";
import { control, idle, kept, noError, ready, saved, score, step, useItems } from "./support";

const FIXTURES = resolve("tests/fixtures");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const REPOSITORY = "tests/published";
const ITEM = '{"id":"1","context":"bench ship","choices":["milk","elm"],"gold":0}';

interface Report {
  model: { id: string; sha256: string; n_layers: number; d_mlp: number };
  attribution?: { n_layers: number; d_mlp: number };
  baseline: unknown[];
}

type Files = Record<string, Buffer>;

function read(name: string): Buffer {
  return readFileSync(join(FIXTURES, "tiny-llama-tied", name));
}

/** The published model. */
function published(): Files {
  const names = ["model.safetensors", "config.json", "tokenizer.json"];
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

/** Another model with files of the same names and sizes: its last weights are others. */
function another(): Files {
  const weights = Buffer.from(read("model.safetensors"));
  weights.fill(0, weights.length - 64);
  return { ...published(), "model.safetensors": weights };
}

/** The same name and size, and no model. */
function broken(): Files {
  return { ...published(), "model.safetensors": Buffer.alloc(read("model.safetensors").length, 7) };
}

const test = withHub(() => ({
  [REPOSITORY]: {
    commit: COMMIT,
    files: Object.fromEntries(Object.entries(published()).map(([name, bytes]) => [name, { bytes, lfs: true }])),
  },
}));

/** Opens the page with the published model in its catalogue. */
async function openModels(page: Page, hub: HubServer): Promise<void> {
  await page.route("**/models/catalog.json", async (route) => {
    const response = await route.fetch();
    const files = Object.entries(published()).map(([name, bytes]) => ({
      name,
      bytes: bytes.length,
      sha256: sha256(bytes),
      sources: [{ kind: "hub", repo: REPOSITORY, revision: COMMIT, file: name }],
    }));
    const entry = {
      id: "published",
      name: "The published one",
      family: "llama",
      licence: "MIT",
      parameters: 7000,
      memory_bytes: 28_000,
      largest_tensor_bytes: 8000,
      note: "",
      files,
    };
    await route.fulfill({ json: [...((await response.json()) as object[]), entry] });
  });
  await page.goto(`${hub.origin}/secateur/?device=wasm`);
  await ready(page);
  await step(page, "model");
}

async function pick(page: Page, files: Files): Promise<void> {
  const picked = Object.entries(files).map(([name, buffer]) => ({ name, mimeType: "application/octet-stream", buffer }));
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(picked);
}

async function loaded(page: Page, id: string): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-model", id);
  await idle(page);
  await noError(page);
}

/** The hash of the loaded model, and whether it is one of the catalogue. */
function hash(page: Page): Locator {
  return page.locator("model-loaded dd", { hasText: /^[0-9a-f]{64}/ });
}

const HASH = sha256(read("model.safetensors"));

test("files with an entry's names and sizes are that entry only where their hashes are, and leave its download alone", async ({
  page,
  hub,
}) => {
  await openModels(page, hub);
  await control(page, "load-published").click();
  await loaded(page, "published");
  await expect(page.locator("model-loaded")).toContainText("The published one");

  await pick(page, another());
  await loaded(page, "model");
  await expect(page.locator("model-loaded h2")).toHaveText("Loaded: model");
  await expect(hash(page)).toContainText("(not in the catalogue)");
  await expect(control(page, "load-published")).toHaveText("Load");
  await expect(page.locator("[data-stored]")).toHaveCount(2);

  await pick(page, broken());
  await expect(page.locator(".banner.error")).toBeVisible();
  await idle(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await expect(page.locator("[data-stored]")).toHaveCount(2);

  // The download is still what it was, without the hub.
  hub.take("model.safetensors");
  await control(page, "load-published").click();
  await loaded(page, "published");
  await expect(hash(page)).toHaveText(`${HASH} (as in the catalogue)`);
  expect(hub.take("model.safetensors")).toHaveLength(0);
});

test("files that are an entry's are known for it by any name, and kept once", async ({ page, hub }) => {
  await openModels(page, hub);
  const { "model.safetensors": weights, ...companions } = published();
  await pick(page, { ...companions, "renamed.safetensors": weights ?? Buffer.alloc(0) });
  await loaded(page, "published");
  await expect(control(page, "load-published")).toHaveText("Loaded");
  await pick(page, another());
  await loaded(page, "model");
  await pick(page, published());
  await loaded(page, "published");
  await pick(page, another());
  await loaded(page, "model");
  await expect(page.locator("[data-stored]")).toHaveCount(2);
  // The other one's tokenizer makes it another model.
  await pick(page, { ...published(), "tokenizer.json": Buffer.concat([read("tokenizer.json"), Buffer.from("\n")]) });
  await loaded(page, "model-2");
  await expect(page.locator("[data-stored]")).toHaveCount(3);
  expect(hub.take("model.safetensors")).toHaveLength(0);
});

test("a study is not given another model that came to its model's name, and its results wait for its own", async ({
  page,
  hub,
  context,
}) => {
  await openModels(page, hub);
  await pick(page, another());
  await loaded(page, "model");
  await useItems(page, ITEM);
  await score(page);
  await kept(page);
  const second = await context.newPage();
  await second.goto(`${hub.origin}/secateur/?device=wasm`);
  await ready(second);
  await step(second, "model");
  await control(second, "forget-model").click();
  await expect(second.locator("[data-stored]")).toHaveCount(0);
  await pick(second, published());
  await loaded(second, "model");
  await second.close();

  await page.reload();
  await expect(page.locator(".banner.error")).toContainText("is not kept in this browser any more");
  await idle(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "");
  await step(page, "model");
  await expect(page.locator("[data-stored=model]")).toBeVisible();
  await pick(page, another());
  await loaded(page, "model-2");
  await step(page, "scores");
  await expect(page.locator("table.summary tr[data-set=pasted]")).toContainText("of 1");
});

test("a model of the lesson's name is not the lesson, and a report is of one model alone", async ({ page, hub }) => {
  await openModels(page, hub);
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles({
    name: "lesson-planted.gguf",
    mimeType: "application/octet-stream",
    buffer: readFileSync(join(FIXTURES, "tiny-gpt2/model.gguf")),
  });
  await loaded(page, "lesson-planted-2");
  await step(page, "start");
  await expect(page.locator("step-overview")).not.toContainText("a small model that learned a quiz");
  await step(page, "result");
  const before = await saved<Report>(page, "save-report");
  expect(before.attribution).toBeUndefined();
  expect(before.baseline).toEqual([]);

  await step(page, "start");
  await control(page, "lesson").click();
  await loaded(page, "lesson-planted");
  await expect(page.locator("step-overview")).toContainText("a small model that learned a quiz");
  await step(page, "result");
  const { model, attribution } = await saved<Report>(page, "save-report");
  expect([attribution?.n_layers, attribution?.d_mlp]).toEqual([model.n_layers, model.d_mlp]);
});

test("results of a model that is gone are not another's", async ({ page, hub }) => {
  hub.stub = "navigator.storage.estimate = async () => ({ quota: 50_000, usage: 45_000 });\n";
  await openModels(page, hub);
  const choose = page.locator("step-model .drop-zone input[accept*=gguf]");
  await choose.setInputFiles(join(FIXTURES, "tiny-gpt2/model.gguf"));
  await loaded(page, "model");
  await useItems(page, ITEM);
  await score(page);
  await kept(page);
  await page.reload();
  await expect(page.locator("body")).toHaveAttribute("data-engine", "ready");
  await idle(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "");
  await expect(page.locator("table.summary tbody tr")).toHaveCount(1);
  await step(page, "model");
  await choose.setInputFiles(join(FIXTURES, "tiny-qwen2/model.gguf"));
  await loaded(page, "model");
  await step(page, "scores");
  await expect(page.locator("table.summary tbody tr")).toHaveCount(0);
});
