// The documents that the engine reads and writes, field by field as in the Rust sources (`src/study`, `src/scoring`,
// `src/attribution`, `src/pruning`, `src/tuning`, `src/export`). The page computes none of these numbers.

/** Every error that reaches the page. */
export interface SecateurError {
  code: string;
  message: string;
  hint: string;
}

export interface Item {
  id: string;
  context: string;
  choices: string[];
  /** Index of the right choice. */
  gold: number;
}

export type Role = "attribution" | "validation" | "test" | "out_of_distribution";
export const ROLES: readonly Role[] = ["attribution", "validation", "test", "out_of_distribution"];

/** Whether results are reported on sets of a role. */
export function isReported(role: Role): boolean {
  return role === "test" || role === "out_of_distribution";
}

/** One part of a seeded split, stratified by the place of the right choice. */
export interface SplitPart {
  seed: number;
  shares: number[];
  part: number;
}

/** An item set as a study names it: inline, or (a slice of) a bundled sample. */
export interface ItemSetSpec {
  name: string;
  roles: Role[];
  sha256: string;
  items?: Item[];
  sample?: string;
  first?: number;
  count?: number;
  split?: SplitPart;
}

export type ScoringRule = "sum" | "per_character" | "per_byte" | "per_token" | "mutual_information";

/** Solved items before each prompt. */
export interface FewShot {
  k: number;
  /** The first `k` without it. */
  seed?: number;
  /** The set they are drawn from; the asked one without it. */
  set?: string;
}

/** How items are put to the model. */
export interface Prompting {
  template: string | Template;
  few_shot?: FewShot | null;
  /** Seed of the choices' order. */
  choice_order?: number | null;
}
export type Site = "post" | "gate_pre";

export interface AttributionSettings {
  preset?: string;
  method: "integrated_gradients";
  path: "per_layer" | "joint";
  site: Site;
  positions: "last" | "all";
  target: "top_logit" | "choice_first_token";
  steps: number;
  rule: "right" | "left" | "middle";
  baseline: "zero";
  aggregate: "signed_mean";
  /** In 0..=1. */
  confidence_threshold: number;
}

export interface LayerMask {
  layer: number;
  /** Ascending. */
  neurons: number[];
}

export interface Mask {
  operation: "zero";
  site: Site;
  /** Ascending by layer, each at most once. */
  layers: LayerMask[];
}

/** The top `percent` % of a layer by absolute score. */
export interface Selection {
  layer: number;
  percent: number;
}

export interface TuneSettings {
  layer: number;
  steps: number;
  learning_rate: number;
  weight_decay: number;
  batch_size: number;
  evaluate_every: number;
}

export interface Study {
  format: "secateur-study";
  version: 1;
  model: { id: string; sha256: string; name?: string };
  item_sets: ItemSetSpec[];
  /** `name@version`, or in full. */
  template: string | Template;
  few_shot?: FewShot;
  choice_order?: { seed: number };
  scoring: { rule: ScoringRule; keep_tokens?: boolean };
  attribution?: AttributionSettings;
  search?: { layers?: number[]; percents: number[] };
  pruning?: { mask?: Mask; selection?: Selection };
  control?: { masks: number; seed: number };
  tuning?: TuneSettings;
  seed: number;
}

/** Correct answers with a Wilson 95 % interval. */
export interface Accuracy {
  correct: number;
  total: number;
  value: number;
  low: number;
  high: number;
}

export interface ChoiceScore {
  text: string;
  /** Summed over the choice's tokens, in nats. */
  log_likelihood: number;
  tokens: number;
  characters: number;
  per_character: number;
  bytes?: number;
  /** Without the context, where it was measured. */
  unconditional?: number;
  token_log_probabilities?: number[];
}

export interface ItemScore {
  id: string;
  gold: number;
  predicted: number;
  correct: boolean;
  confidence: number;
  choices: ChoiceScore[];
}

export interface SetScores {
  set: string;
  accuracy: Accuracy;
  accuracy_per_character: Accuracy;
  accuracy_per_byte?: Accuracy;
  accuracy_per_token?: Accuracy;
  accuracy_mutual_information?: Accuracy;
  /** Of pairs of mirrored items. */
  accuracy_both_of_pair?: Accuracy;
  calibration?: Calibration;
  /** Words that the model's tokenizer does not know. */
  unknown_words?: { words: number; unknown: number };
  /** What speaks against these scores. */
  warnings?: string[];
  items: ItemScore[];
  seconds: number;
}

