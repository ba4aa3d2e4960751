// What the buttons do: each calls the engine and puts its answer into the store.

import type { AttributionSettings, MadeOf, Mask, Orders, Progress, Selection } from "../wire/engine";
import { reportedSets, setsOf, tunedSets } from "./edited";
import { engine, type OnProgress } from "./engine";
import { countByRule } from "./items";
import { report, runJob, toError, whenIdle } from "./jobs";
import { neuronCount, setMask, attributionSource } from "./mask";
import { holds, withResult, type Found, type Kind, type Results } from "./results";
import { store, unmeasuredSets, type LiveCurve, type NeuronAddress } from "./store";

/** Rows of the ranked table. */
const RANKED = 200;

/** Models up to this size are measured after every change of the mask without being asked. */
export const LIVE_PARAMETERS = 5_000_000;

/** Takes what the engine found; whether it fits the study by now. */
function put<K extends Kind>(kind: K, stamped: Results[K] & { made_of: MadeOf[] }): boolean {
  const { made_of, ...result } = stamped;
  const found: Found = { kind, result: result as unknown as Results[K], made_of };
  store.set({ results: withResult(store.state.results, found) });
  return holds(found, store.state.study, store.state);
}

export function scoreAll(): Promise<boolean> {
  return runJob("Scoring", async (onProgress) => {
    for (const name of store.state.sets.filter((set) => set.items.length > 0).map((set) => set.name)) {
      // It may have been removed or emptied since.
      if (!hasItems(name)) continue;
      await score(name, onProgress);
    }
  });
}

/** Scores a set; quick where the engine has its scores. */
async function score(set: string, onProgress: OnProgress): Promise<void> {
  const scored = await engine.call("score", [{ set }], onProgress);
  put("scores", scored);
  // The rule was changed meanwhile.
  if (scored.made_of[0]?.rule !== store.state.rule) await countByRule();
}

async function scoreSets(sets: readonly string[], onProgress: OnProgress): Promise<void> {
  for (const set of new Set(sets)) await score(set, onProgress);
}

function hasItems(name: string): boolean {
  return store.state.sets.some((set) => set.name === name && set.items.length > 0);
}

/** A set with its choices in several orders. */
export function measureBias(set: string, orders: Orders): Promise<boolean> {
  return runJob("Position bias", async (onProgress) => {
    put("bias", await engine.call("position_bias", [{ set, orders }], onProgress));
  });
}

/** What is asked of an attribution. */
interface Attributing {
  set: string;
  settings: AttributionSettings;
}

/** The engine's own attribution, as the page's results have it; run again where the engine has none. */
async function ensureAttribution(onProgress: OnProgress): Promise<void> {
  const { attribution } = store.state;
  if (!attribution) return;
  const { set, settings } = attribution;
  if (!(await engine.call("is_attributed", [{ set, settings }]))) await runAttribution({ set, settings }, onProgress);
}

/** Whether it is of what is at hand by now. */
async function runAttribution(asked: Attributing, onProgress: OnProgress): Promise<boolean> {
  return put("attribution", await engine.call("attribute", [asked], onProgress));
}

export function attribute(): Promise<boolean> {
  return runJob("Attribution", async (onProgress) => {
    const { settings, study } = store.state;
    const [set] = setsOf(study, "attribution");
    if (!set) {
      throw {
        code: "no_items",
        message: "no item set has the role attribution",
        hint: "Give one that role in step 2.",
      };
    }
    await score(set, onProgress);
    let isThere = await runAttribution({ set, settings }, onProgress);
    try {
      if (isThere) await rank();
      if (isThere) await selectAgain();
    } catch (thrown) {
      if (toError(thrown).code !== "not_yet") throw thrown;
      isThere = false;
    }
    if (!isThere) {
      store.set({ notice: "The attribution was dropped: something that it rests on was changed while it ran. It comes back with that." });
    }
  });
}

/** The engine's ranking with the spread over items; without one the table shows the scores alone. */
async function rank(): Promise<void> {
  const { mask, attributed } = store.state;
  const result = await engine.call("ranked", [{ top: RANKED, mask }]);
  store.set({ results: withResult(store.state.results, { kind: "ranked", result, made_of: [...(attributed ?? [])] }) });
}

/** A selection is of the attribution at hand: after another one it is taken anew. */
async function selectAgain(): Promise<void> {
  const { selection } = store.state;
  if (selection) await takeSelection(selection);
}

async function takeSelection(selection: Selection): Promise<void> {
  const source = attributionSource(store.state);
  setMask(await engine.call("mask_top", [selection]), selection, source);
}

/** Shows a neuron; what zeroing it does is asked for separately. */
export function select(address: NeuronAddress | null): void {
  store.set({ selected: address });
}

export function measureNeuron(set: string): Promise<boolean> {
  return runJob("Effect of zeroing the neuron", async (onProgress) => {
    const { selected } = store.state;
    if (!selected) return;
    await ensureAttribution(onProgress);
    put("card", await engine.call("neuron", [{ ...selected, set }], onProgress));
  });
}

let wanted: Selection | null = null;
let isWaiting = false;

