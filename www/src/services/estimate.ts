// How long an attribution, a race, a contrast, a measurement of every neuron or of masks will take, guessed from how long the last one
// took, or scoring: a hint for the user, no result.

import { hasTarget } from "../format";
import type { AttributionSettings, Item, Method } from "../wire/engine";
import { contrastSettings, type ContrastAsked } from "./contrast";
import { reportedSets, setsOf, type EditedStudy, type Shape } from "./edited";
import { effectsToGoOnFrom, type Measurement } from "./effects";
import { workDone, workLeft } from "./harm";
import { isEqual } from "./made-of";
import type { Found } from "./results";
import { searchCost, type SearchCost } from "./search-cost";
import type { State } from "./store";

/** A backward pass costs about twice a forward one. */
const GRADIENT_COST = 3;

/** What most layers take to a tolerance, and a few that take many more. */
const ADAPTIVE_STEPS = 12;

/** Methods of a race that take a forward pass and no more. */
const PLAIN_METHODS = 5;

function stepsOf({ method, rule, steps }: AttributionSettings): number {
  if (!hasTarget(method)) return 0;
  return rule === "adaptive" ? Math.min(steps, ADAPTIVE_STEPS) : steps;
}

function allLayers({ n_layers }: Shape): number[] {
  return Array.from({ length: n_layers }, (_, layer) => layer);
}

