// What the page and the engine say to each other. Made by `cargo xtask types` from the Rust sources, and not to be edited:
// the calls stand in src/wire/surface.rs, and each document's type where the engine has it.

/** One file of a model. */
export interface ModelFile {
  name: string;
  file: Blob;
}

/** Is told how far a call is. */
export type OnProgress = (progress: Progress) => void;

/** A result with what it was made of: a part for each of its sets, and one for the attribution that it rests on. */
export type Stamped<T> = T & { made_of: MadeOf[] };

/** A prompt that every neuron is taken out of, one by one. */
export interface AblateRequest {
  /** The prompt. */
  prompt: string;
  /** Where neurons are set to zero. */
  settings: AttributionSettings;
}

/** Every neuron of any layer whose score is above a share of the largest score. The authors' released code has 0.01. */
export interface AboveShare {
  /** The share, at least 0 and below 1, of absolute scores. */
  share: number;
}

/** A share of right answers with its 95 % Wilson interval. */
export interface Accuracy {
  /** Items answered right. */
  correct: number;
  /** Items in all. */
  total: number;
  /** `correct / total`. */
  value: number;
  /** Lower end of the interval. */
  low: number;
  /** Upper end of the interval. */
  high: number;
}

/** What a set is held against. */
export type Against = { "kind": "set", set: string } | { "kind": "question", question: Question };

/** How item scores become one score a neuron. */
export type Aggregate = "signed_mean" | "mean_absolute" | "consensus_share";

/** Number of the first choice, where right answers are numbers. */
export type AnswersFrom = 0 | 1;

/** The items asked in another way. */
export interface Asked {
  /** What stood where the question was. */
  question: Question;
  /** How many were right all the same; none where they could not be asked so. */
  accuracy: Accuracy | null;
  /** How many got the answer that they get with their question. */
  same_answer: Accuracy | null;
  /** Right and wrong with the question and without. */
  paired: Paired | null;
  /** Why they could not be asked so. */
  refused: string | null;
}

/** A set to be attributed. */
export interface AttributeRequest {
  /** The set's name. */
  set: string;
  /** How. */
  settings: AttributionSettings;
}

/** Scores of every neuron for a set of items. */
export interface Attribution {
  /** How it was made. */
  settings: AttributionSettings;
  /** Name of the item set. */
  set: string;
  /** Layers of the model. */
  n_layers: number;
  /** Neurons of a layer. */
  d_mlp: number;
  /** The items above the confidence threshold, in the set's order. */
  items_used: Array<UsedItem>;
  /** Items below it. */
  items_skipped: number;
  /** The completeness gap, per layer or one entry for the joint path. */
  gaps: Array<LayerGap>;
  /** Wall-clock time. */
  seconds: number;
  /** Aggregated score of every neuron, `[n_layers · d_mlp]`, layer after layer. */
  scores: Floats;
}

/** Everything that decides an attribution. */
export interface AttributionSettings {
  /** Name of the preset these settings started from. */
  preset?: string;
  /** The method. */
  method: Method;
  /** Which neurons are scaled together. */
  path: IntegrationPath;
  /** Where a neuron is scaled. */
  site: Site;
  /** Which positions are scaled. */
  positions: Positions;
  /** The number that is explained. */
  target: TargetKind;
  /** Nodes of the quadrature; the most nodes of a layer and item where the rule is adaptive. */
  steps: number;
  /** Rule of the quadrature. */
  rule: Quadrature;
  /** The completeness gap that an adaptive rule allows, as a share of `|M(1) − M(0)|`; others have none. */
  tolerance?: number;
  /** Where the path starts. */
  baseline: Baseline;
  /** How item scores become one score a neuron. */
  aggregate: Aggregate;
  /** The share of an item's largest score that counts for the consensus share; other aggregates have none. */
  consensus_threshold?: number;
  /** In which unit the scores of a layer are. */
  layer_scale?: LayerScale;
  /** Only items whose predicted choice has at least this probability, in 0..=1. */
  confidence_threshold: number;
}

/** What drives the answers to a set. */
export interface Audit {
  /** The set's name. */
  set: string;
  /** Accuracy as the items are. */
  accuracy: Accuracy;
  /** The accuracy that guessing has: the mean over the items of one in the number of choices. */
  chance: number;
  /** The same items asked in other ways. */
  asked: Array<Asked>;
  /** The same items with their choices in every rotation. */
  position: PositionBias;
  /** By the lengths of the choices. */
  lengths: Lengths;
  /** Wall-clock time. */
  seconds: number;
}

/** An audit of the items. */
export interface AuditSpec {
  /** The set's name. */
  set: string;
}

/** Where the path starts. */
export type Baseline = "zero" | "mean";

/**
 * Item sets, how they are put to a model, and by which rule a choice is predicted. One engine of the page hands it to another
 * as it is.
 */
export type Bench = unknown;

/** A set to be asked in several orders. */
export interface BiasRequest {
  /** The set's name. */
  set: string;
  /** Which orders. */
  orders: Orders;
}

/** Confidence against accuracy. */
export interface Calibration {
  /**
   * Expected calibration error: mean over the items of `|accuracy − confidence|` of their bin (Guo et al., 2017,
   * Eq. 3, with 10 bins).
   */
  expected_error: number;
  /** Mean confidence of all items. */
  confidence: number;
  /** The bins, ascending. */
  bins: Array<CalibrationBin>;
}

/** The items whose confidence lies in one bin. */
export interface CalibrationBin {
  /** Lower end; the bin holds it only where it is 0. */
  low: number;
  /** Upper end, which the bin holds. */
  high: number;
  /** Items in it. */
  items: number;
  /** Their mean confidence; 0 for none. */
  confidence: number;
  /** The share of them that is answered right; 0 for none. */
  accuracy: number;
}

/** Neurons that are to be changed otherwise. */
export interface ChangeRequest {
  /** The neurons. */
  mask: Mask;
  /** A mask that changes its own neurons so. */
  like: Mask;
}

/** The order of the choices that the model sees. */
export interface ChoiceOrder {
  /** Seed of the order of every item's choices. */
  seed: number;
}

/** One choice of one item. */
export interface ChoiceScore {
  /** The choice's text in the item. */
  text: string;
  /** Sum of its scored tokens' log-probabilities given the prompt, in nats. */
  log_likelihood: number;
  /** Tokens that are scored. */
  tokens: number;
  /** Unicode characters of the text that the template makes of the choice. */
  characters: number;
  /** `log_likelihood / characters`. */
  per_character: number;
  /** UTF-8 bytes of that text. */
  bytes: number;
  /** Log-likelihood of the same continuation after the model's first token alone, where it was measured. */
  unconditional?: number;
  /** Log-probability of each scored token, in nats, where they are kept. */
  token_log_probabilities?: Array<number>;
}

/** How a choice stands in a prompt. */
export interface ChoiceView {
  /** What follows the part that all choices share and is not scored. */
  context: string;
  /** What is scored. */
  continuation: string;
  /** Tokens of both; empty without a model. */
  tokens: Array<string>;
  /** How many of them are not scored. */
  scored_from: number;
}

/** Which of the neurons of two masks are those of a third. */
export type Combination = "union" | "intersection" | "difference";

/** Two masks that make a third. */
export interface CombineRequest {
  /** How. */
  how: Combination;
  /** The masks. */
  masks: [KeptMask, KeptMask];
}

/** The scores of two runs. */
export interface CompareRequest {
  /** Of the first. */
  before: Array<ItemScore>;
  /** Of the second. */
  after: Array<ItemScore>;
}

/** How two runs over the same items differ. */
export interface Comparison {
  /** Right and wrong before and after, and whether the change may be chance. */
  paired: Paired;
  /** Items whose prediction changed. */
  flipped: Array<Flip>;
}

/** How scores differ, neuron by neuron. */
export interface Contrast {
  /** How both were scored. */
  settings: AttributionSettings;
  /** Name of the item set. */
  set: string;
  /** What it is held against. */
  against: Against;
  /** Neurons of a layer. */
  d_mlp: number;
  /** Items of the set that were used. */
  items: number;
  /** Items on the other side. */
  items_against: number;
  /** Layer by layer. */
  layers: Array<LayerContrast>;
  /** Wall-clock time. */
  seconds: number;
}

