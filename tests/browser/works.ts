// What is asked of the engine where it is measured: the same requests for the benchmark and the profile.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { DEFAULT_SETTINGS } from "../../www/src/services/edited";
import { callEngine, type PageWithEngine } from "./support";

/** A prompt of about 64 tokens. */
export const PROMPT = { prompt: Array(64).fill("the").join(" "), tokens: 0 };

/** Items for the real model, one JSON text each. */
export function itemLines(): string[] {
  return readFileSync(resolve("models/items/general-knowledge.jsonl"), "utf8").split("\n");
}

/** The seconds that a method of the engine takes. Its result stays in the page: to bring one here takes seconds of its own. */
export async function timeEngine(page: Page, method: string, ...values: unknown[]): Promise<number> {
  return page.evaluate(async ([name, given]) => (await (window as unknown as PageWithEngine).askEngine(name, given)).seconds, [
    method,
    values,
  ] as const);
}

/** Items as the set "bench". */
export async function prepare(page: Page, text: string): Promise<void> {
  const { result } = await callEngine<{ items: unknown[] }>(page, "parse_items", { text });
  await callEngine(page, "set_items", { name: "bench", items: result.items });
}

/** What a visitor's first attribution is made with, of items of any confidence. */
export const FAST = { ...DEFAULT_SETTINGS, confidence_threshold: 0 };

export function attribution(steps: number): object {
  return { set: "bench", settings: { ...FAST, steps } };
}

export function gains(): object {
  const settings = { layer: 0, steps: 10, learning_rate: 0.01, weight_decay: 0, batch_size: 100, evaluate_every: 10 };
  const mask = { operation: "zero", site: "post", layers: [] };
  return { mask, train: ["bench"], validation: ["bench"], test: ["bench"], settings, seed: 0, compare: false };
}

export const SEARCH = { sets: ["bench"], percents: [0.5, 1, 2, 5, 10, 20] };
