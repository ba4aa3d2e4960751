// The study that the page edits: written out of the page's state, and a report or a link read back into it.

import { isReported } from "../roles";
import type { Attribution, ItemSetSpec, Report, SearchReport, Study, TuneReport } from "../wire/engine";
import { engine } from "./engine";
import { sampleItems } from "./items";
import { runJob } from "./jobs";
import { neuronCount, selectionAtHand, attributionSource } from "./mask";
import { identityOf } from "./models";
import { adopt, forgetWaiting } from "./results";
import { EMPTY_MASK, store, type PageSet, type State, type Tuned } from "./store";

/** Links longer than this are cut by some mail and chat programs. */
export const LONGEST_LINK = 8000;

function setSpec({ name, roles, sha256, items, sample }: PageSet): ItemSetSpec {
  const named = { name, roles, sha256 };
  if (!sample) return { ...named, items };
  const { name: sampleName, first, count, split } = sample;
  return {
    ...named,
    sample: sampleName,
    ...(first === undefined ? {} : { first }),
    ...(count === undefined ? {} : { count }),
    ...(split ? { split } : {}),
  };
}

/** A set with the role attribution where the attribution at hand is its own, and only there. */
function asAttributed(set: PageSet, attributed: string | undefined): PageSet {
  if (attributed === undefined || set.roles.includes("attribution") === (set.name === attributed)) return set;
  const others = set.roles.filter((role) => role !== "attribution");
  return { ...set, roles: set.name === attributed ? ["attribution", ...others] : others };
}

/** In a study every set has a role. Where no set is reported on by its role, all are, also those that have one. */
function withRoles(sets: readonly PageSet[]): PageSet[] {
  const isWithout = ({ roles }: PageSet): boolean => roles.length === 0;
  const all = sets.some(isWithout) && !sets.some((set) => set.roles.some(isReported));
  return sets.map((set) => (all || isWithout(set) ? { ...set, roles: [...set.roles, "test" as const] } : set));
}

function percentsOf({ cells }: SearchReport): number[] {
  return [...new Set(cells.map((cell) => cell.percent))];
}

/** The page's state as a study document. `with_results` says which parts were run. */
export function study(state: Readonly<State>): Study {
  const { model, sets, template, few_shot, choice_order, rule, attribution, search, mask, control, tuning, seed } = state;
  const hasMask = neuronCount(mask) > 0;
  const selection = selectionAtHand(state);
  return {
    format: "secateur-study",
    version: 1,
    model: { id: model?.info.id ?? "", sha256: model?.info.sha256 ?? "", ...(model ? { name: model.name } : {}) },
    item_sets: withRoles(sets.filter((set) => set.items.length > 0).map((set) => asAttributed(set, attribution?.set))).map(setSpec),
    template,
    ...(few_shot ? { few_shot } : {}),
    ...(choice_order === null ? {} : { choice_order: { seed: choice_order } }),
    scoring: { rule },
    ...(attribution ? { attribution: attribution.settings } : {}),
    ...(attribution && search ? { search: { percents: percentsOf(search) } } : {}),
    ...(hasMask ? { pruning: { mask, ...(selection ? { selection } : {}) } } : {}),
    ...(control ? { control: { masks: control.masks, seed: control.seed } } : {}),
    ...(tuning ? { tuning: tuning.settings } : {}),
    seed: tuning?.seed ?? seed,
  };
}

function flat(attribution: NonNullable<Report["attribution"]>): Attribution {
  const { n_layers, d_mlp } = attribution;
  const scores = new Float32Array(n_layers * d_mlp);
  attribution.scores.forEach((layer, index) => scores.set(layer.slice(0, d_mlp), index * d_mlp));
  return { ...attribution, scores };
}

/** The items that a study's set stands for. */
async function itemsOf(spec: ItemSetSpec): Promise<PageSet> {
  const { name, roles, sha256, first, count, split } = spec;
  const all = spec.items ?? await sampleItems(spec.sample ?? name);
  const slice = all.slice(first ?? 0, count === undefined ? undefined : (first ?? 0) + count);
  const items = split ? (await engine.call("split", [{ items: slice, ...split }]))[split.part] ?? [] : slice;
  if (spec.items) return { name, roles, sha256, items };
  const sample = {
    name: spec.sample ?? name,
    ...(first === undefined ? {} : { first }),
    ...(count === undefined ? {} : { count }),
    ...(split ? { split } : {}),
  };
  return { name, roles, sha256, items, sample };
}

