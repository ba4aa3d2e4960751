// What holds a study to account: the race of the methods, the audit of the items, contrasts between them, a plain text under the mask.

import { hasBaseline, hasTarget } from "../format";
import type { AttributionSettings, Mask } from "../wire/engine";
import { apart, put, score, scoreSets, unfitting } from "./actions";
import { contrastSettings, packedContrast, setsOfContrast, type ContrastAsked } from "./contrast";
import { setsOf } from "./edited";
import { engine, type OnProgress } from "./engine";
import { runJob } from "./jobs";
import { store } from "./store";

/** How often a race's items are drawn again. */
const RESAMPLES = 200;

/** Time that a cancelled race gets to end its pass: the engine then goes on from what it has measured. */
const RACE_PATIENCE_MS = 10_000;

/** The study's settings; where they are of another method, Integrated Gradients' own with what they say of the items and the target. */
export function raceSettings(settings: AttributionSettings, integrated: AttributionSettings | undefined): AttributionSettings {
  const { method, positions, confidence_threshold, aggregate, consensus_threshold, site, target, baseline } = settings;
  if (method === "integrated_gradients" || !integrated) return settings;
  const { preset: _, ...start } = integrated;
  const ofItems = { positions, confidence_threshold, aggregate, ...(consensus_threshold === undefined ? {} : { consensus_threshold }) };
  return { ...start, ...ofItems, ...(hasTarget(method) ? { target } : {}), ...(hasBaseline(method) ? { site, baseline } : {}) };
}

/** What of every layer is to be found, and in which layers; in all where none are named. */
export interface RaceAsked {
  percent: number;
  layers?: number[];
}

/** Every method against exact ablation, on the set of the attribution. */
export function runRace(asked: RaceAsked): Promise<boolean> {
  const work = async (onProgress: OnProgress): Promise<void> => {
    const { study } = store.state;
    const [set] = setsOf(study, "attribution");
    if (set === undefined) return;
    await score(set, onProgress);
    const settings = raceSettings(study.attribution, store.state.engine.presets["fast"]);
    const resampling = { resamples: RESAMPLES, seed: study.seed };
    const race = await engine.call("race", [{ set, settings, ...asked, resampling }], onProgress);
    if (!put("race", apart(race))) unfitting("The race");
  };
  return runJob("The race of the methods", work, RACE_PATIENCE_MS);
}

/** What drives the answers to a set beside its questions. */
export function runAudit(set: string): Promise<boolean> {
  return runJob("Audit of the items", async (onProgress) => {
    if (!put("audit", apart(await engine.call("audit", [{ set }], onProgress)))) unfitting("The audit");
  });
}

/** Which neurons drive a set more than what it is held against; shown from then on. */
export function runContrast(asked: ContrastAsked): Promise<boolean> {
  store.view({ contrast: asked });
  return runJob("Contrast of the items", async (onProgress) => {
    const settings = contrastSettings(store.state.study.attribution, asked.against);
    await scoreSets(setsOfContrast(asked), onProgress);
    const { made_of, ...found } = await engine.call("contrast", [{ ...asked, settings }], onProgress);
    if (!put("contrast", { result: packedContrast(found), made_of })) unfitting("The contrast");
  });
}

/** The text that comes with the page, before and after the mask. */
export function measureText(): Promise<boolean> {
  return runJob("A text before and after the mask", async (onProgress) => {
    if (!(await putText(store.state.study.pruning.mask, onProgress))) unfitting("The measurement");
  });
}

/** The text before and after a mask; whether that is of the mask at hand by now. */
export async function putText(mask: Mask, onProgress: OnProgress): Promise<boolean> {
  const { default: text } = await import("../../../models/texts/wonderland.txt?raw");
  return put("general", apart(await engine.call("general_ability", [{ mask, text }], onProgress)));
}