/** A set that is held against another one, or against itself asked otherwise. */
export interface ContrastRequest {
  /** The set's name. */
  set: string;
  /** What it is held against. */
  against: Against;
  /** How neurons are scored on both sides. */
  settings: AttributionSettings;
}

/** How many neurons a control draws from a layer. */
export interface ControlLayer {
  /** The layer. */
  layer: number;
  /** Neurons drawn. */
  neurons: number;
}

/** Random masks of the same size in the same layers. */
export interface ControlReport {
  /** How many. */
  masks: number;
  /** Their seed. */
  seed: number;
  /** Size of each, per layer. */
  layers: Array<ControlLayer>;
  /** The sets. */
  sets: Array<ControlSet>;
  /** Wall-clock time. */
  seconds: number;
}

/** A mask to be held against random ones. */
export interface ControlRequest {
  /** The mask. */
  mask: Mask;
  /** Names of the sets. */
  sets: Array<string>;
  /** How many random masks. */
  masks: number;
  /** Their seed. */
  seed: number;
}

/** Accuracy of one set under random masks. */
export interface ControlSet {
  /** The set's name. */
  set: string;
  /** Accuracy under each random mask. */
  accuracies: Array<number>;
  /** Their mean. */
  mean: number;
  /** Their minimum. */
  min: number;
  /** Their maximum. */
  max: number;
  /** Accuracy under the mask itself. */
  mask: number;
  /** How many random masks do at least as well as the mask. */
  at_least_as_good: number;
}

/** The random control. */
export interface ControlSpec {
  /** How many random masks. */
  masks: number;
  /** Their seed. */
  seed: number;
}

/** Scores that are to be counted by another rule. */
export interface CountRequest {
  /** The rule. */
  rule: ScoringRule;
  /** Scores by another one. */
  scores: Array<Stamped<SetScores>>;
}

/** A device and what is known of it. */
export interface DeviceInfo {
  /** Which device. */
  kind: DeviceKind;
  /** The adapter's name, or what the CPU backend is. */
  adapter: string;
  /** What it holds. */
  limits: Limits;
  /** Comparison with the CPU. */
  self_test: SelfTest;
  /** What the user should know, such as why there is no WebGPU. */
  message?: string;
}

/** Which device to use. */
export type DeviceKind = "flex" | "wasm" | "wgpu" | "webgpu";

/** Exact effects as far as they were measured. */
export interface Effects {
  /** How they are made. */
  settings: AttributionSettings;
  /** Name of the item set. */
  set: string;
  /** Neurons of a layer. */
  d_mlp: number;
  /** Of every layer. */
  layers: Array<LayerEffects>;
  /** The items. */
  items_used: Array<UsedItem>;
  /** Items that are not confident enough, or without the target. */
  items_skipped: number;
  /** Whether the user stopped the job before all was measured. */
  cancelled: boolean;
  /** Wall-clock time, that of earlier jobs that it goes on from included. */
  seconds: number;
}

/** What every neuron of some layers was measured to do to a set's target, in short. */
export interface EffectsInShort {
  /** How they were measured. */
  settings: AttributionSettings;
  /** Name of the item set. */
  set: string;
  /** Items that were used. */
  items: number;
  /** Items that are not confident enough, or without the target. */
  items_skipped: number;
  /** The layers that were measured for every item. */
  layers: Array<LayerInShort>;
  /** The neurons of largest absolute effect in these. */
  strongest: Array<MeasuredNeuron>;
  /** Wall-clock time. */
  seconds: number;
}

/** Effects to be measured. */
export interface EffectsRequest {
  /** The set's name. */
  set: string;
  /** On which target, at which positions, of which items. */
  settings: AttributionSettings;
  /** Layers; all when absent. */
  layers?: Array<number>;
}

/** The engine that made a result. */
export interface EngineInfo {
  /** Version of this crate. */
  version: string;
  /** The device. */
  device: DeviceInfo;
  /** How the model's matrices were held; not known of results of older versions. */
  precision?: Precision;
}

/** What a `config.json` says of a model's size. */
export interface Estimate {
  /** Parameters, a tied embedding counted once. */
  n_parameters: number;
  /** The weights in 32-bit floats. */
  memory_bytes: number;
  /** The largest tensor in 32-bit floats: it is in memory beside the weights while they are read. */
  largest_tensor_bytes: number;
}

/** An estimate with its interval over resamples of the items. */
export interface Estimated {
  /** Of the items as they are. */
  value: number;
  /** The 2.5 % quantile over the resamples. */
  low: number;
  /** The 97.5 % quantile. */
  high: number;
}

/** What a re-run is compared with: what was found before, small enough to travel in a link. */
export interface Expected {
  /** How the model's matrices were held; not known of links of older versions. */
  precision?: Precision;
  /** The mask that was made. */
  mask?: Mask;
  /** Each set before and after. */
  sets: Array<ExpectedSet>;
}

/** One set's expected results. */
export interface ExpectedSet {
  /** The set's name. */
  set: string;
  /** Accuracy without the mask. */
  before: Accuracy;
  /** Accuracy with it. */
  after?: Accuracy;
  /**
   * Summed log-likelihood of each item's predicted choice without the mask, rounded to 1e-4 nats; in a link of
   * the first items.
   */
  log_likelihoods: Array<number>;
  /** Predictions without the mask, of the same items. */
  predicted: Array<number>;
  /** Predictions with the mask, of the same items; links of older versions have none. */
  predicted_after?: Array<number>;
}

/** A file that items become. */
export type ExportFormat = "jsonl" | "csv";

/** Items that become a file. */
export interface ExportRequest {
  /** The items. */
  items: Array<Item>;
  /** As which file. */
  format: ExportFormat;
}

/** How many shots, and from where. */
export interface FewShot {
  /** Shots before each item. */
  k: number;
  /** Seed of their draw; the first `k` of the set without it (the harness' sampler `first_n`). */
  seed?: number;
  /** The set they are drawn from; without it the set that is asked, each item itself left out. */
  set?: string;
}

/** A place where a neuron fires. */
export interface Firing {
  /** The item's id. */
  id: string;
  /** The activation. */
  activation: number;
  /** The text before the token. */
  before: string;
  /** The token. */
  token: string;
  /** The text after it. */
  after: string;
}

/** An item whose predicted choice changed. */
export interface Flip {
  /** The item's id. */
  id: string;
  /** Index of the right choice. */
  gold: number;
  /** Prediction of the first run. */
  before: number;
  /** Prediction of the second. */
  after: number;
}

/** Numbers that reach the page as one `Float32Array`. */
export type Floats = Float32Array;

/** A forward pass laid open. */
export interface Forward {
  /** Token ids of the prompt, with the tokens that its tokenizer adds. */
  ids: Array<number>;
  /** Their texts. */
  tokens: Array<string>;
  /**
   * Residual streams, `[n_layers + 1, positions, d_model]`: what enters the first block, then what leaves each
   * block; the last one before the final norm.
   */
  residuals: Floats;
  /** Logits of the next token, `[vocabulary]`. */
  logits: Floats;
  /** The most likely next token, so many times over. */
  continuation: Array<number>;
  /** The continuation's text. */
  text: string;
}

/** A prompt to be run and continued. */
export interface ForwardRequest {
  /** The prompt. */
  prompt: string;
  /** Tokens to continue by. */
  tokens: number;
}

/** A text before and after a mask. */
export interface GeneralAbility {
  /** Without the mask. */
  before: TextScore;
  /** With it. */
  after: TextScore;
}

/** A mask to be tried on a text. */
export interface GeneralRequest {
  /** The mask. */
  mask: Mask;
  /** The text. */
  text: string;
}

/** Neurons picked one by one: in every round the one that does most for the validation items beside those before it. */
export interface Greedy {
  /** The strongest neurons by score, among which is picked. */
  candidates: number;
  /** Neurons that are picked at most. */
  rounds: number;
}

