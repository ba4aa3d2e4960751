// Which results hold. Each is bound to what it was made of: the model as it is held, the items, how they are asked, the
// rule, the mask; not to what its sets are called. One that is of something else than what is at hand leaves the page; it
// waits, and comes back with that.

import type {
  Attribution, AttributionSettings, Item, Mask, RankedNeuron, ScoringRule, SetScores, TuneSettings,
} from "../wire/engine";
import { RENAMED, renamedScores, renamedSets, type Names } from "./renaming";
import {
  reportedSets, setsOf, store, type MaskState, type PageSet, type Results, type SelectionSource, type State,
} from "./store";

/** What a part of a result was made of; null for what is not there. */
type Made = string | null;

type Kind = keyof Results;
/** In an order in which each comes after those that it hangs on. */
const KINDS: readonly Kind[] = ["attribution", "bias", "card", "search", "pruned", "control", "tuning"];

/** Results that wait, at most; of scores there may be as many as sets. */
const WAITING_AT_MOST = 12;
const SCORES_AT_MOST = 128;
/** Of those, as many are kept for a later visit. */
const KEPT_OF_KIND = 3;
const KEPT_SCORES = 16;

const made = new WeakMap<object, readonly Made[]>();
/** The whole of a result of which some sets do not hold. */
const whole = new WeakMap<object, object>();
/** Results that came with the page. */
const beforehand = new WeakSet<object>();
/** Results that do not hold now, the latest first. */
const waiting = new Map<Kind, object[]>();
let waitingScores: SetScores[] = [];
/** The engine's ranking of an attribution. */
const rankings = new WeakMap<Attribution, RankedNeuron[]>();

const prints = new WeakMap<readonly Item[], string>();

/** A short text that other items have another one of. */
function printOf(items: readonly Item[]): string {
  const known = prints.get(items);
  if (known) return known;
  const text = JSON.stringify(items.map(({ id, context, choices, gold }) => [id, context, choices, gold]));
  // Two hashes of 32 bits (FNV-1a with two primes).
  let [a, b] = [0x811c9dc5, 0xcbf29ce4];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  const print = `${text.length}/${a >>> 0}/${b >>> 0}`;
  prints.set(items, print);
  return print;
}

function printOfSet(state: Readonly<State>, name: string): Made {
  const items = state.sets.find((set) => set.name === name)?.items ?? [];
  return items.length > 0 ? printOf(items) : null;
}

function ofSet(state: Readonly<State>, name: string, rule: ScoringRule = state.rule): Made {
  const { made_with, template, few_shot, choice_order } = state;
  const print = printOfSet(state, name);
  const shots = few_shot ? [few_shot.k, few_shot.seed, printOfSet(state, few_shot.set ?? name)] : null;
  return print === null ? null : JSON.stringify([made_with?.sha256, made_with?.precision, template, shots, choice_order, rule, print]);
}

function ofSets(state: Readonly<State>, names: readonly string[]): Made {
  const parts = names.map((name) => ofSet(state, name));
  return parts.includes(null) ? null : JSON.stringify(parts);
}

function ofMask({ site, layers }: Mask): string {
  return JSON.stringify([site, layers.map(({ layer, neurons }) => [layer, neurons])]);
}

/** What an attribution is made of; null without its items. */
export function ofAttribution(
  state: Readonly<State>, of: { set: string; settings: AttributionSettings } | null = state.attribution,
): Made {
  const set = of ? ofSet(state, of.set) : null;
  if (!of || set === null) return null;
  const { preset: _, ...settings } = of.settings;
  return JSON.stringify([set, Object.entries(settings).sort(([a], [b]) => a.localeCompare(b))]);
}

/** The sets of a tuning: it learns from some and is checked on others. Without a role, every set serves; the set of the
 * attribution at hand has that role in its study. */
export function tunedSets(state: Readonly<State>): { train: string[]; validation: string[]; test: string[] } {
  const all = state.sets.filter((set) => set.items.length > 0).map((set) => set.name);
  const orAll = (names: string[]): string[] => (names.length > 0 ? names : all);
  const { attribution } = state;
  return {
    train: attribution ? [attribution.set] : orAll(setsOf(state, "attribution")), validation: orAll(setsOf(state, "validation")), test: reportedSets(state),
  };
}

function ofTuning(state: Readonly<State>, settings: TuneSettings, seed: number): Made {
  const { train, validation, test } = tunedSets(state);
  const sets = ofSets(state, [...train, ...validation, ...test]);
  const roles = [train, validation, test].map((names) => names.length);
  return sets === null ? null : JSON.stringify([sets, roles, ofMask(state.mask), Object.entries(settings).sort(), seed]);
}

