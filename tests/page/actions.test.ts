// Jobs on an engine that is changed, or cancelled, while they run.

import { afterEach, expect, test, vi } from "vitest";
import { takeTop, tune } from "../../www/src/services/actions";
import { engine } from "../../www/src/services/engine";
import { store } from "../../www/src/services/store";
import { attribution, madeOf, mask, scores, study } from "./studies";
import { answer } from "./support";

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
