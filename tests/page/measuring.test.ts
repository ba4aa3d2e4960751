// What is said where nothing can be measured, or too little to say anything.

import { expect, test } from "vitest";
import "../../www/src/views/pruned-neurons";
import "../../www/src/views/random-control";
import "../../www/src/views/selection-stability";
import "../../www/src/views/top-share";
import type { Found } from "../../www/src/services/results";
import { store } from "../../www/src/services/store";
import { attributed, attribution, estimated, mask, study } from "./studies";
import { control, set, show } from "./support";

const READY = { status: "ready", model: { info: { n_parameters: 1 }, name: "m" } } as never;

for (const [view, key] of [
  ["random-control", "control"],
  ["pruned-neurons", "measure"],
  ["top-share", "prune"],
] as const) {
  test(`without items ${view} measures nothing, and says why`, async () => {
    const shown = await show(view, {
      study: study({ item_sets: [], pruning: { mask: mask(1) } }),
      results: [attribution()],
      engine: READY,
    });
    const button = control<HTMLButtonElement>(shown, key);
    await set({});
    expect(button.disabled).toBe(true);
    expect(shown.textContent).toContain("There are no items to measure on: add some in step 2.");
    await set({ study: study({ pruning: { mask: mask(1) } }) });
    expect(control<HTMLButtonElement>(shown, key).disabled).toBe(false);
    expect(shown.textContent).not.toContain("There are no items");
  });
}

test("of a single item no share of neurons that would be chosen again is told", async () => {
  store.set({ study: study(), results: [attribution()] });
  const selection = { layer: 0, percent: 25 };
  const found = (items: number): Found => ({
    kind: "stability",
    made_of: [attributed()],
    result: {
      selection,
      items,
      neurons: 1,
      halves: items < 2 ? null : estimated(0.5, 0),
      overlap: estimated(1, 0),
      chance: 0.25,
      kept: new Float32Array(4),
      warning: items < 2 ? "of one item nothing can be said" : null,
      resamples: 200,
      seed: 0,
    },
  });
  const { settings, set: name } = attribution().result;
  const pruning = { mask: mask(1), selection, source: { set: name, settings, made_of: [attributed()] } };
  const view = await show("selection-stability", { study: study({ pruning }), results: [attribution(), found(1)] });
  expect(view.textContent?.trim()).toBe("of one item nothing can be said");
  await set({ results: [attribution(), found(2)] });
  expect(view.textContent).toContain("Two halves of the 2 items choose 50 % (50–50 %) of the same neurons");
});
