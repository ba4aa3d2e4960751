import { expect, test } from "vitest";
import "../../www/src/views/neuron-portrait";
import { store } from "../../www/src/services/store";
import type { Found } from "../../www/src/services/results";
import { control, set, show } from "./support";
import { madeOf, study } from "./studies";

function portraitOf(neuron: number): Found<"portrait"> {
  const address = `blocks.0.mlp.hook_post[${neuron}]`;
  return {
    kind: "portrait",
    made_of: [madeOf("a")],
    result: {
      address,
      layer: 0,
      neuron,
      set: "a",
      positions: 12,
      mean: 0.25,
      raises: [{ token: " up", weight: 2 }],
      lowers: [{ token: " down", weight: -1.5 }],
      fires: [{ id: "0", activation: -3.5, before: "the ", token: "cat", after: " sees" }],
      neighbours: [{ address, layer: 0, neuron: 3, correlation: -0.5 }],
      seconds: 1,
    },
  };
}

test("the selected neuron shows where it fires, what it writes and who is active with it", async () => {
  const view = await show("neuron-portrait", { study: study(), results: [portraitOf(1)], view: { selected: { layer: 0, neuron: 1 } } });
  expect(view.querySelector(".fires li")?.textContent).toBe("−3.50 the cat sees");
  expect(view.querySelector(".fires b")?.textContent).toBe("cat");
  expect(view.textContent).toContain("“ up”");
  expect(view.textContent).toContain("“ down”");
  expect(view.textContent).toContain("12 positions of “a” (mean 0.250)");
  control(view, "neighbour-3").click();
  expect(store.state.view.selected).toEqual({ layer: 0, neuron: 3 });
});

test("another neuron's portrait is asked for, and so is one of other items", async () => {
  const view = await show("neuron-portrait", { study: study(), results: [portraitOf(1)], view: { selected: { layer: 0, neuron: 2 } } });
  expect(view.querySelector("[data-result=portrait]")).toBeNull();
  expect(control(view, "portrait").textContent).toContain("Where it fires");
  await set({ view: { selected: { layer: 0, neuron: 1 } } });
  expect(view.querySelector("[data-result=portrait]")).not.toBeNull();
  const others = study().item_sets.map((one) => (one.name === "a" ? { ...one, sha256: "other" } : one));
  await set({ study: study({ item_sets: others }) });
  expect(view.querySelector("[data-result=portrait]")).toBeNull();
});
