import { expect, test } from "vitest";
import "../../www/src/views/attribution-settings";
import { EMPTY_STUDY } from "../../www/src/services/edited";
import { store } from "../../www/src/services/store";
import type { AttributionSettings } from "../../www/src/wire/engine";
import { control, drawn, enter, show } from "./support";

const FAST: AttributionSettings = { ...EMPTY_STUDY.attribution, preset: "fast", steps: 6 };
const PAPER: AttributionSettings = { ...FAST, preset: "paper", path: "joint", site: "gate_pre", rule: "right", steps: 20 };
const { preset: _, ...WANDA }: AttributionSettings = { ...FAST, method: "wanda", steps: 1, rule: "right" };
const CLAMPED: AttributionSettings = { ...WANDA, method: "clamped_gradients", steps: 8, rule: "middle" };
const RELP: AttributionSettings = { ...WANDA, method: "relp" };
const GRADIENT: AttributionSettings = { ...WANDA, method: "gradient_times_activation" };

/** The form over a study that has a threshold of its own, with what the engine has to choose from. */
const form = (): Promise<HTMLElement> =>
  show("attribution-settings", {
    study: { ...EMPTY_STUDY, attribution: { ...FAST, confidence_threshold: 0.9 } },
    engine: {
      presets: { fast: FAST, paper: PAPER, wanda: WANDA, relp: RELP, gradient_times_activation: GRADIENT, clamped_gradients: CLAMPED },
    },
  });

async function choose(view: HTMLElement, key: string, value: string): Promise<void> {
  const select = control<HTMLSelectElement>(view, key);
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await drawn();
}

test("a preset's settings are the engine's, and the items' threshold stays", async () => {
  const view = await form();
  expect([...control<HTMLSelectElement>(view, "preset").options].map(({ value }) => value)).toEqual(["fast", "paper", ""]);
  await choose(view, "preset", "paper");
  expect(store.state.study.attribution).toEqual({ ...PAPER, confidence_threshold: 0.9 });
  expect(control(view, "steps").value).toBe("20");
});

test("settings of one's own are of no preset, and a method begins with what the engine gives it", async () => {
  const view = await form();
  await enter(control(view, "steps"), "12");
  expect(store.state.study.attribution).toMatchObject({ steps: 12, rule: "middle" });
  expect(store.state.study.attribution.preset).toBeUndefined();
  expect(control<HTMLSelectElement>(view, "preset").value).toBe("");
  await choose(view, "method", "wanda");
  expect(store.state.study.attribution).toEqual({ ...WANDA, confidence_threshold: 0.9 });
  expect(view.querySelector("[data-key=steps]")).toBeNull();
});

test("a method's form asks for what the method knows, and for no more", async () => {
  const view = await form();
  for (const [method, asked] of [
    ["gradient_times_activation", ["site", "target"]],
    ["relp", ["target"]],
    ["wanda", []],
  ] as const) {
    await choose(view, "method", method);
    expect(["path", "site", "target", "steps"].filter((key) => view.querySelector(`[data-key=${key}]`))).toEqual(asked);
  }
});

test("a tolerance comes with its rule and goes with it, and the steps are those of the fast preset then", async () => {
  const view = await form();
  await choose(view, "quadrature", "adaptive");
  await enter(control(view, "tolerance"), "0.02");
  expect(store.state.study.attribution).toMatchObject({ rule: "adaptive", tolerance: 0.02 });
  await choose(view, "quadrature", "gauss_legendre");
  expect(store.state.study.attribution).toMatchObject({ rule: "gauss_legendre", steps: 6 });
  expect(store.state.study.attribution.tolerance).toBeUndefined();
});

test("the released code's method has a path and no tolerance, and its layers' scale goes with shares of items", async () => {
  const view = await form();
  await choose(view, "method", "clamped_gradients");
  expect(["path", "site", "target", "steps"].filter((key) => view.querySelector(`[data-key=${key}]`))).toHaveLength(4);
  expect([...control<HTMLSelectElement>(view, "quadrature").options].map(({ value }) => value)).not.toContain("adaptive");
  await choose(view, "layer-scale", "maximum");
  await choose(view, "target", "choice_logprob");
  expect(store.state.study.attribution).toMatchObject({ layer_scale: "maximum", target: "choice_logprob" });
  await choose(view, "aggregate", "consensus_share");
  expect(store.state.study.attribution.layer_scale).toBeUndefined();
  expect(view.querySelector("[data-key=layer-scale]")).toBeNull();
});
