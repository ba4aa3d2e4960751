// Studies that earlier visits left, links and reports are opened as the study that the page edits, and written as they were.

import { expect, test } from "vitest";
import { canStep } from "../../www/src/services/history";
import { isLessonAsItCame } from "../../www/src/services/models";
import { withResult, type Found } from "../../www/src/services/results";
import { bring, readable, snapshot } from "../../www/src/services/saved";
import { INITIAL, store } from "../../www/src/services/store";
import { editedStudy, foundIn, reportDocument, showReport, study as documentOf, wholeStudy } from "../../www/src/services/study";
import type { FirstVersion } from "../../www/src/services/saved-v1";
import type { CatalogEntry } from "../../www/src/site";
import type { Report } from "../../www/src/wire/engine";
import catalog from "../../models/catalog.json";
import lesson from "../../models/lesson-planted/report.json";
import { attribution, auditOf, items, mask, pruned, race, scores, search, SETTINGS, study } from "./studies";

const REPORT = lesson as unknown as Report;

/** As a visit of the first version kept a study: with its results beside it. */
function first(patch: Partial<FirstVersion> = {}): FirstVersion {
  const set = (name: string, role: "attribution" | "validation" | "test") => ({
    name,
    roles: [role],
    items: items(2),
    sha256: name.toUpperCase(),
  });
  const under = pruned(mask(1), "t").result;
  return {
    saved_version: 1,
    step: "pruning",
    selected: { layer: 0, neuron: 1 },
    card: null,
    ranked: null,
    model: null,
    made_with: { sha256: "model", precision: "int8" },
    shape: { n_layers: 2, d_mlp: 4 },
    precision: "int8",
    sets: [set("a", "attribution"), { ...set("v", "validation"), sample: { name: "sample", first: 1, count: 2 } }, set("t", "test")],
    template: "plain@1",
    few_shot: { k: 1, seed: 2, set: "t" },
    choice_order: 3,
    rule: "per_byte",
    wanted: {},
    seed: 4,
    scores: { t: scores("t").result },
    bias: null,
    settings: { ...SETTINGS, steps: 2 },
    attribution: attribution().result,
    mask: mask(1),
    selection: { layer: 0, percent: 25 },
    selection_source: { set: "a", settings: attribution().result.settings },
    undo: [{ mask: mask(2) }],
    redo: [],
    live: false,
    pruned: under,
    control_masks: 7,
    control: null,
    percents: [5],
    search: search().result,
    tuning_settings: study().tuning,
    tuning: null,
    precomputed: ["pruned"],
    of_link: false,
    ...patch,
  };
}

function open(saved: unknown): void {
  const read = readable(saved);
  if (!read) throw new Error("it cannot be read");
  store.set(INITIAL);
  bring(read);
}

test("a study of the first version is opened with its results, its mask and the way back", () => {
  open(first());
  const { state } = store;
  const { study: edited, history, view, shown } = state;
  expect(edited).toMatchObject({
    model: { sha256: "model", precision: "int8" },
    template: "plain@1",
    few_shot: { k: 1, seed: 2, set: "t" },
    choice_order: { seed: 3 },
    scoring: { rule: "per_byte" },
    seed: 4,
    control: { masks: 7 },
    search: { percents: [5] },
  });
  expect(shown.sets[1]).toMatchObject({ name: "v", sample: "sample", first: 1, count: 2 });
  expect([shown.scores["t"], shown.attribution, shown.search, shown.pruned].filter((found) => found)).toHaveLength(4);
  expect(shown.precomputed).toEqual(["pruned"]);
  expect([canStep(history.undo, "mask"), canStep(history.redo, "mask"), view.live, view.step]).toEqual([true, false, false, "pruning"]);
  // The selection is of the attribution at hand, and what is written says so; the form's settings were not run.
  expect(documentOf(state).pruning?.selection).toEqual({ layer: 0, percent: 25 });
  expect(documentOf(state).attribution?.steps).toBe(8);
  expect(edited.attribution.steps).toBe(2);
});

test("a change that the engine had no time to take is made, and takes its results along", () => {
  open(first({ wanted: { template: "lettered@1", few_shot: null } }));
  expect(store.state.study.template).toBe("lettered@1");
  expect(store.state.study.few_shot).toBeUndefined();
  expect(store.state.shown.scores).toEqual({});
  store.edit({ template: "plain@1", few_shot: { k: 1, seed: 2, set: "t" } });
  expect(Object.keys(store.state.shown.scores)).toEqual(["t"]);
});

test("a selection of another attribution than the one at hand stays one", () => {
  open(first({ selection_source: { set: "a", settings: { ...SETTINGS, steps: 99 } } }));
  expect(store.state.study.pruning.source?.settings.steps).toBe(99);
  expect(documentOf(store.state).pruning?.selection).toBeUndefined();
});

test("the earliest visits kept less", () => {
  const {
    made_with: _,
    wanted: __,
    few_shot: ___,
    choice_order: ____,
    precomputed: _____,
    bias: ______,
    ...less
  } = first({ tuning: null });
  open(less);
  expect(store.state.shown.scores["t"]).toBeDefined();
  expect(store.state.study.choice_order).toBeUndefined();
});

test("a study is kept and opened as it is, results that do not fit it now included", () => {
  open(first());
  store.edit({ template: "lettered@1" });
  const saved = structuredClone(snapshot());
  store.set(INITIAL);
  open(saved);
  expect(store.state.shown.attribution).toBeNull();
  store.edit({ template: "plain@1" });
  expect(store.state.shown.attribution?.scores).toBeInstanceOf(Float32Array);
  expect(store.state.shown.pruned).not.toBeNull();
});

