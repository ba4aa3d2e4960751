// The study as documents have it: written out of the one that is edited, and a report or a link read into that; pure functions
// first, then those that ask the engine.

import { isReported } from "../roles";
import { topOf } from "../selections";
import type {
  Attribution,
  Item,
  ItemSetSpec,
  PruneReport,
  Race,
  RaceSpec,
  Report,
  SearchReport,
  SearchSpec,
  Study,
  TuneReport,
} from "../wire/engine";
import { inShort } from "./harm";
import { EMPTY_STUDY, modelOf, type EditedStudy, type PageSet } from "./edited";
import { engine } from "./engine";
import { NO_HISTORY } from "./history";
import { sampleItems } from "./items";
import { runJob } from "./jobs";
import { selectionAtHand } from "./mask";
import { NOTHING, ofStudy, type Found, type Tuned } from "./results";
import { store, type State } from "./store";

/** Links longer than this are cut by some mail and chat programs. */
export const LONGEST_LINK = 8000;

/** A set with the role attribution where the attribution at hand is its own, and only there. */
function asAttributed(set: ItemSetSpec, attributed: string | undefined): ItemSetSpec {
  if (attributed === undefined || set.roles.includes("attribution") === (set.name === attributed)) return set;
  const others = set.roles.filter((role) => role !== "attribution");
  return { ...set, roles: set.name === attributed ? ["attribution", ...others] : others };
}

/** In a study every set has a role. Where no set is reported on by its role, all are, also those that have one. */
function withRoles(sets: readonly ItemSetSpec[]): ItemSetSpec[] {
  const isWithout = ({ roles }: ItemSetSpec): boolean => roles.length === 0;
  const all = sets.some(isWithout) && !sets.some((set) => set.roles.some(isReported));
  return sets.map((set) => (all || isWithout(set) ? { ...set, roles: [...set.roles, "test" as const] } : set));
}

/** A set of a sample is named by it, without its items. */
function written({ items, ...set }: ItemSetSpec): ItemSetSpec {
  return set.sample === undefined ? { ...set, items: items ?? [] } : set;
}

/** What a search asked for. */
export function searched({ spec, cells, luck }: SearchReport): SearchSpec {
  if (spec) return spec;
  // Older reports have the top of layers alone.
  const percents = [...new Set(cells.flatMap((cell) => topOf(cell)?.percent ?? []))];
  return { percents, ...(luck ? { control: { masks: luck.best.length, seed: luck.seed } } : {}) };
}

/** The study of what is shown: the one that is edited, with those parts that were run, as they were run. */
export function study(state: State): Study {
  const { attribution, search, control, tuning } = state.shown;
  const {
    model: { id, sha256, name },
    item_sets,
    template,
    few_shot,
    choice_order,
    scoring,
    pruning: { mask },
    seed,
  } = state.study;
  const selection = selectionAtHand(state);
  const filled = item_sets.filter(({ items }) => items === undefined || items.length > 0);
  return {
    format: "secateur-study",
    version: 1,
    model: { id, sha256, ...(name === undefined ? {} : { name }) },
    item_sets: withRoles(filled.map((set) => asAttributed(set, attribution?.set))).map(written),
    template,
    ...(few_shot ? { few_shot } : {}),
    ...(choice_order ? { choice_order } : {}),
    scoring,
    ...(attribution ? { attribution: attribution.settings } : {}),
    ...(attribution && search ? { search: searched(search) } : {}),
    ...(mask.layers.length > 0 ? { pruning: { mask, ...(selection ? { selection } : {}) } } : {}),
    ...(control ? { control: { masks: control.masks, seed: control.seed } } : {}),
    ...(tuning ? { tuning: tuning.settings } : {}),
    seed: tuning?.seed ?? seed,
  };
}

/** The study with the masks that it keeps and with what was asked beside: not for links and masks, since whoever opens them would wait
 * for all of it. */
