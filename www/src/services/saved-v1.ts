// Studies that visits before the second version of the kept record left: their results stood beside the study, and said what
// they were made of by being there.

import type {
  Attribution,
  AttributionSettings,
  ControlReport,
  FewShot,
  Item,
  Mask,
  NeuronCard,
  PositionBias,
  Precision,
  PruneReport,
  RankedNeuron,
  Role,
  ScoringRule,
  SearchReport,
  Selection,
  SetScores,
  SplitPart,
  Template,
  TuneReport,
  TuneSettings,
} from "../wire/engine";
import { EMPTY_STUDY, modelOf, prompted, prompting, type EditedStudy, type PageSet, type Pruning } from "./edited";
import type { Change } from "./history";
import { isEqual } from "./made-of";
import { ofStudy, type Found, type Kind, type NeuronAddress } from "./results";
import type { Kept } from "./saved";
import type { Model, Step } from "./store";

interface Source {
  set: string;
  settings: AttributionSettings;
}

interface MaskState {
  mask: Mask;
  selection?: Selection;
  source?: Source;
}

/** What was kept; the earliest visits kept less. */
export interface FirstVersion {
  saved_version: 1;
  step: Step;
  selected: NeuronAddress | null;
  card: NeuronCard | null;
  ranked: RankedNeuron[] | null;
  model: Model | null;
  made_with?: { sha256: string; precision: Precision } | null;
  shape: { n_layers: number; d_mlp: number } | null;
  precision: Precision;
  sets: {
    name: string;
    roles: Role[];
    items: Item[];
    sha256: string;
    sample?: { name: string; first?: number; count?: number; split?: SplitPart };
  }[];
  template: string | Template;
  few_shot?: FewShot | null;
  choice_order?: number | null;
  rule: ScoringRule;
  wanted?: { template?: string | Template; few_shot?: FewShot | null; choice_order?: number | null; rule?: ScoringRule };
  seed: number;
  scores: Record<string, SetScores>;
  bias?: PositionBias | null;
  settings: AttributionSettings;
  attribution: Attribution | null;
  mask: Mask;
  selection?: Selection | null;
  selection_source?: Source | null;
  undo: MaskState[];
  redo: MaskState[];
  live: boolean;
  pruned: PruneReport | null;
  control_masks: number;
  control: ControlReport | null;
  percents: number[];
  search: SearchReport | null;
  tuning_settings: TuneSettings;
  tuning: (TuneReport & { settings?: TuneSettings; seed?: number }) | null;
  tuned_with?: TuneSettings | null;
  precomputed?: readonly Kind[];
  of_link?: boolean;
}

function setOf({ sample, ...set }: FirstVersion["sets"][number]): PageSet {
  if (!sample) return set;
  const { name, ...slice } = sample;
  return { ...set, sample: name, ...slice };
}

function studyOf(saved: FirstVersion): EditedStudy {
  const { model, made_with, shape } = saved;
  const loaded = model ? modelOf(model.info, model.name) : EMPTY_STUDY.model;
  const study: EditedStudy = {
    model:
      made_with && made_with.sha256 !== loaded.sha256 ? { id: "", ...made_with, ...(shape ? { shape } : {}) } : { ...loaded, ...made_with },
    item_sets: saved.sets.map(setOf),
    template: saved.template,
    scoring: { rule: saved.rule },
    attribution: saved.settings,
    search: { percents: saved.percents },
    pruning: { mask: saved.mask },
    kept_masks: [],
    control: { masks: saved.control_masks },
    tuning: saved.tuning_settings,
    seed: saved.seed,
  };
  return prompted(study, { template: saved.template, few_shot: saved.few_shot ?? null, choice_order: saved.choice_order ?? null });
}

function resultsOf(saved: FirstVersion, study: EditedStudy): Found[] {
  const { scores, attribution, ranked, bias, card, search, pruned, control, tuning, tuned_with, seed } = saved;
  const settings = tuning?.settings ?? tuned_with;
  const found: Parameters<typeof ofStudy>[1] = [
    ...Object.values(scores).map((result) => ({ kind: "scores" as const, result })),
    ...(attribution ? [{ kind: "attribution" as const, result: attribution }] : []),
    ...(attribution && ranked ? [{ kind: "ranked" as const, result: ranked }] : []),
    ...(bias ? [{ kind: "bias" as const, result: bias }] : []),
    ...(card ? [{ kind: "card" as const, result: card }] : []),
    ...(search ? [{ kind: "search" as const, result: search }] : []),
    ...(pruned ? [{ kind: "pruned" as const, result: pruned }] : []),
    ...(control ? [{ kind: "control" as const, result: control }] : []),
    ...(tuning && settings ? [{ kind: "tuning" as const, result: { ...tuning, settings, seed: tuning.seed ?? seed } }] : []),
  ];
  const precomputed = Array.isArray(saved.precomputed) ? saved.precomputed : [];
  return ofStudy(study, found).map((made) => (precomputed.includes(made.kind) ? { ...made, beforehand: true } : made));
}

/** A kept study of the first version as the page holds one now. */
export function ofFirstVersion(saved: FirstVersion): Kept {
  const study = studyOf(saved);
  const results = resultsOf(saved, study);
  const attribution = results.find((found): found is Found<"attribution"> => found.kind === "attribution");
  const pruningOf = (mask: Mask, selection: Selection | null | undefined, source: Source | null | undefined): Pruning => {
    const isOfThis =
      source && attribution && source.set === attribution.result.set && isEqual(source.settings, attribution.result.settings);
    const from = source && { set: source.set, settings: source.settings, ...(isOfThis ? { made_of: attribution.made_of } : {}) };
    return { mask, ...(selection ? { selection } : {}), ...(from ? { source: from } : {}) };
  };
  const stepOf = ({ mask, selection, source }: MaskState): Change => ({ of: "mask", pruning: pruningOf(mask, selection, source) });
  // What the engine had no time to take.
  const { rule, ...asked } = saved.wanted ?? {};
  const pruning = pruningOf(saved.mask, saved.selection, saved.selection_source);
  return {
    study: prompted({ ...study, scoring: { rule: rule ?? saved.rule }, pruning }, { ...prompting(study), ...asked }),
    history: { undo: saved.undo.map(stepOf), redo: saved.redo.map(stepOf) },
    results,
    of_link: saved.of_link ?? false,
    live: saved.live,
    model: saved.model,
    precision: saved.precision,
    step: saved.step,
    selected: saved.selected,
  };
}
