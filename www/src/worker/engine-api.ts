// The engine's surface (`src/web/engine.rs`) with the types that wasm-bindgen cannot know.

import type {
  AnswersFrom, Attribution, AttributionSettings, ControlReport, DeviceInfo, Expected, Flip, Forward, ImportedMask, Item, ItemScore,
  Mask, ModelInfo, NeuronCard, Orders, Paired, ParsedItems, PositionBias, Precision, Progress, Prompting, PromptView,
  PruneReport, RankedNeuron, Report, Reproduction, ScoringRule, SearchReport, Selection, SetScores, SharedStudy, Study,
  Template, TuneReport, TuneSettings,
} from "../types";

export type OnProgress = (progress: Progress) => void;

export interface ModelFile {
  name: string;
  file: Blob;
}

export interface RunRequest {
  study: Study;
  expected?: Expected;
  /** Items of the bundled samples that the study names. */
  samples?: Record<string, Item[]>;
}

export interface TuneRequest {
  mask: Mask;
  train: string[];
  validation: string[];
  test: string[];
  settings: TuneSettings;
  seed: number;
  compare: boolean;
}

/** Every call but `device` to `import_mask` may take long; none may overlap another. */
export interface Engine {
  device(): DeviceInfo;
  /** Items, prompting and rule, for another engine; it is not looked into. */
  bench(): unknown;
  take_bench(bench: unknown): void;
  /** Gives its memory back; it cannot be used any more. */
  free(): void;
  templates(): Template[];
  presets(): Record<string, AttributionSettings>;
  parse_items(request: { text: string; answers_from?: AnswersFrom }): ParsedItems;
  set_items(set: { name: string; items: Item[] }): { sha256: string };
  remove_items(name: string): void;
  set_prompting(prompting: Prompting): void;
  set_rule(request: { rule: ScoringRule; scores: SetScores[] }): SetScores[];
  /** With another prompting than the one in use for a template that is being written. */
  prompt(request: { item: Item; set?: string; prompting?: Prompting }): PromptView;
  placeholders(): { name: string; becomes: string }[];
  split(request: { items: Item[]; shares: number[]; seed: number }): Item[][];
  export_items(request: { items: Item[]; format: "jsonl" | "csv" }): string;
  compare(request: { before: ItemScore[]; after: ItemScore[] }): { paired: Paired; flipped: Flip[] };
  ranked(request: { layer?: number; top: number; mask?: Mask }): RankedNeuron[];
  mask_top(selection: Selection): Mask;
  export_mask(request: { study: Study; prune: PruneReport; control?: ControlReport }): string;
  import_mask(text: string): ImportedMask;
  python_snippet(request: { mask: Mask; repo?: string }): string;
  encode_link(request: { study: Study; prune?: PruneReport }): string;
  decode_link(fragment: string): SharedStudy;
  /** A study's or a report's document. */
  read_document(text: string): SharedStudy;

  load_model(
    request: { id: string; name: string; sha256?: string; precision?: Precision }, files: ModelFile[], progress: OnProgress,
  ): Promise<ModelInfo>;
  forward(request: { prompt: string; tokens: number }, progress: OnProgress): Promise<Forward>;
  ablate(request: { prompt: string; settings: AttributionSettings }, progress: OnProgress): Promise<Float32Array>;
  score(request: { set: string }, progress: OnProgress): Promise<SetScores>;
  position_bias(request: { set: string; orders: Orders }, progress: OnProgress): Promise<PositionBias>;
  attribute(
    request: { set: string; settings: AttributionSettings; known?: boolean }, progress: OnProgress,
  ): Promise<Attribution>;
  neuron(request: { layer: number; neuron: number; set: string }, progress: OnProgress): Promise<NeuronCard>;
  prune(request: { mask: Mask; sets: string[] }, progress: OnProgress): Promise<PruneReport>;
  control(
    request: { mask: Mask; sets: string[]; masks: number; seed: number }, progress: OnProgress,
  ): Promise<ControlReport>;
  search(
    request: { sets: string[]; layers?: number[]; percents: number[] }, progress: OnProgress,
  ): Promise<SearchReport>;
  tune(request: TuneRequest, progress: OnProgress): Promise<TuneReport>;
  reproduce(
    request: RunRequest, progress: OnProgress,
  ): Promise<{ report: Report; reproduction: Reproduction }>;
}
