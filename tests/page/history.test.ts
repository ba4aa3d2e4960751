// What was changed comes back, the items and the mask each for itself.

import { expect, test } from "vitest";
import { canStep, NO_HISTORY, remembered, step } from "../../www/src/services/history";
import { mask, study } from "./studies";

test("items and mask are undone each for itself, and only what was taken back is redone", () => {
  const first = study();
  let history = remembered(NO_HISTORY, first, "mask");
  const second = { ...first, pruning: { mask: mask(1) } };
  history = remembered(history, second, "items");
  const third = { ...second, item_sets: second.item_sets.slice(1) };
  expect([canStep(history.undo, "mask"), canStep(history.redo, "mask")]).toEqual([true, false]);

  const undone = step(history, "undo", third, "mask");
  expect(undone?.change).toEqual({ of: "mask", pruning: first.pruning });
  expect(undone?.history.undo.map(({ of }) => of)).toEqual(["items"]);
  const fourth = { ...third, pruning: first.pruning };
  const redone = undone && step(undone.history, "redo", fourth, "mask");
  expect(redone?.change).toEqual({ of: "mask", pruning: second.pruning });

  const items = step(history, "undo", third, "items");
  expect(items?.change).toEqual({ of: "items", item_sets: second.item_sets });
  expect(items && step(items.history, "undo", second, "items")).toBeNull();
});

test("a new change of the mask leaves nothing of it to be redone", () => {
  const undone = step(remembered(NO_HISTORY, study(), "mask"), "undo", study(), "mask");
  const history = remembered(undone?.history ?? NO_HISTORY, study(), "mask");
  expect(canStep(history.redo, "mask")).toBe(false);
  expect(remembered(undone?.history ?? NO_HISTORY, study(), "items").redo).toHaveLength(1);
});

test("the set of the shots is remembered with the items", () => {
  const history = remembered(NO_HISTORY, study({ few_shot: { k: 1, set: "u" } }), "items");
  expect(history.undo[0]).toMatchObject({ of: "items", shots: "u" });
});

test("no more than the last hundred changes are held", () => {
  let history = NO_HISTORY;
  for (let change = 0; change < 120; change += 1) history = remembered(history, study(), "mask");
  expect(history.undo).toHaveLength(100);
});

test("kept masks are undone for themselves", () => {
  const kept = [{ name: "a", model: { id: "m", sha256: "model" }, mask: mask(1) }];
  const second = study({ kept_masks: kept });
  const history = remembered(remembered(NO_HISTORY, study(), "kept_masks"), second, "mask");
  const undone = step(history, "undo", second, "kept_masks");
  expect(undone?.change).toEqual({ of: "kept_masks", kept_masks: [] });
  expect(undone?.history.undo.map(({ of }) => of)).toEqual(["mask"]);
  expect(undone && step(undone.history, "redo", study(), "kept_masks")?.change).toEqual({ of: "kept_masks", kept_masks: kept });
});
