import { expect, test } from "vitest";
import { columns, neuronAt, strongest, type Picture } from "../../www/src/views/heat-map-paint";
import { color, place } from "../../www/src/views/scale";

/** Two layers of four neurons. */
const PICTURE: Picture = {
  n_layers: 2,
  d_mlp: 4,
  scores: Float32Array.of(1, -3, 2, 0, 0, 0, 0.5, -0.25),
  largest: 3,
  order: null,
  pruned: new Map(),
  start: 0,
  span: 4,
  isRoot: true,
  isDark: false,
};

test("a column of pixels covers its share of the neurons, and at least one", () => {
  expect(columns(PICTURE, 2, 0)).toEqual([0, 2]);
  expect(columns(PICTURE, 2, 1)).toEqual([2, 4]);
  // More pixels than neurons: two of eight show the same one.
  expect([0, 1, 2, 7].map((x) => columns(PICTURE, 8, x))).toEqual([
    [0, 1],
    [0, 1],
    [1, 2],
    [3, 4],
  ]);
  expect(columns({ ...PICTURE, start: 2, span: 2 }, 2, 1)).toEqual([3, 4]);
});

test("of several neurons in a column the strongest is shown, whatever its sign", () => {
  expect(strongest(PICTURE, 0, 0, 4)).toBe(1);
  expect(strongest(PICTURE, 0, 2, 4)).toBe(2);
  expect(strongest(PICTURE, 1, 0, 4)).toBe(2);
});

test("with an order of their own, places are not neurons", () => {
  const ordered = { ...PICTURE, order: [Uint32Array.of(1, 2, 0, 3), Uint32Array.of(2, 3, 0, 1)] };
  expect(neuronAt(ordered, 0, 0)).toBe(1);
  expect(neuronAt(ordered, 1, 1)).toBe(3);
  expect(strongest(ordered, 0, 1, 3)).toBe(2);
});

test("the colours are symmetric about zero, and a square root keeps small scores apart", () => {
  expect(place(-0.25, 1, true)).toBe(-0.5);
  expect(place(0.25, 1, false)).toBe(0.25);
  expect(place(5, 0, true)).toBe(0);
  expect(color(-1, false)).toEqual([0x2d, 0x00, 0x4b]);
  expect(color(0, false)).toEqual([0xf6, 0xf5, 0xf2]);
  expect(color(9, false)).toEqual([0x7f, 0x3b, 0x08]);
  // Halfway between the middle and the next stop, to the nearest whole number.
  expect(color(0.1, false)).toEqual([0xfa, 0xeb, 0xd4]);
});
