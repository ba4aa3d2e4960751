// A study and results of it, for the tests of what the page shows.

import { packedContrast } from "../../www/src/services/contrast";
import { EMPTY_STUDY, type EditedStudy } from "../../www/src/services/edited";
import type { Found } from "../../www/src/services/results";
import type {
  Accuracy,
  Attribution,
  AttributionSettings,
  Audit,
  Contrast,
  Estimated,
  Item,
  ItemSetSpec,
  MadeOf,
  Mask,
  PruneReport,
  Race,
  Role,
  SearchReport,
  SetScores,
} from "../../www/src/wire/engine";

export function items(count: number): Item[] {
  return Array.from({ length: count }, (_, id) => ({ id: `${id}`, context: "q", choices: ["a", "b"], gold: 0 }));
}

export function set(name: string, sha256: string, ...roles: Role[]): ItemSetSpec {
  return { name, sha256, roles, items: items(2) };
}

/** Sets `a` to learn from, `v` to pick by, `t` and `u` to report on. */
export function study(patch: Partial<EditedStudy> = {}): EditedStudy {
  return {
    ...EMPTY_STUDY,
    model: { id: "m", sha256: "model", precision: "f32", shape: { n_layers: 2, d_mlp: 4 } },
    item_sets: [set("a", "A", "attribution"), set("v", "V", "validation"), set("t", "T", "test"), set("u", "U", "test")],
    template: "plain@1",
    ...patch,
  };
}

export function mask(...neurons: number[]): Mask {
  return { operation: "zero", site: "post", layers: neurons.length > 0 ? [{ layer: 0, neurons }] : [] };
}

export const ACCURACY: Accuracy = { correct: 1, total: 2, value: 0.5, low: 0.1, high: 0.9 };

/** As the engine stamps what it finds of a set of `study()`. */
export function madeOf(name: string, patch: Partial<MadeOf> = {}): MadeOf {
  return {
    model: "model",
    precision: "f32",
    engine: "0.1.0",
    set: name,
    items: name.toUpperCase(),
    prompting: { template: "plain@1" },
    rule: "sum",
    ...patch,
  };
}

function scoresOf(name: string): SetScores {
  return { set: name, accuracy: ACCURACY, accuracy_per_character: ACCURACY, items: [], seconds: 1, warnings: [`of \`${name}\``] };
}

export function scores(name: string, patch: Partial<MadeOf> = {}): Found<"scores"> {
  return { kind: "scores", result: scoresOf(name), made_of: [madeOf(name, patch)] };
}

export const SETTINGS = (({ preset: _, ...settings }) => settings)(EMPTY_STUDY.attribution);

export function attributed(steps = 8): MadeOf {
  return madeOf("a", { settings: { ...SETTINGS, steps } });
}

export function attribution(steps = 8): Found<"attribution"> {
  const result: Attribution = {
    settings: { ...SETTINGS, steps },
    set: "a",
    n_layers: 2,
    d_mlp: 4,
    items_used: [],
    items_skipped: 0,
    gaps: [],
    seconds: 1,
    scores: new Float32Array(8),
  };
  return { kind: "attribution", result, made_of: [attributed(steps)] };
}

export function search(steps = 8): Found<"search"> {
  const result: SearchReport = {
    sets: ["v"],
    baseline: ACCURACY,
    best: { layer: 0, percent: 5 },
    seconds: 1,
    cells: [
      { layer: 0, percent: 5, neurons: 1, accuracy: ACCURACY },
      { layer: 1, percent: 5, neurons: 1, accuracy: ACCURACY },
    ],
  };
  return { kind: "search", result, made_of: [madeOf("v"), attributed(steps)] };
}

export function estimated(value: number, half = 0.1): Estimated {
  return { value, low: value - half, high: value + half };
}

export function race(patch: Partial<Race> = {}): Found<"race"> {
  const settings = { ...SETTINGS, method: "ablation" as const, steps: 1, rule: "right" as const };
  const raced = (method: AttributionSettings["method"], value: number): Race["methods"][number] => ({
    settings: { ...SETTINGS, method },
    correlation: estimated(value),
    ...(method === "integrated_gradients" ? { correlation_signed: estimated(value) } : {}),
    found: estimated(value),
    by_layer: [value],
    seconds: 0.5,
  });
  const result: Race = {
    set: "a",
    settings,
    layers: [0],
    items: 2,
    percent: 25,
    ablation_seconds: 2,
    methods: [raced("integrated_gradients", 0.8), raced("wanda", 0.3), raced("random", 0)],
    resamples: 200,
    seed: 0,
    ...patch,
  };
  return { kind: "race", result, made_of: [madeOf("a", { settings })] };
}

export function pruned(of: Mask, ...names: string[]): Found<"pruned"> {
  const sets = names.map((name) => ({ set: name, before: ACCURACY, after: scoresOf(name), flipped: [] }));
  const result: PruneReport = { mask: of, neurons: 1, sets, seconds: 1 };
  return { kind: "pruned", result, made_of: names.map((name) => madeOf(name, { mask: of })) };
}

/** Two layers of four neurons: `a` against `t`, unless it is against something else. */
export function contrast(patch: Partial<Contrast> = {}): Found<"contrast"> {
  const made: Contrast = {
    settings: SETTINGS,
    set: "a",
    against: { kind: "set", set: "t" },
    d_mlp: 4,
    items: 2,
    items_against: 2,
    layers: [
      { layer: 0, difference: [0.5, -2, 0, 0.25], half_width: [0.25, 1, 0, 1] },
      { layer: 1, difference: [-0.75, 1, 0.125, 0], half_width: [1, 0.5, 1, 1] },
    ],
    seconds: 1,
    ...patch,
  };
  const { against, set, settings } = made;
  const sets = [set, ...(against.kind === "set" ? [against.set] : [])];
  return { kind: "contrast", result: packedContrast(made), made_of: sets.map((name) => madeOf(name, { settings })) };
}

/** What drives the answers to a set, by the ways in which it was asked. */
export function auditOf(set: string, ...asked: Audit["asked"]): Audit {
  const position = { set, orders: { kind: "cyclic" as const }, depends_on_order: false, places: [], seconds: 1 };
  return {
    set,
    accuracy: ACCURACY,
    chance: 0.5,
    asked,
    position: { ...position, accuracy: ACCURACY, consistent: ACCURACY },
    lengths: { longest_right: ACCURACY, longest_predicted: ACCURACY, shortest_right: ACCURACY, shortest_predicted: ACCURACY },
    seconds: 1,
  };
}