/** Confidence against accuracy. */
export interface Calibration {
  expected_error: number;
  confidence: number;
  bins: { low: number; high: number; items: number; confidence: number; accuracy: number }[];
}

/** Two runs over the same items, and McNemar's exact test. */
export interface Paired {
  items: number;
  both_right: number;
  both_wrong: number;
  improved: number;
  worsened: number;
  p_value: number;
}

export type Orders = { kind: "cyclic" } | { kind: "seeded"; orders: number; seed: number };

/** The same items with their choices in several orders. */
export interface PositionBias {
  set: string;
  orders: Orders;
  depends_on_order: boolean;
  accuracy: Accuracy;
  /** Items answered with the same choice in every order. */
  consistent: Accuracy;
  places: { position: number; gold: number; predicted: number; accuracy: Accuracy }[];
  warnings?: string[];
  seconds: number;
}

export interface LayerGap {
  /** -1 for all layers of the joint path together. */
  layer: number;
  difference: number;
  gap: number;
  gap_max: number;
  max_abs: number;
}

export interface AttributionInfo {
  settings: AttributionSettings;
  set: string;
  n_layers: number;
  d_mlp: number;
  items_used: { id: string; target: string }[];
  items_skipped: number;
  gaps: LayerGap[];
  seconds: number;
}

/** As the worker sends it: `[n_layers * d_mlp]`, layer after layer. */
export interface Attribution extends AttributionInfo {
  scores: Float32Array;
}

/** As a report's JSON has it: `[n_layers][d_mlp]`. */
export interface ReportAttribution extends AttributionInfo {
  scores: number[][];
}

export interface RankedNeuron {
  rank: number;
  layer: number;
  neuron: number;
  address: string;
  score: number;
  share_positive: number;
  item_min: number;
  item_max: number;
  pruned: boolean;
}

export interface NeuronCard {
  address: string;
  layer: number;
  neuron: number;
  score: number | null;
  rank: number | null;
  items: { id: string; score: number }[];
  effect: {
    set: string;
    before: Accuracy;
    after: Accuracy;
    /** Mean change of the gold margin in nats; positive: better without the neuron. */
    margin_change: number;
    items: { id: string; margin_change: number; predicted_before: number; predicted_after: number }[];
  };
}

export interface Flip {
  id: string;
  gold: number;
  before: number;
  after: number;
}

export interface PrunedSet {
  set: string;
  before: Accuracy;
  after: SetScores;
  flipped: Flip[];
  paired?: Paired;
}

export interface PruneReport {
  mask: Mask;
  neurons: number;
  sets: PrunedSet[];
  seconds: number;
}

export interface ControlSet {
  set: string;
  accuracies: number[];
  mean: number;
  min: number;
  max: number;
  /** Accuracy under the mask itself. */
  mask?: number;
  at_least_as_good: number;
}

export interface ControlReport {
  masks: number;
  seed: number;
  layers: { layer: number; neurons: number }[];
  sets: ControlSet[];
  seconds: number;
}

export interface SearchCell extends Selection {
  neurons: number;
  accuracy: Accuracy;
}

export interface SearchReport {
  sets: string[];
  baseline: Accuracy;
  cells: SearchCell[];
  best: Selection;
  seconds: number;
}

export interface TuneCurve {
  pruned: boolean;
  steps: { step: number; loss: number }[];
  validation: { step: number; accuracy: Accuracy; loss: number }[];
  best_step: number;
  cancelled: boolean;
  /** `[d_mlp]`, at the best step; 0 for the pruned. */
  gains: number[];
  sets: { set: string; before: Accuracy; after: Accuracy }[];
}

export interface TuneReport {
  layer: number;
  trained_gains: number;
  /** The pruned run, then the one without pruning. */
  curves: TuneCurve[];
  seconds: number;
}

