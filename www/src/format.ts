// Numbers and texts as people read them.

import { LIMITS, type Accuracy, type AttributionSettings, type Mask, type Method, type Paired } from "./wire/engine";

const MINUS = "−";

function signed(text: string): string {
  return text.replaceAll("-", MINUS);
}

/** `0.8125` as `81.3 %`. */
export function percent(value: number, digits = 1): string {
  return `${signed((value * 100).toFixed(digits))} %`;
}

/** A fixed number of decimals with a real minus sign. */
export function fixed(value: number, digits = 3): string {
  return signed(value.toFixed(digits));
}

/** Three significant digits, and all four of a few thousands. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001 || size >= 9999.5) return signed(value.toExponential(1));
  return signed(size < 999.5 ? value.toPrecision(3) : value.toFixed());
}

/** With its sign, plus as well. */
export function change(value: number, digits = 3): string {
  return value > 0 ? `+${fixed(value, digits)}` : fixed(value, digits);
}

export function points(before: Accuracy, after: Accuracy): string {
  const difference = (after.value - before.value) * 100;
  return `${difference > 0 ? "+" : ""}${fixed(difference, 1)}`;
}

/** `81.3 % of 48 (95 % Wilson interval 68.1–89.8 %)`. */
export function accuracyText(accuracy: Accuracy): string {
  const { value, total, low, high } = accuracy;
  return `${percent(value)} of ${total} (95 % Wilson interval ${interval(low, high)})`;
}

export function interval(low: number, high: number): string {
  return `${(low * 100).toFixed(1)}–${(high * 100).toFixed(1)} %`;
}

export function bytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} GB`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return count >= 1e3 ? `${Math.round(count / 1e3)} kB` : `${count} bytes`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The letter of a choice, by its place. */
export function letter(place: number): string {
  return String.fromCharCode(65 + place);
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

export function parameters(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} B`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} M` : `${Math.round(value / 1e3)} k`;
}

/** Marks that are not seen: without a width, or turning the direction of writing. */
const UNSEEN = /[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cc}|[\u{e0000}-\u{e007f}]/gu;

/** A name with every mark in it seen: one is not taken for another, nor for what it is not. */
export function visible(name: string): string {
  return name.replace(UNSEEN, (mark) => `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** The methods by the names that people know. */
export const METHODS: Readonly<Record<Method, string>> = {
  integrated_gradients: "Integrated Gradients",
  clamped_gradients: "Clamped gradients",
  gradient_times_activation: "Gradient × activation",
  relp: "Relevance Patching (RelP)",
  activation: "Activation",
  weight_norm: "Norm of the output weights",
  wanda: "Wanda score",
  cosine: "Cosine of the weights",
  random: "Random numbers",
  ablation: "Exact ablation",
};

/** Whether a method explains a target; the others look at activations and weights alone. */
export function hasTarget(method: Method): boolean {
  return hasPath(method) || ["gradient_times_activation", "relp", "ablation"].includes(method);
}

/** Whether a method goes along a path, by a rule. */
export function hasPath(method: Method): boolean {
  return method === "integrated_gradients" || method === "clamped_gradients";
}

/** Whether a method takes a neuron from a baseline to its activation, at one of two sites. */
export function hasBaseline(method: Method): boolean {
  return hasTarget(method) && method !== "relp";
}

/** Whether a method's scores come of the items; those of the others come of the weights, or of nothing. */
export function hasItems(method: Method): boolean {
  return !["weight_norm", "cosine", "random"].includes(method);
}

/** What a selection goes by. */
export function scoreText(method: Method | undefined): string {
  return method === undefined || method === "integrated_gradients" ? "|IG|" : `|${METHODS[method]}|`;
}

const AGGREGATES: Readonly<Record<AttributionSettings["aggregate"], string>> = {
  signed_mean: "signed mean",
  mean_absolute: "mean of absolute values",
  consensus_share: "share of items",
};

/** How the scores of so many items of a set become one. */
export function aggregateText({ method, aggregate }: AttributionSettings, items: number, set: string): string {
  if (!hasItems(method)) return "the same for all items";
  const of = count(items, "item");
  return `${aggregate === "consensus_share" ? "share of" : `${AGGREGATES[aggregate]} over`} ${of} of “${visible(set)}”`;
}

/** What a neuron's score is counted in, where that is the target's unit, and how it is made of the items'. */
export function unitText({ method, target, aggregate, layer_scale }: AttributionSettings): string {
  const hasUnit = hasTarget(method) && aggregate !== "consensus_share" && layer_scale !== "maximum";
  const unit = target === "top_logit" || target === "gold_margin" ? "logits" : "nats";
  return [...(hasUnit ? [unit] : []), ...(hasItems(method) ? [AGGREGATES[aggregate]] : [])].join(", ");
}

/** An attribution's settings in a row. */
export function settingsText(settings: AttributionSettings): string {
  const { method, preset, path, site, positions, target, steps, rule, tolerance, baseline, aggregate } = settings;
  const further = [
    ...(baseline === "mean" ? ["from the mean"] : []),
    ...(aggregate === "signed_mean" || !hasItems(method) ? [] : [AGGREGATES[aggregate]]),
    ...(settings.layer_scale === "maximum" ? ["each layer by its largest"] : []),
  ];
  if (!hasPath(method)) {
    const of = [...(hasItems(method) ? [positions] : []), ...(hasBaseline(method) ? [site] : []), ...(hasTarget(method) ? [target] : [])];
    return [METHODS[method], ...of, ...further].join(", ");
  }
  const nodes = rule === "adaptive" ? `to a gap of ${percent(tolerance ?? LIMITS.tolerance)}` : `${count(steps, "step")}, ${rule} rule`;
  const by = method === "integrated_gradients" ? [] : [METHODS[method]];
  return [preset ?? "own settings", ...by, path, site, positions, target, nodes, ...further].join(", ");
}

/** What a mask does to the activations of its neurons. */
export function operationText({ operation, factor, means_of }: Pick<Mask, "operation" | "factor" | "means_of">): string {
  switch (operation) {
    case "zero":
      return "set to zero";
    case "scale":
      return `multiplied by ${factor === undefined ? "?" : signed(String(factor))}`;
    case "mean":
      return `set to their mean${means_of === undefined ? "" : ` over “${visible(means_of)}”`}`;
  }
}

/** `p = 0.031`, or below what three digits show. */
export function chanceText({ p_value }: Paired): string {
  return p_value < 0.001 ? "p < 0.001" : `p = ${p_value.toFixed(3)}`;
}

export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** TransformerLens' name of a neuron. */
export function address(layer: number, neuron: number): string {
  return `blocks.${layer}.mlp.hook_post[${neuron}]`;
}

/** Numbers as people list them, each once and in order, and the first that is none of these. */
export function numbersIn(text: string, is: (value: number) => boolean): { values: number[]; wrong: string | undefined } {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== "");
  return { values: [...new Set(parts.map(Number))].sort((a, b) => a - b), wrong: parts.find((part) => !is(Number(part))) };
}
