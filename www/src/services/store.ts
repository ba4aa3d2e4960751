// What the page holds: one study, its history, what was found of it, the engine, and what is on screen; and who is told when it
// changes. Views read it; services write.

import type { CatalogEntry, SampleSet } from "../site";
import type {
  Accuracy,
  AttributionSettings,
  DeviceInfo,
  ModelInfo,
  Precision,
  Reproduction,
  SecateurError,
  SharedStudy,
  Template,
  TuneDetail,
  TuneSettings,
} from "../wire/engine";
import type { HubListing } from "../worker/plan";
import type { DeviceChoice, ModelSource, StorageInfo } from "../worker/protocol";
import { EMPTY_STUDY, reportedSets as reported, type EditedStudy, type PageSet, type Shape } from "./edited";
import { canStep, NO_HISTORY, type History } from "./history";
import { shownResults, type Found, type Shown } from "./results";

export const STEPS = ["start", "model", "items", "scores", "attribution", "pruning", "tuning", "result"] as const;
export type Step = (typeof STEPS)[number];

/** The model that is loaded. */
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

/** What stays on screen until it is read. */
export interface Message extends SecateurError {
  kind: "error" | "notice";
}

/** The study that is edited, and what was found. */
interface OfWork {
  study: EditedStudy;
  history: History;
  /** Everything that was found, the latest first, whether it fits the study or not. */
  results: readonly Found[];
  /** Whether the study came by a link and its items are as they came. */
  of_link: boolean;
}

/** The engine and what it can have. */
interface OfEngine {
  device: DeviceChoice;
  precision: Precision;
  device_info: DeviceInfo | null;
  engine: "starting" | "ready" | "failed";
  version: string;
  templates: Template[];
  presets: Record<string, AttributionSettings>;
  catalog: CatalogEntry[];
  samples: SampleSet[];
  storage: StorageInfo | null;
  model: Model | null;
}

/** What is on screen beside the study. */
interface OfView {
  step: Step;
  selected: NeuronAddress | null;
  /** Whether a small model's mask is measured after every change. */
  live: boolean;
  /** The next job takes its place. */
  error: SecateurError | null;
  /** The next notice takes its place. */
  notice: string | null;
  messages: readonly Message[];
  job: Job | null;
  live_curves: LiveCurve[];
  hub: HubLookup;
  /** The study of a link, opened and perhaps not run. */
  shared: SharedStudy | null;
  shared_fragment: string | null;
  reproduction: Reproduction | null;
  has_earlier: boolean;
  /** A change is not written to the browser's storage yet. */
  is_unsaved: boolean;
}

/** What is held; all else that the page shows follows from it. */
export type Held = OfWork & OfEngine & OfView;

/** The study as views read it. */
interface OfStudy {
  sets: PageSet[];
  template: EditedStudy["template"];
  few_shot: NonNullable<EditedStudy["few_shot"]> | null;
  choice_order: number | null;
  rule: EditedStudy["scoring"]["rule"];
  settings: AttributionSettings;
  percents: number[];
  mask: EditedStudy["pruning"]["mask"];
  selection: NonNullable<EditedStudy["pruning"]["selection"]> | null;
  control_masks: number;
  tuning_settings: TuneSettings;
  shape: Shape | null;
  canUndoItems: boolean;
  canUndoMask: boolean;
  canRedoMask: boolean;
}

export type State = Held & OfStudy & Shown;

export interface LiveCurve {
  points: TuneDetail[];
  validation: { step: number; accuracy: Accuracy; loss: number }[];
}

export const INITIAL: Held = {
  study: EMPTY_STUDY,
  history: NO_HISTORY,
  results: [],
  step: "start",
  error: null,
  notice: null,
  messages: [],
  job: null,
  selected: null,
  live: true,
  live_curves: [],
  hub: { text: "", isAsking: false, listing: null, choice: 0, error: null },
  device: "auto",
  precision: "f32",
  device_info: null,
  engine: "starting",
  version: "",
  templates: [],
  presets: {},
  catalog: [],
  samples: [],
  storage: null,
  model: null,
  shared: null,
  shared_fragment: null,
  reproduction: null,
  of_link: false,
  has_earlier: false,
  is_unsaved: false,
};

