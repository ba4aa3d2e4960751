// Prominence against harm: the sign of harm, what is held of effects, the axes, the quadrants, the rectangle, the mask.

import { expect, test } from "vitest";
import "../../www/src/views/harm-panel";
import "../../www/src/views/harm-run";
import "../../www/src/views/harm-scatter";
import { layersOf } from "../../www/src/services/edited";
import { effectsTime } from "../../www/src/services/estimate";
import {
  harmOf,
  inShort,
  joined,
  measuredLayers,
  openLayers,
  packed,
  workDone,
  workLeft,
  type HeldEffects,
} from "../../www/src/services/harm";
import { ofStudy, shownResults, withResult, type Found } from "../../www/src/services/results";
import { store } from "../../www/src/services/store";
import {
  addressOf,
  clearlyHarmful,
  indexOf,
  inside,
  largest,
  lassoOf,
  markedIn,
  ordered,
  outlineOf,
  pictureOf,
  placeOn,
  placesOf,
  pointsOf,
  roundedDown,
  spanBetween,
  ticks,
  usualBounds,
  valueAt,
  within,
  type Axis,
  type Lasso,
} from "../../www/src/views/harm-picture";
import type { Attribution, Effects, LayerEffects, Mask } from "../../www/src/wire/engine";
import { attributed, attribution, madeOf, mask, SETTINGS, study } from "./studies";
import { control, drawn, enter, show } from "./support";

const { preset: _, ...BY } = { ...SETTINGS, preset: "" };
const BY_ABLATION = {
  ...BY,
  method: "ablation" as const,
  target: "gold_margin" as const,
  steps: 1,
  rule: "right" as const,
  confidence_threshold: 0,
};

function layer(of: number, mean: number[], exact = true, items = 2): LayerEffects {
  return { layer: of, exact, items, mean, half_width: mean.map((value) => Math.abs(value) / 2) };
}

function effects(layers: LayerEffects[], patch: Partial<Effects> = {}): HeldEffects {
  const used = [0, 1].map((id) => ({ id: `${id}`, target: "a" }));
  return packed({
    settings: BY_ABLATION,
    set: "a",
    d_mlp: 4,
    layers,
    items_used: used,
    items_skipped: 0,
    cancelled: false,
    seconds: 1,
    ...patch,
  });
}

/** Layer 0 measured, layer 1 estimated. */
const EFFECTS = effects([layer(0, [0.5, -2, 0, 0.25]), layer(1, [1, -1, -0.5, 0], false)]);

function found(result: HeldEffects = EFFECTS): Found<"effects"> {
  return { kind: "effects", result, made_of: [madeOf(result.set, { settings: BY_ABLATION })] };
}

function scored(): Attribution {
  return { ...attribution().result, scores: Float32Array.of(-4, 3, 2, 0, 1, -1, 0.5, 0.25) };
}

const POINTS = pointsOf(scored(), EFFECTS.layers, null);