export function wholeStudy(state: State): Study {
  const { audit, race } = state.shown;
  const { kept_masks } = state.study;
  return {
    ...study(state),
    ...(kept_masks.length > 0 ? { kept_masks: kept_masks.map(({ name, model, mask }) => ({ name, model, mask })) } : {}),
    ...(audit ? { audit: { set: audit.set } } : {}),
    ...(race ? { race: raced(race) } : {}),
  };
}

/** What a race asked for. Its own settings are those of the ablation; those that were chosen are Integrated Gradients'. */
function raced({ set, settings: ofAblation, methods, layers, percent, resamples, seed }: Race): RaceSpec {
  const chosen = methods.find(({ settings }) => settings.method === "integrated_gradients");
  return { set, settings: chosen?.settings ?? ofAblation, layers, percent, resampling: { resamples, seed } };
}

function flat(attribution: NonNullable<Report["attribution"]>): Attribution {
  const { n_layers, d_mlp } = attribution;
  const scores = new Float32Array(n_layers * d_mlp);
  attribution.scores.forEach((layer, index) => scores.set(layer.slice(0, d_mlp), index * d_mlp));
  return { ...attribution, scores };
}

function rows({ n_layers, d_mlp, scores }: Attribution): number[][] {
  return Array.from({ length: n_layers }, (_, layer) => Array.from(scores.subarray(layer * d_mlp, (layer + 1) * d_mlp)));
}

/** A report's study, to be edited. What it says nothing of is as at a first visit. */
export function editedStudy({ study: made, model, pruned }: Report): EditedStudy {
  const { item_sets, template, few_shot, choice_order, scoring, attribution, search, pruning, kept_masks, control, tuning, seed } = made;
  const mask = pruned?.mask ?? pruning?.mask ?? EMPTY_STUDY.pruning.mask;
  return {
    ...EMPTY_STUDY,
    model: modelOf(model, made.model.name),
    item_sets,
    template,
    ...(few_shot ? { few_shot } : {}),
    ...(choice_order ? { choice_order } : {}),
    scoring: scoring ?? EMPTY_STUDY.scoring,
    ...(attribution ? { attribution } : {}),
    ...(search ? { search } : {}),
    pruning: { mask, ...(pruning?.selection ? { selection: pruning.selection } : {}) },
    kept_masks: kept_masks ?? [],
    ...(control ? { control: { masks: control.masks } } : {}),
    ...(tuning ? { tuning } : {}),
    seed,
  };
}

/** A report's results. */
export function foundIn(report: Report, edited: EditedStudy): Found[] {
  const { study: made, baseline, audit, attribution, race, search, pruned, control, tuning } = report;
  const found: Parameters<typeof ofStudy>[1] = [
    ...baseline.map((result) => ({ kind: "scores" as const, result })),
    ...(audit ? [{ kind: "audit" as const, result: audit }] : []),
    ...(attribution ? [{ kind: "attribution" as const, result: flat(attribution) }] : []),
    ...(race ? [{ kind: "race" as const, result: race }] : []),
    ...(search ? [{ kind: "search" as const, result: search }] : []),
    ...(pruned ? [{ kind: "pruned" as const, result: pruned }] : []),
    ...(control ? [{ kind: "control" as const, result: control }] : []),
    ...(tuning && made.tuning ? [{ kind: "tuning" as const, result: { ...tuning, settings: made.tuning, seed: made.seed } }] : []),
  ];
  return ofStudy(edited, found);
}

/** Shows a report. Items of samples may still have to be read. */
export function showReport(report: Report, beforehand = false): void {
  const edited = editedStudy(report);
  const results = foundIn(report, edited).map((found) => (beforehand ? { ...found, beforehand } : found));
  const attribution = results.find((found): found is Found<"attribution"> => found.kind === "attribution");
  const { pruning } = edited;
  if (pruning.selection && attribution) {
    const {
      result: { set, settings },
      made_of,
    } = attribution;
    edited.pruning = { ...pruning, source: { set, settings, made_of } };
  }
  store.set({ study: edited, history: NO_HISTORY, results });
  store.view({ ...NOTHING, live_curves: [] });
}

