// The mask as the user edits it.

import { beforeEach, expect, test } from "vitest";
import { sameMask, setMask, toggleNeuron } from "../../www/src/services/mask";
import { store } from "../../www/src/services/store";
import type { Mask } from "../../www/src/wire/engine";

const SCALED: Mask = { operation: "scale", factor: 0.5, site: "post", layers: [{ layer: 1, neurons: [7, 2] }] };
const MEANS: Mask = {
  operation: "mean",
  means_of: "a",
  site: "post",
  layers: [
    { layer: 2, neurons: [], means: [] },
    { layer: 1, neurons: [7, 2, 10], means: [0.7, 0.2, 1] },
  ],
};

const mask = (): Mask => store.state.study.pruning.mask;

beforeEach(() => store.view({ notice: null }));

test("a mask is held with all that its operation takes, in one order", () => {
  setMask(MEANS);
  expect(mask()).toEqual({ ...MEANS, layers: [{ layer: 1, neurons: [2, 7, 10], means: [0.2, 0.7, 1] }] });
  expect(sameMask(mask(), MEANS)).toBe(true);
  expect(sameMask(SCALED, { ...SCALED, factor: 0.25 })).toBe(false);
});

test("a neuron that joins others is changed as they are", () => {
  setMask(SCALED);
  toggleNeuron(1, 5);
  toggleNeuron(0, 3);
  toggleNeuron(1, 2);
  const layers = [
    { layer: 0, neurons: [3] },
    { layer: 1, neurons: [5, 7] },
  ];
  expect(mask()).toEqual({ ...SCALED, layers });
});

test("means leave a mask with their neurons, and a neuron without one does not join", () => {
  setMask(MEANS);
  toggleNeuron(1, 7);
  expect(mask().layers).toEqual([{ layer: 1, neurons: [2, 10], means: [0.2, 1] }]);
  expect(store.state.view.notice).toBeNull();
  toggleNeuron(1, 7);
  expect(mask().layers).toEqual([{ layer: 1, neurons: [2, 10], means: [0.2, 1] }]);
  expect(store.state.view.notice).toContain("means");
});