/** The mask of the top p % of a layer. Of several requests in a row, the last one counts. */
export async function takeTop(selection: Selection): Promise<void> {
  wanted = selection;
  if (store.state.job) {
    // The slider moves on while its last place is measured: it is followed when that has ended.
    if (isWaiting) return;
    isWaiting = true;
    await whenIdle();
    isWaiting = false;
    if (wanted) await takeTop(wanted);
    return;
  }
  const isDone = await runJob("Selecting neurons", async (onProgress) => {
    while (wanted) {
      const now = wanted;
      wanted = null;
      await ensureAttribution(onProgress);
      await takeSelection(now);
    }
  });
  wanted = null;
  if (isDone) await measureIfLive();
}

/** Measures after a change, where that is quick and wanted. */
export async function measureIfLive(): Promise<void> {
  const { live, model, pruned, mask, job, engine: state } = store.state;
  if (job || state !== "ready" || reportedSets(store.state.study).length === 0) return;
  const isCurrent = pruned !== null && unmeasuredSets(store.state).length === 0;
  if (!live || isCurrent || !model || model.info.n_parameters > LIVE_PARAMETERS || neuronCount(mask) === 0) return;
  await measure();
}

let isFollowing = false;

/** Measures the mask after every change, however it was made, and also where it is made while another is measured. */
export function followMask(): void {
  store.listen(async (changed) => {
    if (!changed.has("mask") || isFollowing) return;
    isFollowing = true;
    await whenIdle();
    isFollowing = false;
    await measureIfLive();
  });
}

/** Every reported set before and after the mask. */
export function measure(): Promise<boolean> {
  return runJob("Measuring the mask", async (onProgress) => {
    await measureWith(onProgress);
  });
}

async function measureWith(onProgress: OnProgress): Promise<void> {
  const sets = reportedSets(store.state.study);
  await scoreSets(sets, onProgress);
  put("pruned", await engine.call("prune", [{ mask: store.state.mask, sets }], onProgress));
}

export function runControl(): Promise<boolean> {
  return runJob("Random masks of the same size", async (onProgress) => {
    const {
      control_masks: masks,
      study: { seed },
    } = store.state;
    if (!store.state.pruned || unmeasuredSets(store.state).length > 0) await measureWith(onProgress);
    const { mask, study } = store.state;
    const control = await engine.call("control", [{ mask, sets: reportedSets(study), masks, seed }], onProgress);
    if (!put("control", control)) {
      store.set({ notice: "The control was dropped: something that it rests on was changed while it ran. It comes back with that." });
    }
  });
}

export function runSearch(): Promise<boolean> {
  return runJob("Searching layer × percentage", async (onProgress) => {
    const sets = setsOf(store.state.study, "validation");
    if (sets.length === 0) {
      throw {
        code: "no_items",
        message: "no item set has the role validation",
        hint: "Give one that role in step 2.",
      };
    }
    await scoreSets(sets, onProgress);
    await ensureAttribution(onProgress);
    put("search", await engine.call("search", [{ sets, percents: store.state.percents }], onProgress));
  });
}

/** Time that a cancelled tuning gets to finish its step and return the best state. */
const TUNING_PATIENCE_MS = 1000;

export function tune(): Promise<boolean> {
  const curves: LiveCurve[] = [
    { points: [], validation: [] },
    { points: [], validation: [] },
  ];
  const done = runJob(
    "Tuning",
    async (onProgress) => {
      const setsNow = (): ReturnType<typeof tunedSets> => tunedSets(store.state.study, store.state.attribution);
      await scoreSets(setsNow().test, onProgress);
      const {
        mask,
        tuning_settings: settings,
        study: { seed },
      } = store.state;
      const request = { mask, ...setsNow(), settings, seed, compare: true };
      const follow = (progress: Progress): void => {
        onProgress(progress);
        const { detail } = progress;
        if (!detail) return;
        const curve = curves[detail.curve];
        // Losses come with the evaluations.
        if (typeof detail.loss === "number") curve?.points.push(detail);
        if (detail.validation) {
          curve?.validation.push({
            step: detail.step,
            accuracy: detail.validation,
            loss: detail.validation_loss ?? Number.NaN,
          });
        }
        store.set({ live_curves: [...curves] });
      };
      const { signal } = onProgress;
      const tuning = await engine.call("tune", [request], Object.assign(follow, { signal }));
      if (!put("tuning", { ...tuning, settings, seed })) {
        store.set({ notice: "The tuning was dropped: something that it rests on was changed while it ran. It comes back with that." });
      }
    },
    TUNING_PATIENCE_MS,
  );
  // What is on screen from then on is the result.
  return done.finally(() => store.set({ live_curves: [] }));
}

/** Reads a mask file for the model at hand. */
export async function importMask(text: string): Promise<void> {
  try {
    const { mask, warnings } = await engine.call("import_mask", [text]);
    setMask(mask);
    store.set({ notice: warnings.length > 0 ? `Mask taken. ${warnings.join(" ")}` : "Mask taken.", error: null });
    await measureIfLive();
  } catch (thrown) {
    report(thrown);
  }
}

export async function snippet(mask: Mask, repo?: string): Promise<string> {
  try {
    return await engine.call("python_snippet", [repo ? { mask, repo } : { mask }]);
  } catch (thrown) {
    return `# ${toError(thrown).message}`;
  }
}