/** A part for each set: of those that are reported on, and of the mask at hand. */
function underMask(state: Readonly<State>, sets: readonly { set: string }[]): Made[] {
  const reported = reportedSets(state);
  return sets.map(({ set }) => {
    const print = reported.includes(set) ? ofSet(state, set) : null;
    return print === null ? null : JSON.stringify([print, ofMask(state.mask)]);
  });
}

/** What a result of each kind would be made of in a state, part by part. */
const PARTS: { [K in Kind]: (state: Readonly<State>, result: Results[K]) => Made[] } = {
  attribution: (state, found) => [ofAttribution(state, found)],
  bias: (state, { set }) => [ofSet(state, set)],
  card: (state, { effect }) => {
    const set = ofSet(state, effect.set);
    return [set === null ? null : JSON.stringify([set, ofAttribution(state)])];
  },
  search: (state, { sets }) => {
    const isOfThese = JSON.stringify(sets) === JSON.stringify(setsOf(state, "validation"));
    const [validation, attribution] = [ofSets(state, sets), ofAttribution(state)];
    return [isOfThese && validation !== null && attribution !== null ? JSON.stringify([validation, attribution]) : null];
  },
  pruned: (state, { sets }) => underMask(state, sets),
  control: (state, { sets }) => underMask(state, sets),
  tuning: (state, { settings, seed }) => [ofTuning(state, settings, seed)],
};

function parts(kind: Kind, state: Readonly<State>, result: object): Made[] {
  return (PARTS[kind] as (state: Readonly<State>, result: object) => Made[])(state, result);
}

function wait(kind: Kind, result: object): void {
  const others = (waiting.get(kind) ?? []).filter((other) => other !== result);
  waiting.set(kind, [result, ...others].slice(0, WAITING_AT_MOST));
}

/** A result without the sets that do not hold. */
function without(result: object, holds: readonly boolean[]): object | null {
  if (holds.length === 1 || !("sets" in result)) return null;
  const sets = (result.sets as unknown[]).filter((_, index) => holds[index]);
  return sets.length > 0 ? { ...result, sets } : null;
}

/** As much of a result as holds in a state. */
function holding(kind: Kind, state: Readonly<State>, result: object): object | null {
  const own = made.get(result);
  // A study that is being opened has its results before its items.
  if (!own) return state.sets.length === 0 ? result : null;
  const now = parts(kind, state, result);
  const holds = own.map((part, index) => part !== null && part === now[index]);
  if (holds.length > 0 && holds.every((does) => does)) return result;
  const rest = without(result, holds);
  if (!rest) return null;
  made.set(rest, own.filter((_, index) => holds[index]));
  whole.set(rest, whole.get(result) ?? result);
  if (beforehand.has(result)) beforehand.add(rest);
  return rest;
}

function sizeOf(result: object): number {
  return made.get(result)?.length ?? 0;
}

/** The result of a kind that holds: the one at hand, or one that waits for what is at hand now. */
function best(kind: Kind, state: Readonly<State>): object | null {
  const here = state[kind];
  let found = here && holding(kind, state, here);
  for (const other of waiting.get(kind) ?? []) {
    const candidate = holding(kind, state, other);
    if (candidate && (!found || sizeOf(candidate) > sizeOf(found))) found = candidate;
  }
  if (here && found !== here && made.has(here)) wait(kind, whole.get(here) ?? here);
  return found;
}

/** The scores at hand that hold, and those that wait for what is at hand now. */
function bestScores(state: Readonly<State>): Record<string, SetScores> {
  const all = [...Object.values(state.scores), ...waitingScores];
  const next: Record<string, SetScores> = {};
  for (const { name } of state.sets) {
    const now = ofSet(state, name);
    const found = now === null ? undefined : all.find((scores) => scores.set === name && made.get(scores)?.[0] === now);
    if (found) next[name] = found;
  }
  const here = Object.values(next);
  waitingScores = all.filter((scores) => !here.includes(scores) && made.has(scores)).slice(0, SCORES_AT_MOST);
  return next;
}

/** Takes from the page what does not hold, and brings back what does. */
export function settle(): void {
  let { state } = store;
  const { sets, scores } = state;
  const patch: Partial<State> = {};
  if (sets.length > 0 || Object.values(scores).some((found) => made.has(found))) {
    const next = bestScores(state);
    const isSame = Object.keys(next).length === Object.keys(scores).length && Object.entries(next).every(([name, found]) => scores[name] === found);
    if (!isSame) patch.scores = next;
  }
  for (const kind of KINDS) {
    const found = best(kind, state);
    if (found !== state[kind]) Object.assign(patch, { [kind]: found });
    state = { ...state, ...patch };
  }
  if (patch.attribution !== undefined) {
    patch.ranked = (patch.attribution && rankings.get(patch.attribution)) ?? null;
    // The engine forgot its own with what it was made of.
    engineHasAttribution = false;
  }
  const precomputed = precomputedOf(state);
  if (precomputed.join() !== store.state.precomputed.join()) patch.precomputed = precomputed;
  if (Object.keys(patch).length > 0) store.set(patch);
}

