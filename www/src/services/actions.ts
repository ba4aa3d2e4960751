// What the buttons do: each calls the engine and puts its answer into the store.

import type {
  AttributeRequest,
  MadeOf,
  Mask,
  Orders,
  Progress,
  SearchSpec,
  SecateurError,
  Selection,
  SelectRequest,
  Stamped,
  TopPercent,
} from "../wire/engine";
import { percent, visible } from "../format";
import { accuracyOf } from "../rules";
import { reportedSets, setsOf, tunedSets } from "./edited";
import { engine, type OnProgress } from "./engine";
import { countByRule } from "./items";
import { report, runJob, toError, whenIdle } from "./jobs";
import { attributionSource, neuronCount, selectionAtHand, setMask, type Change } from "./mask";
import { topOf } from "../selections";
import { holds, withResult, type Found, type ItemAddress, type Kind, type NeuronAddress, type Results } from "./results";
import { store, unmeasuredSets, type LiveCurve } from "./store";

/** Rows of the ranked table. */
const RANKED = 200;

/** How often the items are drawn again to see whether a selection holds. */
const RESAMPLES = 200;

/** Models up to this size are measured after every change of the mask without being asked. */
export const LIVE_PARAMETERS = 5_000_000;

const OTHER_ATTRIBUTION: SecateurError = {
  code: "other_attribution",
  message: "the attribution was run again, and does not fit: something that it rests on was changed while it ran",
  hint: "Attribute in step 4, or try again.",
};

/** An answer of the engine, apart from what it was made of. */
export function apart<S extends Stamped<object>>({ made_of, ...result }: S): { result: Omit<S, "made_of">; made_of: MadeOf[] } {
  return { result, made_of };
}

/** Says that a result cannot be shown now. */
export function unfitting(what: string): void {
  store.view({ notice: `${what} was dropped: something that it rests on was changed while it ran. It comes back with that.` });
}

/** Takes what the engine found; whether it fits the study by now. */
export function put<K extends Kind>(kind: K, { result, made_of }: { result: Results[K]; made_of: MadeOf[] }): boolean {
  const found: Found = { kind, result, made_of };
  store.set({ results: withResult(store.state.results, found, store.state.shown.chosen) });
  return holds(found, store.state.study, store.state.shown);
}

export function scoreAll(): Promise<boolean> {
  return runJob("Scoring", async (onProgress) => {
    for (const name of store.state.shown.sets.filter((set) => set.items.length > 0).map((set) => set.name)) {
      // It may have been removed or emptied since.
      if (!hasItems(name)) continue;
      await score(name, onProgress);
    }
  });
}

/** Scores a set; quick where the engine has its scores. */
export async function score(set: string, onProgress: OnProgress): Promise<void> {
  const scored = await engine.call("score", [{ set }], onProgress);
  put("scores", apart(scored));
  // The rule was changed meanwhile.
  if (scored.made_of[0]?.rule !== store.state.study.scoring.rule) await countByRule();
}

export async function scoreSets(sets: readonly string[], onProgress: OnProgress): Promise<void> {
  for (const set of new Set(sets)) await score(set, onProgress);
}

function hasItems(name: string): boolean {
  return store.state.shown.sets.some((set) => set.name === name && set.items.length > 0);
}

/** A set with its choices in several orders. */
export function measureBias(set: string, orders: Orders): Promise<boolean> {
  return runJob("Position bias", async (onProgress) => {
    put("bias", apart(await engine.call("position_bias", [{ set, orders }], onProgress)));
  });
}

/** The engine's own attribution, as the page's results have it; run again where the engine has none. Fails where what it rests on was
 * changed meanwhile: what is asked of it then would be of another one. */
async function ensureAttribution(onProgress: OnProgress): Promise<void> {
  const { attribution } = store.state.shown;
  if (!attribution) return;
  const { set, settings } = attribution;
  const isThere = await engine.call("is_attributed", [{ set, settings }]);
  if (!isThere && !(await runAttribution({ set, settings }, onProgress))) throw OTHER_ATTRIBUTION;
  if (!store.state.shown.ranked) await rank();
}

/** Whether it is of what is at hand by now. */
async function runAttribution(asked: AttributeRequest, onProgress: OnProgress): Promise<boolean> {
  return put("attribution", apart(await engine.call("attribute", [asked], onProgress)));
}

export function attribute(): Promise<boolean> {
  return runJob("Attribution", async (onProgress) => {
    const { study } = store.state;
    const { attribution: settings } = study;
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
      if (isThere) await selectAgain(onProgress);
    } catch (thrown) {
      if (toError(thrown).code !== "not_yet") throw thrown;
      isThere = false;
    }
    if (!isThere) {
      unfitting("The attribution");
    }
  });
}

