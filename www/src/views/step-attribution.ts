// Step 4: how much each neuron drives the confident answers.

import { html, nothing, type TemplateResult } from "lit";
import { count, duration, hasTarget, METHODS, percent, settingsText, TOLERANCE, visible } from "../format";
import { attribute } from "../services/actions";
import { attributionSeconds, confidentItems } from "../services/estimate";
import { setsOf } from "../services/edited";
import { store } from "../services/store";
import type { AttributionSettings, Method, Quadrature } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { choice, heading, numeric } from "./widgets";

/** What the methods without a path compute of a neuron. */
const FORMULAS: Readonly<Record<Exclude<Method, "integrated_gradients">, string>> = {
  gradient_times_activation: "the gradient of the target by the neuron's activation, times the activation",
  activation: "its activation, summed over the positions, whatever follows from it",
  weight_norm: "the norm of its output weights, the same for every item",
  wanda: "the norm of its activations over the positions, times the sum of its absolute output weights (Sun et al., 2024)",
  cosine: "the cosine of its input and its output weights, the same for every item",
  random: "a random number, the same in every run, which any other method has to beat",
};

/** The most steps of a layer and an item, where as many are taken as it takes. */
const ADAPTIVE_STEPS = 500;

/** What a reader of scores should know of a family. */
const OF_FAMILY: Readonly<Record<string, string>> = {
  gemma3_text:
    "Gemma 3 norms what its FFN gives, so a factor on all activations of a layer matters only near zero: expect gaps as large as "
    + "the difference, compare neurons within a layer, and check them by their exact effect.",
  gpt2: ofBias("GPT-2"),
  gpt_neox: ofBias("This family"),
};

function ofBias(name: string): string {
  return `${name} has FFN biases: gate_pre takes away a neuron's weights and leaves its bias, post takes away both, and so does pruning.`;
}

class StepAttribution extends View {
  protected readonly reads: Reads = ({ study, engine, shown }) => [
    study.attribution,
    engine.presets,
    engine.model,
    shown.attribution,
    shown.sets,
    shown.scores,
    shown.precomputed,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    const { model } = this.state.engine;
    const ofFamily = model ? OF_FAMILY[model.info.family] : undefined;
    return html`<section class="panel">
      ${heading(
        "Attribution",
        "How much does each neuron push the model towards the answer it is sure of?",
        this.state.study.attribution.method === "integrated_gradients"
          ? "Integrated Gradients (IG) of every FFN neuron: its activation grows from zero, and the gradients of the target on the way are added up."
          : `By another method, to compare with Integrated Gradients: ${FORMULAS[this.state.study.attribution.method]}.`,
      )}
      <div>
        <div class="fields">${this.#preset()}${this.#settings()}</div>
        <p class="exact">Baseline zero, signed mean over the items.</p>
        ${ofFamily ? html`<p class="note" data-note="family">${ofFamily}</p>` : nothing}
      </div>
      <div>${this.#run()}${this.#found()}</div>
      <div class="two"><ranked-table></ranked-table><gap-chart></gap-chart></div>
    </section>`;
  }