test("harm is what the margin gains without a neuron: the effect with its sign turned", () => {
  const [first] = EFFECTS.layers;
  if (!first) throw new Error("there is no layer");
  expect([0, 1, 2].map((neuron) => harmOf(first, neuron))).toEqual([-0.5, 2, 0]);
  expect([...POINTS.harm]).toEqual([-0.5, 2, 0, -0.25, -1, 1, 0.5, 0]);
  // Prominence has no sign.
  expect([...POINTS.prominence]).toEqual([4, 3, 2, 0, 1, 1, 0.5, 0.25]);
  expect([...POINTS.exact]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  expect([...pointsOf(scored(), EFFECTS.layers, 1).layer]).toEqual([1, 1, 1, 1]);
});

test("a layer that is not measured for every item is measured further, and what a new engine has forgotten stays", () => {
  const part = effects([layer(0, [1, 1, 1, 1]), layer(1, [2, 2, 2, 2], true, 1)], { cancelled: true, seconds: 3 });
  expect(measuredLayers(part)).toEqual({ whole: 1, partly: 1 });
  // Two items climb two layers, and one item of the other layer one.
  expect(workDone(part)).toBe(5);
  expect(workLeft(part, openLayers(part, 2, null), 2, 2)).toBe(1);
  expect(openLayers(part, 2, null)).toEqual([1]);
  expect(openLayers(part, 2, 0)).toEqual([]);
  expect(openLayers(null, 2, null)).toEqual([0, 1]);
  const later = effects([layer(0, [9, 9, 9, 9], false), layer(1, [3, 3, 3, 3])], { seconds: 2 });
  const both = joined(part, later);
  expect(both.layers.map(({ exact, mean }) => [exact, mean[0]])).toEqual([
    [true, 1],
    [true, 3],
  ]);
  expect(both.seconds).toBe(5);
  // The same engine counts what it had before.
  expect(joined(part, effects([layer(0, [1, 1, 1, 1]), layer(1, [3, 3, 3, 3])], { seconds: 4 })).seconds).toBe(4);
});

test("documents say of measured effects what can be told from zero, and which are the strongest", () => {
  const of = effects([layer(0, [0.5, -2, 0, 0.25]), layer(1, [1, -1, 3, 0], true, 1)], { seconds: 3 });
  // Half of the effect to either side: all but the third can be told from doing nothing; layer 1 was measured on one of two items.
  expect(inShort(of)).toEqual({
    settings: BY_ABLATION,
    set: "a",
    items: 2,
    items_skipped: 0,
    layers: [{ layer: 0, needed: 2, harmful: 1 }],
    strongest: [
      { layer: 0, neuron: 1, mean: -2, half_width: 1 },
      { layer: 0, neuron: 0, mean: 0.5, half_width: 0.25 },
      { layer: 0, neuron: 3, mean: 0.25, half_width: 0.125 },
      { layer: 0, neuron: 2, mean: 0, half_width: 0 },
    ],
    seconds: 3,
  });
  // Of a single item there is no interval, and nothing to tell.
  const single = { ...layer(0, [0.5, -2, 0, 0.25], true, 1), half_width: [] };
  const one = inShort(effects([single], { items_used: [{ id: "0", target: "a" }] }));
  expect(one?.layers).toEqual([{ layer: 0, needed: 0, harmful: 0 }]);
  expect(one?.strongest[0]?.half_width).toBeNull();
  expect(inShort(effects([layer(0, [1, 1, 1, 1], false)]))).toBeNull();
});

test("what is left takes as long as what was done, layer by layer", () => {
  const of = study();
  // Of two items: layer 0 costs four climbs and took eight seconds, layer 1 costs two.
  const part = effects([layer(0, [1, 1, 1, 1]), layer(1, [1, 1, 1, 1], false)], { seconds: 8 });
  store.set({ study: of, results: [found(part)] });
  expect(effectsTime(store.state, { set: "a", positions: "last" }, [1])).toEqual({ least: 4, most: 4 });
  // Nothing at every position was measured or scored.
  expect(effectsTime(store.state, { set: "a", positions: "all" }, [1])).toBeNull();
});

test("effects are of a set by its items, and rest on no attribution", () => {
  const of = study();
  const others = [found(), found({ ...EFFECTS, set: "t" })];
  expect(Object.keys(shownResults(of, others).effects)).toEqual(["a", "t"]);
  expect(shownResults(study({ template: "lettered@1" }), others).effects).toEqual({});
  const renamed = of.item_sets.map((set) => (set.name === "a" ? { ...set, name: "cues" } : set));
  const { effects: shown } = shownResults(study({ item_sets: renamed }), others);
  expect(shown["cues"]).toMatchObject({ set: "cues" });
  // Its numbers are the very same.
  expect(shown["cues"]?.layers[0]?.mean).toBe(EFFECTS.layers[0]?.mean);
  // A later measurement of the same takes the place of an earlier one.
  expect(withResult(others, found({ ...EFFECTS, seconds: 9 }))).toHaveLength(2);
});

test("stability is of one selection from one attribution, by one seed", () => {
  const stability = (percent: number, seed = 0): Found => ({
    kind: "stability",
    made_of: [attributed()],
    result: {
      selection: { layer: 0, percent },
      items: 2,
      neurons: 1,
      halves: { value: 0.6, low: 0.4, high: 0.8 },
      overlap: { value: 0.8, low: 0.5, high: 1 },
      chance: 0.25,
      kept: Float32Array.of(0.8, 0.2, 0, 0),
      warning: null,
      resamples: 200,
      seed,
    },
  });
  const selected = (percent: number, from = attributed()) =>
    study({ pruning: { mask: mask(0), selection: { layer: 0, percent }, source: { set: "a", settings: SETTINGS, made_of: [from] } } });
  const results = withResult(withResult([attribution()], stability(25)), stability(50));
  expect(results).toHaveLength(3);
  const shown = (of = selected(25)) => shownResults(of, results).stability?.selection.percent ?? null;
  expect(shown()).toBe(25);
  expect(shown(selected(50))).toBe(50);
  expect(shown(selected(10))).toBeNull();
  expect(shown(selected(25, attributed(9)))).toBeNull();
  expect(shown({ ...selected(25), seed: 1 })).toBeNull();
  expect(shown(study({ pruning: { mask: mask(0) } }))).toBeNull();
});

test("both axes are read off where they were written on, with a root and without", () => {
  for (const isRoot of [true, false]) {
    const axis: Axis = { low: -4, high: 9, isRoot };
    for (const value of [-4, -0.5, 0, 2, 9]) expect(valueAt(axis, placeOn(axis, value))).toBeCloseTo(value, 10);
    expect([placeOn(axis, -4), placeOn(axis, 9)]).toEqual([0, 1]);
  }
  // By roots −2 to 3, zero is at two fifths.
  expect(placeOn({ low: -4, high: 9, isRoot: true }, 0)).toBeCloseTo(0.4, 10);
  expect(placesOf({ low: 0, high: 4, isRoot: true }, { low: 1, high: Infinity })).toEqual([0.5, 1]);
  expect(ticks({ low: -1, high: 2, isRoot: false }, 0.3)).toEqual([-1, 0, 1, 2]);
  expect(ticks({ low: 0, high: 1, isRoot: true }, 0.2)).toEqual([0, 0.05, 0.2, 0.5, 1]);
});

test("the line between prominent and not is the top 5 %, and zero parts harmful from needed", () => {
  const { quadrants, bounds, chosen } = pictureOf(POINTS, usualBounds(POINTS), true);
  expect(bounds).toEqual({ prominence: { low: 4, high: Infinity }, harm: { low: 0, high: Infinity } });
  expect(quadrants).toEqual({ prominentHarmful: 0, prominentNeeded: 1, otherHarmful: 3, otherNeeded: 2 });
  expect(chosen).toEqual([]);
});

test("a rectangle takes the points on its edge, and its numbers exclude none of them by rounding", () => {
  const bounds = { prominence: { low: 1, high: 3 }, harm: { low: 0, high: Infinity } };
  expect(inside(POINTS, bounds)).toEqual([1, 2, 5]);
  expect(layersOf([1, 2, 5].map((index) => addressOf(POINTS, index)))).toEqual([
    { layer: 0, neurons: [1, 2] },
    { layer: 1, neurons: [1] },
  ]);
  expect([0.012345, -0.012345, 1234.5, 0, 0.5].map(roundedDown)).toEqual([0.0123, -0.0124, 1230, 0, 0.5]);
  const axis: Axis = { low: 0, high: 4, isRoot: true };
  expect(spanBetween(axis, 1, 0.5)).toEqual({ low: 1, high: Infinity });
  expect(spanBetween(axis, 0.25, 0.5)).toEqual({ low: 0.25, high: 1 });
  // Half of the effect to either side: what is harmful at all is so in all of its interval.
  expect(clearlyHarmful(POINTS, [0, 1, 2])).toBe(1);
});

test("a lasso takes the points that it goes around, also where it is bent inwards", () => {
  // A hook around the points at (2, 0), (3, 2) and (4, −0.5): it leaves out what lies in its bend.
  const corners = [
    [1.5, 2.5],
    [4.5, 2.5],
    [4.5, -1],
    [1.5, -1],
    [1.5, 0.2],
    [2.5, 0.2],
    [2.5, 1],
    [1.5, 1],
  ] as const;
  expect(within(POINTS, { corners, isRoot: false })).toEqual([0, 1, 2]);
  const bent = corners.map(([x, y]) => [x, y === 0.2 ? -0.2 : y] as const);
  expect(within(POINTS, { corners: bent, isRoot: false })).toEqual([0, 1]);
  // A side from (0, 0) to (4, 4) is straight where it was drawn: on axes of roots (1, 1.5) lies above it, and so it does for good.
  const side: Lasso = {
    corners: [
      [0, 0],
      [4, 4],
      [0, 4],
    ],
    isRoot: true,
  };
  const point = { ...POINTS, prominence: Float32Array.of(1), harm: Float32Array.of(1.5) };
  expect(within(point, side)).toEqual([0]);
  expect(within({ ...point, harm: Float32Array.of(0.5) }, side)).toEqual([]);
  expect(within(point, { corners: [], isRoot: true })).toEqual([]);
});

test("a path through the picture is a lasso, which is drawn where it was also after the scale is another", () => {
  const picture = pictureOf(POINTS, usualBounds(POINTS), true);
  const path = [
    { x: 0.1, y: 0.9 },
    { x: 0.6, y: 0.9 },
    { x: 0.6, y: 0.2 },
  ];
  const lasso = lassoOf(picture, path);
  outlineOf(picture, lasso).forEach((at, index) => {
    expect(at.x).toBeCloseTo(path[index]?.x ?? 0, 10);
    expect(at.y).toBeCloseTo(path[index]?.y ?? 0, 10);
  });
  const [chosen, linear] = [true, false].map((isRoot) => pictureOf(POINTS, usualBounds(POINTS), isRoot, lasso));
  expect(linear?.chosen).toEqual(chosen?.chosen);
  expect(linear && outlineOf(linear, lasso)[0]?.x).toBeCloseTo(placeOn(linear?.x as Axis, lasso.corners[0]?.[0] ?? 0), 10);
});

test("points are found by their neurons, in order, and under a mask", () => {
  expect(indexOf(POINTS, { layer: 1, neuron: 2 })).toBe(6);
  expect(indexOf(pointsOf(scored(), EFFECTS.layers, 1), { layer: 0, neuron: 2 })).toBe(-1);
  expect(indexOf(POINTS, null)).toBe(-1);
  expect([...ordered(POINTS.harm)].slice(0, 3)).toEqual([1, 5, 6]);
  // Of equals the first, and all where there are fewer.
  expect(largest(Float32Array.of(1, 2, 2, -3, 0), 3)).toEqual([1, 2, 0]);
  expect(largest(Float32Array.of(-1, 2), 3)).toEqual([1, 0]);
  expect([...markedIn(POINTS, mask(1, 3))]).toEqual([0, 1, 0, 1, 0, 0, 0, 0]);
});

test("the fields pick a rectangle, and a button makes it the mask, which can be taken back", async () => {
  const of = study();
  const view = await show("harm-panel", { study: of, results: [...ofStudy(of, [{ kind: "attribution", result: scored() }]), found()] });
  expect(view.querySelector("harm-run")?.textContent).toContain("Measured 1 of 2 layers, in 1.0 s (2 items)");
  expect(view.querySelector(".harmful tbody tr")?.textContent).toContain("layer 0, 1");
  await enter(control(view, "least-prominence"), "1");
  await enter(control(view, "least-harm"), "0.6");
  const button = control<HTMLButtonElement>(view, "harm-prune");
  expect(button.textContent).toContain("Prune these 2 neurons");
  // Results are not reported on the attribution's items, unless there are no others.
  expect(view.textContent).not.toContain("flatters");
  button.click();
  await drawn();
  expect(store.state.study.pruning.mask.layers).toEqual([
    { layer: 0, neurons: [1] },
    { layer: 1, neurons: [1] },
  ]);
  expect(store.state.history.undo).toHaveLength(1);
  expect(control<HTMLButtonElement>(view, "harm-prune").disabled).toBe(true);
  expect(view.querySelector("[data-key=harm-mask-0-1]")?.textContent).toBe("keep");
  store.edit({ item_sets: of.item_sets.filter(({ name }) => name === "a") });
  await drawn();
  expect(view.textContent).toContain("Results are reported on “a” as well");
});

test("one that was stopped before it measured anything says so, and no time", async () => {
  const of = study();
  const stopped = found(effects([layer(0, [0.5, -2, 0, 0.25], false), layer(1, [1, -1, -0.5, 0], false)], { cancelled: true }));
  const view = await show("harm-panel", { study: of, results: [...ofStudy(of, [{ kind: "attribution", result: scored() }]), stopped] });
  expect(view.querySelector("harm-run .note")?.textContent).toMatch(/^Stopped before the first layer had any item/);
});

test("what is picked is set to zero, as its harm was measured, also where the mask at hand puts means in place", async () => {
  const means: Mask = { operation: "mean", means_of: "a", site: "post", layers: [{ layer: 0, neurons: [2], means: [0.5] }] };
  const of = study({ pruning: { mask: means } });
  const view = await show("harm-panel", { study: of, results: [...ofStudy(of, [{ kind: "attribution", result: scored() }]), found()] });
  await enter(control(view, "least-prominence"), "1");
  await enter(control(view, "least-harm"), "0.6");
  control<HTMLButtonElement>(view, "harm-prune").click();
  await drawn();
  expect(store.state.study.pruning.mask.operation).toBe("zero");
  expect(store.state.study.pruning.mask.means_of).toBeUndefined();
  expect(store.state.study.pruning.mask.layers.every((layer) => layer.means === undefined)).toBe(true);
});

test("a lasso that was drawn is the mask at once; a number or the other tool picks a rectangle again", async () => {
  const of = study();
  const view = await show("harm-panel", { study: of, results: [...ofStudy(of, [{ kind: "attribution", result: scored() }]), found()] });
  const [rectangle, lasso] = ["harm-rectangle", "harm-lasso"].map((key) => control<HTMLButtonElement>(view, key));
  const pressed = (): (string | null | undefined)[] => [rectangle, lasso].map((button) => button?.getAttribute("aria-pressed"));
  expect(pressed()).toEqual(["true", "false"]);
  lasso?.click();
  await drawn();
  expect(pressed()).toEqual(["false", "true"]);
  const scatter = view.querySelector("harm-scatter") as HTMLElement;
  expect(scatter.querySelector(".harm-read")?.textContent).toContain("draw around neurons");
  const corners = [
    [2.5, 1],
    [3.5, 1],
    [3, 3],
  ] as const;
  const detail: Lasso = { corners, isRoot: true };
  scatter.dispatchEvent(new CustomEvent("lasso", { detail }));
  await drawn();
  expect(store.state.study.pruning.mask).toEqual({ operation: "zero", site: "post", layers: [{ layer: 0, neurons: [1] }] });
  expect(view.textContent).toContain("Picked by the lasso");
  expect(scatter.querySelector(".harm-lasso polygon")).not.toBeNull();
  expect(scatter.querySelector(".harm-frame")).toBeNull();
  await enter(control(view, "least-harm"), "0.6");
  expect(view.textContent).not.toContain("Picked by the lasso");
  scatter.dispatchEvent(new CustomEvent("lasso", { detail }));
  rectangle?.click();
  await drawn();
  expect(scatter.querySelector(".harm-frame")).not.toBeNull();
});