/** Token-layers that are run, per token-layer of a forward pass over the same prompt. */
function relativeCost(settings: AttributionSettings, shape: Shape, tokens: number, ablated = allLayers(shape)): number {
  const { n_layers, d_mlp } = shape;
  const positions = settings.positions === "all" ? tokens : 1;
  // The fork of a neuron runs through its layer and those above.
  const above = ablated.reduce((sum, layer) => sum + n_layers - layer, 0);
  if (settings.method === "ablation") return 1 + (d_mlp * above * positions) / (tokens * n_layers);
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

/** What is known of a run over the set of the attribution. */
interface Ground {
  /** Items that it uses. */
  used: number;
  /** Tokens of a prompt. */
  tokens: number;
  shape: Shape;
  /** What a forward pass over one of them takes. */
  seconds: number;
}

/** Null where nothing was run that could tell. */
function ground({ study, engine, shown }: State): Ground | null {
  const [set] = setsOf(study, "attribution");
  const scored = set === undefined ? undefined : shown.scores[set];
  const shape = engine.model?.info ?? study.model.shape;
  if (!scored || scored.items.length === 0 || !shape) return null;
  const items = shown.sets.find((other) => other.name === set)?.items ?? [];
  const tokens = tokensOf(items);
  const used = scored.items.filter((item) => item.confidence >= study.attribution.confidence_threshold).length;
  const { attribution, precomputed } = shown;
  // What another machine took says nothing of this one.
  const isOwn = (kind: "attribution" | "scores"): boolean => !precomputed.includes(kind);
  if (attribution && attribution.set === set && attribution.items_used.length > 0 && isOwn("attribution")) {
    const seconds = attribution.seconds / attribution.items_used.length / relativeCost(attribution.settings, shape, tokens);
    return { used, tokens, shape, seconds };
  }
  return isOwn("scores") ? { used, tokens, shape, seconds: scored.seconds / scored.items.length } : null;
}

/** Seconds, or null where nothing was run that could tell. */
export function attributionSeconds(state: State): number | null {
  const known = ground(state);
  return known && known.seconds * known.used * relativeCost(state.study.attribution, known.shape, known.tokens);
}

/** The same of a race in some layers, or in all. */
export function raceSeconds(state: State, settings: AttributionSettings, layers: number[] | undefined): number | null {
  const known = ground(state);
  if (!known) return null;
  const { seconds, used, shape, tokens } = known;
  const by = (method: Method, of = settings, ablated?: number[]): number =>
    relativeCost({ ...of, method, path: "per_layer", steps: 1, rule: "right" }, shape, tokens, ablated);
  const { race } = state.shown;
  // One that was run says more of ablation than other passes do.
  const ofAblation = race ? race.ablation_seconds / race.items / by("ablation", race.settings, race.layers) : seconds;
  // Integrated Gradients and their clamped form each take a path.
  const estimates = 2 * relativeCost(settings, shape, tokens) + by("gradient_times_activation") + by("relp") + PLAIN_METHODS;
  return used * (ofAblation * by("ablation", settings, layers) + seconds * estimates);
}

/** Items of a set that are sure enough; all where that is not known. */
function confident({ shown }: State, set: string, { confidence_threshold }: AttributionSettings): number {
  const scored = shown.scores[set];
  if (scored) return scored.items.filter((item) => item.confidence >= confidence_threshold).length;
  return shown.sets.find((other) => other.name === set)?.items.length ?? 0;
}

/** Seconds to attribute both sides of a contrast, the one at hand aside; null where nothing was run that could tell. */
export function contrastSeconds(state: State, { set, against }: ContrastAsked): number | null {
  const known = ground(state);
  if (!known) return null;
  const { attribution } = state.shown;
  const settings = contrastSettings(state.study.attribution, against);
  const isAtHand = attribution?.set === set && isEqual({ ...attribution.settings, preset: null }, { ...settings, preset: null });
  const sides = [...(isAtHand ? [] : [set]), against.kind === "set" ? against.set : set];
  const items = sides.reduce((sum, side) => sum + confident(state, side, settings), 0);
  return known.seconds * items * relativeCost(settings, known.shape, known.tokens);
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

/** What the search will cost: runs of an item under a mask and, where something was run that could tell, what one of them takes. */
export function searchEstimate({ study, engine, shown }: State): (SearchCost & { run_seconds: number | null }) | null {
  const shape = engine.model?.info ?? study.model.shape;
  const sets = setsOf(study, "validation");
  const items = sets.reduce((sum, name) => sum + (shown.sets.find((set) => set.name === name)?.items.length ?? 0), 0);
  if (!shape || items === 0) return null;
  const cost = searchCost(study.search, shape.n_layers, items);
  const { search, precomputed } = shown;
  if (search?.spec && search.baseline.total > 0 && !precomputed.includes("search")) {
    const last = searchCost(search.spec, shape.n_layers, search.baseline.total);
    const done = search.spec.halving ? last.halving : last.full;
    if (done > 0) return { ...cost, run_seconds: (search.seconds / done / last.share_of_model) * cost.share_of_model };
  }
  const scored = sets.flatMap((name) => shown.scores[name] ?? []);
  if (scored.length < sets.length || precomputed.includes("scores")) return { ...cost, run_seconds: null };
  const seconds = scored.reduce((sum, scores) => sum + scores.seconds, 0);
  return { ...cost, run_seconds: (seconds / items) * cost.share_of_model };
}

/** Tokens of the text that comes with the page, roughly; it is run once without the mask and once with it. */
const TEXT_TOKENS = 600;

/** Whether a result is of the study's model, held as it is: another one takes another time. */
function isOfModel({ made_of }: Found, { model: { sha256, precision } }: EditedStudy): boolean {
  return made_of.every((of) => of.model === sha256 && of.precision === precision);
}

/** Seconds to measure masks on the sets that are reported on, and some on the text; null where nothing was run that could tell. */
export function masksSeconds({ study, results, shown }: State, onItems: number, onText: number): number | null {
  const sets = reportedSets(study);
  const items = shown.sets.filter(({ name }) => sets.includes(name)).flatMap((set) => set.items);
  const scored = sets.flatMap((name) => shown.scores[name] ?? []);
  const passes = shown.precomputed.includes("scores") ? 0 : scored.reduce((sum, { items }) => sum + items.length, 0);
  const pass = passes > 0 ? scored.reduce((sum, { seconds }) => sum + seconds, 0) / passes : null;
  const last = results.find((found): found is Found<"pruned"> => found.kind === "pruned" && !found.beforehand && isOfModel(found, study));
  const measured = last?.result.sets.reduce((sum, { after }) => sum + after.items.length, 0) ?? 0;
  // Without a measurement: the items once without the mask and once with it.
  const each = last && measured > 0 ? last.result.seconds / measured : pass === null ? null : 2 * pass;
  if (each === null) return null;
  return onItems * items.length * each + onText * 2 * TEXT_TOKENS * ((pass ?? each / 2) / tokensOf(items));
}

/** Items of the attribution set that pass the confidence threshold; null before they are scored. */
export function confidentItems({ study, shown }: State): { used: number; total: number } | null {
  const [set] = setsOf(study, "attribution");
  const scored = set === undefined ? undefined : shown.scores[set];
  if (!scored) return null;
  const used = scored.items.filter((item) => item.confidence >= study.attribution.confidence_threshold).length;
  return { used, total: scored.items.length };
}
