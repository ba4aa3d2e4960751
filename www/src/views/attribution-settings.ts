// What is attributed, and how: by a preset, or with settings of one's own.

import { html, nothing, type TemplateResult } from "lit";
import { hasBaseline, hasPath, hasTarget, METHODS } from "../format";
import { store } from "../services/store";
import { LIMITS, type AttributionSettings as Settings, type Method, type Quadrature } from "../wire/engine";
import { View, type Reads } from "./view";
import { choice, numeric } from "./widgets";

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

class AttributionSettings extends View {
  protected readonly reads: Reads = ({ study, engine }) => [study.attribution, engine.presets, engine.model];

  protected override render(): TemplateResult {
    const { model } = this.state.engine;
    const ofFamily = model ? OF_FAMILY[model.info.family] : undefined;
    return html`<div class="fields">${this.#preset()}${this.#settings()}</div>
      ${ofFamily ? html`<p class="note" data-note="family">${ofFamily}</p>` : nothing}`;
  }

  /** Builds on the settings as they are by now: a change may come before the form is drawn anew for the last one. */
  #change(patch: Partial<Settings>): void {
    const { preset: _, ...before } = this.state.study.attribution;
    const { tolerance, consensus_threshold, layer_scale, ...settings } = { ...before, ...patch };
    // Each of them is for one rule, one aggregate or one site alone.
    store.edit({
      attribution: {
        ...settings,
        ...(settings.rule === "adaptive" && tolerance !== undefined ? { tolerance } : {}),
        ...(settings.aggregate === "consensus_share" && consensus_threshold !== undefined ? { consensus_threshold } : {}),
        ...(settings.aggregate !== "consensus_share" && layer_scale === "maximum" ? { layer_scale } : {}),
        ...(settings.site === "gate_pre" ? { baseline: "zero" as const } : {}),
      },
    });
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
      "paper: the paper's equations as a re-implementation reports them; paper-code: what it reports of the authors' released code; fast: the cheapest that keeps completeness layer by layer; "
        + "knowledge-neurons: in how many items a neuron has a fifth of the largest score (Dai et al., 2022)",
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
      ${hasPath(method) ? this.#path() : nothing}
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
      ${hasTarget(method) ? this.#target() : nothing} ${hasPath(method) ? this.#rule() : nothing} ${this.#aggregate()}
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
    const { method, site, target, baseline } = this.state.study.attribution;
    return html`
      ${
        hasBaseline(method)
          ? choice(
              "Site",
              "site",
              [
                ["post", "post"],
                ["gate_pre", "gate_pre"],
              ],
              site,
              (to) => this.#change({ site: to }),
              "post: the input of the FFN's output projection; gate_pre: the neuron's row of weights, before a bias and the non-linearity (the paper)",
            )
          : nothing
      }
      ${choice(
        "Target",
        "target",
        [
          ["top_logit", "top_logit"],
          ["choice_first_token", "choice_first_token"],
          ["choice_logprob", "choice_logprob"],
          ["gold_margin", "gold_margin"],
        ],
        target,
        (to) => this.#change({ target: to }),
        "top_logit: the largest logit after the prompt (the paper); choice_first_token: log-probability of the predicted choice's first token; "
          + "choice_logprob: log-likelihood of the whole predicted choice, normalised over the choices; "
          + "gold_margin: the right choice's first token against the best of the wrong ones'",
      )}
      ${
        hasBaseline(method) && site === "post"
          ? choice(
              "Baseline",
              "baseline",
              [
                ["zero", "zero"],
                ["mean", "mean"],
              ],
              baseline,
              (to) => this.#change({ baseline: to }),
              "What a neuron without its say is set to: zero (the paper), or its mean over the items",
            )
          : nothing
      }
    `;
  }

  #aggregate(): TemplateResult {
    const { aggregate, consensus_threshold, layer_scale } = this.state.study.attribution;
    return html`
      ${choice(
        "Over the items",
        "aggregate",
        [
          ["signed_mean", "mean"],
          ["mean_absolute", "mean of absolute values"],
          ["consensus_share", "share of items"],
        ],
        aggregate,
        (to) => this.#change({ aggregate: to }),
        "mean: the sign is kept (the paper); share of items: those in which the neuron has a share of the item's largest score",
      )}
      ${
        aggregate === "consensus_share"
          ? numeric(
              "Share of the largest",
              "consensus",
              consensus_threshold ?? LIMITS.consensus,
              { min: 0.01, max: 1, step: "any" },
              (to) => this.#change({ consensus_threshold: to }),
              "Of an item's largest score; a neuron with at least this much counts for the item",
            )
          : choice(
              "Layers",
              "layer-scale",
              [
                ["as_is", "as they are"],
                ["maximum", "each by its largest"],
              ],
              layer_scale ?? "as_is",
              (to) => this.#change({ layer_scale: to }),
              "each by its largest: a layer's scores are divided by its largest one, so that every layer has neurons of full score (the authors' code)",
            )
      }
    `;
  }

  #rule(): TemplateResult {
    const { method, steps, rule, tolerance } = this.state.study.attribution;
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
          ...(method === "integrated_gradients" ? [["adaptive", "to a tolerance"] as const] : []),
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
              tolerance ?? LIMITS.tolerance,
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
        { min: isAdaptive ? 8 : rule === "trapezoid" ? 2 : 1, max: LIMITS.steps, step: 1 },
        (to) => this.#change({ steps: to }),
        isAdaptive ? "For a layer and an item" : "Points on the path; more steps, smaller gaps, more time",
      )}
    `;
  }

  #ruleBy(rule: Quadrature): void {
    const { rule: before, steps } = this.state.study.attribution;
    const fast = this.state.engine.presets["fast"]?.steps ?? steps;
    if (rule === "adaptive") this.#change({ rule, tolerance: LIMITS.tolerance, steps: LIMITS.adaptive_steps });
    else this.#change({ rule, steps: before === "adaptive" ? fast : Math.max(steps, 2) });
  }
}

customElements.define("attribution-settings", AttributionSettings);
