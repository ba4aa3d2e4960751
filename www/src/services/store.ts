// What the page holds: one study with its history, what was found of it, the engine, and what is on screen; what follows from
// that; and who is told when it changes. Views read it; services write.

import type { CatalogEntry, SampleSet } from "../site";
import type {
  AttributionSettings,
  DeviceInfo,
  ModelInfo,
  Precision,
  Reproduction,
  SecateurError,
  SharedStudy,
  Template,
  TuneDetail,
  Validation,
} from "../wire/engine";
import type { HubListing } from "../worker/plan";
import type { DeviceChoice, ModelSource, StorageInfo } from "../worker/protocol";
import { EMPTY_STUDY, reportedSets as reported, type EditedStudy, type PageSet } from "./edited";
import type { LiveEffects } from "./harm";
import { NO_HISTORY, type History } from "./history";
import { keptResults, NOTHING, shownResults, type Found, type LookedAt, type Shown } from "./results";

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
  /** Ends the asking; null where none is under way. */
  cancel: (() => void) | null;
  listing: HubListing | null;
  /** Index of the choice that is taken. */
  choice: number;
  error: SecateurError | null;
}

/** What stays on screen until it is read. */
export interface Message extends SecateurError {
  kind: "error" | "notice";
}

/** The engine and what it has. */
export interface EngineState {
  status: "starting" | "ready" | "failed";
  version: string;
  /** Where it is to compute, and where it does. */
  device: DeviceChoice;
  device_info: DeviceInfo | null;
  precision: Precision;
  templates: Template[];
  presets: Record<string, AttributionSettings>;
  catalog: CatalogEntry[];
  samples: SampleSet[];
  storage: StorageInfo | null;
  model: Model | null;
}

/** What is on screen beside the study and its results. */
export interface ViewState extends LookedAt {
  step: Step;
  /** Name of the set that is looked at in the steps of items and scores, if it is there. */
  open_set: string | null;
  /** Whether a small model's mask is measured after every change. */
  live: boolean;
  /** The next job takes its place. */
  error: SecateurError | null;
  /** What the last job came to, for those who do not see it. */
  news: string;
  /** The next notice takes its place. */
  notice: string | null;
  messages: readonly Message[];
  job: Job | null;
  live_curves: LiveCurve[];
  live_effects: LiveEffects | null;
  hub: HubLookup;
  /** The study of a link, opened and perhaps not run. */
  shared: SharedStudy | null;
  shared_fragment: string | null;
  reproduction: Reproduction | null;
  /** Whether the study came by a link and its items are as they came. */
  of_link: boolean;
  has_earlier: boolean;
  /** A change is not written to the browser's storage yet. */
  is_unsaved: boolean;
}

/** What is held; all else that the page shows follows from it. */
export interface Held {
  study: EditedStudy;
  /** Of the study. */
  history: History;
  /** Everything that was found, the latest first, whether it fits the study or not. */
  results: readonly Found[];
  engine: EngineState;
  view: ViewState;
}

/** What follows from what is held: the results that fit the study, and its sets whose items are at hand. Nobody writes it. */
export interface Derived extends Shown {
  sets: PageSet[];
}

export type State = Readonly<Held & { shown: Derived }>;

export interface LiveCurve {
  points: TuneDetail[];
  validation: Validation[];
}

export const INITIAL: Held = {
  study: EMPTY_STUDY,
  history: NO_HISTORY,
  results: [],
  engine: {
    status: "starting",
    version: "",
    device: "auto",
    device_info: null,
    precision: "f32",
    templates: [],
    presets: {},
    catalog: [],
    samples: [],
    storage: null,
    model: null,
  },
  view: {
    ...NOTHING,
    step: "start",
    open_set: null,
    live: true,
    error: null,
    notice: null,
    news: "",
    messages: [],
    job: null,
    live_curves: [],
    live_effects: null,
    hub: { text: "", cancel: null, listing: null, choice: 0, error: null },
    shared: null,
    shared_fragment: null,
    reproduction: null,
    of_link: false,
    has_earlier: false,
    is_unsaved: false,
  },
};

type Listener = () => void;

/** The result of a function of the same arguments as the last time. */
export function remembering<A extends unknown[], R>(compute: (...from: A) => R): (...from: A) => R {
  let last: { from: A; result: R } | null = null;
  return (...from) => {
    if (!last || from.some((value, index) => value !== last?.from[index])) last = { from, result: compute(...from) };
    return last.result;
  };
}

const ofKept = remembering(keptResults);

const setsAtHand = remembering((item_sets: EditedStudy["item_sets"]): PageSet[] =>
  item_sets.filter((set): set is PageSet => set.items !== undefined),
);

/** What is shown of a kind stays the same object for as long as it says the same. */
let shown: Derived | null = null;
type Looked = [LookedAt["selected"], LookedAt["item"], LookedAt["contrast"]];
const derived = remembering((study: EditedStudy, results: readonly Found[], ...[selected, item, contrast]: Looked): Derived => {
  const next: Derived = {
    ...shownResults(study, results, { selected, item, contrast }, ofKept(study, results)),
    sets: setsAtHand(study.item_sets),
  };
  for (const key of ["scores", "effects", "precomputed"] as const) {
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
  #listeners = new Set<Listener>();
  #isScheduled = false;

  get state(): State {
    const { study, results, view } = this.#held;
    return (this.#state ??= { ...this.#held, shown: derived(study, results, view.selected, view.item, view.contrast) });
  }

  /** Writes; listeners are told once a turn, after all writes of it. */
  set(patch: Partial<Held>): void {
    this.#held = { ...this.#held, ...patch };
    this.#state = null;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Changes the study. */
  edit(patch: Partial<EditedStudy>): void {
    this.set({ study: { ...this.#held.study, ...patch } });
  }

  /** Changes what is known of the engine. */
  engine(patch: Partial<EngineState>): void {
    this.set({ engine: { ...this.#held.engine, ...patch } });
  }

  /** Changes what is on screen. */
  view(patch: Partial<ViewState>): void {
    this.set({ view: { ...this.#held.view, ...patch } });
  }

  /** Returns the function that ends the listening. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export const store = new Store();

/** Reported sets that the mask's effect is not known of. */
export function unmeasuredSets({ study, shown }: State): string[] {
  const measured = new Set(shown.pruned?.sets.map((set) => set.set));
  return reported(study).filter((name) => !measured.has(name));
}
