// What was found, each result with what it was made of, and which of it fits the study at hand: that is shown. Nothing is
// ever taken away for what is changed; it is shown again as soon as the study is as it was. Pure functions.

import type {
  Attribution,
  Audit,
  ControlReport,
  GeneralAbility,
  MadeOf,
  Mask,
  NeuronCard,
  NeuronRequest,
  Portrait,
  PositionBias,
  PruneReport,
  Race,
  RankedNeuron,
  Salience,
  SalienceRequest,
  SearchReport,
  SetScores,
  Stability,
  TuneReport,
  TuneSettings,
} from "../wire/engine";
import type { ContrastAsked, HeldContrast } from "./contrast";
import { reportedSets, selectionOf, setsOf, tunedSets, type EditedStudy } from "./edited";
import type { HeldEffects } from "./harm";
import { differences, isEqual, isSame, PARTS, type Part } from "./made-of";
import { renamed } from "./renaming";
import { setsOfContrast } from "./contrast";

/** A tuning with the settings that it was made with. */
export interface Tuned extends TuneReport {
  settings: TuneSettings;
  seed: number;
}

/** How a selection holds, with the share of resamples that select each neuron of its layer. */
export type HeldStability = Omit<Stability, "kept"> & { kept: Float32Array };

/** What is found, by its kind. */
export interface Results {
  /** Of one set. */
  scores: SetScores;
  /** Of one set: what every neuron does to it. */
  effects: HeldEffects;
  attribution: Attribution;
  /** The engine's ranking of an attribution. */
  ranked: RankedNeuron[];
  /** Of one selection from an attribution. */
  stability: HeldStability;
  bias: PositionBias;
  /** Of what drives the answers to a set. */
  audit: Audit;
  /** Of the methods, against exact ablation. */
  race: Race;
  /** Of one set against another, or against itself without its questions. */
  contrast: HeldContrast;
  card: NeuronCard;
  /** Of one neuron, on the prompts of one set. */
  portrait: Portrait;
  /** Of one item's prompt. */
  salience: Salience;
  search: SearchReport;
  pruned: PruneReport;
  control: ControlReport;
  /** A text before and after the mask. */
  general: GeneralAbility;
  tuning: Tuned;
}

export type Kind = keyof Results;

/** Of these one of each set is shown. */
const OF_A_SET = ["scores", "effects"] as const satisfies readonly Kind[];
type OfASet = (typeof OF_A_SET)[number];

/** Of these one is shown at a time; each comes after those that it rests on. */
const SINGLE = [
  "attribution",
  "ranked",
  "stability",
  "bias",
  "audit",
  "race",
  "contrast",
  "card",
  "portrait",
  "salience",
  "search",
  "pruned",
  "control",
  "general",
  "tuning",
] as const satisfies readonly Kind[];
type Single = (typeof SINGLE)[number];

/** A result with what it was made of: a part for each of its sets, and one for the attribution that it rests on. */
export interface Found<K extends Kind = Kind> {
  kind: K;
  result: Results[K];
  made_of: MadeOf[];
  /** It came with the page. */
  beforehand?: boolean;
}

/** What is known of a kept mask, which is not the one at hand. */
export interface OfKept {
  pruned: PruneReport | null;
  general: GeneralAbility | null;
  /** What is other than it was when the mask was last measured, where that does not fit any more. */
  outdated: readonly Part[];
}

/** The results that fit a study. */
export type Shown = { [K in Single]: Results[K] | null } & { [K in OfASet]: Record<string, Results[K]> } & {
  /** The kinds of which some came with the page. */
  precomputed: readonly Kind[];
  /** What the attribution was made of. */
  attributed: readonly MadeOf[] | null;
  /** Of each mask that the study keeps, in its order. */
  kept: readonly OfKept[];
  /** The results that all this is of. */
  chosen: readonly Found[];
};

/** Of scores there may be as many as sets; of what masks do, as many as kept masks, and some of the one at hand. */
const AT_MOST: Partial<Record<Kind, number>> = { scores: 128, pruned: 80, general: 80 };
const AT_MOST_OF_KIND = 13;