type Key = keyof State;
type Listener = (changed: ReadonlySet<Key>) => void;

/** The result of a function of the same arguments as the last time. */
function remembering<A extends unknown[], R>(compute: (...from: A) => R): (...from: A) => R {
  let last: { from: A; result: R } | null = null;
  return (...from) => {
    if (!last || from.some((value, index) => value !== last?.from[index])) last = { from, result: compute(...from) };
    return last.result;
  };
}

const setsAtHand = remembering((item_sets: EditedStudy["item_sets"]): PageSet[] =>
  item_sets.filter((set): set is PageSet => set.items !== undefined),
);

const ofStudy = remembering((study: EditedStudy, { undo, redo }: History): OfStudy => ({
  sets: setsAtHand(study.item_sets),
  template: study.template,
  few_shot: study.few_shot ?? null,
  choice_order: study.choice_order?.seed ?? null,
  rule: study.scoring.rule,
  settings: study.attribution,
  percents: study.search.percents,
  mask: study.pruning.mask,
  selection: study.pruning.selection ?? null,
  control_masks: study.control.masks,
  tuning_settings: study.tuning,
  shape: study.model.shape ?? null,
  canUndoItems: canStep(undo, "items"),
  canUndoMask: canStep(undo, "mask"),
  canRedoMask: canStep(redo, "mask"),
}));

/** What is shown of a kind stays the same object for as long as it says the same. */
let shown: Shown | null = null;
const ofResults = remembering((...from: Parameters<typeof shownResults>): Shown => {
  const next = shownResults(...from);
  for (const key of ["scores", "precomputed"] as const) {
    if (shown && isShallowlyEqual(shown[key], next[key])) Object.assign(next, { [key]: shown[key] });
  }
  shown = next;
  return next;
});

function isShallowlyEqual(a: object, b: object): boolean {
  const [one, other] = [Object.entries(a), Object.entries(b)];
  return one.length === other.length && one.every(([key, value], index) => key === other[index]?.[0] && value === other[index]?.[1]);
}

class Store {
  #held: Held = INITIAL;
  #state: State | null = null;
  /** As the listeners were told last. */
  #told: State | null = null;
  #listeners = new Set<Listener>();
  #written = new Set<Key>();
  #scheduled = false;

  get state(): Readonly<State> {
    const { study, history, results, selected } = this.#held;
    return (this.#state ??= { ...this.#held, ...ofStudy(study, history), ...ofResults(study, results, selected) });
  }

  /** Writes; listeners are told once a turn, after all writes of it. */
  set(patch: Partial<Held>): void {
    this.#told ??= this.state;
    this.#held = { ...this.#held, ...patch };
    this.#state = null;
    for (const key of Object.keys(patch) as Key[]) this.#written.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      const { state } = this;
      const changed = this.#written;
      for (const key of Object.keys(state) as Key[]) if (state[key] !== this.#told?.[key]) changed.add(key);
      this.#written = new Set();
      this.#told = null;
      this.#scheduled = false;
      for (const listener of [...this.#listeners]) listener(changed);
    });
  }

  /** Changes the study. */
  edit(patch: Partial<EditedStudy>): void {
    this.set({ study: { ...this.#held.study, ...patch } });
  }

  /** Returns the function that ends the listening. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export const store = new Store();

/** Reported sets that the mask's effect is not known of. */
export function unmeasuredSets({ study, pruned }: Readonly<State>): string[] {
  const measured = new Set(pruned?.sets.map((set) => set.set));
  return reported(study).filter((name) => !measured.has(name));
}