  /** Builds on the settings as they are by now: a change may come before the form is drawn anew for the last one. */
  #change(patch: Partial<AttributionSettings>): void {
    const { preset: _, tolerance: before, ...rest } = this.state.study.attribution;
    const { tolerance = before, ...others } = patch;
    const settings = { ...rest, ...others };
    // A tolerance is for one rule alone.
    store.edit({ attribution: settings.rule === "adaptive" && tolerance !== undefined ? { ...settings, tolerance } : settings });
  }

  #preset(): TemplateResult {
    const { attribution: settings } = this.state.study;
    const { presets } = this.state.engine;
    const named = Object.entries(presets).filter(([, preset]) => preset.preset !== undefined);
    return choice(
      "Preset",
      "preset",
      [...named.map(([name]) => [name, name] as const), ["", "own settings"] as const],
      settings.preset ?? "",
      (name) => {
        const found = presets[name];
        if (found) store.edit({ attribution: { ...found, confidence_threshold: this.state.study.attribution.confidence_threshold } });
        else this.#change({});
      },
      "paper: the paper's equations as a re-implementation reports them; fast: the cheapest that keeps completeness layer by layer",
    );
  }

  /** What a method starts with, for the items and positions chosen. */
  #method(method: Method): void {
    const found = this.state.engine.presets[method] ?? this.state.engine.presets["fast"];
    if (!found) return;
    const { preset: _, ...start } = found;
    const { positions, confidence_threshold } = this.state.study.attribution;
    this.#change({ ...start, positions, confidence_threshold });
  }

  #settings(): TemplateResult {
    const { method, positions, confidence_threshold: threshold } = this.state.study.attribution;
    return html`
      ${choice(
        "Method",
        "method",
        Object.entries(METHODS) as [Method, string][],
        method,
        (to) => this.#method(to),
        "Integrated Gradients is the paper's; the others are for comparison",
      )}
      ${method === "integrated_gradients" ? this.#path() : nothing}
      ${choice(
        "Positions",
        "positions",
        [
          ["last", "last"],
          ["all", "all"],
        ],
        positions,
        (to) => this.#change({ positions: to }),
        "Positions of the prompt whose activation counts",
      )}
      ${hasTarget(method) ? this.#target() : nothing} ${method === "integrated_gradients" ? this.#rule() : nothing}
      ${numeric(
        "Confidence at least",
        "threshold",
        threshold,
        { min: 0, max: 1, step: "any" },
        (to) => this.#change({ confidence_threshold: to }),
        "Only items whose predicted choice has at least this probability",
      )}
    `;
  }

  #path(): TemplateResult {
    return choice(
      "Path",
      "path",
      [
        ["per_layer", "per layer"],
        ["joint", "joint"],
      ],
      this.state.study.attribution.path,
      (to) => this.#change({ path: to }),
      "per layer: one layer grows while the others are as they are; joint: all grow together",
    );
  }

  #target(): TemplateResult {
    const { site, target } = this.state.study.attribution;
    return html`
      ${choice(
        "Site",
        "site",
        [
          ["post", "post"],
          ["gate_pre", "gate_pre"],
        ],
        site,
        (to) => this.#change({ site: to }),
        "post: the input of the FFN's output projection; gate_pre: the neuron's row of weights, before a bias and the non-linearity (the paper)",
      )}
      ${choice(
        "Target",
        "target",
        [
          ["top_logit", "top_logit"],
          ["choice_first_token", "choice_first_token"],
        ],
        target,
        (to) => this.#change({ target: to }),
        "top_logit: the largest logit after the prompt (the paper); choice_first_token: log-probability of the predicted choice's first token",
      )}
    `;
  }

  #rule(): TemplateResult {
    const { steps, rule, tolerance } = this.state.study.attribution;
    const isAdaptive = rule === "adaptive";
    return html`
      ${choice(
        "Rule",
        "quadrature",
        [
          ["middle", "middle"],
          ["right", "right"],
          ["left", "left"],
          ["trapezoid", "trapezoid"],
          ["gauss_legendre", "Gauss–Legendre"],
          ["adaptive", "to a tolerance"],
        ],
        rule,
        (to) => this.#ruleBy(to),
        "Where on the path the gradient is taken; right is the paper's; to a tolerance: wherever it takes to miss no more than you allow",
      )}
      ${
        isAdaptive
          ? numeric(
              "Gap of at most",
              "tolerance",
              tolerance ?? TOLERANCE,
              { min: 0.0001, max: 0.5, step: "any" },
              (to) => this.#change({ tolerance: to }),
              "Share of M(1) − M(0) that the scores of a layer may miss, for each item",
            )
          : nothing
      }
      ${numeric(
        isAdaptive ? "Steps at most" : "Steps",
        "steps",
        steps,
        { min: isAdaptive ? 8 : rule === "trapezoid" ? 2 : 1, max: 1000, step: 1 },
        (to) => this.#change({ steps: to }),
        isAdaptive ? "For a layer and an item" : "Points on the path; more steps, smaller gaps, more time",
      )}
    `;
  }

  #ruleBy(rule: Quadrature): void {
    const { rule: before, steps } = this.state.study.attribution;
    const fast = this.state.engine.presets["fast"]?.steps ?? steps;
    if (rule === "adaptive") this.#change({ rule, tolerance: TOLERANCE, steps: ADAPTIVE_STEPS });
    else this.#change({ rule, steps: before === "adaptive" ? fast : Math.max(steps, 2) });
  }

  #run(): TemplateResult {
    const [set] = setsOf(this.state.study, "attribution");
    const confident = confidentItems(this.state);
    const seconds = attributionSeconds(this.state);
    return html`<div class="tools">
      <button class="primary" data-key="attribute" ?disabled=${this.isBusy || set === undefined} @click=${() => void attribute()}>${
        this.state.shown.attribution ? "Run the attribution again" : "Run the attribution"
      }</button>
      <span class="note">${
        set === undefined
          ? "No item set has the role attribution (step 2)."
          : `On “${visible(set)}”${confident ? `, ${confident.used} of ${confident.total} items are confident enough` : ""}`
            + `${seconds === null ? "" : `, about ${duration(seconds)}`}.`
      }</span>
    </div>`;
  }

  #found(): Drawn {
    const { attribution, precomputed } = this.state.shown;
    if (!attribution) return nothing;
    const { set, settings, items_used, items_skipped, seconds } = attribution;
    return html`<p class="result-line" data-result="attribution">On screen: “${visible(set)}”, ${settingsText(settings)}; ${count(
      items_used.length,
      "item",
    )} used, ${items_skipped} below ${percent(settings.confidence_threshold, 0)}; ${duration(seconds)}${
      precomputed.includes("attribution") ? " on the command line" : ""
    }.</p>`;
  }
}

customElements.define("step-attribution", StepAttribution);