/** Whether a later result takes the place of another one for good: the same was asked. */
function isOfSame(a: Found, b: Found): boolean {
  return (
    a.kind === b.kind
    && isAboutTheSame(a, b)
    && isSame(a.made_of, b.made_of)
    && a.made_of.every((of, index) => of.set === b.made_of[index]?.set)
  );
}

/** Of one attribution there are cards and portraits of many neurons, and stabilities of many selections; of one set there are many
 * items, and contrasts with several others. */
function isAboutTheSame({ kind, result: a }: Found, { result: b }: Found): boolean {
  switch (kind) {
    case "card":
    case "portrait":
      return isOf(a as OfNeuron, b as OfNeuron);
    case "stability":
      return isEqual((a as HeldStability).selection, (b as HeldStability).selection);
    case "salience":
      return (a as Salience).id === (b as Salience).id;
    case "contrast":
      return isEqual((a as HeldContrast).against, (b as HeldContrast).against);
    default:
      return true;
  }
}

export type NeuronAddress = Pick<NeuronRequest, "layer" | "neuron">;
export type ItemAddress = Pick<SalienceRequest, "set" | "id">;

/** What is looked at of that of which there are many. */
export interface LookedAt {
  selected: NeuronAddress | null;
  item: ItemAddress | null;
  /** The latest where none is named. */
  contrast: ContrastAsked | null;
}

export const NOTHING: LookedAt = { selected: null, item: null, contrast: null };

type OfNeuron = NeuronCard | Portrait;

function isOf(result: OfNeuron, at: NeuronAddress | null): boolean {
  return at !== null && result.layer === at.layer && result.neuron === at.neuron;
}

/** The results with another one, the latest first. Of too many of a kind the oldest go, but none that are shown. */
export function withResult(results: readonly Found[], found: Found, shown: readonly Found[] = []): Found[] {
  let left = AT_MOST[found.kind] ?? AT_MOST_OF_KIND;
  const others = results.filter((other) => !isOfSame(found, other));
  return [found, ...others].filter((one) => one.kind !== found.kind || left-- > 0 || shown.includes(one));
}

/** What a result of the model under the mask is made of, whatever it is asked. */
function ofModel({ model, pruning }: EditedStudy): MadeOf {
  return {
    ...(model.sha256 ? { model: model.sha256 } : {}),
    ...(model.precision ? { precision: model.precision } : {}),
    mask: pruning.mask,
  };
}

/** What a result of a set is made of in a study; what is not known is not there. */
function ofSet(study: EditedStudy, name: string): MadeOf | null {
  const hashOf = (set: string): string => study.item_sets.find((other) => other.name === set)?.sha256 ?? "";
  const { template, few_shot, choice_order, scoring } = study;
  const items = hashOf(name);
  const shots = few_shot ? hashOf(few_shot.set ?? name) : null;
  if (items === "" || shots === "") return null;
  const { set: _, ...drawn } = few_shot ?? { k: 0 };
  return {
    ...ofModel(study),
    set: name,
    items,
    ...(shots === null ? {} : { shots }),
    prompting: { template, ...(few_shot ? { few_shot: drawn } : {}), ...(choice_order ? { choice_order: choice_order.seed } : {}) },
    rule: scoring.rule,
  };
}

/** The name of a set with the items of a part: its own where it has them still. */
function nameOf(study: EditedStudy, of: MadeOf): string | null {
  const same = study.item_sets.filter(({ sha256 }) => sha256 === of.items);
  return (same.find(({ name }) => name === of.set) ?? same[0])?.name ?? null;
}

/** A study, and the attribution of it that others rest on. */
interface AtHand {
  study: EditedStudy;
  attribution: Attribution | null;
  attributed: readonly MadeOf[] | null;
}

/** The settings of these are their own; those of others are the attribution's that they rest on. */
const HAS_SETTINGS: readonly Kind[] = ["attribution", "effects", "race", "contrast", "salience"];

/** These say something of each of their sets, and are shown of those that fit. */
const SPEAKS_OF_EACH: readonly Kind[] = ["pruned", "control"];

/** What is other now than in a result's part. Shots are a part of what has them, and no part of what has none. */
function changedParts(of: MadeOf, now: MadeOf): Part[] {
  return [...differences(of, now), ...(of.shots === undefined && now.shots !== undefined ? (["shots"] as const) : [])];
}

