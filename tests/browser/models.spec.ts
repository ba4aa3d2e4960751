// Where models come from: the hub by a name, files and folders, what is kept, and what happens when a download breaks
// off. The server is a small one in the hub's shape (hub-server.ts); the models are the fixtures.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, type Page } from "@playwright/test";
import { withHub, type HubFile, type HubRepository, type HubServer } from "./hub-server";
import { control, idle, kept, noError, ready, saved, score, step, useItems } from "./support";

const FIXTURES = resolve("tests/fixtures");
const TINY = join(FIXTURES, "tiny-llama-tied");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

interface Reference {
  items: { id: string; context: string; choices: string[]; gold: number; sums: number[] }[];
}
interface Scores {
  items: { choices: { log_likelihood: number }[] }[];
}

function file(path: string, lfs = false): HubFile {
  return { bytes: readFileSync(path), lfs };
}

/** A model file in two, and its index, as `save_pretrained` with a small `max_shard_size` writes them. */
function shards(whole: Buffer): Record<string, Buffer> {
  const length = Number(whole.readBigUInt64LE(0));
  const header = JSON.parse(whole.subarray(8, 8 + length).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header["__metadata__"];
  const names = Object.keys(header);
  const half = Math.ceil(names.length / 2);
  const weight_map: Record<string, string> = {};
  const files: Record<string, Buffer> = {};
  for (const [index, part] of [names.slice(0, half), names.slice(half)].entries()) {
    const name = `model-0000${index + 1}-of-00002.safetensors`;
    const bodies: Buffer[] = [];
    const own: typeof header = {};
    let offset = 0;
    for (const tensor of part) {
      const entry = header[tensor];
      if (!entry) continue;
      const body = whole.subarray(8 + length + entry.data_offsets[0], 8 + length + entry.data_offsets[1]);
      own[tensor] = { ...entry, data_offsets: [offset, offset + body.length] };
      offset += body.length;
      bodies.push(body);
      weight_map[tensor] = name;
    }
    let text = JSON.stringify(own);
    text = text.padEnd(Math.ceil(text.length / 8) * 8);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    files[name] = Buffer.concat([size, Buffer.from(text), ...bodies]);
  }
  files["model.safetensors.index.json"] = Buffer.from(JSON.stringify({ metadata: {}, weight_map }));
  return files;
}

/** A GGUF model in two parts: one that has all tensors, one that only says which it is. */
function ggufParts(whole: Buffer): Record<string, Buffer> {
  const number = (value: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
    return buffer;
  };
  const text = (value: string): Buffer => Buffer.concat([number(value.length, 8), Buffer.from(value)]);
  // Type 2 is a number of 16 bits, type 8 a text.
  const fields = (part: number): Buffer =>
    Buffer.concat(
      [
        ["split.no", part],
        ["split.count", 2],
      ].map(([key, value]) => Buffer.concat([text(String(key)), number(2, 4), number(Number(value), 2)])),
    );
  const padded = (entries: Buffer): Buffer =>
    Buffer.concat([entries, text("padding"), number(8, 4), text(" ".repeat((32 - ((entries.length + 27) % 32)) % 32))]);
  const entries = Number(whole.readBigUInt64LE(16));
  return {
    "tiny-00001-of-00002.gguf": Buffer.concat([whole.subarray(0, 16), number(entries + 3, 8), padded(fields(0)), whole.subarray(24)]),
    "tiny-00002-of-00002.gguf": Buffer.concat([whole.subarray(0, 8), number(0, 8), number(3, 8), padded(fields(1)), Buffer.alloc(32)]),
  };
}

function inFolder(folder: string, files: Record<string, Buffer>): Record<string, HubFile> {
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${folder}/${name}`, { bytes, lfs: true }]));
}

function repositories(): Record<string, HubRepository> {
  const companions = {
    "config.json": file(join(TINY, "config.json")),
    "tokenizer.json": file(join(TINY, "tokenizer.json")),
    "tokenizer_config.json": file(join(TINY, "tokenizer_config.json")),
  };
  const weights = file(join(TINY, "model.safetensors"), true);
  const parts = Object.entries(shards(weights.bytes)).map(([name, bytes]) => [name, { bytes, lfs: name.endsWith(".safetensors") }]);
  return {
    "tests/tiny": {
      commit: COMMIT,
      licence: "apache-2.0",
      files: { ...companions, "model.safetensors": weights, "README.md": { bytes: Buffer.from("# tiny"), lfs: false } },
    },
    "tests/sharded": {
      commit: COMMIT,
      licence: "mit",
      files: { ...companions, ...(Object.fromEntries(parts) as Record<string, HubFile>) },
    },
    "tests/gguf": {
      commit: COMMIT,
      files: {
        "f32.gguf": file(join(FIXTURES, "tiny-llama-bpe/f32.gguf"), true),
        "mixed.gguf": file(join(FIXTURES, "tiny-llama-bpe/mixed.gguf"), true),
      },
    },
    "tests/split": {
      commit: COMMIT,
      files: {
        "f32.gguf": file(join(FIXTURES, "tiny-llama-bpe/f32.gguf"), true),
        ...inFolder("a", ggufParts(readFileSync(join(FIXTURES, "tiny-qwen3/model.gguf")))),
        ...inFolder("b", ggufParts(readFileSync(join(FIXTURES, "tiny-qwen2/model.gguf")))),
        "c/tiny-00002-of-00003.gguf": { bytes: Buffer.alloc(8), lfs: true },
      },
    },
    "tests/other": {
      commit: COMMIT,
      files: { ...companions, "config.json": { bytes: Buffer.from('{"model_type":"mamba"}'), lfs: false }, "model.safetensors": weights },
    },
    "tests/large": {
      commit: COMMIT,
      files: {
        ...companions,
        "model.safetensors": weights,
        "config.json": {
          lfs: false,
          bytes: Buffer.from(
            JSON.stringify({
              ...(JSON.parse(companions["config.json"].bytes.toString()) as object),
              hidden_size: 4096,
              intermediate_size: 11_008,
              num_hidden_layers: 10,
              num_attention_heads: 32,
              num_key_value_heads: 32,
              head_dim: 128,
              vocab_size: 32_000,
            }),
          ),
        },
      },
    },
    "tests/twice": {
      commit: COMMIT,
      files: {
        ...companions,
        "a/model.safetensors": weights,
        "b/model.safetensors": weights,
        "model.safetensors.index.json": {
          bytes: Buffer.from(JSON.stringify({ weight_map: { one: "a/model.safetensors", two: "b/model.safetensors" } })),
          lfs: false,
        },
      },
    },
    "tests/pickles": { commit: COMMIT, files: { "pytorch_model.bin": { bytes: Buffer.from("x"), lfs: false } } },
    "tests/gated": { commit: COMMIT, gated: true, files: {} },
  };
}

const test = withHub(repositories);

/** A worker that waits two seconds where another one waits many. */
const IMPATIENT = "{ const wait = self.setTimeout; self.setTimeout = (run, ms) => wait(run, ms >= 20_000 ? 2000 : ms); }\n";

async function openModels(page: Page, hub: HubServer): Promise<void> {
  await page.goto(`${hub.origin}/secateur/?device=wasm`);
  await ready(page);
  await step(page, "model");
}

async function look(page: Page, name: string): Promise<void> {
  await control(page, "hub-name").fill(name);
  await control(page, "hub-name").press("Enter");
}

/** Looks a repository up and takes its first choice. */
async function fetchFromHub(page: Page, name: string): Promise<void> {
  await look(page, name);
  await control(page, "hub-load").click();
}

async function loaded(page: Page, id: string): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-model", id, { timeout: 30_000 });
  await idle(page);
  await noError(page);
}

test("a model typed as owner/name is looked up, fetched, kept, and scores as in transformers", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/tiny");
  const listing = page.locator(".hub-listing");
  await expect(listing).toContainText(`commit ${COMMIT.slice(0, 10)}, licence apache-2.0`);
  await expect(listing).toContainText("of memory");
  // Nothing large was fetched to say so.
  expect(hub.take("model.safetensors")).toHaveLength(0);
  await control(page, "hub-load").click();
  await loaded(page, "tests--tiny");
  const row = page.locator('[data-stored="tests--tiny"]');
  await expect(row).toContainText(`tests/tiny@${COMMIT.slice(0, 7)}`);
  await expect(row).toContainText("apache-2.0");

  const { items } = JSON.parse(readFileSync(join(TINY, "scores.json"), "utf8")) as Reference;
  await useItems(page, items.map(({ id, context, choices, gold }) => JSON.stringify({ id, context, choices, gold })).join("\n"));
  await page.locator("step-items select[data-key=template]").selectOption("plain@1");
  await idle(page);
  await step(page, "scores");
  await control(page, "score").click();
  await idle(page);
  await noError(page);
  await step(page, "result");
  const found = await saved<{ baseline: Scores[] }>(page, "save-report");
  for (const [index, item] of items.entries()) {
    for (const [choice, sum] of item.sums.entries()) {
      const own = found.baseline[0]?.items[index]?.choices[choice]?.log_likelihood ?? Number.NaN;
      expect(Math.abs(own - sum), `${item.id}, choice ${choice}`).toBeLessThan(1e-4);
    }
  }
  // The next visit finds it without the hub.
  hub.take("model.safetensors");
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(page.locator("body")).toHaveAttribute("data-model", "tests--tiny");
  expect(hub.take("model.safetensors")).toHaveLength(0);
});

test("another model gets questions in the place of the lesson's words, unless there are others by then", async ({ page, hub }) => {
  let send = (): void => undefined;
  const isPasted = new Promise<void>((resolve) => {
    send = resolve;
  });
  await page.route("**/general-knowledge.jsonl", async (route) => {
    await isPasted;
    await route.continue();
  });
  await openModels(page, hub);
  await fetchFromHub(page, "tests/tiny");
  await expect(page.locator("body")).toHaveAttribute("data-model", "tests--tiny");
  await step(page, "items");
  await control(page, "remove-all").click();
  await page.locator("step-items textarea").first().fill('{"id":"1","context":"Up?","choices":["yes","no"],"gold":0}');
  await control(page, "add-pasted").click();
  await expect(page.locator(".line-errors")).toContainText("added");
  send();
  await idle(page);
  await expect(page.locator("step-items table.sets tbody tr")).toHaveCount(1);
  await expect(page.locator("tr[data-set=pasted]")).toBeVisible();

  // The same from the lesson's own items.
  await step(page, "start");
  await control(page, "lesson").click();
  await loaded(page, "lesson-planted");
  await step(page, "model");
  await control(page, "stored-tests--tiny").click();
  await loaded(page, "tests--tiny");
  await expect(page.locator(".banner.notice")).toContainText("general-knowledge questions took their place");
  await step(page, "items");
  await expect(page.locator("tr[data-set=validation]")).toContainText("sample general-knowledge");
});

test("the address of a model's page is understood, and another commit is asked for by name", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "https://huggingface.co/tests/tiny/tree/main");
  await expect(page.locator(".hub-listing")).toContainText("tests/tiny");
  await look(page, `tests/tiny@${COMMIT}`);
  await expect(page.locator(".hub-listing")).toContainText(COMMIT.slice(0, 10));
  await look(page, "tests/tiny@no-such-branch");
  await expect(page.locator(".hub-answer [role=alert]")).toContainText("no public model tests/tiny at no-such-branch");
  await look(page, "tiny");
  await expect(page.locator(".hub-answer [role=alert]")).toContainText("Type owner/name");
});

test("a repository that cannot be used says why and what to do", async ({ page, hub }) => {
  await openModels(page, hub);
  const alert = page.locator(".hub-answer [role=alert]");
  await look(page, "tests/gated");
  await expect(alert).toHaveAttribute("data-code", "hub_gated");
  await expect(alert).toContainText("drop them under “Your own files”");
  await look(page, "tests/absent");
  await expect(alert).toHaveAttribute("data-code", "hub_absent");
  await expect(alert).toContainText("Check the spelling");
  await look(page, "tests/pickles");
  await expect(alert).toContainText("neither safetensors nor a GGUF file");
  await look(page, "tests/other");
  await expect(page.locator(".hub-listing .warning")).toContainText("mamba");
  await expect(control(page, "hub-load")).toBeDisabled();
  await look(page, "tests/twice");
  await expect(page.locator(".hub-listing .warning")).toContainText("names two files model.safetensors");
  await expect(control(page, "hub-load")).toBeDisabled();
});

test("a hub that does not answer holds nothing up, and is given up by a cancel or after a while", async ({ page, hub }) => {
  hub.isSilent = true;
  await openModels(page, hub);
  await look(page, "tests/tiny");
  await expect(page.locator(".hub-answer")).toContainText("Asking the hub");
  await score(page);
  await step(page, "model");
  await control(page, "hub-cancel").click();
  await expect(page.locator(".hub-answer")).toHaveText("");
  await expect(control(page, "hub-look")).toBeEnabled();

  hub.stub = IMPATIENT;
  await page.reload();
  await ready(page);
  await look(page, "tests/tiny");
  await expect(page.locator(".hub-answer [role=alert]")).toContainText("did not answer within 20 seconds");
});

test("one of several GGUF files is chosen", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/gguf");
  await expect(page.locator(".hub-listing input[type=radio]")).toHaveCount(2);
  await page.locator(".hub-listing label", { hasText: "f32.gguf" }).click();
  await expect(control(page, "hub-load")).toHaveText("Download 126 kB");
  await control(page, "hub-load").click();
  await loaded(page, "tests--gguf--f32.gguf");
});

test("a cut connection is taken up again where it was cut", async ({ page, hub }) => {
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { cutAfter: 12_000 });
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  const size = readFileSync(join(TINY, "model.safetensors")).length;
  const [first, second, ...more] = hub.take("model.safetensors");
  expect(first).toMatchObject({ range: null, sent: 12_000 });
  expect(second).toMatchObject({ range: "bytes=12000-", status: 206, sent: size - 12_000 });
  expect(more).toHaveLength(0);
});

test("a connection that stays open and brings nothing more is taken up again like one that was cut", async ({ page, hub }) => {
  hub.stub = IMPATIENT;
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { holdAfter: 12_000 });
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  expect(hub.take("model.safetensors")).toMatchObject([{ range: null }, { range: "bytes=12000-" }]);
});

test("a cancelled download goes on at a later visit, and fetches only what is missing", async ({ page, hub }) => {
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { holdAfter: 12_000 });
  await fetchFromHub(page, "tests/tiny");
  await expect(page.locator("job-bar")).toContainText("downloading");
  await expect.poll(() => hub.served.some(({ path }) => path.endsWith("model.safetensors"))).toBe(true);
  await page.waitForTimeout(500);
  await control(page, "cancel").click();
  await idle(page);
  await noError(page);
  await expect(page.locator('[data-unfinished="tests--tiny"]')).toContainText("unfinished");
  hub.take("model.safetensors");

  await page.reload();
  await ready(page);
  await step(page, "model");
  await control(page, "resume-tests--tiny").click();
  await loaded(page, "tests--tiny");
  const size = readFileSync(join(TINY, "model.safetensors")).length;
  expect(hub.take("model.safetensors")).toMatchObject([{ range: "bytes=12000-", sent: size - 12_000 }]);
  await expect(page.locator("[data-unfinished]")).toHaveCount(0);
});

test("a kept model stays until a newer version of it is complete, and then makes room", async ({ page, hub }) => {
  await openModels(page, hub);
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  const row = page.locator('[data-stored="tests--tiny"]');
  const newer = hub.repositories["tests/tiny"] as HubRepository;
  newer.commit = "fedcba9876543210fedcba9876543210fedcba98";
  hub.faults.set("model.safetensors", { holdAfter: 12_000 });
  hub.take("model.safetensors");
  await fetchFromHub(page, "tests/tiny");
  await expect.poll(() => hub.served.some(({ path }) => path.endsWith("model.safetensors"))).toBe(true);
  await page.waitForTimeout(500);
  await control(page, "cancel").click();
  await loaded(page, "tests--tiny");
  const begun = page.locator("[data-unfinished]");
  await expect(begun).toContainText("tests/tiny@fedcba9");
  await expect(row).toContainText(`tests/tiny@${COMMIT.slice(0, 7)}`);

  await kept(page);
  await page.reload();
  await ready(page);
  await loaded(page, "tests--tiny");
  await step(page, "model");
  hub.take("model.safetensors");
  await begun.getByRole("button", { name: "Resume" }).click();
  await expect(begun).toHaveCount(0);
  await loaded(page, "tests--tiny");
  expect(hub.take("model.safetensors")).toMatchObject([{ range: "bytes=12000-" }]);
  await expect(row).toHaveCount(1);
  await expect(row).toContainText("tests/tiny@fedcba9");
  const places = await page.evaluate(async () => {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
    const names: string[] = [];
    for await (const name of models.keys()) names.push(name);
    return names;
  });
  expect(places).toEqual(["fedcba9876-tests--tiny"]);
  await kept(page);
  await page.reload();
  await ready(page);
  await loaded(page, "tests--tiny");
});

test("a server that knows no ranges begins anew", async ({ page, hub }) => {
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { cutAfter: 12_000, noRange: true });
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  const size = readFileSync(join(TINY, "model.safetensors")).length;
  expect(hub.take("model.safetensors")).toMatchObject([{ sent: 12_000 }, { range: "bytes=12000-", status: 200, sent: size }]);
});

test("bytes of another version of the file are not put together", async ({ page, hub }) => {
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { cutAfter: 12_000, etag: '"old"' });
  await fetchFromHub(page, "tests/tiny");
  await expect.poll(() => hub.served.filter(({ path }) => path.endsWith("model.safetensors")).length).toBe(1);
  hub.faults.set("model.safetensors", { etag: '"new"' });
  await loaded(page, "tests--tiny");
  const size = readFileSync(join(TINY, "model.safetensors")).length;
  expect(hub.take("model.safetensors")).toMatchObject([
    { sent: 12_000 },
    { range: "bytes=12000-", status: 206 },
    { range: null, status: 200, sent: size },
  ]);
});

test("wrong bytes are refused and nothing of them is kept", async ({ page, hub }) => {
  await openModels(page, hub);
  // The model from before is not to be had again.
  await page.route("**/models/lesson-planted/**", (route) => route.abort());
  hub.faults.set("model.safetensors", { wrong: true });
  await fetchFromHub(page, "tests/tiny");
  await expect(page.locator(".banner.error")).toContainText("The sha256 of model.safetensors is");
  await idle(page);
  await expect(page.locator("[data-stored], [data-unfinished]")).toHaveCount(0);
  // It is still there.
  await expect(page.locator("body")).toHaveAttribute("data-model", "lesson-planted");
  await expect(page.locator(".banner.notice")).toHaveCount(0);
  // A small file has Git's hash.
  hub.faults.clear();
  hub.faults.set("tokenizer.json", { wrong: true });
  await control(page, "hub-load").click();
  await expect(page.locator(".banner.error")).toContainText("hash of tokenizer.json is");
  await idle(page);
  await expect(page.locator("[data-stored], [data-unfinished]")).toHaveCount(0);
});

test("a full disk is told before the download, with what could be deleted", async ({ page, hub }) => {
  await openModels(page, hub);
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  hub.stub = "navigator.storage.estimate = async () => ({ quota: 50_000, usage: 45_000 });";
  await kept(page);
  await page.reload();
  await ready(page);
  await fetchFromHub(page, "tests/gguf");
  const banner = page.locator(".banner.error");
  await expect(banner).toHaveAttribute("data-code", "quota");
  await expect(banner).toContainText("1 MB free");
  await expect(banner).toContainText("Delete a stored model: tiny");
  expect(hub.take("mixed.gguf")).toHaveLength(0);
});

test("a kept model is deleted", async ({ page, hub }) => {
  await openModels(page, hub);
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  await control(page, "forget-tests--tiny").click();
  await expect(page.locator("[data-stored]")).toHaveCount(0);
  await page.reload();
  // No model comes back.
  await expect(page.locator("body")).toHaveAttribute("data-engine", "ready", { timeout: 60_000 });
  await idle(page);
  await expect(page.locator("[data-stored]")).toHaveCount(0);
});

test("a kept model that lost a part of a file says so, and can be fetched again", async ({ page, hub }) => {
  await openModels(page, hub);
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
  await page.evaluate(async () => {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
    const file = await (await models.getDirectoryHandle("tests--tiny")).getFileHandle("model.safetensors");
    const writable = await file.createWritable({ keepExistingData: true });
    await writable.truncate(100);
    await writable.close();
  });
  await kept(page);
  await page.reload();
  const banner = page.locator(".banner.error");
  await expect(banner).toHaveAttribute("data-code", "incomplete");
  await expect(banner).toContainText("model.safetensors has 100 of its");
  await idle(page);
  await expect(page.locator("[data-stored]")).toHaveCount(0);
  await step(page, "model");
  await fetchFromHub(page, "tests/tiny");
  await loaded(page, "tests--tiny");
});

test("two tabs do not write one model", async ({ page, hub, context }) => {
  await openModels(page, hub);
  hub.faults.set("model.safetensors", { holdAfter: 12_000 });
  await fetchFromHub(page, "tests/tiny");
  await expect.poll(() => hub.served.some(({ path }) => path.endsWith("model.safetensors"))).toBe(true);
  const other = await context.newPage();
  await other.goto(`${hub.origin}/secateur/?device=wasm`);
  await ready(other);
  await step(other, "model");
  await control(other, "resume-tests--tiny").click();
  await expect(other.locator(".banner.error")).toHaveAttribute("data-code", "busy");
  await other.close();
  await control(page, "cancel").click();
  await idle(page);
});

test("a folder gives a model, and what is missing in it is named", async ({ page, hub }) => {
  await openModels(page, hub);
  const folder = page.locator("step-model input[webkitdirectory]");
  const part = join(mkdtempSync(join(tmpdir(), "secateur-")), "half-a-model");
  const copy = (name: string, to: string): void => writeFileSync(join(to, name), readFileSync(join(TINY, name)));
  mkdirSync(part);
  copy("model.safetensors", part);
  copy("config.json", part);
  await folder.setInputFiles(part);
  await expect(page.locator(".banner.error")).toContainText("tokenizer.json is missing");
  copy("tokenizer.json", part);
  await folder.setInputFiles(part);
  await loaded(page, "half-a-model");
  await expect(page.locator('[data-stored="half-a-model"]')).toContainText("your files");
});

test("files that cannot be used take no kept model with them", async ({ page, hub }) => {
  await openModels(page, hub);
  const pick = (folder: string, bytes?: number) =>
    page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(
      ["model.safetensors", "config.json", "tokenizer.json"].map((name) => {
        const file = readFileSync(join(TINY, "..", folder, name));
        return { name, mimeType: "application/octet-stream", buffer: name.endsWith("safetensors") ? file.subarray(0, bytes) : file };
      }),
    );
  await pick("tiny-llama3");
  await loaded(page, "model");
  await pick("tiny-gpt2", 60_000);
  await expect(page.locator(".banner.error")).toContainText(/bytes|tensor|cut/);
  await idle(page);
  await expect(page.locator('[data-stored="model"]')).toBeVisible();
  await expect(page.locator("body")).toHaveAttribute("data-model", "model");
  await pick("tiny-gpt2");
  await loaded(page, "model-2");
  await expect(page.locator("[data-stored]")).toHaveCount(2);
});

test("files of a family that the engine does not know are refused before they are copied", async ({ page, hub }) => {
  await openModels(page, hub);
  const picked = ["model.safetensors", "config.json", "tokenizer.json"].map((name) => ({
    name,
    mimeType: "application/octet-stream",
    buffer: hub.repositories["tests/other"]?.files[name]?.bytes ?? Buffer.alloc(0),
  }));
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(picked);
  await expect(page.locator(".banner.error")).toContainText("mamba");
  await idle(page);
  await expect(page.locator("[data-stored]")).toHaveCount(0);
  await expect(page.locator("body")).toHaveAttribute("data-model", "lesson-planted");
});

test("files are dropped anywhere on the step", async ({ page, hub }) => {
  await openModels(page, hub);
  const files = ["model.safetensors", "config.json", "tokenizer.json"].map((name) => ({
    name,
    base64: readFileSync(join(TINY, name)).toString("base64"),
  }));
  const transfer = await page.evaluateHandle(async (all) => {
    const data = new DataTransfer();
    for (const { name, base64 } of all) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      data.items.add(new File([bytes], name));
    }
    return data;
  }, files);
  await page.dispatchEvent("known-models", "drop", { dataTransfer: transfer });
  await loaded(page, "model");
});

test("a shard that is missing is named", async ({ page, hub }) => {
  await openModels(page, hub);
  const parts = hub.repositories["tests/sharded"]?.files ?? {};
  const picked = ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "config.json", "tokenizer.json"].map((name) => ({
    name,
    mimeType: "application/octet-stream",
    buffer: parts[name]?.bytes ?? Buffer.alloc(0),
  }));
  await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(picked);
  await expect(page.locator(".banner.error")).toContainText("also names model-00002-of-00002.safetensors");
});

test("a split GGUF model is taken from all its parts, and a part alone says what is missing", async ({ page, hub }) => {
  await openModels(page, hub);
  const parts = ggufParts(readFileSync(join(FIXTURES, "tiny-qwen3/model.gguf")));
  const pick = (...names: string[]) =>
    page
      .locator("step-model .drop-zone input[accept*=gguf]")
      .setInputFiles(names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: parts[name] ?? Buffer.alloc(0) })));
  await pick("tiny-00002-of-00002.gguf");
  await expect(page.locator(".banner.error")).toContainText("tiny-00001-of-00002.gguf is missing");
  await pick("tiny-00002-of-00002.gguf", "tiny-00001-of-00002.gguf");
  await loaded(page, "tiny");
});

test("a split GGUF model of the hub is one choice, with all its parts", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/split");
  const options = page.locator(".hub-listing fieldset label");
  await expect(options).toContainText(["b/tiny.gguf, 2 parts", "f32.gguf", "a/tiny.gguf, 2 parts", "c/tiny.gguf, 3 parts"]);
  await options.filter({ hasText: "c/tiny.gguf" }).click();
  await expect(page.locator(".hub-listing .warning")).toContainText("it lacks 2 of its 3 parts");
  await expect(control(page, "hub-load")).toBeDisabled();
  for (const folder of ["a", "b"]) {
    // Their files have the same names, and are those of another model.
    await options.filter({ hasText: `${folder}/tiny.gguf` }).click();
    await expect(control(page, "hub-load")).toContainText("Download");
    await control(page, "hub-load").click();
    await loaded(page, `tests--split--${folder}--tiny.gguf`);
    expect(hub.served.map(({ path }) => path.slice(-26)).filter((path) => path.startsWith(`${folder}/`))).toEqual([
      `${folder}/tiny-00001-of-00002.gguf`,
      `${folder}/tiny-00002-of-00002.gguf`,
    ]);
  }
  await page.reload();
  await ready(page);
  await loaded(page, "tests--split--b--tiny.gguf");
});

test("items whose words the model's tokenizer does not know are scored with a warning", async ({ page, hub }) => {
  await openModels(page, hub);
  await useItems(page, '{"id": "1", "context": "Which planet is largest?", "choices": ["Jupiter", "Mars"], "gold": 0}');
  await score(page);
  await expect(page.locator("step-scores [data-warning=scores]")).toContainText(
    /\d+ % of the words of .* are unknown to the model's tokenizer/,
  );
});

test("a model in shards is fetched from the hub", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/sharded");
  await expect(page.locator(".hub-listing")).toContainText("commit");
  await control(page, "hub-load").click();
  await loaded(page, "tests--sharded");
});

test("weights held in eight bits are said to be, and a reload keeps them so", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/gguf");
  await control(page, "hub-load").click();
  await loaded(page, "tests--gguf--mixed.gguf");
  await control(page, "precision").selectOption("int8");
  await expect(page.locator("model-loaded dl")).toContainText("8-bit integers");
  await idle(page);
  await noError(page);
  await kept(page);
  await page.reload();
  await ready(page);
  await expect(page.locator("model-loaded dl")).toContainText("8-bit integers");
});

test("a model that does not fit says so before the download, with what would", async ({ page, hub }) => {
  await openModels(page, hub);
  await look(page, "tests/large");
  await expect(page.locator(".hub-listing .fit.no")).toContainText("A model of up to 674 million parameters fits");
  await expect(control(page, "hub-load")).toBeDisabled();
  // 2.2 billion weights: in eight bits there is room for them, and for the largest tensor beside them.
  await control(page, "precision").selectOption("int8");
  await expect(page.locator(".hub-listing .fit.no")).toHaveCount(0);
  await idle(page);
  await expect(control(page, "hub-load")).toBeEnabled();
});
