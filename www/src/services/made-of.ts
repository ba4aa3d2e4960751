// What results were made of, as the engine says it of each, and whether that is the same for two of them: the page's side
// of `src/study/made_of.rs`. Both are held to the cases of `tests/fixtures/made-of.json`.

import type { MadeOf, Mask, Template } from "../wire/engine";

/** What may differ between two results; what a set is called decides nothing. */
export const PARTS = ["model", "precision", "engine", "items", "shots", "prompting", "rule", "settings", "mask"] as const;
export type Part = (typeof PARTS)[number];

/** What a template leaves out, in full. */
const TEMPLATE: Partial<Template> = { description: "", preamble: "", delimiter: " " };

const written = new WeakMap<Mask, string>();

/** A mask's operation and neurons with what that takes, as a text: the same one, however they are ordered. */
function textOf(mask: Mask): string {
  const known = written.get(mask);
  if (known !== undefined) return known;
  const neurons = mask.layers.flatMap(({ layer, neurons, means }) =>
    neurons.map((neuron, at) => `${layer}/${neuron}=${means?.[at] ?? ""}`),
  );
  const text = [mask.operation, mask.factor ?? "", ...[...new Set(neurons)].sort()].join();
  written.set(mask, text);
  return text;
}

/** A part in a form that is equal where the part is. */
function comparable(part: Part, value: MadeOf[Part]): unknown {
  if (part === "mask") return textOf(value as Mask);
  if (part !== "prompting") return value;
  const { template, ...rest } = value as NonNullable<MadeOf["prompting"]>;
  return { template: typeof template === "string" ? template : { ...TEMPLATE, ...template }, ...rest };
}

/** Whether two values have the same content; what is not there is as good as null. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return (a ?? null) === (b ?? null);
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return (
    Array.isArray(a) === Array.isArray(b)
    && [...keys].every((key) => isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}

/** The parts that both have, and that are not the same. */
export function differences(a: MadeOf, b: MadeOf): Part[] {
  return PARTS.filter((part) => {
    const [one, other] = [a[part], b[part]];
    return one !== undefined && other !== undefined && !isEqual(comparable(part, one), comparable(part, other));
  });
}

/** Whether results were made of the same, part by part. */
export function isSame(a: readonly MadeOf[], b: readonly MadeOf[]): boolean {
  return a.length === b.length && a.every((of, index) => differences(of, b[index] as MadeOf).length === 0);
}
