// What the buttons do: each calls the engine and puts its answer into the store.

import type { Mask, Orders, Progress, Selection, SetScores } from "../types";
import { engine, type OnProgress } from "./engine";
import { report, runJob, toError, whenIdle } from "./jobs";
import { neuronCount, sameMask, setMask } from "./mask";
import { reportedSets, setsOf, store, unmeasuredSets, type LiveCurve, type NeuronAddress } from "./store";

/** Rows of the ranked table. */
const RANKED = 200;

/** Models up to this size are measured after every change of the mask without being asked. */
export const LIVE_PARAMETERS = 5_000_000;

/** The engine forgets its attribution with its worker; the page remembers whether it has to be made anew. */
let engineHasAttribution = false;
export function attributionIsGone(): void {
  engineHasAttribution = false;
}
export function attributionIsThere(): void {
  engineHasAttribution = true;
}

export function scoreAll(): Promise<boolean> {
  return runJob("Scoring", async (onProgress) => {
    for (const name of store.state.sets.filter((set) => set.items.length > 0).map((set) => set.name)) {
      // It may have been removed or emptied since.
      if (!hasItems(name)) continue;
      const scored = await engine.call("score", [{ set: name }], onProgress);
      takeScores(scored);
      store.set({ precomputed: false });
    }
  });
}

function takeScores(scored: SetScores): void {
  const { [scored.set]: _, ...shelved } = store.state.shelved;
  store.set({ scores: { ...store.state.scores, [scored.set]: scored }, shelved });
}

function hasItems(name: string): boolean {
  return store.state.sets.some((set) => set.name === name && set.items.length > 0);
}

/** A set with its choices in several orders. */
export function measureBias(set: string, orders: Orders): Promise<boolean> {
  return runJob("Position bias", async (onProgress) => {
    store.set({ bias: await engine.call("position_bias", [{ set, orders }], onProgress) });
  });
}

/** The engine's own attribution, as the page's results have it; run again where the engine has none. */
async function ensureAttribution(onProgress: OnProgress): Promise<void> {
  const { attribution } = store.state;
  if (engineHasAttribution || !attribution) return;
  const { set, settings } = attribution;
  const found = await engine.call("attribute", [{ set, settings }], onProgress);
  engineHasAttribution = true;
  store.set({ attribution: found });
}

export function attribute(): Promise<boolean> {
  return runJob("Attribution", async (onProgress) => {
    const { settings } = store.state;
    const [set] = setsOf(store.state, "attribution");
    if (!set) {
      throw {
        code: "no_items", message: "no item set has the role attribution", hint: "Give one that role in step 2.",
      };
    }
    const scored = await engine.call("score", [{ set }], onProgress);
    takeScores(scored);
    const found = await engine.call("attribute", [{ set, settings }], onProgress);
    engineHasAttribution = true;
    if (!hasItems(set)) return;
    store.set({ attribution: found, card: null, search: null, precomputed: false });
    try {
      await rank();
    } catch (thrown) {
      if (toError(thrown).code !== "not_yet") throw thrown;
      store.set({ attribution: null, notice: "The attribution was dropped: a setting that it rests on was changed while it ran." });
    }
  });
}

/** The engine's ranking with the spread over items; without one the table shows the scores alone. */
async function rank(): Promise<void> {
  const { mask } = store.state;
  store.set({ ranked: await engine.call("ranked", [{ top: RANKED, mask }]) });
}

/** Shows a neuron; what zeroing it does is asked for separately. */
export function select(address: NeuronAddress | null): void {
  const { card } = store.state;
  const same = card && address && card.layer === address.layer && card.neuron === address.neuron;
  store.set({ selected: address, card: same ? card : null });
}

export function measureNeuron(set: string): Promise<boolean> {
  return runJob("Effect of zeroing the neuron", async (onProgress) => {
    const { selected } = store.state;
    if (!selected) return;
    await ensureAttribution(onProgress);
    const card = await engine.call("neuron", [{ ...selected, set }], onProgress);
    const now = store.state.selected;
    if (now?.layer === selected.layer && now.neuron === selected.neuron) store.set({ card });
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
      setMask(await engine.call("mask_top", [now]), now);
    }
  });
  wanted = null;
  if (isDone) await measureIfLive();
}

/** Measures after a change, where that is quick and wanted. */
export async function measureIfLive(): Promise<void> {
  const { live, model, pruned, mask, job, engine: state } = store.state;
  if (job || state !== "ready" || reportedSets(store.state).length === 0) return;
  const isCurrent = pruned !== null && sameMask(pruned.mask, mask) && unmeasuredSets(store.state).length === 0;
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
  const sets = reportedSets(store.state);
  const { mask } = store.state;
  for (const set of sets) {
    const scored = await engine.call("score", [{ set }], onProgress);
    takeScores(scored);
  }
  const pruned = await engine.call("prune", [{ mask, sets }], onProgress);
  if (sameMask(store.state.mask, mask)) store.set({ pruned, precomputed: false });
}

export function runControl(): Promise<boolean> {
  return runJob("Random masks of the same size", async (onProgress) => {
    const { mask, control_masks: masks, seed } = store.state;
    const sets = reportedSets(store.state);
    if (!store.state.pruned || unmeasuredSets(store.state).length > 0) await measureWith(onProgress);
    const { pruned } = store.state;
    const control = await engine.call("control", [{ mask, sets, masks, seed }], onProgress);
    // The mask may have been changed and changed back: its measurement belongs beside its control.
    if (sameMask(store.state.mask, mask)) store.set({ pruned, control });
    else store.set({ notice: "The control was dropped: the mask was changed while it ran." });
  });
}

export function runSearch(): Promise<boolean> {
  return runJob("Searching layer × percentage", async (onProgress) => {
    const sets = setsOf(store.state, "validation");
    if (sets.length === 0) {
      throw {
        code: "no_items", message: "no item set has the role validation", hint: "Give one that role in step 2.",
      };
    }
    await ensureAttribution(onProgress);
    const search = await engine.call("search", [{ sets, percents: store.state.percents }], onProgress);
    store.set({ search });
  });
}

/** Time that a cancelled tuning gets to finish its step and return the best state. */
const TUNING_PATIENCE_MS = 1000;

export function tune(): Promise<boolean> {
  const curves: LiveCurve[] = [{ points: [], validation: [] }, { points: [], validation: [] }];
  return runJob("Tuning", async (onProgress) => {
    const { mask, tuning_settings: settings, seed } = store.state;
    const train = setsOf(store.state, "attribution");
    const validation = setsOf(store.state, "validation");
    const all = store.state.sets.filter((set) => set.items.length > 0).map((set) => set.name);
    store.set({ live_curves: [], tuning: null });
    const request = {
      mask,
      // As the command line does it: without a role, every set serves.
      train: train.length > 0 ? train : all,
      validation: validation.length > 0 ? validation : all,
      test: reportedSets(store.state),
      settings,
      seed,
      compare: true,
    };
    const follow = (progress: Progress): void => {
      onProgress(progress);
      const { detail } = progress;
      if (!detail) return;
      const curve = curves[detail.curve];
      curve?.points.push(detail);
      if (detail.validation) {
        curve?.validation.push({
          step: detail.step, accuracy: detail.validation, loss: detail.validation_loss ?? Number.NaN,
        });
      }
      store.set({ live_curves: [...curves] });
    };
    const { signal } = onProgress;
    const tuning = await engine.call("tune", [request], Object.assign(follow, { signal }));
    store.set({ tuning, tuned_with: settings });
  }, TUNING_PATIENCE_MS);
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