/** Under which name a part's set is at hand, where all that it was made of is; else null. What is of no set has no name. */
function placeOf(kind: Kind, of: MadeOf, { study, attributed }: AtHand): string | null {
  if (of.set === undefined && of.items === undefined) return differences(of, ofModel(study)).length > 0 ? null : "";
  const name = nameOf(study, of);
  const now = name === null ? null : ofSet(study, name);
  if (name === null || now === null || changedParts(of, now).length > 0) return null;
  const isOnAttribution = of.settings !== undefined && !HAS_SETTINGS.includes(kind);
  return isOnAttribution && !(attributed && isSame([of], attributed)) ? null : name;
}

/** Which sets a study asks a result of: all of these and no others, or some of these. */
function asked(kind: Kind, { study, attribution }: AtHand): { all: string[] } | { some: string[] } | null {
  switch (kind) {
    case "pruned":
    case "control":
      return { some: reportedSets(study) };
    case "search":
      return { all: setsOf(study, "validation") };
    case "tuning": {
      const { train, validation, test } = tunedSets(study, attribution);
      return { all: [...train, ...validation, ...test] };
    }
    default:
      return null;
  }
}

/** The places of a result's parts, null for those that do not fit. */
function places(found: Found, at: AtHand): (string | null)[] {
  const names = found.made_of.map((of) => placeOf(found.kind, of, at));
  // A card has its neuron's scores where there is an attribution.
  const isOnAttribution = found.made_of.some((of) => of.settings !== undefined);
  if (found.kind === "card" && isOnAttribution !== (at.attributed !== null)) return names.map(() => null);
  const ask = asked(found.kind, at);
  if (!ask) return names;
  if ("some" in ask) return names.map((name) => (name !== null && ask.some.includes(name) ? name : null));
  const ofSets = found.kind === "search" ? names.slice(0, -1) : names;
  const isAsked = ofSets.length === ask.all.length && ofSets.every((name, index) => name === ask.all[index]);
  return isAsked ? names : names.map(() => null);
}

/** A result as it was last shown: views compare by identity. */
const fitted = new WeakMap<Found, { names: string; result: unknown }>();

/** A result with the names that its sets have now, and without those that do not fit. */
function fit<K extends Kind>(found: Found<K>, names: readonly (string | null)[]): Results[K] {
  const key = JSON.stringify(names);
  const known = fitted.get(found);
  if (known?.names === key) return known.result as Results[K];
  const places = found.made_of.flatMap(({ set = "" }, index) => {
    const name = names[index] ?? null;
    return name === null ? [] : [[set, name] as const];
  });
  let result = found.result;
  if (names.includes(null) && "sets" in result) {
    const sets = (result.sets as unknown[]).filter((_, index) => names[index] !== null);
    result = { ...result, sets };
  }
  if (places.some(([set, name]) => set !== name)) result = renamed(result, new Map(places));
  fitted.set(found, { names: key, result });
  return result;
}

interface Fitting {
  found: Found;
  names: (string | null)[];
  /** How many of its parts fit. */
  size: number;
}

/** How much of a result fits; all of it, or some of its sets where it says something of each. */
function fitting(found: Found, at: AtHand): Fitting | null {
  const names = places(found, at);
  const size = names.filter((name) => name !== null).length;
  return size > 0 && (SPEAKS_OF_EACH.includes(found.kind) || size === names.length) ? { found, names, size } : null;
}

/** Whether the whole of a result fits a study. */
export function holds(found: Found, study: EditedStudy, shown: Shown): boolean {
  const { attribution, attributed } = shown;
  return fitting(found, { study, attribution, attributed })?.size === found.made_of.length;
}

/** Whether a contrast is the one that is looked at; any is where that is of a set that is gone. */
function isOfContrast(
  { against }: HeldContrast,
  names: Fitting["names"],
  { item_sets }: EditedStudy,
  looked: ContrastAsked | null,
): boolean {
  if (!looked) return true;
  if (!setsOfContrast(looked).every((set) => item_sets.some(({ name }) => name === set))) return true;
  return isEqual(looked, { set: names[0], against: against.kind === "set" ? { ...against, set: names[1] } : against });
}

