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

export type Role = "attribution" | "validation" | "test";
export const ROLES: readonly Role[] = ["attribution", "validation", "test"];

/** An item set as a study names it: inline, or (a slice of) a bundled sample. */
export interface ItemSetSpec {
  name: string;
  roles: Role[];
  sha256: string;
  items?: Item[];
  sample?: string;
  first?: number;
  count?: number;
}

export type ScoringRule = "sum" | "per_character";
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
  /** `name@version`. */
  template: string;
  scoring: { rule: ScoringRule };
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
  items: ItemScore[];
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
  binding_bytes: number;
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
  engine: { version: string; device: DeviceInfo };
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
  mask?: Mask;
  sets: { set: string; before: Accuracy; after?: Accuracy; log_likelihoods: number[]; predicted: number[] }[];
}

export interface SharedStudy {
  study: Study;
  expected?: Expected;
}

export interface Reproduction {
  mask_identical: boolean | null;
  accuracy_identical: boolean;
  predictions_identical: boolean;
  largest_log_likelihood_difference: number;
  log_likelihoods_compared: number;
  sets: { set: string; expected: Accuracy; measured: Accuracy }[];
  message: string;
}

export interface Template {
  name: string;
  version: number;
  description: string;
  prompt: string;
  continuation: string;
}

export interface PromptView {
  prompt: string;
  continuations: string[];
  tokens: string[];
  choice_tokens: string[][];
}

export interface ParsedItems {
  items: Item[];
  errors: { line: number; message: string }[];
  format: string;
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

/** An entry of `models/catalog.json`. */
export interface CatalogEntry {
  id: string;
  name: string;
  family: string;
  licence: string;
  parameters: number;
  memory_bytes: number;
  note: string;
  files: CatalogFile[];
}

export interface CatalogFile {
  name: string;
  bytes: number | null;
  sha256: string | null;
  sources: CatalogSource[];
}

export type CatalogSource =
  | { kind: "local"; path: string }
  | { kind: "hub"; repo: string; revision: string; file: string }
  | { kind: "pip" }
  | { kind: "wheels" };

/** An entry of `models/items/index.json`. */
export interface SampleSet {
  name: string;
  file: string;
  title: string;
  description: string;
  licence: string;
  items: number;
}

/** A model kept in the browser. */
export interface StoredModel {
  id: string;
  name: string;
  bytes: number;
  files: { name: string; bytes: number; sha256: string | null }[];
  /** Milliseconds since 1970. */
  stored_at: number;
  /** The repository of the hub, and its commit. */
  source?: { repo: string; commit: string };
  licence?: string;
  /** Of the weights, as the engine has it; absent for files of the user's. */
  sha256?: string;
}
