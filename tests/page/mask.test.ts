// The mask as the user edits it.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { changeOperation, sameMask, setMask, toggleNeuron, undoMask } from "../../www/src/services/mask";
import { store } from "../../www/src/services/store";
import type { ChangeRequest, Mask } from "../../www/src/wire/engine";
import { answer } from "./support";

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

/** An engine that changes masks so; what it is asked. */
function answered(change: (request: ChangeRequest) => Mask): ChangeRequest[] {
  const calls: ChangeRequest[] = [];
  answer((_, request: ChangeRequest) => {
    calls.push(request);
    return change(request);
  });
  return calls;
}

beforeEach(() => store.view({ notice: null }));
afterEach(() => vi.restoreAllMocks());

test("a mask is held with all that its operation takes, in one order", () => {
  setMask(MEANS);
  expect(mask()).toEqual({ ...MEANS, layers: [{ layer: 1, neurons: [2, 7, 10], means: [0.2, 0.7, 1] }] });
  expect(sameMask(mask(), MEANS)).toBe(true);
  expect(sameMask(SCALED, { ...SCALED, factor: 0.25 })).toBe(false);
});

test("of the masks along one drag the one before it is had back", () => {
  const at = (neuron: number): Mask => ({ operation: "zero", site: "post", layers: [{ layer: 0, neurons: [neuron] }] });
  setMask(at(1));
  const [drag, next] = [{}, {}];
  for (const neuron of [2, 3, 4]) setMask(at(neuron), undefined, undefined, drag);
  for (const neuron of [5, 6]) setMask(at(neuron), undefined, undefined, next);
  undoMask();
  expect(mask()).toEqual(at(4));
  undoMask();
  expect(mask()).toEqual(at(1));
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

test("means leave a mask with their neurons, and the engine measures those of a neuron that joins", async () => {
  const calls = answered(({ mask, like }) => ({
    ...like,
    layers: mask.layers.map((layer) => ({ ...layer, means: layer.neurons.map(Number) })),
  }));
  setMask(MEANS);
  toggleNeuron(1, 7);
  expect(mask().layers).toEqual([{ layer: 1, neurons: [2, 10], means: [0.2, 1] }]);
  expect(calls).toEqual([]);
  toggleNeuron(1, 7);
  await vi.waitFor(() => expect(mask().layers).toEqual([{ layer: 1, neurons: [2, 7, 10], means: [2, 7, 10] }]));
  expect(mask()).toMatchObject({ operation: "mean", means_of: "a" });
  // What was stated is not sent: it would have to fit the neurons.
  expect(calls).toEqual([
    {
      mask: { operation: "zero", site: "post", layers: [{ layer: 1, neurons: [2, 10, 7] }] },
      like: { operation: "mean", means_of: "a", site: "post", layers: [] },
    },
  ]);
});

test("a neuron that leaves while another one's mean is measured stays away", async () => {
  const calls = answered(({ mask, like }) => {
    if (calls.length === 1) toggleNeuron(1, 2);
    return { ...like, layers: mask.layers.map((layer) => ({ ...layer, means: layer.neurons.map(Number) })) };
  });
  setMask(MEANS);
  toggleNeuron(1, 5);
  await vi.waitFor(() => expect(mask().layers).toEqual([{ layer: 1, neurons: [5, 7, 10], means: [5, 7, 10] }]));
  expect(calls).toHaveLength(2);
});

test("another operation is of the same neurons and of the selection that made them, and is undone as a change of the mask", async () => {
  const calls = answered(({ mask, like }) => ({ ...like, layers: mask.layers }));
  const selection = { layer: 1, percent: 5 };
  setMask({ ...SCALED, operation: "zero", layers: SCALED.layers }, selection);
  await changeOperation({ operation: "scale", factor: 0.25 });
  expect(mask()).toEqual({ operation: "scale", factor: 0.25, site: "post", layers: [{ layer: 1, neurons: [2, 7] }] });
  expect(store.state.study.pruning.selection).toEqual(selection);
  expect(calls).toHaveLength(1);
  await changeOperation({ operation: "zero" });
  expect(mask()).toEqual({ operation: "zero", site: "post", layers: [{ layer: 1, neurons: [2, 7] }] });
  expect(calls, "zero needs nothing of the engine").toHaveLength(1);
  undoMask();
  expect(mask().factor).toBe(0.25);
});

test("a mask without neurons takes an operation for those that come, and neurons that leave meanwhile stay away", async () => {
  setMask({ operation: "zero", site: "post", layers: [] });
  const calls = answered(({ mask, like }) => {
    if (calls.length === 1) toggleNeuron(1, 2);
    return { ...like, layers: mask.layers };
  });
  await changeOperation({ operation: "mean", means_of: "a" });
  expect(mask()).toEqual({ operation: "mean", means_of: "a", site: "post", layers: [] });
  expect(calls).toEqual([]);
  setMask(SCALED);
  await changeOperation({ operation: "scale", factor: 2 });
  expect(mask()).toEqual({ operation: "scale", factor: 2, site: "post", layers: [{ layer: 1, neurons: [7] }] });
  expect(calls).toHaveLength(2);
});