/** Whether a result is of what is looked at: the selected neuron, the open item, the selection at hand. */
function isLookedAt({ found: { kind, result }, names }: Fitting, { study, attributed }: AtHand, looked: LookedAt): boolean {
  switch (kind) {
    case "card":
    case "portrait":
      return isOf(result as OfNeuron, looked.selected);
    case "salience":
      return (result as Salience).id === looked.item?.id && names[0] === looked.item.set;
    case "contrast":
      return isOfContrast(result as HeldContrast, names, study, looked.contrast);
    case "stability": {
      const { selection, seed } = result as HeldStability;
      return seed === study.seed && isEqual(selection, selectionOf(study.pruning, attributed));
    }
    default:
      return true;
  }
}

/** Of the results of a kind the latest that fits; of one that speaks of each set, that of which most does. */
function best(kind: Single, results: readonly Found[], at: AtHand, looked: LookedAt): Fitting | null {
  let best: Fitting | null = null;
  for (const found of results) {
    if (found.kind !== kind) continue;
    const candidate = fitting(found, at);
    if (!candidate || !isLookedAt(candidate, at, looked)) continue;
    if (!best || (SPEAKS_OF_EACH.includes(kind) && candidate.size > best.size)) best = candidate;
  }
  return best;
}

/** The latest result of a kind for each set, in the sets' order. */
function ofEachSet(kind: OfASet, results: readonly Found[], at: AtHand): [string, Found<OfASet>][] {
  const latest = new Map<string, Found<OfASet>>();
  for (const found of results) {
    const [name] = found.kind === kind ? (fitting(found, at)?.names ?? []) : [];
    if (name && !latest.has(name)) latest.set(name, found as Found<OfASet>);
  }
  return at.study.item_sets.flatMap(({ name }) => {
    const found = latest.get(name);
    return found ? [[name, found]] : [];
  });
}

/** What is other now than when a result of a mask was found. */
function outdatedParts({ made_of }: Found, { study }: AtHand): Part[] {
  const differing = made_of.flatMap((of): Part[] => {
    const name = nameOf(study, of);
    const now = name === null ? null : ofSet(study, name);
    // A set that is gone, or changed, has other items.
    return now === null ? ["items"] : changedParts(of, now);
  });
  return PARTS.filter((part) => differing.includes(part));
}

/** What is known of a mask of the study's model that is not at hand, and the results that say so. */
function ofKept(mask: Mask, study: EditedStudy, results: readonly Found[]): { known: OfKept; chosen: Found[] } {
  const at: AtHand = { study: { ...study, pruning: { mask } }, attribution: null, attributed: null };
  const ofIt = results.filter(({ made_of: [first] }) => first?.mask && differences({ mask: first.mask }, { mask }).length === 0);
  const [pruned, general] = [best("pruned", ofIt, at, NOTHING), best("general", ofIt, at, NOTHING)];
  const last = ofIt.find(({ kind }) => kind === "pruned");
  const isWhole = last === undefined || pruned?.size === reportedSets(study).length;
  return {
    known: {
      pruned: pruned && fit(pruned.found as Found<"pruned">, pruned.names),
      general: general && fit(general.found as Found<"general">, general.names),
      outdated: isWhole ? [] : outdatedParts(last, at),
    },
    chosen: [pruned, general].flatMap((fitting) => (fitting ? [fitting.found] : [])),
  };
}

/** What is known of the masks that a study keeps, in their order, and the results that say so. */
export function keptResults(study: EditedStudy, results: readonly Found[]): { known: OfKept[]; chosen: Found[] } {
  const ofMasks = study.kept_masks.map(({ mask }) => ofKept(mask, study, results));
  return { known: ofMasks.map(({ known }) => known), chosen: ofMasks.flatMap(({ chosen }) => chosen) };
}

/** Values by names that the user gives: without what other objects have by themselves, as `constructor`. */
function byName<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.setPrototypeOf(Object.fromEntries(entries), null) as Record<string, T>;
}