/** The items that a study's set stands for. */
async function itemsOf(spec: ItemSetSpec): Promise<PageSet> {
  if (spec.items) return { ...spec, items: spec.items };
  const { first, count, split } = spec;
  const all = await sampleItems(spec.sample ?? spec.name);
  const slice = all.slice(first ?? 0, count === undefined ? undefined : (first ?? 0) + count);
  const items = split ? ((await engine.call("split", [{ items: slice, ...split }]))[split.part] ?? []) : slice;
  return { ...spec, items, sample: spec.sample ?? spec.name };
}

/** A study's sets with their items; needs the engine to read the samples. */
export function setsOfStudy(specs: readonly ItemSetSpec[]): Promise<PageSet[]> {
  return Promise.all(specs.map(itemsOf));
}

/** All bundled items that a study names, by the sample's name. */
export async function samplesOf({ item_sets }: Study): Promise<Record<string, Item[]>> {
  const names = item_sets.filter((set) => !set.items).map((set) => set.sample ?? set.name);
  const entries = await Promise.all([...new Set(names)].map(async (name) => [name, await sampleItems(name)] as const));
  return Object.fromEntries(entries);
}

/** What the mask at hand does, with the mask as it names its sets now. */
function prunedNow({ study: { pruning }, shown: { pruned } }: State): PruneReport | null {
  return pruned && { ...pruned, mask: pruning.mask };
}

/** The address of a page that shows and re-runs this study; none when its making was cancelled. */
export async function link(): Promise<string | null> {
  let address: string | null = null;
  await runJob("Making the link", async (onProgress) => {
    // What the engine forgot is scored, so that the link can carry what was found. Quick where it was not.
    for (const { name, items } of store.state.shown.sets) {
      if (items.length > 0) await engine.call("score", [{ set: name }], onProgress);
    }
    const pruned = prunedNow(store.state);
    const request = pruned ? { study: study(store.state), prune: pruned } : { study: study(store.state) };
    const fragment = await engine.call("encode_link", [request]);
    const url = new URL(location.href);
    url.hash = "";
    url.search = "";
    address = `${url.href}#${fragment}`;
  });
  return address;
}

/** `mask.json`. */
export function maskFile(): Promise<string> {
  const pruned = prunedNow(store.state);
  const { control } = store.state.shown;
  if (!pruned) {
    return Promise.reject({
      code: "not_yet",
      message: "the mask is not measured yet",
      hint: "Measure it in step 5: the file carries what it does.",
    });
  }
  return engine.call("export_mask", [{ study: study(store.state), prune: pruned, ...(control ? { control } : {}) }]);
}

function withoutSettings({ settings: _, seed: __, ...tuning }: Tuned): TuneReport {
  return tuning;
}

/** Everything that is shown as a report document. */
export function reportDocument(state: State): Report | null {
  const { model, device_info, version } = state.engine;
  const { scores, audit, attribution, race, control, search } = state.shown;
  const pruned = prunedNow(state);
  if (!model || !device_info) return null;
  const tuning = state.shown.tuning && withoutSettings(state.shown.tuning);
  const baseline = Object.values(scores);
  const effects = Object.values(state.shown.effects).flatMap((measured) => inShort(measured) ?? []);
  const seconds = [audit, attribution, pruned, control, search, tuning, ...baseline].reduce((sum, part) => sum + (part?.seconds ?? 0), 0);
  return {
    format: "secateur-report",
    version: 1,
    study: wholeStudy(state),
    engine: { version, device: device_info, precision: model.info.report.precision },
    model: model.info,
    baseline,
    ...(audit ? { audit } : {}),
    ...(attribution ? { attribution: { ...attribution, scores: rows(attribution) } } : {}),
    ...(race ? { race } : {}),
    ...(effects.length > 0 ? { effects } : {}),
    ...(search ? { search } : {}),
    ...(pruned ? { pruned } : {}),
    ...(control ? { control } : {}),
    ...(tuning ? { tuning } : {}),
    seconds,
  };
}