/** What a mask's file holds for the loaded model. */
export interface ImportedMask {
  /** The mask. */
  mask: Mask;
  /** How it was found, where the file says so. */
  study: Study | null;
  /** What speaks against it. */
  warnings: Array<string>;
}

/** Which neurons are scaled together. */
export type IntegrationPath = "per_layer" | "joint";

/** One multiple-choice question. */
export interface Item {
  /** Unique within its set. */
  id: string;
  /** The question or context; may be empty. */
  context: string;
  /** At least two answers. */
  choices: Array<string>;
  /** Index of the right one. */
  gold: number;
}

/** One scored item. */
export interface ItemScore {
  /** The item's id. */
  id: string;
  /** Index of the right choice. */
  gold: number;
  /** Index of the predicted choice, by the rule in use; the first one of equals. */
  predicted: number;
  /** Whether the prediction is right. */
  correct: boolean;
  /** Probability of the predicted choice: softmax of the summed log-likelihoods over the choices. */
  confidence: number;
  /** The choices in the item's order. */
  choices: Array<ChoiceScore>;
}

/** A named item set: inline, or a slice of a bundled sample. */
export interface ItemSetSpec {
  /** Its name. */
  name: string;
  /** What it is used for; at least one. */
  roles: Array<Role>;
  /** SHA-256 of the items as canonical JSONL. */
  sha256: string;
  /** The items. */
  items?: Array<Item>;
  /** Name of the bundled sample set or, on the command line, a file. */
  sample?: string;
  /** From where that file counts right answers that are numbers, where it does not show it. */
  answers_from?: AnswersFrom;
  /** First item of the slice. */
  first?: number;
  /** Items of the slice. */
  count?: number;
  /** A part of a seeded split of the slice. */
  split?: SplitPart;
}

/** An item set's hash. */
export interface ItemsHash {
  /** SHA-256 of the items as canonical JSONL. */
  sha256: string;
}

/** An item set. */
export interface ItemsRequest {
  /** Its name. */
  name: string;
  /** Its items. */
  items: Array<Item>;
}

/** A mask under a name. */
export interface KeptMask {
  /** Its name, which no other mask of the study has. */
  name: string;
  /** The model that it is of. */
  model: ModelSpec;
  /** The mask. */
  mask: Mask;
}

/** The differences of one layer. */
export interface LayerContrast {
  /** The layer. */
  layer: number;
  /** Mean score on the set minus that on the other side, `[d_mlp]`. */
  difference: Array<number>;
  /**
   * Half the width of its 95 % interval, `[d_mlp]`: of the items' own differences where both sides are the same items, else Welch's.
   * Empty where there are too few items.
   */
  half_width: Array<number>;
}

/** A layer's effects over the items. */
export interface LayerEffects {
  /** The layer. */
  layer: number;
  /** Whether they were measured; else they are first-order estimates. */
  exact: boolean;
  /** Over how many items. */
  items: number;
  /** The mean over them, `[d_mlp]`. */
  mean: Array<number>;
  /** Half the width of the mean's 95 % interval (Student's t), `[d_mlp]`; empty for fewer than two items. */
  half_width: Array<number>;
}

/** Completeness of one layer's attribution, or of the joint path's: `Σ_j IG_j = M(1) − M(0)`. */
export interface LayerGap {
  /** The layer; none for all layers together, which documents have as −1. */
  layer: number;
  /** Mean over the items of `|M(1) − M(0)|`. */
  difference: number;
  /** Mean over the items of `|Σ_j IG_j − (M(1) − M(0))|`. */
  gap: number;
  /** The largest such gap of an item. */
  gap_max: number;
  /** Largest absolute item score of the layer. */
  max_abs: number;
  /** Mean over the items of the nodes that it took. */
  nodes?: number;
}

/** How many neurons of a layer can be told from doing nothing. */
export interface LayerInShort {
  /** The layer. */
  layer: number;
  /** Neurons whose 95 % interval lies above zero: the target loses without them. */
  needed: number;
  /** Neurons whose 95 % interval lies below zero: the target gains without them. */
  harmful: number;
}

/** The pruned neurons of one layer. */
export interface LayerMask {
  /** The layer. */
  layer: number;
  /** Neuron indices, ascending. */
  neurons: Array<number>;
  /** What each neuron's activation becomes, where the operation is `mean`. */
  means?: Array<number>;
}

/** In which unit the scores of a layer are. */
export type LayerScale = "as_is" | "maximum";

/** What a choice's length says. */
export interface Lengths {
  /** How many items are right for who takes the longest choice, in characters; of equals the first. */
  longest_right: Accuracy;
  /** For how many the model does. */
  longest_predicted: Accuracy;
  /** The same of the shortest. */
  shortest_right: Accuracy;
  /** The same of the shortest. */
  shortest_predicted: Accuracy;
}

/** What a device can hold. */
export interface Limits {
  /** Largest tensor that a computation may read, in bytes, where there is a limit. */
  binding_bytes: number | null;
  /** Memory for a model and its runs, in bytes, where it is known. */
  memory_bytes: number | null;
}

/** What is wrong with a line. */
export interface LineError {
  /** Line number, from 1. */
  line: number;
  /** Character of that line, from 1: where the wrong part begins, or the line where that is not known. */
  column: number;
  /** What is wrong. */
  message: string;
}

/** What a link is made of. */
export interface LinkRequest {
  /** The study. */
  study: Study;
  /** The mask's effect, when there is one. */
  prune?: PruneReport;
}

/** What a load applied, missed and left over. */
export interface LoadReport {
  /** "gguf" or "safetensors". */
  source: string;
  /** Bytes of the weight file. */
  bytes: number;
  /** Tensors put into the decoder. */
  applied: number;
  /** Tensors of the file that nothing asked for and that are no part of a decoder. */
  unused: Array<string>;
  /** What is worth telling of how the files were read: where they contradict themselves or leave something out. */
  notes: Array<string>;
  /** Whether the files bring a chat template. Prompts are scored without it. */
  has_chat_template: boolean;
  /** How its matrices are held. */
  precision: Precision;
  /** How many tensors of each stored type. */
  tensor_types: { [key in string]: number };
}

/** What luck alone gives: random masks of every cell's size in its layers. */
export interface Luck {
  /** Seed of the masks. */
  seed: number;
  /** Right answers under each cell's random masks, `[cells][masks]`. */
  correct: Array<Array<number>>;
  /** On how many items, where that is not on all: by halving every random surface leaves its own poor cells. */
  items?: Array<Array<number>>;
  /** Right answers of the best cell of each random surface, `[masks]`: its mean is the expected best of so many random cells. */
  best: Array<number>;
}

/**
 * Everything that decides a result but the device. A part that is absent is not part of the result or, in documents of
 * older versions, not known.
 */
export interface MadeOf {
  /** SHA-256 of the model's weight file. */
  model?: string;
  /** How the model's matrices were held. */
  precision?: Precision;
  /** Version of the engine. */
  engine?: string;
  /** What the set was called. It decides nothing. */
  set?: string;
  /** SHA-256 of the items as they were given, in canonical form. */
  items?: string;
  /** SHA-256 of the items that shots are drawn from. */
  shots?: string;
  /** How the items are put to the model, without the name of the shots' set. */
  prompting?: PromptingInUse;
  /** How predictions are made. */
  rule?: ScoringRule;
  /** The attribution's settings. */
  settings?: AttributionSettings;
  /** What is pruned. */
  mask?: Mask;
}

/** Which neurons are pruned. */
export interface Mask {
  /** What pruning does to a neuron. */
  operation: Operation;
  /** What activations are multiplied by, where the operation is `scale`. */
  factor?: number;
  /** Name of the item set whose prompts the means are over, where the operation is `mean`. */
  means_of?: string;
  /** Where. */
  site: Site;
  /** Layers ascending, each at most once. */
  layers: Array<LayerMask>;
}

/** What a mask's file is made of. */
export interface MaskRequest {
  /** How the mask was found. */
  study?: Study;
  /** The mask, with what it does. */
  prune: PruneReport;
  /** What random masks do. */
  control?: ControlReport;
}

