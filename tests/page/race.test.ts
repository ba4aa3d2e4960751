import { expect, test } from "vitest";
import { raceSettings } from "../../www/src/services/checks";
import { attributionTime, effectsTime, raceTime, takes } from "../../www/src/services/estimate";
import { store } from "../../www/src/services/store";
import "../../www/src/views/method-race";
import "../../www/src/views/plot-figure";
import { attribution, race, scores, SETTINGS, study } from "./studies";
import { control, enter, show } from "./support";

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

test("a race is estimated by what the page's own runs took", () => {
  const item = { id: "0", gold: 0, predicted: 0, correct: true, confidence: 0.9, choices: [] };
  const scored = scores("a");
  scored.result = { ...scored.result, items: [item, item], seconds: 4 };
  store.set({ study: study(), results: [scored] });
  // Two layers of four neurons, 6.25 tokens a prompt (a character and six tokens beside it): a pass over 12.5 token-layers takes 2 s at most.
  const steps = (number: number): number => 1 + (3 * number * 3) / 12.5;
  const relp = 1 + (3 * 2) / 12.5;
  const estimates = 2 * steps(8) + steps(1) + relp + 5;
  expect(attributionTime(store.state)?.least).toBe(0);
  expect(attributionTime(store.state)?.most).toBeCloseTo(4 * steps(8));
  // Of an ablation scores say nothing.
  expect(raceTime(store.state, SETTINGS, undefined)).toBeNull();
  // The neurons of layer 0, which go through two layers, took 2 s for two items, and Integrated Gradients half a second: the engine has the
  // former, if it was not started anew.
  const raced = race();
  store.set({ results: [scored, raced] });
  const passes = (0.5 * estimates) / steps(8);
  const time = raceTime(store.state, SETTINGS, [0]);
  expect(time?.least).toBeCloseTo(passes);
  expect(time?.most).toBeCloseTo(2 + passes);
  expect(raceTime(store.state, SETTINGS, [1])?.least).toBeCloseTo(1 + passes);
  expect(raceTime(store.state, SETTINGS, [1])?.most).toBeCloseTo(1 + passes);
  // What the race measured harm is read from as well.
  expect(effectsTime(store.state, { set: "a", positions: "last" }, [0])).toEqual({ least: 0, most: 2 });
  expect(effectsTime(store.state, { set: "t", positions: "last" }, [0])).toEqual({ least: 2, most: 2 });
  // Those of the command line ran on another machine.
  store.set({ results: [{ ...raced, beforehand: true }] });
  expect(effectsTime(store.state, { set: "t", positions: "last" }, [0])).toBeNull();
});

test("a time is said as well as it is known", () => {
  expect(takes(null)).toBe("");
  expect(takes({ least: 5, most: 5 })).toBe(", about 5.0 s");
  expect(takes({ least: 0, most: 50 })).toBe(", at most about 50 s");
  expect(takes({ least: 3, most: 13 })).toBe(", about 3.0 s to 13 s");
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
  expect(view.querySelector("[data-key=race-layers] + .warning")?.textContent).toBe(
    "numbers of layers from 0 to 1, separated by commas; not “7”",
  );
  expect(control(view, "race-layers").value).toBe("1");
  // With a good one there is nothing to say any more.
  await enter(control(view, "race-layers"), "0 1");
  expect(view.querySelector("[data-key=race-layers] + .warning")?.textContent).toBe("");
  expect(control(view, "race-layers").value).toBe("0, 1");
});
