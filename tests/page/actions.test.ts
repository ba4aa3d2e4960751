// Jobs on an engine that is changed, or cancelled, while they run.

import { afterEach, expect, test, vi } from "vitest";
import { measureNeuron, takeTop, tune } from "../../www/src/services/actions";
import { engine } from "../../www/src/services/engine";
import { store } from "../../www/src/services/store";
import { attributed, attribution, madeOf, mask, scores, study } from "./studies";
import { answer } from "./support";

const CARD = { layer: 0, neuron: 1, address: "", score: 0, rank: 1, items: [], effect: { set: "t", items: [] } };

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("nothing is selected by an attribution that was run again and does not fit", async () => {
  const asked: string[] = [];
  answer((method) => {
    asked.push(method);
    if (method === "is_attributed") return false;
    store.edit({ template: "lettered@1" });
    const { result, made_of } = attribution();
    return { ...result, made_of };
  });
  store.set({ study: study({ pruning: { mask: mask(1) } }), results: [attribution()] });
  await takeTop({ layer: 0, percent: 25 });
  expect(asked).toEqual(["is_attributed", "attribute"]);
  expect(store.state.study.pruning.mask).toEqual(mask(1));
  expect(store.state.view.error?.message).toContain("was changed while it ran");
});

test("what has the engine attribute again has the table's order and spread, too", async () => {
  const asked: string[] = [];
  answer((method) => {
    asked.push(method);
    if (method === "attribute") {
      const { result, made_of } = attribution();
      return { ...result, made_of };
    }
    return method === "ranked"
      ? []
      : method === "is_attributed"
        ? asked.includes("attribute")
        : { ...CARD, made_of: [madeOf("t"), attributed()] };
  });
  store.set({ study: study(), results: [attribution()] });
  store.view({ selected: { layer: 0, neuron: 1 } });
  await measureNeuron("t");
  await measureNeuron("t");
  expect(asked).toEqual(["is_attributed", "attribute", "ranked", "neuron", "is_attributed", "neuron"]);
  expect(store.state.shown.ranked).toEqual([]);
});

test("a tuning that is cancelled has the time of a long step to answer with its best state", async () => {
  vi.useFakeTimers();
  const stop = vi.spyOn(engine, "stop").mockImplementation(() => undefined);
  answer(async (method, request: { set: string }) => {
    if (method === "score") return { ...scores(request.set).result, made_of: [madeOf(request.set)] };
    await new Promise((resolve) => setTimeout(resolve, 6000));
    return { made_of: [] };
  });
  store.set({ study: study() });
  const done = tune();
  await vi.advanceTimersByTimeAsync(100);
  store.state.view.job?.cancel();
  await vi.advanceTimersByTimeAsync(7000);
  expect(await done).toBe(true);
  expect(stop).not.toHaveBeenCalled();
});