function precomputedOf(state: Readonly<State>): State["precomputed"] {
  const isBeforehand = (result: object | null): boolean => result !== null && beforehand.has(result);
  const kinds = KINDS.filter((kind) => isBeforehand(state[kind]));
  return Object.values(state.scores).some(isBeforehand) ? ["scores", ...kinds] : kinds;
}

/** Whether the engine has the attribution at hand: it forgets it with its worker, and with the items and settings. */
let engineHasAttribution = false;

export function attributionIsGone(): void {
  engineHasAttribution = false;
}

export function attributionIsThere(): void {
  engineHasAttribution = true;
}

export function isAttributionThere(): boolean {
  return engineHasAttribution;
}

/** Takes the engine's ranking of the attribution at hand. */
export function putRanking(ranked: RankedNeuron[]): void {
  const { attribution } = store.state;
  if (!attribution) return;
  rankings.set(attribution, ranked);
  store.set({ ranked });
}

/** What the engine was told, though the page shows it only once the engine has answered. */
let told: Partial<State> = {};

export function setTold(settings: Partial<State>): void {
  told = settings;
}

/** The state as the engine has it: what it is asked now is answered for this. */
export function asked(): Readonly<State> {
  return { ...store.state, ...told };
}

/** A result that takes the place of another one: the same of sets that are called otherwise. */
function inPlaceOf<T extends object>(former: T, result: T): T {
  const own = made.get(former);
  if (own) made.set(result, own);
  if (beforehand.has(former)) beforehand.add(result);
  return result;
}

/** Gives results of some sets the names that those have now. What is known of other items stays as it is. */
class Follower {
  readonly #names: Names;
  readonly #prints: readonly string[];

  /** Of the sets as they were. */
  constructor(before: readonly PageSet[]) {
    this.#names = renamedSets(before, store.state.sets);
    this.#prints = before.filter(({ name }) => this.#names.has(name)).map(({ items }) => printOf(items));
  }

  get isIdle(): boolean {
    return this.#names.size === 0;
  }

  readonly rename = (set: string): string => this.#names.get(set) ?? set;

  #isOf(result: object): boolean {
    const own = made.get(result) ?? [];
    return own.some((part) => this.#prints.some((print) => part?.includes(print)));
  }

  scores(scores: SetScores): SetScores {
    return this.#isOf(scores) ? inPlaceOf(scores, renamedScores(scores, this.rename)) : scores;
  }