test("a kept study is one flat record, and each of its fields is where the page holds it", () => {
  const selected = { layer: 1, neuron: 2 };
  const record = {
    saved_version: 2,
    study: study({ seed: 9 }),
    history: { undo: [{ of: "mask", pruning: { mask: mask(3) } }], redo: [] },
    results: [scores("t")],
    of_link: true,
    live: false,
    model: null,
    precision: "f16",
    step: "tuning",
    selected,
  };
  open(structuredClone(record));
  const { state } = store;
  expect(state.study.seed).toBe(9);
  expect(canStep(state.history.undo, "mask")).toBe(true);
  expect(state.shown.scores["t"]).toBeDefined();
  expect(state.engine).toEqual({ ...INITIAL.engine, precision: "f16" });
  expect(state.view).toEqual({ ...INITIAL.view, of_link: true, live: false, step: "tuning", selected });
  expect(snapshot()).toEqual(record);
});

test("records of no or of an unknown version are left alone", () => {
  for (const record of [undefined, null, {}, { saved_version: 3 }]) expect(readable(record)).toBeNull();
});

test("a report is written as it was read", () => {
  showReport(REPORT, true);
  store.engine({
    model: { info: REPORT.model, name: REPORT.study.model.name ?? "" },
    device_info: REPORT.engine.device,
    version: REPORT.engine.version,
  });
  const { state } = store;
  expect(state.shown.precomputed).toEqual(expect.arrayContaining(["scores", "attribution", "search", "pruned", "control"]));
  const { seconds: _, attribution: found, study: written, ...rest } = reportDocument(state) as Report;
  const { seconds: __, attribution: expected, study: read, ...others } = REPORT;
  expect(rest).toEqual({ ...others, engine: { ...others.engine, precision: "f32" } });
  expect(found?.scores.map((layer) => layer.map(Math.fround))).toEqual(expected?.scores.map((layer) => layer.map(Math.fround)));
  expect(written).toEqual(read);
});

test("random masks beside the cells of a search stand in study and report, and are read from there", () => {
  const luck = { seed: 7, correct: Array.from({ length: REPORT.search?.cells.length ?? 0 }, () => [1, 2, 3]), best: [4, 5, 6] };
  const report: Report = {
    ...REPORT,
    study: { ...REPORT.study, search: { percents: REPORT.study.search?.percents ?? [], control: { masks: 3, seed: 7 } } },
    ...(REPORT.search ? { search: { ...REPORT.search, luck } } : {}),
  };
  showReport(report);
  expect(store.state.study.search.control).toEqual({ masks: 3, seed: 7 });
  expect(documentOf(store.state).search).toEqual(report.study.search);
  // As everything of the form, they are no part of a document before they are run.
  store.edit({ search: { percents: [5] } });
  expect(documentOf(store.state).search).toEqual(report.study.search);
  store.edit({ search: { percents: [5], control: { masks: 9, seed: 1 } } });
  const saved = structuredClone(snapshot());
  store.set(INITIAL);
  open(saved);
  expect(store.state.study.search.control).toEqual({ masks: 9, seed: 1 });
});

test("what was asked beside stands in report and study, comes back from there, and is no part of a link", () => {
  const made = race({ set: "neutral", layers: [1], percent: 10 }).result;
  const audit = auditOf("shifted");
  // Integrated Gradients' settings are those that were chosen; the race's own are those of the ablation.
  const asked = { set: "neutral", settings: SETTINGS, layers: [1], percent: 10, resampling: { resamples: 200, seed: 0 } };
  const report: Report = { ...REPORT, study: { ...REPORT.study, audit: { set: "shifted" }, race: asked }, audit, race: made };
  showReport(report);
  store.engine({ model: { info: REPORT.model, name: "" }, device_info: REPORT.engine.device });
  expect([store.state.shown.audit, store.state.shown.race]).toEqual([audit, made]);
  const written = reportDocument(store.state) as Report;
  expect([written.audit, written.race, written.effects]).toEqual([audit, made, undefined]);
  expect(wholeStudy(store.state)).toMatchObject({ audit: { set: "shifted" }, race: asked });
  showReport({ ...report, race: { ...made, methods: made.methods.slice(1) } });
  expect(wholeStudy(store.state).race?.settings).toEqual(made.settings);
  expect(documentOf(store.state)).not.toHaveProperty("race");
  expect(documentOf(store.state)).not.toHaveProperty("audit");
});

test("another study is looked at anew, and the lesson in which something was measured is no more as it came", () => {
  store.view({ contrast: { set: "attribution", against: { kind: "set", set: "neutral" } }, item: { set: "shifted", id: "0" } });
  showReport(REPORT, true);
  store.engine({ catalog: catalog as unknown as CatalogEntry[] });
  expect(store.state.view).toMatchObject({ contrast: null, item: null, selected: null });
  expect(isLessonAsItCame(store.state)).toBe(true);
  const scores = store.state.results.find(({ kind }) => kind === "scores");
  const audit: Found<"audit"> = { kind: "audit", result: auditOf("shifted"), made_of: scores?.made_of ?? [] };
  store.set({ results: withResult(store.state.results, audit) });
  expect(store.state.shown.audit).not.toBeNull();
  expect(isLessonAsItCame(store.state)).toBe(false);
});

test("a study's parts that were not run are not written", () => {
  const edited = editedStudy(REPORT);
  const found = foundIn(REPORT, edited).filter(({ kind }) => kind === "scores");
  store.set({ ...INITIAL, study: edited, results: found });
  const { attribution, search, control, tuning, pruning } = documentOf(store.state);
  expect([attribution, search, control, tuning]).toEqual([undefined, undefined, undefined, undefined]);
  // Nothing is selected from an attribution that is not there.
  expect(pruning).toEqual({ mask: edited.pruning.mask });
});