/** The engine's ranking with the spread over items; without one the table shows the scores alone. */
async function rank(): Promise<void> {
  const { mask } = store.state.study.pruning;
  const { attributed } = store.state.shown;
  const result = await engine.call("ranked", [{ top: RANKED, mask }]);
  store.set({ results: withResult(store.state.results, { kind: "ranked", result, made_of: [...(attributed ?? [])] }) });
}

/** A selection is of the attribution at hand: after another one it is taken anew. */
async function selectAgain(onProgress: OnProgress): Promise<void> {
  const { selection, mask } = store.state.study.pruning;
  if (!selection) return;
  await takeSelection(selection, mask, onProgress);
  await askStability();
}

async function takeSelection(
  selection: Selection,
  { operation, factor, means_of }: Partial<Change>,
  onProgress: OnProgress,
  drag?: object,
): Promise<void> {
  const source = attributionSource(store.state);
  const top = operation === undefined || operation === "zero" ? topOf(selection) : null;
  const request: SelectRequest = {
    selection,
    ...(operation === undefined ? {} : { operation }),
    ...(factor === undefined ? {} : { factor }),
    ...(means_of === undefined ? {} : { means_of }),
  };
  const mask = top ? await engine.call("mask_top", [top]) : await engine.call("mask_of", [request], onProgress);
  setMask(mask, selection, source, drag);
}

/** The mask of a search's cell, as it was tried. */
export async function takeCell(selection: Selection, search: SearchSpec): Promise<void> {
  const top = topOf(selection);
  // By the slider's way, where that gives the same.
  if (top && (search.operation ?? "zero") === "zero" && store.state.study.pruning.mask.operation === "zero") {
    await takeTop(top);
    return;
  }
  await whenIdle();
  const isDone = await runJob("Selecting neurons", async (onProgress) => {
    await ensureAttribution(onProgress);
    const means_of = search.means_of ?? store.state.shown.attribution?.set;
    const doing = search.operation === "mean" && means_of !== undefined ? { ...search, means_of } : search;
    await takeSelection(selection, doing, onProgress);
    await askStability();
  });
  if (isDone) await measureIfLive();
}

/** Whether other items would have selected the same neurons; quick, and nothing where the engine's attribution is another by now. */
async function askStability(): Promise<void> {
  const { shown, study } = store.state;
  const selection = topOf(selectionAtHand(store.state));
  if (!selection || !shown.attributed || shown.stability) return;
  try {
    const resampling = { resamples: RESAMPLES, seed: study.seed };
    const { kept, ...found } = await engine.call("stability", [{ selection, resampling }]);
    put("stability", { result: { ...found, kept: Float32Array.from(kept) }, made_of: [...shown.attributed] });
  } catch (thrown) {
    if (toError(thrown).code !== "not_yet") throw thrown;
  }
}

/** The same of a selection whose attribution the engine may have to run again. */
export function measureStability(): Promise<boolean> {
  return runJob("Drawing the items again", async (onProgress) => {
    await ensureAttribution(onProgress);
    await askStability();
  });
}

/** Shows a neuron; what zeroing it does is asked for separately. */
export function select(address: NeuronAddress | null): void {
  store.view({ selected: address });
}

export function measureNeuron(set: string): Promise<boolean> {
  return runJob("Effect of zeroing the neuron", async (onProgress) => {
    const { selected } = store.state.view;
    if (!selected) return;
    await ensureAttribution(onProgress);
    put("card", apart(await engine.call("neuron", [{ ...selected, set }], onProgress)));
  });
}

/** Where the selected neuron fires on a set's prompts, and what it writes. */
export function drawPortrait(set: string): Promise<boolean> {
  return runJob("What the neuron is about", async (onProgress) => {
    const { selected } = store.state.view;
    if (selected) put("portrait", apart(await engine.call("portrait", [{ ...selected, set }], onProgress)));
  });
}

/** Which words of an item's prompt drive its answer, by the target of the study's attribution. */
export function measureSalience({ set, id }: ItemAddress): Promise<boolean> {
  return runJob("What drives the answer", async (onProgress) => {
    await score(set, onProgress);
    const { attribution: settings } = store.state.study;
    put("salience", apart(await engine.call("salience", [{ set, id, settings }], onProgress)));
  });
}

let wanted: { selection: TopPercent; drag: object | undefined } | null = null;
let isWaiting = false;

/** The mask of the top p % of a layer. Of several requests in a row, the last one counts; those of one drag are undone together. */
export async function takeTop(selection: TopPercent, drag?: object): Promise<void> {
  wanted = { selection, drag };
  if (store.state.view.job) {
    // The slider moves on while its last place is measured: it is followed when that has ended.
    if (isWaiting) return;
    isWaiting = true;
    await whenIdle();
    isWaiting = false;
    if (wanted) await takeTop(wanted.selection, wanted.drag);
    return;
  }
  const isDone = await runJob("Selecting neurons", async (onProgress) => {
    while (wanted) {
      const now = wanted;
      wanted = null;
      await ensureAttribution(onProgress);
      // As the mask at hand changes its own.
      await takeSelection(now.selection, store.state.study.pruning.mask, onProgress, now.drag);
    }
    await askStability();
  });
  wanted = null;
  if (isDone) await measureIfLive();
}

