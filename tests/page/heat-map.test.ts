import { expect, test } from "vitest";
import { description, title } from "../../www/src/views/heat-map-labels";
import { moved, neuronAfter, revealing, zoomed } from "../../www/src/views/heat-map-moves";
import { columns, geometryOf, neuronAt, pictureOf, positionOf, strongest, type Picture } from "../../www/src/views/heat-map-picture";
import { color, place } from "../../www/src/views/scale";
import type { AttributionSettings } from "../../www/src/wire/engine";
import { attribution, mask } from "./studies";

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

test("zooming leaves the place under the pointer where it is, and shows no fewer than eight", () => {
  expect(zoomed({ start: 0, span: 64 }, 0.5, 16, 64)).toEqual({ start: 8, span: 32 });
  // A place that is not shown: the middle stays.
  expect(zoomed({ start: 0, span: 32 }, 0.5, 60, 64)).toEqual({ start: 8, span: 16 });
  expect(zoomed({ start: 10, span: 8 }, 0.5, 12, 64)).toEqual({ start: 10, span: 8 });
  expect(zoomed({ start: 40, span: 16 }, Infinity, 45, 64)).toEqual({ start: 0, span: 64 });
  expect(zoomed({ start: 0, span: 4 }, 0.5, 1, 4)).toEqual({ start: 0, span: 4 });
});

test("the map moves by a share of what is shown, and just so far that a place is inside", () => {
  expect(moved({ start: 8, span: 16 }, 0.5, 64)).toEqual({ start: 16, span: 16 });
  expect(moved({ start: 8, span: 16 }, -1, 64)).toEqual({ start: 0, span: 16 });
  expect(moved({ start: 8, span: 16 }, 9, 64)).toEqual({ start: 48, span: 16 });
  expect(revealing({ start: 8, span: 16 }, 30, 64)).toEqual({ start: 15, span: 16 });
  expect(revealing({ start: 8, span: 16 }, 3, 64)).toEqual({ start: 3, span: 16 });
  expect(revealing({ start: 8, span: 16 }, 23, 64)).toEqual({ start: 8, span: 16 });
});

test("keys lead from neuron to neuron as they stand, and no further than the ends", () => {
  const ordered = { ...PICTURE, order: [Uint32Array.of(1, 2, 0, 3), Uint32Array.of(2, 3, 0, 1)] };
  const at = { layer: 0, neuron: 2 };
  const neurons = (picture: Picture, ...keys: string[]) => keys.map((key) => neuronAfter(key, at, 1, picture));
  expect(neurons(PICTURE, "ArrowLeft", "ArrowRight", "Home", "End", "s").map((to) => to?.neuron)).toEqual([1, 3, 0, 3, 1]);
  expect(neurons(ordered, "ArrowLeft", "ArrowRight", "Home", "End").map((to) => to?.neuron)).toEqual([1, 0, 1, 3]);
  expect(neurons(ordered, "ArrowUp", "ArrowDown")).toEqual([at, { layer: 1, neuron: 3 }]);
  expect(neuronAfter("ArrowRight", at, 10, PICTURE)).toEqual({ layer: 0, neuron: 3 });
  expect(neuronAfter("Enter", at, 1, PICTURE)).toBeNull();
});

test("a picture is of the attribution at hand, else of a model's shape, and of nothing without either", () => {
  const look = { isByStrength: true, isRoot: true, isDark: false };
  const found = { ...attribution().result, scores: PICTURE.scores };
  const picture = pictureOf(found, undefined, mask(3), look);
  expect(picture).toMatchObject({ n_layers: 2, d_mlp: 4, largest: 3, pruned: new Map([[0, new Set([3])]]) });
  // Of equals the first comes first.
  expect(picture?.order?.map((row) => [...row])).toEqual([
    [1, 2, 0, 3],
    [2, 3, 0, 1],
  ]);
  expect(positionOf({ ...PICTURE, order: picture?.order ?? null }, { layer: 1, neuron: 3 })).toBe(1);
  expect(pictureOf(null, { n_layers: 1, d_mlp: 3 }, mask(), look)).toMatchObject({ d_mlp: 3, largest: 0, order: null });
  expect(pictureOf(null, undefined, mask(), look)).toBeNull();
});

test("rows take the height that there is, with a track for the pruned and a gap where there is room", () => {
  expect(geometryOf(4, 300, 120, 1)).toEqual({ width: 300, row: 24, track: 4, gap: 2 });
  expect(geometryOf(4, 300, 120, 2)).toEqual({ width: 600, row: 48, track: 8, gap: 4 });
  expect(geometryOf(60, 300, 120, 1)).toEqual({ width: 300, row: 1, track: 1, gap: 0 });
});

test("the map in words says what is strongest and what is pruned", () => {
  expect(description(PICTURE, mask(0, 3))).toBe(
    "Heat map of 2 layers by 4 neurons. Strongest neuron: blocks.0.mlp.hook_post[1], score −3.00. Pruned: 2 in layer 0; set to zero.",
  );
  expect(title(PICTURE, null)).toBe("2 layers × 4 neurons");
  expect(title(PICTURE, attribution().result)).toBe(
    "Integrated Gradients per neuron: 2 layers × 4 neurons, activation, signed mean over 0 items of “a”",
  );
  const by = (patch: Partial<AttributionSettings>): string => {
    const { result } = attribution();
    return title(PICTURE, { ...result, settings: { ...result.settings, ...patch }, items_used: [{} as never] });
  };
  expect(by({ aggregate: "mean_absolute" })).toMatch(/activation, mean of absolute values over 1 item of “a”$/);
  expect(by({ aggregate: "consensus_share" })).toMatch(/activation, share of 1 item of “a”$/);
});
