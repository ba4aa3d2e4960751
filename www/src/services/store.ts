// Everything that the page shows, in one typed object, and who is told when it changes. Views read it and never write
// to it; services write.

import type { CatalogEntry, SampleSet } from "../site";
import { isReported } from "../roles";
import type {
  Accuracy, Attribution, AttributionSettings, ControlReport, DeviceInfo, FewShot, Item, Mask, ModelInfo, NeuronCard,
  PositionBias, Precision, PruneReport, RankedNeuron, Reproduction, Role, ScoringRule, SearchReport, SecateurError,
  Selection, SetScores, SharedStudy, SplitPart, Template, TuneDetail, TuneReport, TuneSettings,
} from "../wire/engine";
import type { HubListing } from "../worker/plan";
import type { DeviceChoice, ModelSource, StorageInfo } from "../worker/protocol";

export const STEPS = ["start", "model", "items", "scores", "attribution", "pruning", "tuning", "result"] as const;
export type Step = (typeof STEPS)[number];

export interface PageSet {
  name: string;
  roles: Role[];
  items: Item[];
  sha256: string;
  /** The bundled sample that the items are, or a slice of; gone once an item is edited. */
  sample?: { name: string; first?: number; count?: number; split?: SplitPart };
}

export interface Model {
  info: ModelInfo;
  name: string;
  /** How a reload brings it back; absent for files that could not be kept. */
  source?: ModelSource & { kind: "site" | "stored" };
}

export interface Job {
  title: string;
  stage: string;
  done: number;
  total: number;
  /** What was done when the stage began: a resumed download does not begin at 0. */
  first: number;
  started_ms: number;
  stopping: boolean;
  cancel(): void;
}

/** What was asked of the hub, and what it answered. */
export interface HubLookup {
  text: string;
  isAsking: boolean;
  listing: HubListing | null;
  /** Index of the choice that is taken. */
  choice: number;
  error: SecateurError | null;
}

export interface NeuronAddress {
  layer: number;
  neuron: number;
}

/** The attribution that a selection was taken from. */
export interface SelectionSource {
  set: string;
  settings: AttributionSettings;
  /** What that attribution was made of. */
  made: string;
}

/** A step in the history of the mask. */
export interface MaskState {
  mask: Mask;
  selection?: Selection;
  /** Absent where it is not known, as in studies of older visits. */
  source?: SelectionSource;
}

/** A tuning with the settings that it was made with. */
export interface Tuned extends TuneReport {
  settings: TuneSettings;
  seed: number;
}

/** Results that may have come with the page. */
export type Precomputed = "scores" | "bias" | "attribution" | "card" | "search" | "pruned" | "control" | "tuning";

/** Which weights, and how they are held: what two models have in common that give the same numbers. */
export interface ModelIdentity {
  sha256: string;
  precision: Precision;
}

/** What stays on screen until it is read. */
export interface Message extends SecateurError {
  kind: "error" | "notice";
}

/** What is found of sets, the scores aside: of those there are some for every set. */
export interface Results {
  bias: PositionBias;
  attribution: Attribution;
  card: NeuronCard;
  search: SearchReport;
  pruned: PruneReport;
  control: ControlReport;
  tuning: Tuned;
}

/** Settings that the engine has to take before they are in force. */
export type Wanted = Partial<Pick<State, "template" | "few_shot" | "choice_order" | "rule">>;