export interface DeviceInfo {
  kind: "webgpu" | "wasm" | "flex" | "wgpu";
  adapter: string;
  limits?: Limits;
  self_test: { max_error: number; passed: boolean };
  message?: string;
}

/** What a device holds. */
export interface Limits {
  /** Largest tensor of a computation. */
  binding_bytes?: number | null;
  memory_bytes?: number | null;
}

/** How a model's weights are held. */
export type Precision = "f32" | "f16" | "int8";

/** A forward pass laid open. */
export interface Forward {
  ids: number[];
  tokens: string[];
  /** `[n_layers + 1, positions, d_model]` */
  residuals: Float32Array;
  /** Of the next token, `[vocabulary]`. */
  logits: Float32Array;
  continuation: number[];
  text: string;
}

export interface LoadReport {
  source: string;
  bytes: number;
  precision: Precision;
  has_chat_template: boolean;
  applied: number;
  unused: string[];
  /** Where the files contradict themselves or leave something out, and what was taken. */
  notes?: string[];
  /** How many tensors of each stored type. */
  tensor_types: Record<string, number>;
}

export interface ModelInfo {
  id: string;
  family: string;
  sha256: string;
  n_parameters: number;
  n_layers: number;
  d_model: number;
  d_mlp: number;
  n_heads: number;
  n_kv_heads: number;
  vocabulary: number;
  context_length: number;
  tied: boolean;
  report: LoadReport;
}

export interface Report {
  format: "secateur-report";
  version: 1;
  study: Study;
  engine: { version: string; device: DeviceInfo; precision?: Precision };
  model: ModelInfo;
  baseline: SetScores[];
  attribution?: ReportAttribution;
  search?: SearchReport;
  pruned?: PruneReport;
  control?: ControlReport;
  tuning?: TuneReport;
  seconds: number;
}

/** What a link says was found. */
export interface Expected {
  precision?: Precision;
  mask?: Mask;
  sets: { set: string; before: Accuracy; after?: Accuracy; log_likelihoods: number[]; predicted: number[]; predicted_after?: number[] }[];
}

export interface SharedStudy {
  study: Study;
  expected?: Expected;
}

export interface Reproduction {
  mask_identical: boolean | null;
  /** Null where nothing of the kind was expected. */
  accuracy_identical: boolean | null;
  predictions_identical: boolean | null;
  predictions_compared: number;
  largest_log_likelihood_difference: number;
  log_likelihoods_compared: number;
  other_precision: { expected: Precision; measured: Precision } | null;
  sets: { set: string; expected: Accuracy; measured: Accuracy }[];
  message: string;
}

export interface Template {
  name: string;
  version: number;
  description: string;
  /** Stands once before everything. */
  preamble?: string;
  prompt: string;
  /** Between prompt and choice; a space where absent. */
  delimiter?: string;
  choice: string;
}

/** `name@version`. */
export function templateId(template: string | Template): string {
  return typeof template === "string" ? template : `${template.name}@${template.version}`;
}

export interface PromptView {
  /** What all choices begin with. */
  prompt: string;
  /** Index of the right choice in the order that the model sees. */
  gold: number;
  /** Tokens of what all choices begin with; empty without a model. */
  tokens: string[];
  choices: { context: string; continuation: string; tokens: string[]; scored_from: number }[];
}

export interface LineError {
  line: number;
  column: number;
  message: string;
}

/** Number of the first choice, where right answers are numbers. */
export type AnswersFrom = 0 | 1;

export interface ParsedItems {
  items: Item[];
  errors: LineError[];
  format: string;
  /** As it was read; null where no right answer is a number. */
  answers_from: AnswersFrom | null;
  /** The text does not show it, and no item is taken until somebody says it. */
  asks_answers_from: boolean;
}

export interface ImportedMask {
  mask: Mask;
  study?: Study | null;
  warnings: string[];
}

/** How far a job is, in units of its own; `total` is 0 where it is not known. */
export interface Progress {
  stage: string;
  done: number;
  total: number;
  detail?: TuneDetail;
}

/** Live results of a tuning. */
export interface TuneDetail {
  /** 0: pruned, 1: without pruning. */
  curve: 0 | 1;
  step: number;
  loss: number | null;
  validation?: Accuracy | null;
  validation_loss?: number | null;
}