/** The results that fit a study. What is known of its kept masks hangs on nothing that is looked at. */
export function shownResults(study: EditedStudy, results: readonly Found[], looked = NOTHING, kept = keptResults(study, results)): Shown {
  const at: AtHand = { study, attribution: null, attributed: null };
  const chosen: Found[] = [];
  const single = Object.fromEntries(
    SINGLE.map((kind) => {
      const found = best(kind, results, at, looked);
      if (!found) return [kind, null];
      chosen.push(found.found);
      const result = fit(found.found, found.names);
      if (kind === "attribution") Object.assign(at, { attribution: result, attributed: found.found.made_of });
      return [kind, result];
    }),
  ) as { [K in Single]: Results[K] | null };
  const ofSets = Object.fromEntries(
    OF_A_SET.map((kind) => {
      const found = ofEachSet(kind, results, at);
      chosen.push(...found.map(([, one]) => one));
      return [kind, byName(found.map(([name, one]) => [name, fit(one, [name])] as const))];
    }),
  ) as { [K in OfASet]: Record<string, Results[K]> };
  return {
    ...single,
    ...ofSets,
    attributed: at.attributed,
    precomputed: [...new Set(chosen.filter(({ beforehand }) => beforehand).map(({ kind }) => kind))],
    kept: kept.known,
    chosen: [...new Set([...chosen, ...kept.chosen])],
  };
}

/** Scores of each set that fit but for the rule, where none by it do; of several those by most that was measured. */
export function scoresByOtherRules(study: EditedStudy, results: readonly Found[]): Found<"scores">[] {
  const { scores } = shownResults(study, results);
  return study.item_sets
    .filter(({ name }) => !scores[name])
    .flatMap(({ name }) => {
      const now = ofSet(study, name);
      const isOfAll = (of: MadeOf): boolean => now !== null && of.shots === now.shots && differences(of, now).join() === "rule";
      const others = results.filter((found): found is Found<"scores"> => found.kind === "scores" && found.made_of.every(isOfAll));
      const [first] = [...others.filter(({ result }) => result.accuracy_mutual_information), ...others];
      return first ? [first] : [];
    });
}

/** Which sets a result is of, in the order of its parts; whether a mask was on; whether it rests on an attribution. */
function groundsOf<K extends Kind>(
  kind: K,
  result: Results[K],
  at: AtHand,
): { sets: string[]; isPruned?: boolean; isAttributed?: boolean } {
  switch (kind) {
    case "card":
      return { sets: [(result as NeuronCard).effect.set], isAttributed: true };
    case "search":
      return { sets: (result as SearchReport).sets, isAttributed: true };
    case "pruned":
    case "control":
      return { sets: (result as PruneReport).sets.map(({ set }) => set), isPruned: true };
    case "tuning": {
      const { train, validation, test } = tunedSets(at.study, at.attribution);
      return { sets: [...train, ...validation, ...test], isPruned: true };
    }
    case "ranked":
    case "stability":
      return { sets: [], isAttributed: true };
    default:
      return { sets: [(result as SetScores).set] };
  }
}

/** Results of documents, which do not say what they were made of: of the study that they stand beside. */
export function ofStudy(study: EditedStudy, found: readonly { [K in Kind]: { kind: K; result: Results[K] } }[Kind][]): Found[] {
  const at: AtHand = { study, attribution: null, attributed: null };
  const made: Found[] = [];
  const isFirst = (kind: Kind): number => (kind === "attribution" ? 0 : 1);
  for (const { kind, result } of [...found].sort((a, b) => isFirst(a.kind) - isFirst(b.kind))) {
    const { sets, isPruned, isAttributed } = groundsOf(kind, result, at);
    const parts = sets.map((set) => {
      const { mask, ...of } = ofSet(study, set) ?? { set };
      return { ...of, ...(isPruned && mask ? { mask } : {}) };
    });
    if (kind === "attribution") {
      const { preset: _, ...settings } = (result as Attribution).settings;
      at.attribution = result as Attribution;
      at.attributed = parts.map((of) => ({ ...of, settings }));
    }
    const made_of = kind === "attribution" ? (at.attributed ?? []) : [...parts, ...(isAttributed ? (at.attributed ?? []) : [])];
    made.push({ kind, result, made_of: [...made_of] });
  }
  return made;
}
