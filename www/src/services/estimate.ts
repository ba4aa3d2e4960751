// How long an attribution, a race, a contrast, a measurement of every neuron or of masks will take, by what the page's own runs took: a
// hint for the user, no result. Scoring takes much time beside its passes, above all on a small model: it says the most that passes take,
// and nothing of an ablation.

import { duration, hasTarget } from "../format";
import type { AttributionSettings, Item, Method, Positions } from "../wire/engine";
import { contrastSettings, type ContrastAsked } from "./contrast";
import { reportedSets, setsOf, type EditedStudy, type Shape } from "./edited";
import { effectsToGoOnFrom, type Measurement } from "./effects";
import { workDone, workLeft } from "./harm";
import { isEqual } from "./made-of";
import type { Found, Kind, Results } from "./results";
import { searchCost, type SearchCost } from "./search-cost";
import type { State } from "./store";

/** Seconds, the same twice where they are known well. */
export interface Estimate {
  least: number;
  most: number;
}

/** An estimate in words, behind what is going to be done. */
export function takes(estimate: Estimate | null): string {
  if (!estimate) return "";
  const { least, most } = estimate;
  if (least === most) return `, about ${duration(most)}`;
  return least === 0 ? `, at most about ${duration(most)}` : `, about ${duration(least)} to ${duration(most)}`;
}

function times({ least, most }: Estimate, factor: number): Estimate {
  return { least: least * factor, most: most * factor };
}

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

