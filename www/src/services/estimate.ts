// How long an attribution or a measurement of every neuron will take, guessed from how long the last one took, or scoring: a hint
// for the user, no result.

import { hasTarget } from "../format";
import type { AttributionSettings, Item } from "../wire/engine";
import { setsOf } from "./edited";
import { effectsToGoOnFrom, type Measurement } from "./effects";
import { workDone, workLeft } from "./harm";
import type { State } from "./store";

/** A backward pass costs about twice a forward one. */
const GRADIENT_COST = 3;

/** What most layers take to a tolerance, and a few that take many more. */
const ADAPTIVE_STEPS = 12;

function stepsOf({ method, rule, steps }: AttributionSettings): number {
  if (!hasTarget(method)) return 0;
  return rule === "adaptive" ? Math.min(steps, ADAPTIVE_STEPS) : steps;
}

/** Token-layers of an attribution, per token-layer of a forward pass over the same prompt. */
function relativeCost(settings: AttributionSettings, n_layers: number, tokens: number): number {
  const positions = settings.positions === "all" ? tokens : 1;
  // Forks of all layers travel upward together, layer l carries those born in the l layers below; on the joint path, and by relp,
  // there is one fork.
  const layers = settings.path === "joint" || settings.method === "relp" ? n_layers : (n_layers * (n_layers + 1)) / 2;
  return 1 + (GRADIENT_COST * stepsOf(settings) * layers * positions) / (tokens * n_layers);
}

/** Tokens of a prompt, on average: four characters each, as in English text. */
function tokensOf(items: readonly Item[]): number {
  const characters = items.reduce((sum, item) => sum + item.context.length, 0) / Math.max(1, items.length);
  return Math.max(4, characters / 4 + 6);
}

/** Seconds, or null where nothing was run that could tell. */
export function attributionSeconds({ study, engine, shown }: State): number | null {
  const [set] = setsOf(study, "attribution");
  const scored = set === undefined ? undefined : shown.scores[set];
  if (!scored || scored.items.length === 0) return null;
  const items = shown.sets.find((other) => other.name === set)?.items ?? [];
  const tokens = tokensOf(items);
  const { attribution: settings } = study;
  const used = scored.items.filter((item) => item.confidence >= settings.confidence_threshold).length;
  const { attribution, precomputed } = shown;
  const cost = (of: AttributionSettings): number => relativeCost(of, engine.model?.info.n_layers ?? 1, tokens);
  // What another machine took says nothing of this one.
  const isOwn = (kind: "attribution" | "scores"): boolean => !precomputed.includes(kind);
  if (attribution && attribution.set === set && attribution.items_used.length > 0 && isOwn("attribution")) {
    return (attribution.seconds / attribution.items_used.length / cost(attribution.settings)) * used * cost(settings);
  }
  return isOwn("scores") ? (scored.seconds / scored.items.length) * used * cost(settings) : null;
}

/** Seconds to measure every neuron of some layers; null where nothing was run that could tell. */
export function effectsSeconds(state: State, asked: Measurement, layers: readonly number[]): number | null {
  const { shown, study } = state;
  const { n_layers, d_mlp } = study.model.shape ?? { n_layers: 0, d_mlp: 0 };
  const items = shown.sets.find((other) => other.name === asked.set)?.items ?? [];
  const work = workLeft(effectsToGoOnFrom(state, asked), layers, items.length, n_layers);
  const last = Object.values(shown.effects).find(({ settings }) => settings.positions === asked.positions);
  const done = last ? workDone(last) : 0;
  if (last && done > 0) return (last.seconds / done) * work;
  const scored = shown.scores[asked.set];
  if (!scored || scored.items.length === 0 || shown.precomputed.includes("scores")) return null;
  const tokens = tokensOf(items);
  const tokenLayer = scored.seconds / scored.items.length / (tokens * n_layers);
  return tokenLayer * d_mlp * work * (asked.positions === "all" ? tokens : 1);
}

/** Items of the attribution set that pass the confidence threshold; null before they are scored. */
export function confidentItems({ study, shown }: State): { used: number; total: number } | null {
  const [set] = setsOf(study, "attribution");
  const scored = set === undefined ? undefined : shown.scores[set];
  if (!scored) return null;
  const used = scored.items.filter((item) => item.confidence >= study.attribution.confidence_threshold).length;
  return { used, total: scored.items.length };
}