  result<K extends Kind>(kind: K, result: Results[K]): Results[K] {
    if (!this.#isOf(result)) return result;
    const renamed = inPlaceOf(result, RENAMED[kind](result, this.rename));
    const all = whole.get(result) as Results[K] | undefined;
    if (all) whole.set(renamed, this.result(kind, all));
    const ranking = kind === "attribution" ? rankings.get(result as Attribution) : undefined;
    if (ranking) rankings.set(renamed as Attribution, ranking);
    return renamed;
  }

  source(source: SelectionSource | null): SelectionSource | null {
    return source && { ...source, set: this.rename(source.set) };
  }

  mask({ source, ...state }: MaskState): MaskState {
    return source ? { ...state, source: { ...source, set: this.rename(source.set) } } : state;
  }
}

/** Results follow their sets, which were called otherwise before. */
export function followNames(before: readonly PageSet[]): void {
  const { state } = store;
  const follower = new Follower(before);
  if (follower.isIdle) return;
  const scores = Object.values(state.scores).map((found) => follower.scores(found));
  const patch: Partial<State> = {
    scores: Object.fromEntries(scores.map((found) => [found.set, found])),
    selection_source: follower.source(state.selection_source),
    undo: state.undo.map((step) => follower.mask(step)),
    redo: state.redo.map((step) => follower.mask(step)),
  };
  waitingScores = waitingScores.map((found) => follower.scores(found));
  const follow = <K extends Kind>(kind: K): void => {
    const here = state[kind] as Results[K] | null;
    if (here) Object.assign(patch, { [kind]: follower.result(kind, here) });
    const others = (waiting.get(kind) ?? []) as Results[K][];
    waiting.set(kind, others.map((other) => follower.result(kind, other)));
  };
  for (const kind of KINDS) follow(kind);
  store.set(patch);
}

/** Takes a result of what the engine had when it was asked; whether it holds by now. */
export function put<K extends Kind>(kind: K, found: Results[K], of: Readonly<State>): boolean {
  made.set(found, parts(kind, of, found));
  // A set may have been renamed since.
  const result = new Follower(of.sets).result(kind, found);
  const holds = holding(kind, store.state, result) === result;
  if (holds) {
    const { attribution: former, ranked } = store.state;
    store.set({ [kind]: result } as Partial<State>);
    // The same attribution, run again, has the same ranking.
    const isSame = former !== null && made.get(former)?.[0] === made.get(result)?.[0];
    if (kind === "attribution" && !(isSame && ranked)) store.set({ ranked: null });
  } else wait(kind, result);
  settle();
  return holds;
}

export function putScores(found: SetScores, of: Readonly<State>): void {
  made.set(found, [ofSet(of, found.set, of.rule)]);
  const scores = new Follower(of.sets).scores(found);
  waitingScores = [scores, ...waitingScores];
  // Of two that hold, the later one does.
  const { [scores.set]: former, ...others } = store.state.scores;
  if (former && made.get(former)?.[0] === made.get(scores)?.[0]) store.set({ scores: others });
  settle();
}

const RULES: readonly ScoringRule[] = ["sum", "per_character", "per_byte", "per_token", "mutual_information"];

/** Scores of each set by any rule, where they hold but for the rule; of several those by most that was measured. */
export function scoresByAnyRule(): SetScores[] {
  const all = [...Object.values(store.state.scores), ...waitingScores];
  const isOfThese = (scores: SetScores): boolean => {
    const [of] = made.get(scores) ?? [];
    return typeof of === "string" && RULES.some((rule) => ofSet(store.state, scores.set, rule) === of);
  };
  const found = all.filter(isOfThese);
  const isFirst = (scores: SetScores): boolean => {
    const ofSame = found.filter(({ set }) => set === scores.set);
    return scores === (ofSame.find((other) => other.accuracy_mutual_information) ?? ofSame[0]);
  };
  return found.filter(isFirst);
}

/** The results at hand were made of the study at hand: it was opened with them. */
export function adopt(): void {
  const { state } = store;
  const take = (kind: Kind | "scores", result: object, of: readonly Made[]): void => {
    made.set(result, of);
    if (state.precomputed.includes(kind)) beforehand.add(result);
  };
  for (const scores of Object.values(state.scores)) take("scores", scores, [ofSet(state, scores.set)]);
  for (const kind of KINDS) {
    const result = state[kind];
    if (result) take(kind, result, parts(kind, state, result));
  }
  settle();
}

/** The results at hand came with the page. */
export function cameWithPage(): void {
  const { state } = store;
  for (const result of [...Object.values(state.scores), ...KINDS.map((kind) => state[kind])]) {
    if (result) beforehand.add(result);
  }
  settle();
}

/** A result that waits, as it is kept for a later visit. */
export interface Waiting {
  kind: Kind | "scores";
  result: object;
  of: readonly Made[];
  beforehand: boolean;
}

/** What waits, the latest of each kind: as much as is written quickly at every change. */
export function waitingResults(): Waiting[] {
  const { state } = store;
  const kept = (kind: Kind | "scores", results: readonly object[], atMost: number): Waiting[] =>
    results.slice(0, atMost).flatMap((result) => {
      const of = made.get(result);
      return of ? [{ kind, result, of, beforehand: beforehand.has(result) }] : [];
    });
  const ofKind = (kind: Kind): object[] => {
    const here = state[kind];
    const all = here ? whole.get(here) : undefined;
    return [...(all ? [all] : []), ...(waiting.get(kind) ?? [])];
  };
  return [...kept("scores", waitingScores, KEPT_SCORES), ...KINDS.flatMap((kind) => kept(kind, ofKind(kind), KEPT_OF_KIND))];
}

/** What waited when a study was kept waits again. */
export function waitAgain(kept: readonly Waiting[]): void {
  for (const { kind, result, of, beforehand: isBeforehand } of [...kept].reverse()) {
    made.set(result, of);
    if (isBeforehand) beforehand.add(result);
    if (kind === "scores") waitingScores = [result as SetScores, ...waitingScores];
    else wait(kind, result);
  }
}

/** Another study takes the place of this one: nothing of it waits any more. */
export function forgetWaiting(): void {
  waitingScores = [];
  waiting.clear();
}

/** What a result hangs on. */
const GROUNDS: readonly (keyof State)[] = ["made_with", "sets", "template", "few_shot", "choice_order", "rule", "mask", "seed"];

/** From now on only what holds stays on the page. */
export function install(): void {
  store.listen((changed) => {
    if (GROUNDS.some((key) => changed.has(key))) settle();
  });
}
