// Step 4: how much each neuron drives the confident answers.

import { h, isBusy, refill, view, View } from "../dom";
import { count, duration, percent, settingsText, visible } from "../format";
import { attribute } from "../services/actions";
import { attributionSeconds, confidentItems } from "../services/estimate";
import { setsOf, store } from "../services/store";
import type { AttributionSettings } from "../types";
import { choice, heading, numeric } from "./widgets";

/** What a reader of scores should know of a family. */
const OF_FAMILY: Readonly<Record<string, string>> = {
  gemma3_text: "Gemma 3 norms what its FFN gives, so a factor on all activations of a layer matters only near zero: expect gaps as large as "
    + "the difference, compare neurons within a layer, and check them by their exact effect.",
  gpt2: ofBias("GPT-2"),
  gpt_neox: ofBias("This family"),
};

function ofBias(name: string): string {
  return `${name} has FFN biases: gate_pre takes away a neuron's weights and leaves its bias, post takes away both, and so does pruning.`;
}

class StepAttribution extends View {
  protected readonly keys = [
    "settings", "presets", "attribution", "sets", "scores", "job", "engine", "model", "precomputed",
  ] as const;
  #controls = h("div", {});
  #facts = h("div", {});

  protected override setup(): void {
    this.replaceChildren(h("section", { class: "panel" },
      heading("Attribution", "How much does each neuron push the model towards the answer it is sure of?",
        "Integrated Gradients (IG) of every FFN neuron: its activation grows from zero, and the gradients of the target on the way are added up."),
      this.#controls, this.#facts,
      h("div", { class: "two" }, view("ranked-table"), view("gap-chart"))));
  }

  protected render(): void {
    const { settings, presets, attribution, precomputed, model } = this.state;
    const ofFamily = model ? OF_FAMILY[model.info.family] : undefined;
    // A change may come before the form is drawn anew for the last one: it builds on the settings as they are by now.
    const change = (patch: Partial<AttributionSettings>): void => {
      const { preset: _, ...rest } = this.state.settings;
      store.set({ settings: { ...rest, ...patch } });
    };
    const names = Object.keys(presets);
    const preset = choice("Preset", "preset", [...names.map((name) => [name, name] as const), ["", "own settings"] as const],
      settings.preset ?? "", (name) => {
        const found = presets[name];
        if (found) store.set({ settings: { ...found, confidence_threshold: this.state.settings.confidence_threshold } });
        else change({});
      }, "paper: the paper's equations as a re-implementation reports them; fast: the cheapest that keeps completeness layer by layer");
    refill(this.#controls,
      h("div", { class: "fields" }, preset,
        choice("Path", "path", [["per_layer", "per layer"], ["joint", "joint"]], settings.path, (path) => change({ path }),
          "per layer: one layer grows while the others are as they are; joint: all grow together"),
        choice("Site", "site", [["post", "post"], ["gate_pre", "gate_pre"]], settings.site, (site) => change({ site }),
          "post: the input of the FFN's output projection; gate_pre: the neuron's row of weights, before a bias and the non-linearity (the paper)"),
        choice("Positions", "positions", [["last", "last"], ["all", "all"]], settings.positions, (positions) => change({ positions }),
          "Positions of the prompt whose activation grows"),
        choice("Target", "target", [["top_logit", "top_logit"], ["choice_first_token", "choice_first_token"]], settings.target,
          (target) => change({ target }), "top_logit: the largest logit after the prompt (the paper); choice_first_token: log-probability of the predicted choice's first token"),
        numeric("Steps", "steps", settings.steps, { min: 1, max: 1000, step: 1 }, (steps) => change({ steps: Math.round(steps) }),
          "Points on the path; more steps, smaller gaps, more time"),
        choice("Rule", "quadrature", [["middle", "middle"], ["right", "right"], ["left", "left"]], settings.rule, (rule) => change({ rule }),
          "Where in each step the gradient is taken; right is the paper's"),
        numeric("Confidence at least", "threshold", settings.confidence_threshold, { min: 0, max: 1, step: "any" },
          (confidence_threshold) => change({ confidence_threshold }), "Only items whose predicted choice has at least this probability")),
      h("p", { class: "exact" }, "Baseline zero, signed mean over the items."),
      ofFamily ? h("p", { class: "note", "data-note": "family" }, ofFamily) : null);
    const [set] = setsOf(this.state, "attribution");
    const confident = confidentItems(this.state);
    const seconds = attributionSeconds(this.state);
    refill(this.#facts,
      h("div", { class: "tools" },
        h("button", { class: "primary", "data-key": "attribute", disabled: isBusy() || set === undefined, onclick: () => void attribute() },
          attribution ? "Run the attribution again" : "Run the attribution"),
        h("span", { class: "note" }, set === undefined ? "No item set has the role attribution (step 2)."
          : `On “${visible(set)}”${confident ? `, ${confident.used} of ${confident.total} items are confident enough` : ""}`
            + `${seconds === null ? "" : `, about ${duration(seconds)}`}.`)),
      attribution ? h("p", { class: "result-line", "data-result": "attribution" },
        `On screen: “${visible(attribution.set)}”, ${settingsText(attribution.settings)}; `
        + `${count(attribution.items_used.length, "item")} used, ${attribution.items_skipped} below ${percent(attribution.settings.confidence_threshold, 0)}; `
        + `${duration(attribution.seconds)}${precomputed.includes("attribution") ? " on the command line" : ""}.`) : null);
  }
}

customElements.define("step-attribution", StepAttribution);
