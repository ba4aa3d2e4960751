import { expect, test } from "vitest";
import { layersIn, raceSettings } from "../../www/src/services/checks";
import { attributionSeconds, raceSeconds } from "../../www/src/services/estimate";
import { store } from "../../www/src/services/store";
import "../../www/src/views/method-race";
import "../../www/src/views/plot-figure";
import { attribution, race, scores, SETTINGS, study } from "./studies";
import { control, enter, show } from "./support";

test("layers are listed as people do", () => {
  expect(layersIn("", 4)).toBeUndefined();
  expect(layersIn(" 3, 0;3 ", 4)).toEqual([0, 3]);
  for (const text of ["4", "-1", "1.5", "one"]) expect(layersIn(text, 4), text).toBeNull();
});

test("Integrated Gradients race with the study's settings, or with their own where the study is of another method", () => {
  const fast = { ...SETTINGS, preset: "fast" };
  const own = { ...SETTINGS, steps: 20 };
  expect(raceSettings(own, fast)).toBe(own);
  const gradient = {
    ...SETTINGS,
    method: "gradient_times_activation" as const,
    steps: 1,
    rule: "right" as const,
    target: "gold_margin" as const,
  };
  const absolute = { positions: "all", aggregate: "mean_absolute" } as const;
  expect(raceSettings({ ...gradient, ...absolute }, fast)).toEqual({ ...SETTINGS, ...absolute, target: "gold_margin" });
  // What looks at activations alone explains nothing.
  expect(raceSettings({ ...gradient, method: "wanda" }, fast).target).toBe(SETTINGS.target);
});

test("a race is estimated by what was run here, and later by the last race", () => {
  const item = { id: "0", gold: 0, predicted: 0, correct: true, confidence: 0.9, choices: [] };
  const scored = scores("a");
  scored.result = { ...scored.result, items: [item, item], seconds: 4 };
  store.set({ study: study(), results: [scored] });
  // Two layers of four neurons, 6.25 tokens a prompt (a character and six tokens beside it): a pass over 12.5 token-layers takes 2 s.
  const ablation = (blocks: number): number => 1 + (4 * blocks) / 12.5;
  const steps = (number: number): number => 1 + (3 * number * 3) / 12.5;
  const relp = 1 + (3 * 2) / 12.5;
  const estimates = 2 * steps(8) + steps(1) + relp + 5;
  expect(attributionSeconds(store.state)).toBeCloseTo(4 * steps(8));
  expect(raceSeconds(store.state, SETTINGS, undefined)).toBeCloseTo(4 * (ablation(3) + estimates));
  expect(raceSeconds(store.state, SETTINGS, [1])).toBeCloseTo(4 * (ablation(1) + estimates));
  // One in layer 0 took 2 s for two items.
  store.set({ results: [scored, race()] });
  expect(raceSeconds(store.state, SETTINGS, [1])).toBeCloseTo((2 * ablation(1)) / ablation(2) + 4 * estimates);
});

test("a race is shown as a sentence, a plot and a table, the closest method first", async () => {
  const view = await show("method-race", { study: study(), results: [race(), attribution()] });
  expect(view.querySelector("details")?.open).toBe(true);
  expect(view.querySelector(".finding")?.textContent).toContain("Integrated Gradients");
  expect([...view.querySelectorAll("tr[data-method]")].map((row) => row.getAttribute("data-method"))).toEqual([
    "integrated_gradients",
    "wanda",
    "random",
  ]);
  expect(view.querySelector("table")?.textContent).toContain("0.30 (0.20 to 0.40)");
  expect([...view.querySelectorAll("[role=img]")].map((figure) => figure.getAttribute("aria-label"))[1]).toContain(
    "Wanda score 30 % (20 % to 40 %)",
  );
});

test("layers that the model has not are said to be wrong, and the field keeps what is in use", async () => {
  const view = await show("method-race", { study: study(), results: [] });
  expect(view.querySelector("details")?.open).toBe(false);
  await enter(control(view, "race-layers"), "1");
  expect(view.querySelector(".tools .note")?.textContent).toContain("4 neurons");
  await enter(control(view, "race-layers"), "7");
  expect(store.state.view.notice).toContain("from 0 to 1");
  expect(control(view, "race-layers").value).toBe("1");
});
