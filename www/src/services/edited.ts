// The study that the page edits: the study document with what its forms hold before it is run, its sets with their items
// beside the sample that they were taken from. Pure functions: nothing here knows the page.

import { isReported } from "../roles";
import { isSame } from "./made-of";
import type {
  AttributionSettings,
  Item,
  ItemSetSpec,
  KeptMask,
  LayerMask,
  MadeOf,
  Mask,
  ModelInfo,
  Precision,
  Prompting,
  Role,
  SearchSpec,
  Selection,
  Study,
  TuneSettings,
} from "../wire/engine";

/** An item set whose items are at hand. */
export type PageSet = ItemSetSpec & { items: Item[] };

export type Shape = Pick<ModelInfo, "n_layers" | "d_mlp">;

/** The model that the study and its results are of; known before that is loaded, and after it is gone. */
export interface StudyModel {
  id: string;
  /** Empty where none was chosen yet. */
  sha256: string;
  name?: string;
  precision?: Precision;
  shape?: Shape;
}

/** The attribution that a selection was taken from. */
export interface SelectionSource {
  set: string;
  settings: AttributionSettings;
  /** Absent where it is not known, as in studies of older visits. */
  made_of?: MadeOf[];
}

export interface Pruning {
  mask: Mask;
  selection?: Selection;
  source?: SelectionSource;
}

/** A mask that is kept beside the one at hand. */
export type NamedMask = KeptMask & Pruning;

/** The selection that made a mask, where it selected from this attribution. */
export function selectionOf({ selection, source }: Pruning, attributed: readonly MadeOf[] | null): Selection | null {
  return selection && source?.made_of && attributed && isSame(source.made_of, attributed) ? selection : null;
}

export interface EditedStudy {
  model: StudyModel;
  /** Without items until those of a bundled sample are read. */
  item_sets: ItemSetSpec[];
  template: Study["template"];
  few_shot?: Study["few_shot"];
  choice_order?: Study["choice_order"];
  scoring: Study["scoring"];
  attribution: AttributionSettings;
  search: SearchSpec;
  pruning: Pruning;
  kept_masks: NamedMask[];
  control: { masks: number };
  tuning: TuneSettings;
  seed: number;
}

export const DEFAULT_SETTINGS: AttributionSettings = {
  preset: "fast",
  method: "integrated_gradients",
  path: "per_layer",
  site: "post",
  positions: "last",
  target: "choice_first_token",
  steps: 8,
  rule: "middle",
  baseline: "zero",
  aggregate: "signed_mean",
  confidence_threshold: 0.5,
};

export const EMPTY_MASK: Mask = { operation: "zero", site: "post", layers: [] };

/** Neurons as those of a mask, layer by layer. */
export function layersOf(neurons: Iterable<{ layer: number; neuron: number }>): LayerMask[] {
  const byLayer = new Map<number, number[]>();
  for (const { layer, neuron } of neurons) {
    const own = byLayer.get(layer);
    if (own) own.push(neuron);
    else byLayer.set(layer, [neuron]);
  }
  return [...byLayer].map(([layer, own]) => ({ layer, neurons: own }));
}

/** The study of a first visit, before there is anything in it. */
export const EMPTY_STUDY: EditedStudy = {
  model: { id: "", sha256: "" },
  item_sets: [],
  template: "question-answer@1",
  scoring: { rule: "sum" },
  attribution: DEFAULT_SETTINGS,
  search: { percents: [1, 2, 5, 10, 20, 30] },
  pruning: { mask: EMPTY_MASK },
  kept_masks: [],
  control: { masks: 20 },
  tuning: { layer: 0, steps: 50, learning_rate: 0.05, weight_decay: 0.01, batch_size: 16, evaluate_every: 5 },
  seed: 0,
};

export function modelOf({ id, sha256, n_layers, d_mlp, report }: ModelInfo, name?: string): StudyModel {
  return { id, sha256, ...(name === undefined ? {} : { name }), precision: report.precision, shape: { n_layers, d_mlp } };
}

/** How the study's items are put to the model. */
export function prompting({ template, few_shot, choice_order }: Pick<EditedStudy, "template" | "few_shot" | "choice_order">): Prompting {
  return { template, few_shot: few_shot ?? null, choice_order: choice_order?.seed ?? null };
}

/** A study whose items are put to the model in another way. */
export function prompted(study: EditedStudy, { template, few_shot, choice_order }: Prompting): EditedStudy {
  const { few_shot: _, choice_order: __, ...rest } = study;
  return {
    ...rest,
    template,
    ...(few_shot ? { few_shot } : {}),
    ...(typeof choice_order === "number" ? { choice_order: { seed: choice_order } } : {}),
  };
}

/** Sets that a run can take: those with items, at hand or to be read. */
function filled({ item_sets }: EditedStudy): ItemSetSpec[] {
  return item_sets.filter(({ items }) => items === undefined || items.length > 0);
}

function names(sets: readonly ItemSetSpec[]): string[] {
  return sets.map(({ name }) => name);
}

/** Names of the sets of a role. */
export function setsOf(study: EditedStudy, role: Role): string[] {
  return names(filled(study).filter(({ roles }) => roles.includes(role)));
}

/** The sets that results are reported on: those of such a role, else all. */
export function reportedSets(study: EditedStudy): string[] {
  const reported = filled(study).filter(({ roles }) => roles.some(isReported));
  return names(reported.length > 0 ? reported : filled(study));
}

/** The sets of a tuning: it learns from some and is checked on others. Without a role those serve that are not reported on, and all where there
 * are no such sets; the set of the attribution at hand has the role attribution in its study. */
export function tunedSets(
  study: EditedStudy,
  attribution: { set: string } | null,
): { train: string[]; validation: string[]; test: string[] } {
  const all = names(filled(study));
  const test = reportedSets(study);
  const unreported = all.filter((name) => !test.includes(name));
  const orOthers = (found: string[]): string[] => (found.length > 0 ? found : unreported.length > 0 ? unreported : all);
  return {
    train: attribution ? [attribution.set] : orOthers(setsOf(study, "attribution")),
    validation: orOthers(setsOf(study, "validation")),
    test,
  };
}