/** Measures after a change, where that is quick and wanted. */
export async function measureIfLive(): Promise<void> {
  const { study, view, shown } = store.state;
  const { model, status } = store.state.engine;
  if (view.job || status !== "ready" || reportedSets(study).length === 0) return;
  const isCurrent = shown.pruned !== null && unmeasuredSets(store.state).length === 0;
  if (!view.live || isCurrent || !model || model.info.n_parameters > LIVE_PARAMETERS || neuronCount(study.pruning.mask) === 0) return;
  await measure();
}

let isFollowing = false;

/** Measures the mask after every change, however it was made, and also where it is made while another is measured. */
export function followMask(): void {
  let { mask: before } = store.state.study.pruning;
  store.listen(async () => {
    const { mask } = store.state.study.pruning;
    const isOther = mask !== before;
    before = mask;
    if (!isOther || isFollowing) return;
    isFollowing = true;
    await whenIdle();
    isFollowing = false;
    await measureIfLive();
  });
}

/** Every reported set before and after the mask. */
export function measure(): Promise<boolean> {
  const news = (): string => {
    const { study, shown } = store.state;
    const sets = shown.pruned?.sets ?? [];
    return sets
      .map(
        ({ set, before, after }) => `${visible(set)}: ${percent(before.value)} → ${percent(accuracyOf(after, study.scoring.rule).value)}`,
      )
      .join(", ");
  };
  return runJob("Measuring the mask", measureWith, undefined, news);
}

async function measureWith(onProgress: OnProgress): Promise<void> {
  const sets = reportedSets(store.state.study);
  await scoreSets(sets, onProgress);
  await measureOn(sets, store.state.study.pruning.mask, onProgress);
}

/** Scored sets before and after a mask. */
export async function measureOn(sets: string[], mask: Mask, onProgress: OnProgress): Promise<void> {
  put("pruned", apart(await engine.call("prune", [{ mask, sets }], onProgress)));
}

export function runControl(): Promise<boolean> {
  return runJob("Random masks of the same size", async (onProgress) => {
    const {
      control: { masks },
      seed,
    } = store.state.study;
    if (!store.state.shown.pruned || unmeasuredSets(store.state).length > 0) await measureWith(onProgress);
    const { study } = store.state;
    const { mask } = study.pruning;
    const control = await engine.call("control", [{ mask, sets: reportedSets(study), masks, seed }], onProgress);
    if (!put("control", apart(control))) {
      unfitting("The control");
    }
  });
}

export function runSearch(): Promise<boolean> {
  return runJob("Searching", async (onProgress) => {
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
    put("search", apart(await engine.call("search", [{ sets, ...store.state.study.search }], onProgress)));
  });
}

/** Time that a cancelled tuning gets to finish its step and return the best state: one of a larger model takes seconds. */
const TUNING_PATIENCE_MS = 10_000;

export function tune(): Promise<boolean> {
  const curves: LiveCurve[] = [
    { points: [], validation: [] },
    { points: [], validation: [] },
  ];
  const done = runJob(
    "Tuning",
    async (onProgress) => {
      const setsNow = (): ReturnType<typeof tunedSets> => tunedSets(store.state.study, store.state.shown.attribution);
      await scoreSets(setsNow().test, onProgress);
      const {
        pruning: { mask },
        tuning: settings,
        seed,
      } = store.state.study;
      const request = { mask, ...setsNow(), settings, seed, compare: true };
      const follow = (progress: Progress): void => {
        onProgress(progress);
        const { detail } = progress;
        if (!detail || !("curve" in detail)) return;
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
        store.view({ live_curves: [...curves] });
      };
      const { signal } = onProgress;
      const tuning = await engine.call("tune", [request], Object.assign(follow, { signal }));
      if (!put("tuning", apart({ ...tuning, settings, seed }))) {
        unfitting("The tuning");
      }
    },
    TUNING_PATIENCE_MS,
  );
  // What is on screen from then on is the result.
  return done.finally(() => store.view({ live_curves: [] }));
}

/** Reads a mask file for the model at hand. */
export async function importMask(text: string): Promise<void> {
  try {
    const { mask, warnings } = await engine.call("import_mask", [text]);
    setMask(mask);
    store.view({ notice: warnings.length > 0 ? `Mask taken. ${warnings.join(" ")}` : "Mask taken.", error: null });
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
