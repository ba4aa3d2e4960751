// Item sets that are renamed and undone: what names them follows, and what the engine does not know of is sent.

import { afterEach, expect, test, vi } from "vitest";
import { addSet, renameSet, undoItems } from "../../www/src/services/items";
import { redoMask, setMask, undoMask } from "../../www/src/services/mask";
import { store } from "../../www/src/services/store";
import { reportDocument } from "../../www/src/services/study";
import type { ItemsRequest, Mask, Report } from "../../www/src/wire/engine";
import lesson from "../../models/lesson-planted/report.json";
import { attribution, items, mask, pruned, search, study } from "./studies";
import { answer, drawn } from "./support";

const REPORT = lesson as unknown as Report;

afterEach(() => vi.restoreAllMocks());

/** A mask of means over a set. */
function means(means_of: string, ...neurons: number[]): Mask {
  return { operation: "mean", means_of, site: "post", layers: [{ layer: 0, neurons, means: neurons.map(() => 0.5) }] };
}

test("masks of means follow a set that is renamed, kept ones and those that can be had back among them", () => {
  const model = { id: "m", sha256: "model" };
  const kept_masks = [
    { name: "of a", model, mask: means("a", 3) },
    { name: "of t", model, mask: means("t", 3) },
    { name: "zero", model, mask: mask(3) },
  ];
  store.set({ study: study({ kept_masks }) });
  setMask(means("a", 1));
  setMask(means("a", 1, 2));
  setMask(mask(1));
  undoMask();
  const over = (): (string | undefined)[] =>
    [store.state.study.pruning.mask, ...store.state.study.kept_masks.map((kept) => kept.mask)].map((of) => of.means_of);
  expect(over()).toEqual(["a", "a", "t", undefined]);
  renameSet("a", "cues");
  expect(over()).toEqual(["cues", "cues", "t", undefined]);
  undoMask();
  expect(store.state.study.pruning.mask).toEqual(means("cues", 1));
  redoMask();
  redoMask();
  expect(store.state.study.pruning.mask).toEqual(mask(1));
  undoMask();
  undoItems();
  expect(over()).toEqual(["a", "a", "t", undefined]);
  undoMask();
  expect(store.state.study.pruning.mask).toEqual(means("a", 1));
});

test("a report's measurement of a mask of means names the set as it is called now", () => {
  store.set({ study: study({ pruning: { mask: means("a", 1) } }), results: [pruned(means("a", 1), "t")] });
  store.engine({ model: { info: REPORT.model, name: "" }, device_info: REPORT.engine.device });
  renameSet("a", "cues");
  expect(reportDocument(store.state)?.pruned?.mask).toEqual(means("cues", 1));
});

test("a name that another set has is refused with the reason", () => {
  store.set({ study: study() });
  expect(renameSet("a", "t")).toBe("Another set is called “t”.");
  expect(renameSet("a", "constructor")).toBeNull();
  expect(renameSet("constructor", "a")).toBeNull();
  expect(renameSet("a", " cues ")).toBeNull();
  expect(store.state.study.item_sets[0]?.name).toBe("cues");
});

test("a search of means follows a set that is renamed, as it is set and as it was run", () => {
  const spec = { percents: [5], operation: "mean" as const, means_of: "a" };
  const found = search();
  store.set({ study: study({ search: spec }), results: [attribution(), { ...found, result: { ...found.result, spec } }] });
  renameSet("a", "cues");
  expect(store.state.study.search.means_of).toBe("cues");
  expect(store.state.shown.search?.spec?.means_of).toBe("cues");
});

test("a mask of no means stays the very same when a set is renamed", () => {
  const pruning = { mask: mask(1) };
  store.set({ study: study({ pruning }) });
  renameSet("a", "cues");
  expect(store.state.study.pruning).toBe(pruning);
});

test("a set that comes back as it was before its hash was known gets it again", async () => {
  store.set({ study: study() });
  const sent: string[] = [];
  answer((method, request: ItemsRequest) => {
    if (method === "set_items") sent.push(request.name);
    return { sha256: `hash of ${request.name}` };
  });
  const hash = (): string | undefined => store.state.study.item_sets.find(({ name }) => name === "new")?.sha256;
  addSet("new", items(3));
  expect(hash()).toBe("");
  // The engine has not answered yet: without its hash the set is what an undo brings back.
  addSet("further", items(4));
  await drawn();
  expect(hash()).toBe("hash of new");
  undoItems();
  await drawn();
  expect([hash(), sent]).toEqual(["hash of new", ["new", "further", "new"]]);
});