/** A study's sets with their items; needs the engine to read the samples. */
export function setsOfStudy(specs: readonly ItemSetSpec[]): Promise<PageSet[]> {
  return Promise.all(specs.map(itemsOf));
}

/** All bundled items that a study names, by the sample's name. */
export async function samplesOf({ item_sets }: Study): Promise<Record<string, PageSet["items"]>> {
  const names = item_sets.filter((set) => !set.items).map((set) => set.sample ?? set.name);
  const entries = await Promise.all([...new Set(names)].map(async (name) => [name, await sampleItems(name)] as const));
  return Object.fromEntries(entries);
}

/** Shows a report's settings and results. Its items are there, and its results bound to them, only once `showItems` has had
 * them. */
export function showReport(report: Report): void {
  const { study: made, model, pruned, control, search, tuning } = report;
  const attribution = report.attribution ? flat(report.attribution) : null;
  forgetWaiting();
  const mask = pruned?.mask ?? made.pruning?.mask ?? EMPTY_MASK;
  const scores = Object.fromEntries(report.baseline.map((scored) => [scored.set, scored]));
  store.set({
    shape: { n_layers: model.n_layers, d_mlp: model.d_mlp },
    made_with: identityOf(model),
    template: made.template,
    few_shot: made.few_shot ?? null,
    choice_order: made.choice_order?.seed ?? null,
    rule: made.scoring?.rule ?? "sum",
    wanted: {},
    seed: made.seed,
    scores,
    bias: null,
    attribution,
    ranked: null,
    selected: null,
    card: null,
    mask,
    selection: made.pruning?.selection ?? null,
    selection_source: null,
    undo: [],
    redo: [],
    pruned: pruned ?? null,
    control: control ?? null,
    search: search ?? null,
    tuning: tuning && made.tuning ? { ...tuning, settings: made.tuning, seed: made.seed } : null,
    live_curves: [],
    precomputed: [],
    ...(made.attribution ? { settings: made.attribution } : {}),
    ...(made.search ? { percents: made.search.percents } : {}),
    ...(made.control ? { control_masks: made.control.masks } : {}),
    ...(made.tuning ? { tuning_settings: made.tuning } : {}),
  });
}

/** Takes the items of the report that is shown: its results are of them. */
export function showItems(sets: PageSet[]): void {
  store.set({ sets });
  adopt();
  const { selection } = store.state;
  const source = attributionSource(store.state);
  if (selection && source) store.set({ selection_source: source });
}

/** The address of a page that shows and re-runs this study; none when its making was cancelled. */
export async function link(): Promise<string | null> {
  let address: string | null = null;
  await runJob("Making the link", async (onProgress) => {
    // What the engine forgot is scored, so that the link can carry what was found. Quick where it was not.
    for (const { name, items } of store.state.sets) {
      if (items.length > 0) await engine.call("score", [{ set: name }], onProgress);
    }
    const { pruned } = store.state;
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
  const { pruned, control } = store.state;
  if (!pruned) {
    return Promise.reject({
      code: "not_yet", message: "the mask is not measured yet", hint: "Measure it in step 5: the file carries what it does.",
    });
  }
  return engine.call("export_mask", [{ study: study(store.state), prune: pruned, ...(control ? { control } : {}) }]);
}

function withoutSettings({ settings: _, seed: __, ...tuning }: Tuned): TuneReport {
  return tuning;
}

/** Everything at hand as a report document. */
export function reportDocument(state: Readonly<State>): Report | null {
  const { model, device_info, version, scores, attribution, pruned, control, search } = state;
  if (!model || !device_info) return null;
  const tuning = state.tuning && withoutSettings(state.tuning);
  const rows = (found: Attribution): number[][] =>
    Array.from({ length: found.n_layers }, (_, layer) =>
      Array.from(found.scores.subarray(layer * found.d_mlp, (layer + 1) * found.d_mlp)));
  const baseline = Object.values(scores);
  const seconds = [attribution, pruned, control, search, tuning, ...baseline]
    .reduce((sum, part) => sum + (part?.seconds ?? 0), 0);
  return {
    format: "secateur-report",
    version: 1,
    study: study(state),
    engine: { version, device: device_info, precision: model.info.report.precision },
    model: model.info,
    baseline,
    ...(attribution ? { attribution: { ...attribution, scores: rows(attribution) } } : {}),
    ...(search ? { search } : {}),
    ...(pruned ? { pruned } : {}),
    ...(control ? { control } : {}),
    ...(tuning ? { tuning } : {}),
    seconds,
  };
}