/** What the target loses without a neuron. */
export interface MeasuredNeuron {
  /** The mean over the items. */
  mean: number;
  /** Half the width of its 95 % interval; none of a single item. */
  half_width: number | null;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** How neurons are scored. The formulas of those without a path are in `attribution/methods/`. */
export type Method = "integrated_gradients" | "clamped_gradients" | "gradient_times_activation" | "relp" | "activation" | "weight_norm" | "wanda" | "cosine" | "random" | "ablation";

/** What is known of a loaded model. */
export interface ModelInfo {
  /** Name by which studies refer to it. */
  id: string;
  /** Family of the architecture. */
  family: string;
  /** SHA-256 of the weight file. */
  sha256: string;
  /** Parameters, a tied embedding counted once. */
  n_parameters: number;
  /** Decoder blocks. */
  n_layers: number;
  /** Width of the residual stream. */
  d_model: number;
  /** Neurons of a feed-forward layer. */
  d_mlp: number;
  /** Query heads. */
  n_heads: number;
  /** Key/value heads. */
  n_kv_heads: number;
  /** Tokens of the vocabulary. */
  vocabulary: number;
  /** Longest sequence. */
  context_length: number;
  /** Whether the output projection is the embedding. */
  tied: boolean;
  /** What the files held. */
  report: LoadReport;
}

/** Which model its files are. */
export interface ModelRequest {
  /** Name by which studies refer to it. */
  id: string;
  /** The hash that its weights must have, where it has to be that very model. */
  sha256?: string;
  /** How its weights are held. */
  precision?: Precision;
}

/** The model of a study. */
export interface ModelSpec {
  /** Catalogue id, or the file's name. */
  id: string;
  /** SHA-256 of the weight file. */
  sha256: string;
  /** For people. */
  name?: string;
}

/** The p % of a layer without which the right choice gains most against the best wrong one, as measured. */
export interface MostHarmful {
  /** The layer. */
  layer: number;
  /** Percentage of its neurons, above 0 and at most 100. */
  harmful_percent: number;
}

/** A neuron that is active together with another one. */
export interface Neighbour {
  /** How it is shown. */
  address: string;
  /** Pearson's correlation of the activations over the positions. */
  correlation: number;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/**
 * One unit of a feed-forward layer: one row of its first projection with its activation. Shown as TransformerLens
 * addresses it, `blocks.{layer}.mlp.hook_post[index]`.
 */
export interface Neuron {
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** One neuron: its scores, and what zeroing it does. */
export interface NeuronCard {
  /** How it is shown. */
  address: string;
  /** Aggregated score, where there is an attribution. */
  score: number | null;
  /** Rank among all neurons. */
  rank: number | null;
  /** Score for each item used. */
  items: Array<NeuronItem>;
  /** The exact effect of its activation at zero, at every position. */
  effect: NeuronEffect;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** What zeroing one neuron does to a set. */
export interface NeuronEffect {
  /** The set's name. */
  set: string;
  /** Accuracy with the neuron. */
  before: Accuracy;
  /** Accuracy without it. */
  after: Accuracy;
  /** Mean change of the gold margin, in nats: positive when the model does better without it. */
  margin_change: number;
  /** Item by item. */
  items: Array<NeuronEffectItem>;
}

/** What zeroing one neuron does to one item. */
export interface NeuronEffectItem {
  /** The item's id. */
  id: string;
  /** Change of the gold margin, in nats. */
  margin_change: number;
  /** Prediction with the neuron. */
  predicted_before: number;
  /** Prediction without it. */
  predicted_after: number;
}

/** A neuron's score for one item. */
export interface NeuronItem {
  /** The item's id. */
  id: string;
  /** Its score. */
  score: number;
}

/** A neuron whose card is wanted. */
export interface NeuronRequest {
  /** The set that its effect is measured on. */
  set: string;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** What pruning does to a neuron. */
export type Operation = "zero" | "scale" | "mean";

/** Which orders of the choices are tried. */
export type Orders = { "kind": "cyclic" } | { "kind": "seeded", orders: number, seed: number };

/** Two runs that held the model's matrices differently. */
export interface OtherPrecision {
  /** In the run that was shared. */
  expected: Precision;
  /** In the re-run. */
  measured: Precision;
}

/**
 * Right and wrong answers of two runs, item by item, and the exact test of McNemar (1947): under the hypothesis that
 * a change is as likely to the better as to the worse, the changes to the better follow a binomial distribution of
 * probability 1/2.
 */
export interface Paired {
  /** Items that both runs have. */
  items: number;
  /** Right in both. */
  both_right: number;
  /** Wrong in both. */
  both_wrong: number;
  /** Wrong in the first, right in the second. */
  improved: number;
  /** Right in the first, wrong in the second. */
  worsened: number;
  /** Two-sided probability of so uneven a change or a more uneven one; 1 where nothing changed. */
  p_value: number;
}

/** What a text held. */
export interface ParsedItems {
  /** The good items. */
  items: Array<Item>;
  /** The wrong lines. */
  errors: Array<LineError>;
  /** "jsonl", "json", "big-bench", "csv", "tsv", "aiken", "gift", "moodle-xml", "copa-xml", or "unknown". */
  format: string;
  /** From where right answers that are numbers were counted, where there are some. */
  answers_from: AnswersFrom | null;
  /** Whether right answers are numbers that could be counted from 0 or from 1: no item is taken until that is said. */
  asks_answers_from: boolean;
}

/** Neurons by name: picked by hand, or one by one by what each does to the validation items. */
export interface Picked {
  /** In the order in which they were picked. */
  picked: Array<Neuron>;
}

/** How often a place is right and is predicted. */
export interface Place {
  /** The place, from 0. */
  position: number;
  /** Answers whose right choice stands there. */
  gold: number;
  /** Answers that predict it. */
  predicted: number;
  /** Accuracy where the right choice stands there. */
  accuracy: Accuracy;
}

/** A placeholder of a template. */
export interface Placeholder {
  /** Its name. */
  name: string;
  /** What takes its place. */
  becomes: string;
}

/** What a neuron is about, on the prompts of a set. */
export interface Portrait {
  /** How it is shown. */
  address: string;
  /** Name of the item set. */
  set: string;
  /** Positions of the prompts in all. */
  positions: number;
  /** Its mean activation over them. */
  mean: number;
  /**
   * The tokens whose logits its output weights raise most for a unit of activation, by what they add (the final norm's gains folded
   * in, and its scale left out).
   */
  raises: Array<TokenWeight>;
  /** Those whose logits they lower most. */
  lowers: Array<TokenWeight>;
  /** Where its activation is largest in size. */
  fires: Array<Firing>;
  /** The neurons of its layer whose activations follow its own most, in either direction. */
  neighbours: Array<Neighbour>;
  /** Wall-clock time. */
  seconds: number;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** The same items in several orders. */
export interface PositionBias {
  /** The set's name. */
  set: string;
  /** Which orders. */
  orders: Orders;
  /**
   * Whether the template shows the model an order at all; if not, each choice scores the same in every order, and
   * one run says it all.
   */
  depends_on_order: boolean;
  /** Of all answers, every item in every order. */
  accuracy: Accuracy;
  /** Items answered with the same choice in every order, wherever it stands. */
  consistent: Accuracy;
  /** Place by place. */
  places: Array<Place>;
  /** What speaks against these numbers. */
  warnings?: Array<string>;
  /** Wall-clock time. */
  seconds: number;
}

/** Which positions of the prompt are scaled. */
export type Positions = "last" | "all";

/** How the matrices of a model are held; norms and biases stay in f32. */
export type Precision = "f32" | "f16" | "int8";

/** How far a job is, in units of its own (items, token-layers, bytes). */
export interface Progress {
  /** What is being done, for people: "scoring", "attribution", …. */
  stage: string;
  /** Units done so far. */
  done: number;
  /** Units in all; 0 where that is not known. */
  total: number;
  /** Live results that belong to this moment, such as a training loss. */
  detail?: TuneDetail | LayerEffects;
}

/** An item whose prompt is wanted. */
export interface PromptRequest {
  /** The item. */
  item: Item;
  /** The item's set, from which shots may be drawn. */
  set?: string;
  /** Another way to ask than the one in use: a template that is being written. */
  prompting?: Prompting;
}

/** The prompt of an item. */
export interface PromptView {
  /** What all choices begin with. */
  prompt: string;
  /** Index of the right choice, in the order that the model sees. */
  gold: number;
  /** Tokens of what all choices begin with; empty without a model. */
  tokens: Array<string>;
  /** The choices. */
  choices: Array<ChoiceView>;
}

/** How items are put to the model. */
export interface Prompting {
  /** `name@version` of a built-in template, or one in full. */
  template: TemplateSpec;
  /** Solved items before each prompt. */
  few_shot: FewShot | null;
  /** Seed of the choices' order; that of the items without it. */
  choice_order: number | null;
}

/** How items are put to the model. */
export interface PromptingInUse {
  /** The prompt. */
  template: TemplateSpec;
  /** Solved items before it. */
  few_shot?: FewShot;
  /** Seed of the choices' order; the file's order without it. */
  choice_order?: number;
}

/** A mask's effect on some sets. */
export interface PruneReport {
  /** The mask. */
  mask: Mask;
  /** Neurons it prunes. */
  neurons: number;
  /** The sets. */
  sets: Array<PrunedSet>;
  /** Wall-clock time. */
  seconds: number;
}

/** A mask to be tried. */
export interface PruneRequest {
  /** The mask. */
  mask: Mask;
  /** Names of the sets. */
  sets: Array<string>;
}

/** One set before and after. */
export interface PrunedSet {
  /** The set's name. */
  set: string;
  /** Accuracy without the mask. */
  before: Accuracy;
  /** Scores with it. */
  after: SetScores;
  /** Items whose prediction changed. */
  flipped: Array<Flip>;
  /** Right and wrong before and after, and whether the change may be chance. */
  paired?: Paired;
}

/** What is pruned. */
export interface PruningSpec {
  /** The mask. */
  mask?: Mask;
  /** The selection that made it; without a mask, the runner makes it from the attribution. */
  selection?: Selection;
}

/** Where an integral's nodes lie, and what they weigh. */
export type Quadrature = "right" | "left" | "middle" | "trapezoid" | "gauss_legendre" | "adaptive";

/** What stands where the question was. */
export type Question = "removed" | "meaningless";

/** How well every method finds what exact ablation finds. */
export interface Race {
  /** The item set. */
  set: string;
  /** How the ablation was made: its target, its positions, its baseline. */
  settings: AttributionSettings;
  /** Layers that were measured. */
  layers: Array<number>;
  /** Items that were used. */
  items: number;
  /** The percentage of a layer that is to be found. */
  percent: number;
  /** What the ablation took: of these layers, and of others that were measured before. */
  ablation_seconds: number;
  /** The methods, as they were asked for. */
  methods: Array<Raced>;
  /** How many. */
  resamples: number;
  /** Their seed. */
  seed: number;
}

/** Methods that are held against measured effects. */
export interface RaceSpec {
  /** The set's name. */
  set: string;
  /** How the effects are measured, and the one method whose settings are chosen. */
  settings: AttributionSettings;
  /** Layers; all when absent. */
  layers?: Array<number>;
  /** The percentage of a layer that is to be found. */
  percent: number;
  /** How intervals are drawn. */
  resampling: Resampling;
}

/** How well one method does. Neurons are compared with those of their layer, and numbers are means over the layers. */
export interface Raced {
  /** The method's settings. */
  settings: AttributionSettings;
  /** Spearman's correlation of the absolute scores with the absolute effects. */
  correlation: Estimated;
  /**
   * That of scores with effects, where the sign of the scores means something: of methods that explain the target and take both signs,
   * as means that keep them.
   */
  correlation_signed?: Estimated;
  /** How much `correlation` falls short of the best method's, resample by resample; none of that method itself. */
  behind?: Estimated;
  /**
   * The share of the neurons of largest absolute effect, so many per cent of the layer, among those of largest absolute score; of
   * equals at the edge, what chance gives.
   */
  found: Estimated;
  /** The same correlation layer by layer. */
  by_layer: Array<number>;
  /** What the scores of all layers took. */
  seconds: number;
}

/** A neuron with its place among the others. */
export interface RankedNeuron {
  /** 1 for the largest absolute score. */
  rank: number;
  /** How it is shown. */
  address: string;
  /** Aggregated score. */
  score: number;
  /** Share of the items with a positive score. */
  share_positive: number;
  /** Lowest item score. */
  item_min: number;
  /** Highest item score. */
  item_max: number;
  /** Whether the mask at hand prunes it. */
  pruned: boolean;
  /** Its layer. */
  layer: number;
  /** Its index within the layer. */
  neuron: number;
}

/** The strongest neurons that are wanted. */
export interface RankedRequest {
  /** Of one layer, or of all. */
  layer?: number;
  /** How many. */
  top: number;
  /** The mask at hand. */
  mask?: Mask;
}

/** What a study's run found. */
export interface Report {
  /** `FORMAT`. */
  format: "secateur-report";
  /** `VERSION`. */
  version: 1;
  /** The study, its mask filled in. */
  study: Study;
  /** The engine. */
  engine: EngineInfo;
  /** The model. */
  model: ModelInfo;
  /** Every set without a mask. */
  baseline: Array<SetScores>;
  /** What drives the answers beside the questions. */
  audit?: Audit;
  /** The attribution. */
  attribution?: ReportAttribution;
  /** Every method against exact ablation. */
  race?: Race;
  /**
   * What every neuron was measured to do, in short, for each set. The page measures it; no study asks for it, since to measure it
   * again may take hours.
   */
  effects?: Array<EffectsInShort>;
  /** The search. */
  search?: SearchReport;
  /** The mask's effect. */
  pruned?: PruneReport;
  /** The random control. */
  control?: ControlReport;
  /** The tuning. */
  tuning?: TuneReport;
  /** Wall-clock time. */
  seconds: number;
}

/** Scores of every neuron for a set of items. */
export interface ReportAttribution {
  /** How it was made. */
  settings: AttributionSettings;
  /** Name of the item set. */
  set: string;
  /** Layers of the model. */
  n_layers: number;
  /** Neurons of a layer. */
  d_mlp: number;
  /** The items above the confidence threshold, in the set's order. */
  items_used: Array<UsedItem>;
  /** Items below it, and those without the target. */
  items_skipped: number;
  /** The completeness gap, per layer or one entry for the joint path. */
  gaps: Array<LayerGap>;
  /** Wall-clock time. */
  seconds: number;
  /** Aggregated score of every neuron, `[n_layers][d_mlp]`. */
  scores: Array<Array<number>>;
}

/** A study that was run again. */
export interface Reproduced {
  /** What was found now. */
  report: Report;
  /** How that compares with what was found before. */
  reproduction: Reproduction;
}

/** A part of a report, compared with that of a re-run. */
export interface ReproducedPart {
  /** Its name in the report. */
  part: string;
  /** How many of its numbers were compared. */
  compared: number;
  /** How many of them differ by more than rounding explains. */
  different: number;
}

/** One set, expected and measured. */
export interface ReproducedSet {
  /** The set's name. */
  set: string;
  /** Accuracy with the mask, or without where there is none, as the link says. */
  expected: Accuracy;
  /** The same, measured now. */
  measured: Accuracy;
}

/** What a re-run reproduced. */
export interface Reproduction {
  /** Whether the same neurons are pruned; absent where the link has no mask. */
  mask_identical: boolean | null;
  /** Whether all accuracies are the same; absent where none were expected. */
  accuracy_identical: boolean | null;
  /** Whether all compared predictions are the same, without the mask and with it; absent where none were expected. */
  predictions_identical: boolean | null;
  /** How many predictions were compared. */
  predictions_compared: number;
  /** Largest difference of a log-likelihood, in nats. */
  largest_log_likelihood_difference: number;
  /** How many log-likelihoods were compared. */
  log_likelihoods_compared: number;
  /** Whether rounding explains that difference; absent where none were compared, or the matrices were held otherwise. */
  log_likelihoods_close: boolean | null;
  /** The other parts of a report. */
  beside: Array<ReproducedPart>;
  /** How the matrices were held then and are now, where that differs. */
  other_precision: OtherPrecision | null;
  /** Set by set. */
  sets: Array<ReproducedSet>;
  /** The same in a sentence. */
  message: string;
}

/** How resamples are drawn. */
export interface Resampling {
  /** How many. */
  resamples: number;
  /** Their seed. */
  seed: number;
}

/** What an item set is used for. */
export type Role = "attribution" | "validation" | "test" | "out_of_distribution";

/** Another rule. */
export interface RuleRequest {
  /** By which number choices are predicted from now on. */
  rule: ScoringRule;
}

/** A study to be run again. */
export interface RunRequest {
  /** The study. */
  study: Study;
  /** What it found before. */
  expected?: Expected;
  /** Items of the bundled samples that the study names. */
  samples?: { [key in string]: Array<Item> };
}

/** What every token of an item's prompt contributes to the target, to first order. */
export interface Salience {
  /** Whose target is explained. */
  settings: AttributionSettings;
  /** The item's id. */
  id: string;
  /** Text of the token that is explained. */
  target: string;
  /** The target's value. */
  value: number;
  /** The prompt's tokens. */
  tokens: Array<string>;
  /** `Σ x · ∂M/∂x` over each token's embedding `x`. */
  scores: Array<number>;
}

/** An item whose prompt's words are asked about. */
export interface SalienceRequest {
  /** The set's name. */
  set: string;
  /** The item's id. */
  id: string;
  /** Whose target is explained. */
  settings: AttributionSettings;
}

/** By which number the predicted choice is picked. */
export type ScoringRule = "sum" | "per_character" | "per_byte" | "per_token" | "mutual_information";

/** How items are scored. */
export interface ScoringSpec {
  /** By which number a choice is predicted. */
  rule: ScoringRule;
  /** Whether the report keeps the log-probability of every token. */
  keep_tokens?: boolean;
}

/** One cell of the surface. */
export type SearchCell = { neurons: number, accuracy: Accuracy } & (TopPercent | TopOfLayers | AboveShare | MostHarmful | Picked);

/** How many random masks go with every cell, and their seed. */
export interface SearchControl {
  /** Random masks of each cell. */
  masks: number;
  /** Their seed. */
  seed: number;
}

/** The surface and its best cell. */
export interface SearchReport {
  /** Names of the validation sets. */
  sets: Array<string>;
  /** What was asked for; older reports do not say it. */
  spec?: SearchSpec;
  /** Accuracy without pruning. */
  baseline: Accuracy;
  /** The cells, rule by rule and layer by layer; after them those of neurons picked one by one, one for each neuron. */
  cells: Array<SearchCell>;
  /**
   * The cell of highest accuracy among those that were tried on all items; of equals the one that prunes fewest, then the one whose
   * layers begin lower.
   */
  best: Selection;
  /** What random masks of the same sizes give, where they were tried. */
  luck?: Luck;
  /** Wall-clock time. */
  seconds: number;
}

/** Cells to be searched. */
export interface SearchRequest {
  /** Names of the validation sets. */
  sets: Array<string>;
  /** Layers; all when absent. */
  layers?: Array<number>;
  /** Percentages. */
  percents: Array<number>;
  /**
   * Of how many layers, which follow each other among those, the strongest neurons are taken together: 1 is one layer, the paper's
   * rule, and what is meant when absent.
   */
  windows?: Array<number>;
  /** Shares of the largest score above which neurons are taken, of any layer. */
  shares?: Array<number>;
  /** Whether the most harmful neurons of each layer are tried as well: they are measured on the attribution's items first. */
  harm?: boolean;
  /** Whether neurons are picked one by one as well. */
  greedy?: Greedy;
  /** What a mask does to a neuron. */
  operation?: Operation;
  /** What activations are multiplied by, where the operation is `scale`. */
  factor?: number;
  /** Name of the item set that means are over, where the operation is `mean`: the attribution's when absent. */
  means_of?: string;
  /** Whether the worse half of the cells is left after few items, again and again. */
  halving?: boolean;
  /** Random masks beside every cell; none when absent. */
  control?: SearchControl;
}

/** Which cells a search tries. */
export interface SearchSpec {
  /** Layers; all when absent. */
  layers?: Array<number>;
  /** Percentages. */
  percents: Array<number>;
  /**
   * Of how many layers, which follow each other among those, the strongest neurons are taken together: 1 is one layer, the paper's
   * rule, and what is meant when absent.
   */
  windows?: Array<number>;
  /** Shares of the largest score above which neurons are taken, of any layer. */
  shares?: Array<number>;
  /** Whether the most harmful neurons of each layer are tried as well: they are measured on the attribution's items first. */
  harm?: boolean;
  /** Whether neurons are picked one by one as well. */
  greedy?: Greedy;
  /** What a mask does to a neuron. */
  operation?: Operation;
  /** What activations are multiplied by, where the operation is `scale`. */
  factor?: number;
  /** Name of the item set that means are over, where the operation is `mean`: the attribution's when absent. */
  means_of?: string;
  /** Whether the worse half of the cells is left after few items, again and again. */
  halving?: boolean;
  /** Random masks beside every cell; none when absent. */
  control?: SearchControl;
}

/** An error, for the page to show. */
export interface SecateurError {
  /** Its kind. */
  code: string;
  /** What went wrong. */
  message: string;
  /** What to do about it; may be empty. */
  hint: string;
}

/** A selection whose mask is wanted, and what that does to a neuron. */
export interface SelectRequest {
  /** The selection. */
  selection: Selection;
  /** What the mask does to a neuron; zero when absent. */
  operation?: Operation;
  /** What activations are multiplied by, where the operation is `scale`. */
  factor?: number;
  /** Name of the item set that means are over, where the operation is `mean`. */
  means_of?: string;
}

/** Which neurons are selected. */
export type Selection = TopPercent | TopOfLayers | AboveShare | MostHarmful | Picked;

/** The device compared with the CPU on a small random decoder. */
export interface SelfTest {
  /** Largest difference of a log-probability or gradient, relative to the largest of them where that is above 1. */
  max_error: number;
  /** Whether it is below `TOLERANCE`. */
  passed: boolean;
}

/** A set by its name. */
export interface SetRequest {
  /** The name. */
  set: string;
}

/** The scores of one item set. */
export interface SetScores {
  /** The set's name. */
  set: string;
  /** Accuracy by the sum of log-likelihoods (lm-evaluation-harness' `acc`). */
  accuracy: Accuracy;
  /** Accuracy by log-likelihood per character (`acc_norm`). */
  accuracy_per_character: Accuracy;
  /** Accuracy by log-likelihood per byte (`acc_bytes`). */
  accuracy_per_byte?: Accuracy;
  /** Accuracy by log-likelihood per token. */
  accuracy_per_token?: Accuracy;
  /** Accuracy by mutual information (`acc_mutual_info`), where that was measured. */
  accuracy_mutual_information?: Accuracy;
  /** Pairs of mirrored items of which both are answered right, by the rule in use, where the set has such pairs. */
  accuracy_both_of_pair?: Accuracy;
  /** Confidence against accuracy, by the rule in use. */
  calibration?: Calibration;
  /** Words that the model's tokenizer does not know, where there are any. */
  unknown_words?: UnknownWords;
  /** What speaks against these scores. */
  warnings?: Array<string>;
  /** One entry per item, in the set's order. */
  items: Array<ItemScore>;
  /** Wall-clock time. */
  seconds: number;
}

/** What a link carries. */
export interface SharedStudy {
  /** The study. */
  study: Study;
  /** What whoever made the link found. */
  expected?: Expected;
}

/** Where in a gated feed-forward layer a neuron is scaled. */
export type Site = "post" | "gate_pre";

/** What a Python snippet is made of. */
export interface SnippetRequest {
  /** The mask. */
  mask: Mask;
  /** The model's repository on the hub. */
  repo?: string;
}

/** One part of a seeded split: how a study takes a portion of a set. */
export interface SplitPart {
  /** Seed of the split. */
  seed: number;
  /** Sizes of the parts, in relation to each other. */
  shares: Array<number>;
  /** Which part, from 0. */
  part: number;
}

/** Items to be dealt out. */
export interface SplitRequest {
  /** The items. */
  items: Array<Item>;
  /** Sizes of the parts, in relation to each other. */
  shares: Array<number>;
  /** Seed of the split. */
  seed: number;
}

/** How a selection holds under resamples of the attribution's items. */
export interface Stability {
  /** What was selected. */
  selection: TopPercent;
  /** Items that the attribution used. */
  items: number;
  /** Neurons selected. */
  neurons: number;
  /**
   * The share of the selection that two halves of the items, which share none, have in common: the mean over random halves, and where 95 %
   * of them lie. That many other items would agree about as much; all items together hold steadier, so it is on the low side. None of
   * one item.
   */
  halves: Estimated | null;
  /**
   * The share of the mask's neurons that a resample of the same items selects too: the mean over the resamples, and where 95 % of them
   * lie. Other items agree less, because resamples are about the same items as the mask.
   */
  overlap: Estimated;
  /** The same of neurons drawn at random. */
  chance: number;
  /** The share of the resamples that select each neuron of the layer, `[d_mlp]`. */
  kept: Array<number>;
  /** What speaks against the choice. */
  warning: string | null;
  /** How many. */
  resamples: number;
  /** Their seed. */
  seed: number;
}

/** A selection that is tried on other items. */
export interface StabilityRequest {
  /** What is selected. */
  selection: TopPercent;
  /** How the items are drawn again. */
  resampling: Resampling;
}

/** Training loss of one step. */
export interface StepLoss {
  /** Step, from 1. */
  step: number;
  /** Mean over its items of the cross-entropy over the choices' log-likelihoods, in nats. */
  loss: number;
}

/** Everything that decides a result. */
export interface Study {
  /** `FORMAT`. */
  format: "secateur-study";
  /** `VERSION`. */
  version: 1;
  /** The model. */
  model: ModelSpec;
  /** The item sets. */
  item_sets: Array<ItemSetSpec>;
  /** The prompt template: `name@version`, or in full. */
  template: TemplateSpec;
  /** Solved items before each prompt. */
  few_shot?: FewShot;
  /** A seeded order of the choices; that of the items without it. */
  choice_order?: ChoiceOrder;
  /** How items are scored. */
  scoring: ScoringSpec;
  /** What drives the answers beside the questions. */
  audit?: AuditSpec;
  /** The attribution. */
  attribution?: AttributionSettings;
  /** Every method against exact ablation. */
  race?: RaceSpec;
  /** The search. */
  search?: SearchSpec;
  /** What is pruned; without it, the search's best cell. */
  pruning?: PruningSpec;
  /** Masks that are kept beside what is pruned. No run takes them. */
  kept_masks?: Array<KeptMask>;
  /** The random control. */
  control?: ControlSpec;
  /** The tuning. */
  tuning?: TuneSettings;
  /** Seed of whatever is drawn. */
  seed: number;
}

/** The number that is explained. */
export type TargetKind = "top_logit" | "choice_first_token" | "choice_logprob" | "gold_margin";

/** How items become prompts. */
export interface Template {
  /** Its name. */
  name: string;
  /** Raised whenever a prompt would change. */
  version: number;
  /** For people. */
  description: string;
  /** Stands once before everything, shots included; nothing in it is replaced (the harness' `description`). */
  preamble?: string;
  /** The prompt, with placeholders. One that holds `{choice}` or `{letter}` makes a prompt for each choice. */
  prompt: string;
  /** What joins prompt and choice (the harness' `target_delimiter`). */
  delimiter: string;
  /** What is scored after prompt and delimiter, with placeholders. */
  choice: string;
}

/** A template by name, or in full: how a study refers to one. */
export type TemplateSpec = string | Template;

/** A text of items. */
export interface TextRequest {
  /** The text. */
  text: string;
  /** From where right answers that are numbers are counted, where that is known. */
  answers_from?: AnswersFrom;
}

/** A text's log-likelihood. */
export interface TextScore {
  /** Tokens that were scored: all, but for the first where a tokenizer has none that begins a text. */
  tokens: number;
  /** Their UTF-8 bytes. */
  bytes: number;
  /** Sum over the tokens, in nats. */
  log_likelihood: number;
  /** `exp(−log_likelihood / tokens)`. Only models of one tokenizer can be compared by it. */
  perplexity: number;
  /** `−log₂ likelihood / bytes` (the harness' `bits_per_byte`). */
  bits_per_byte: number;
}

/** A token and what is added to its logit. */
export interface TokenWeight {
  /** Its text. */
  token: string;
  /** What is added. */
  weight: number;
}

/** The top p % of several layers, by their scores, all ranked together. */
export interface TopOfLayers {
  /** The layers, each once. */
  layers: Array<number>;
  /** Percentage of their neurons, above 0 and at most 100. */
  percent: number;
}

/** The top p % of one layer, the paper's selection. */
export interface TopPercent {
  /** The layer. */
  layer: number;
  /** Percentage of its neurons, above 0 and at most 100. */
  percent: number;
}

/** One training run. */
export interface TuneCurve {
  /** With the mask, or without any pruning for comparison. */
  pruned: boolean;
  /** Loss of every step. */
  steps: Array<StepLoss>;
  /** The evaluations. */
  validation: Array<Validation>;
  /** Step of the best state: highest validation accuracy, then lowest validation loss, then earliest. */
  best_step: number;
  /** Whether the user stopped it; the best state until then is kept. */
  cancelled: boolean;
  /** Factor of every neuron of the layer at the best state, `[d_mlp]`; the mask's for the pruned. */
  gains: Array<number>;
  /** The test sets at the best state; empty when cancelled. */
  sets: Array<TunedSet>;
}

/** What a tuning tells while it runs, beside its progress. */
export interface TuneDetail {
  /** 0 for the pruned run, 1 for the one without pruning. */
  curve: number;
  /** After how many steps. */
  step: number;
  /** Training loss of this step, in nats. Losses are read when they are evaluated. */
  loss: number | null;
  /** Accuracy on the validation items, where it was evaluated after this step. */
  validation: Accuracy | null;
  /** Cross-entropy on them, in nats. */
  validation_loss: number | null;
}

/** A tuning and the same without pruning. */
export interface TuneReport {
  /** The tuned layer. */
  layer: number;
  /** Gains that were free to change, in the pruned run. */
  trained_gains: number;
  /** The pruned run, then the one without pruning where asked for. */
  curves: Array<TuneCurve>;
  /** Wall-clock time. */
  seconds: number;
}

/** Which sets a tuning uses, by name. */
export interface TuneRequest {
  /** What is pruned. */
  mask: Mask;
  /** Sets to learn from. */
  train: Array<string>;
  /** Sets that pick the best state. */
  validation: Array<string>;
  /** Sets to report on. */
  test: Array<string>;
  /** How the gains are trained. */
  settings: TuneSettings;
  /** Seed of the items' order. */
  seed: number;
  /** Whether to train without pruning as well. */
  compare: boolean;
}

/** How the gains are trained. */
export interface TuneSettings {
  /** The layer whose neurons get a gain. */
  layer: number;
  /** Optimiser steps. */
  steps: number;
  /** AdamW's learning rate. */
  learning_rate: number;
  /** AdamW's decoupled weight decay; pulls the gains towards 1. */
  weight_decay: number;
  /** Items per step; at least as many as there are gives full batches. */
  batch_size: number;
  /** Steps between two evaluations on the validation items. */
  evaluate_every: number;
}

/** One set in the model as it was, and with mask and gains. */
export interface TunedSet {
  /** The set's name. */
  set: string;
  /** Accuracy of the model as it was: no mask, no gains. */
  before: Accuracy;
  /** Accuracy with mask and the best gains. */
  after: Accuracy;
}

/** Words of a set's contexts and choices, as spaces divide them. */
export interface UnknownWords {
  /** How many there are. */
  words: number;
  /** How many of them the tokenizer does not know. */
  unknown: number;
}

/** An item that was attributed. */
export interface UsedItem {
  /** The item's id. */
  id: string;
  /** Text of the token whose logit or log-probability is explained, or of the whole choice. */
  target: string;
}

/** One evaluation on the validation items. */
export interface Validation {
  /** After how many steps; 0 is before training. */
  step: number;
  /** Accuracy by the sum of log-likelihoods. */
  accuracy: Accuracy;
  /** Cross-entropy, in nats. */
  loss: number;
}

/** The engine. No call may overlap another. */
export interface Engine {
  /** The device and its self-test. Its limits are those for the next model. */
  device(): DeviceInfo;
  /** Items, prompting and rule, for `take_bench` of another engine; it is not looked into. */
  bench(): Bench;
  /** Takes what another engine had. */
  take_bench(bench: Bench): void;
  /** The prompt templates. */
  templates(): Array<Template>;
  /** The attribution presets by name, and what every other method starts with, by the method's name. */
  presets(): { [key in string]: AttributionSettings };
  /** Reads items from text. */
  parse_items(request: TextRequest): ParsedItems;
  /** Adds or replaces an item set. */
  set_items(request: ItemsRequest): ItemsHash;
  /** Removes an item set. */
  remove_items(name: string): void;
  /** Changes template, few shots and order of the choices; a template that has a name is called by it in the answer. */
  set_prompting(request: Prompting): PromptingInUse;
  /** Changes how predictions are made. */
  set_rule(request: RuleRequest): void;
  /** Scores counted by another rule: those of the given ones that could follow. */
  by_rule(request: CountRequest): Array<Stamped<SetScores>>;
  /** Whether the attribution that `attribute` would make is at hand. */
  is_attributed(request: AttributeRequest): boolean;
  /** The exact prompt of an item and, with a model, its tokens. */
  prompt(request: PromptRequest): PromptView;
  /** The placeholders of a template. */
  placeholders(): Array<Placeholder>;
  /** Deals items out to parts, stratified by the place of the right choice. */
  split(request: SplitRequest): Array<Array<Item>>;
  /** Items as the text of a file. */
  export_items(request: ExportRequest): string;
  /** Two runs over the same items: the exact test and the flipped items. */
  compare(request: CompareRequest): Comparison;
  /** The neurons of largest absolute score. */
  ranked(request: RankedRequest): Array<RankedNeuron>;
  /** How a selection from the attribution holds under resamples of its items. */
  stability(request: StabilityRequest): Stability;
  /** The mask of the top p % of a layer. */
  mask_top(selection: TopPercent): Mask;
  /** The neurons of either of two masks, of both, or of the first alone. */
  combine_masks(request: CombineRequest): Mask;
  /** `mask.json`. */
  export_mask(request: MaskRequest): string;
  /** Reads a `mask.json` for the loaded model. */
  import_mask(text: string): ImportedMask;
  /** Python that applies a mask in transformers. */
  python_snippet(request: SnippetRequest): string;
  /** The fragment of a link that carries a study and what was found. */
  encode_link(request: LinkRequest): string;
  /** What a link carries. */
  decode_link(fragment: string): SharedStudy;
  /** A study's or a report's document, as what a link would carry of it. */
  read_document(text: string): SharedStudy;
  /** Loads a model in place of the one before. */
  load_model(request: ModelRequest, files: ModelFile[], progress: OnProgress): Promise<ModelInfo>;
  /** A forward pass laid open, for checks against other implementations. */
  forward(request: ForwardRequest, progress: OnProgress): Promise<Forward>;
  /** What the largest logit after a prompt loses by each neuron, `[n_layers · d_mlp]`. */
  ablate(request: AblateRequest, progress: OnProgress): Promise<Floats>;
  /** Scores a set. */
  score(request: SetRequest, progress: OnProgress): Promise<Stamped<SetScores>>;
  /** A set with its choices in several orders. */
  position_bias(request: BiasRequest, progress: OnProgress): Promise<Stamped<PositionBias>>;
  /** What drives the answers to a set beside its questions. */
  audit(request: SetRequest, progress: OnProgress): Promise<Stamped<Audit>>;
  /** Attributes a set. */
  attribute(request: AttributeRequest, progress: OnProgress): Promise<Stamped<Attribution>>;
  /** What every neuron does to the target, measured; what a cancelled job measured is answered, and gone on from. */
  effects(request: EffectsRequest, progress: OnProgress): Promise<Stamped<Effects>>;
  /** Every method against exact ablation. */
  race(request: RaceSpec, progress: OnProgress): Promise<Stamped<Race>>;
  /** Scores on a set minus those on another one, or minus those of the same items without their questions. */
  contrast(request: ContrastRequest, progress: OnProgress): Promise<Stamped<Contrast>>;
  /** What a neuron is about, on a set's prompts. */
  portrait(request: NeuronRequest, progress: OnProgress): Promise<Stamped<Portrait>>;
  /** Which words of an item's prompt drive its answer. */
  salience(request: SalienceRequest, progress: OnProgress): Promise<Stamped<Salience>>;
  /** One neuron's card. */
  neuron(request: NeuronRequest, progress: OnProgress): Promise<Stamped<NeuronCard>>;
  /** A mask whose neurons are changed otherwise; means are measured where they are not known. */
  change_mask(request: ChangeRequest, progress: OnProgress): Promise<Mask>;
  /** Sets before and after a mask. */
  prune(request: PruneRequest, progress: OnProgress): Promise<Stamped<PruneReport>>;
  /** A text before and after a mask. */
  general_ability(request: GeneralRequest, progress: OnProgress): Promise<Stamped<GeneralAbility>>;
  /** Random masks of the same size. */
  control(request: ControlRequest, progress: OnProgress): Promise<Stamped<ControlReport>>;
  /** The mask of any selection; harm that was not measured yet is measured first. */
  mask_of(request: SelectRequest, progress: OnProgress): Promise<Mask>;
  /** Masks by every rule that is asked for, on validation sets. */
  search(request: SearchRequest, progress: OnProgress): Promise<Stamped<SearchReport>>;
  /** Trains gains. */
  tune(request: TuneRequest, progress: OnProgress): Promise<Stamped<TuneReport>>;
  /**
   * Re-runs a study and says what reproduced. From then on its items and settings are the ones at hand; a
   * run that fails or is cancelled leaves them as they were.
   */
  reproduce(request: RunRequest, progress: OnProgress): Promise<Reproduced>;
  /** Gives its memory back; it cannot be used any more. */
  free(): void;
}

/** What controls have from the engine. */
export const LIMITS = {
  /** Most choices of an item. */
  choices: 26,
  /** Most shots of a prompt. */
  shots: 64,
  /** Most orders of an item's choices. */
  orders: 64,
  /** Most steps of a path. */
  steps: 1000,
  /** Share of the difference that a layer's scores may miss, unless another is chosen. */
  tolerance: 0.01,
  /** Steps at most where there is a tolerance, unless others are chosen. */
  adaptive_steps: 500,
  /** Share of an item's largest score that a neuron must reach to count in it, unless another is chosen. */
  consensus: 0.2,
  /** Most random masks of a control. */
  control_masks: 1000,
  /** Most random masks of a cell of the search. */
  cell_masks: 100,
  /** Most neurons among which a search picks one by one. */
  candidates: 1000,
  /** Largest factor of a mask that scales, of either sign. */
  factor: 1000,
  /** Most kept masks of a study. */
  kept_masks: 64,
  /** Most characters of a kept mask's name. */
  mask_name: 80,
} as const;

/** The calls that are jobs: they are told how far they are, and can be cancelled. */
export const LONG_CALLS: readonly (keyof Engine)[] = [
  "forward",
  "ablate",
  "score",
  "position_bias",
  "audit",
  "attribute",
  "effects",
  "race",
  "contrast",
  "portrait",
  "salience",
  "neuron",
  "change_mask",
  "prune",
  "general_ability",
  "control",
  "mask_of",
  "search",
  "tune",
  "reproduce",
];