export interface State {
  // The page.
  step: Step;
  /** The next job takes its place. */
  error: SecateurError | null;
  /** The next notice takes its place. */
  notice: string | null;
  messages: readonly Message[];
  job: Job | null;
  // The engine.
  device: DeviceChoice;
  precision: Precision;
  device_info: DeviceInfo | null;
  engine: "starting" | "ready" | "failed";
  version: string;
  templates: Template[];
  presets: Record<string, AttributionSettings>;
  // Models.
  catalog: CatalogEntry[];
  storage: StorageInfo | null;
  hub: HubLookup;
  model: Model | null;
  /** The model that the study and its results are of; known before that is there, and after it is gone. */
  made_with: ModelIdentity | null;
  /** Shape of the model at hand, known from a report before the model itself is there. */
  shape: { n_layers: number; d_mlp: number } | null;
  // Items.
  samples: SampleSet[];
  sets: PageSet[];
  /** `name@version`, or one of the user's own. */
  template: string | Template;
  few_shot: FewShot | null;
  /** Seed of the choices' order. */
  choice_order: number | null;
  rule: ScoringRule;
  /** What of these is to be otherwise, once the engine is free to take it. */
  wanted: Wanted;
  seed: number;
  // Results.
  scores: Record<string, SetScores>;
  /** Of the set that it was last measured on. */
  bias: PositionBias | null;
  settings: AttributionSettings;
  attribution: Attribution | null;
  ranked: RankedNeuron[] | null;
  selected: NeuronAddress | null;
  card: NeuronCard | null;
  mask: Mask;
  selection: Selection | null;
  selection_source: SelectionSource | null;
  undo: MaskState[];
  redo: MaskState[];
  live: boolean;
  pruned: PruneReport | null;
  control_masks: number;
  control: ControlReport | null;
  percents: number[];
  search: SearchReport | null;
  tuning_settings: TuneSettings;
  tuning: Tuned | null;
  live_curves: LiveCurve[];
  // A link that was opened.
  shared: SharedStudy | null;
  shared_fragment: string | null;
  reproduction: Reproduction | null;
  /** Which results at hand were computed beforehand and came with the page. */
  precomputed: readonly Precomputed[];
  /** Whether the study came by a link and its items are as they came. */
  of_link: boolean;
  has_earlier: boolean;
  /** A change is not written to the browser's storage yet. */
  is_unsaved: boolean;
}

export interface LiveCurve {
  points: TuneDetail[];
  validation: { step: number; accuracy: Accuracy; loss: number }[];
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

export const INITIAL: State = {
  step: "start",
  error: null,
  notice: null,
  messages: [],
  job: null,
  device: "auto",
  precision: "f32",
  device_info: null,
  engine: "starting",
  version: "",
  templates: [],
  presets: {},
  catalog: [],
  storage: null,
  hub: { text: "", isAsking: false, listing: null, choice: 0, error: null },
  model: null,
  made_with: null,
  shape: null,
  samples: [],
  sets: [],
  template: "question-answer@1",
  few_shot: null,
  choice_order: null,
  rule: "sum",
  wanted: {},
  seed: 0,
  scores: {},
  bias: null,
  settings: DEFAULT_SETTINGS,
  attribution: null,
  ranked: null,
  selected: null,
  card: null,
  mask: EMPTY_MASK,
  selection: null,
  selection_source: null,
  undo: [],
  redo: [],
  live: true,
  pruned: null,
  control_masks: 20,
  control: null,
  percents: [1, 2, 5, 10, 20, 30],
  search: null,
  tuning_settings: { layer: 0, steps: 50, learning_rate: 0.05, weight_decay: 0.01, batch_size: 16, evaluate_every: 5 },
  tuning: null,
  live_curves: [],
  shared: null,
  shared_fragment: null,
  reproduction: null,
  precomputed: [],
  of_link: false,
  has_earlier: false,
  is_unsaved: false,
};

type Key = keyof State;
type Listener = (changed: ReadonlySet<Key>) => void;

class Store {
  #state: State = { ...INITIAL };
  #listeners = new Set<Listener>();
  #changed = new Set<Key>();
  #scheduled = false;

  get state(): Readonly<State> {
    return this.#state;
  }

  /** Writes; listeners are told once a turn, after all writes of it. */
  set(patch: Partial<State>): void {
    this.#state = { ...this.#state, ...patch };
    for (const key of Object.keys(patch) as Key[]) this.#changed.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      const changed = this.#changed;
      this.#changed = new Set();
      this.#scheduled = false;
      for (const listener of [...this.#listeners]) listener(changed);
    });
  }

  /** Returns the function that ends the listening. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export const store = new Store();

/** Names of the sets of a role. */
export function setsOf(state: Readonly<State>, role: Role): string[] {
  return state.sets.filter((set) => set.roles.includes(role) && set.items.length > 0).map((set) => set.name);
}

/** Reported sets that the mask's effect is not known of. */
export function unmeasuredSets(state: Readonly<State>): string[] {
  const measured = new Set(state.pruned?.sets.map((set) => set.set));
  return reportedSets(state).filter((name) => !measured.has(name));
}

/** The sets that results are reported on: those of the role test, else all. */
export function reportedSets(state: Readonly<State>): string[] {
  const test = state.sets.filter((set) => set.items.length > 0 && set.roles.some(isReported)).map((set) => set.name);
  return test.length > 0 ? test : state.sets.filter((set) => set.items.length > 0).map((set) => set.name);
}