/** Token-layers that are run, per token-layer of a forward pass over the same prompt, by a method that takes a few passes. */
function relativeCost(settings: AttributionSettings, { n_layers }: Shape, tokens: number): number {
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

/** Whether a result is of the study's model, held as it is: another one takes another time. */
function isOfModel({ made_of }: Found, { model: { sha256, precision } }: EditedStudy): boolean {
  return made_of.every((of) => of.model === sha256 && of.precision === precision);
}

/** What the page found itself by the study's model, the latest first, whether it fits the study by now: what another machine took says
 * nothing of this one. */
function own<K extends Kind>({ study, results }: State, kind: K): Results[K][] {
  const isOwn = (found: Found): found is Found<K> => found.kind === kind && !found.beforehand && isOfModel(found, study);
  return results.filter(isOwn).map(({ result }) => result);
}

function itemsOf({ shown }: State, set: string | undefined): readonly Item[] {
  return shown.sets.find(({ name }) => name === set)?.items ?? [];
}

/** Seconds that a unit of the work of an ablation takes; null where nothing was ablated at these positions. */
function climbSeconds(state: State, shape: Shape, positions: Positions): number | null {
  const isThere = ({ settings }: { settings: AttributionSettings }): boolean => settings.positions === positions;
  const runs = [
    ...own(state, "effects")
      .filter(isThere)
      .map((effects) => [effects.seconds, workDone(effects)] as const),
    ...own(state, "race")
      .filter(isThere)
      .map(({ ablation_seconds, layers, items }) => [ablation_seconds, workLeft(null, layers, items, shape.n_layers)] as const),
    ...own(state, "attribution")
      .filter((found) => isThere(found) && found.settings.method === "ablation")
      .map(({ seconds, items_used }) => [seconds, workLeft(null, allLayers(shape), items_used.length, shape.n_layers)] as const),
  ];
  const run = runs.find(([, work]) => work > 0);
  return run ? run[0] / run[1] : null;
}

/** What is known of a run over the set of the attribution. */
interface Ground {
  /** Items that it uses. */
  used: number;
  /** Tokens of a prompt. */
  tokens: number;
  shape: Shape;
  /** What a forward pass over one of them takes; null where nothing was run that could tell. */
  pass: Estimate | null;
}

function ground(state: State): Ground | null {
  const { study, engine, shown } = state;
  const [set] = setsOf(study, "attribution");
  const shape = engine.model?.info ?? study.model.shape;
  if (set === undefined || !shape) return null;
  const items = itemsOf(state, set);
  const tokens = tokensOf(items);
  return { used: confident(state, set, study.attribution), tokens, shape, pass: passOf(state, shape, tokens, shown.scores[set]) };
}

/** By the last attribution, or else by Integrated Gradients in the last race; by scores at most. */
function passOf(state: State, shape: Shape, tokens: number, scored: Results["scores"] | undefined): Estimate | null {
  const runs = [
    ...own(state, "attribution")
      .filter(({ settings }) => settings.method !== "ablation")
      .map(({ settings, seconds, items_used: { length } }) => ({ settings, seconds, items: length })),
    ...own(state, "race").flatMap(({ methods, items }) =>
      methods
        .filter(({ settings }) => settings.method === "integrated_gradients")
        .map(({ settings, seconds }) => ({ settings, seconds, items })),
    ),
  ];
  const run = runs.find(({ items }) => items > 0);
  if (run) {
    const seconds = run.seconds / run.items / relativeCost(run.settings, shape, tokens);
    return { least: seconds, most: seconds };
  }
  if (!scored || scored.items.length === 0 || state.shown.precomputed.includes("scores")) return null;
  return { least: 0, most: scored.seconds / scored.items.length };
}

/** Null where nothing was run that could tell. */
export function attributionTime(state: State): Estimate | null {
  const known = ground(state);
  if (!known) return null;
  const { attribution } = state.study;
  const { used, tokens, shape, pass } = known;
  if (attribution.method !== "ablation") return pass && times(pass, used * relativeCost(attribution, shape, tokens));
  const each = climbSeconds(state, shape, attribution.positions);
  return each === null ? null : times({ least: each, most: each }, workLeft(null, allLayers(shape), used, shape.n_layers));
}

/** Settings that the truth of a race goes by. */
const OF_TRUTH = ["positions", "target", "baseline", "aggregate", "confidence_threshold"] as const;

/** The same of a race in some layers, or in all; the engine measures nothing twice until it is started anew. */
export function raceTime(state: State, settings: AttributionSettings, layers: number[] | undefined): Estimate | null {
  const known = ground(state);
  const each = known && climbSeconds(state, known.shape, settings.positions);
  if (each === null || !known?.pass) return null;
  const { pass, used, shape, tokens } = known;
  const by = (method: Method): number => relativeCost({ ...settings, method, path: "per_layer", steps: 1, rule: "right" }, shape, tokens);
  // Integrated Gradients and their clamped form each take a path.
  const { least, most } = times(
    pass,
    used * (2 * relativeCost(settings, shape, tokens) + by("gradient_times_activation") + by("relp") + PLAIN_METHODS),
  );
  const asked = layers ?? allLayers(shape);
  const ablation = each * workLeft(null, asked, used, shape.n_layers);
  const { race } = state.shown;
  const isSameTruth = race !== null && OF_TRUTH.every((key) => race.settings[key] === settings[key]);
  const isAtHand = isSameTruth && asked.every((layer) => race.layers.includes(layer));
  return { least: (isAtHand ? 0 : ablation) + least, most: ablation + most };
}

/** Items of a set that are sure enough; all where that is not known. */
function confident(state: State, set: string, { confidence_threshold }: AttributionSettings): number {
  const scored = state.shown.scores[set];
  return scored ? scored.items.filter((item) => item.confidence >= confidence_threshold).length : itemsOf(state, set).length;
}

/** The time to attribute both sides of a contrast, the one at hand aside; null where nothing was run that could tell. */
export function contrastTime(state: State, { set, against }: ContrastAsked): Estimate | null {
  const known = ground(state);
  if (!known?.pass) return null;
  const { attribution } = state.shown;
  const settings = contrastSettings(state.study.attribution, against);
  const isAtHand = attribution?.set === set && isEqual({ ...attribution.settings, preset: null }, { ...settings, preset: null });
  const sides = [...(isAtHand ? [] : [set]), against.kind === "set" ? against.set : set];
  const items = sides.reduce((sum, side) => sum + confident(state, side, settings), 0);
  return times(known.pass, items * relativeCost(settings, known.shape, known.tokens));
}

/** The time to measure every neuron of some layers; null where no neuron was measured yet. A race has measured its items' neurons as well,
 * and the engine has that until it is started anew. */
export function effectsTime(state: State, asked: Measurement, layers: readonly number[]): Estimate | null {
  const { shown, study } = state;
  const { shape } = study.model;
  const each = shape ? climbSeconds(state, shape, asked.positions) : null;
  if (!shape || each === null) return null;
  const { race } = shown;
  const raced = race?.set === asked.set && race.settings.positions === asked.positions ? race : null;
  const items = itemsOf(state, asked.set).length;
  const most = each * workLeft(effectsToGoOnFrom(state, asked), layers, items, shape.n_layers);
  const isRaced = raced !== null && layers.every((layer) => raced.layers.includes(layer));
  return { least: isRaced ? Math.max(0, most - each * workLeft(null, layers, raced.items, shape.n_layers)) : most, most };
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

/** Seconds to measure masks on the sets that are reported on, and some on the text; null where nothing was run that could tell. */
export function masksSeconds(state: State, onItems: number, onText: number): number | null {
  const { study, shown } = state;
  const sets = reportedSets(study);
  const items = shown.sets.filter(({ name }) => sets.includes(name)).flatMap((set) => set.items);
  const scored = sets.flatMap((name) => shown.scores[name] ?? []);
  const passes = shown.precomputed.includes("scores") ? 0 : scored.reduce((sum, { items }) => sum + items.length, 0);
  const pass = passes > 0 ? scored.reduce((sum, { seconds }) => sum + seconds, 0) / passes : null;
  const [last] = own(state, "pruned");
  const measured = last?.sets.reduce((sum, { after }) => sum + after.items.length, 0) ?? 0;
  // Without a measurement: the items once without the mask and once with it.
  const each = last && measured > 0 ? last.seconds / measured : pass === null ? null : 2 * pass;
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
