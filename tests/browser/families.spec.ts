// Every model family in the tab, from both kinds of file and on both devices: residual streams, logits and greedy
// continuations are transformers'.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, type Page } from "@playwright/test";
import { callEngine, idle, noError, open, reachEngine, step, test } from "./support";

const FAMILIES = ["tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "tiny-olmo2", "tiny-gpt2", "tiny-gpt-neox"];
/** Both sides compute in f32. */
const TOLERANCE = 1e-4;

interface Prompt {
  text: string;
  ids: number[];
  greedy: number[];
}
interface Forward {
  ids: number[];
  continuation: number[];
  logits: number[];
  residuals: number[];
}

function folder(name: string): string {
  return resolve("tests/fixtures", name);
}

/** A folder with the files of a model and nothing else. */
function modelFolder(name: string): string {
  const only = join(mkdtempSync(join(tmpdir(), "secateur-")), name);
  mkdirSync(only);
  for (const file of ["model.safetensors", "config.json", "tokenizer.json"]) copyFileSync(join(folder(name), file), join(only, file));
  return only;
}

/** A copy of a model's GGUF file under a name of its own. */
function ggufFile(name: string): string {
  const copy = join(mkdtempSync(join(tmpdir(), "secateur-")), `${name}-gguf.gguf`);
  copyFileSync(join(folder(name), "model.gguf"), copy);
  return copy;
}

/** The tensors of a safetensors file, all of F32. */
function tensors(path: string): Map<string, Float32Array> {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { data_offsets: [number, number] }>;
  const found = new Map<string, Float32Array>();
  for (const [
    name,
    {
      data_offsets: [from, to],
    },
  ] of Object.entries(header).filter(([name]) => name !== "__metadata__")) {
    found.set(name, new Float32Array(Uint8Array.from(bytes.subarray(8 + length + from, 8 + length + to)).buffer));
  }
  return found;
}

async function forward(page: Page, prompt: string, tokens: number): Promise<Forward> {
  return (await callEngine<Forward>(page, "forward", { prompt, tokens })).result;
}

function largestDifference(found: number[], expected: Float32Array): number {
  expect(found).toHaveLength(expected.length);
  return found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (expected[index] ?? Number.NaN))), 0);
}

for (const device of ["wasm", "webgpu"] as const) {
  test(`every family computes what transformers computes, on ${device}`, async ({ page }) => {
    test.setTimeout(600_000);
    await reachEngine(page);
    await open(page, device);
    for (const [name, id] of FAMILIES.flatMap(
      (name) =>
        [
          [name, name],
          [name, `${name}-gguf`],
        ] as const,
    )) {
      await step(page, "model");
      if (id === name) await page.locator("step-model input[webkitdirectory]").setInputFiles(modelFolder(name));
      else await page.locator("step-model .drop-zone input[accept*=gguf]").setInputFiles(ggufFile(name));
      await expect(page.locator("body")).toHaveAttribute("data-model", id, { timeout: 120_000 });
      await idle(page, 120_000);
      await noError(page);
      const { prompts } = JSON.parse(readFileSync(join(folder(name), "golden.json"), "utf8")) as { prompts: Prompt[] };
      const golden = tensors(join(folder(name), "golden.safetensors"));
      // The software adapter takes long for a token, and the weights of both files are the same once they are read.
      const most = device === "webgpu" && id !== name ? 5 : Infinity;
      for (const [index, prompt] of prompts.entries()) {
        const greedy = prompt.greedy.slice(0, most);
        const found = await forward(page, prompt.text, greedy.length);
        expect(found.ids, id).toEqual(prompt.ids);
        expect(found.continuation, `${id}: ${prompt.text}`).toEqual(greedy);
        const hidden = golden.get(`prompt${index}.hidden`) ?? new Float32Array();
        expect(largestDifference(found.residuals, hidden), `${id}: residuals`).toBeLessThan(TOLERANCE);
        const logits = golden.get(`prompt${index}.logits`) ?? new Float32Array();
        const last = logits.subarray(logits.length - found.logits.length);
        expect(largestDifference(found.logits, last), `${id}: logits`).toBeLessThan(TOLERANCE);
      }
    }
    await step(page, "attribution");
    await expect(page.locator("[data-note=family]")).toContainText("FFN biases");
  });
}
