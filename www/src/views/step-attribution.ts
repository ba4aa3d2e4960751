// Step 4: how much each neuron drives the confident answers.

import { html, type TemplateResult } from "lit";
import type { Method } from "../wire/engine";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

/** What the other methods compute of a neuron. */
const FORMULAS: Readonly<Record<Exclude<Method, "integrated_gradients">, string>> = {
  clamped_gradients:
    "the gradients of the target on the way from zero, those above zero alone and not times the activation, as a third party reports the paper's released code",
  gradient_times_activation: "the gradient of the target by the neuron's activation, times the activation",
  relp: "Relevance Patching: its activation times the gradient of the target in a model whose norms, activation functions and gates are linear, one run each way (Rezaei Jafari et al., 2025)",
  activation: "its activation, summed over the positions, whatever follows from it",
  weight_norm: "the norm of its output weights, the same for every item",
  wanda: "the norm of its activations over the positions, times the sum of its absolute output weights (Sun et al., 2024)",
  cosine: "the cosine of its input and its output weights, the same for every item",
  random: "a random number, the same in every run, which any other method has to beat",
  ablation: "what the target loses when the neuron alone is set to zero, measured one neuron at a time: what the other methods estimate",
};

class StepAttribution extends View {
  protected readonly reads: Reads = ({ study }) => [study.attribution.method];

  protected override render(): TemplateResult {
    const { method } = this.state.study.attribution;
    return html`<section class="panel">
      ${heading(
        "Attribution",
        "How much does each neuron push the model towards the answer it is sure of?",
        method === "integrated_gradients"
          ? "Integrated Gradients (IG) of every FFN neuron: its activation grows from zero, and the gradients of the target on the way are added up."
          : `By another method, to compare with Integrated Gradients: ${FORMULAS[method]}.`,
      )}
      <attribution-settings></attribution-settings>
      <attribution-run></attribution-run>
      <div class="two"><strongest-neurons></strongest-neurons><completeness-gaps></completeness-gaps></div>
      <method-race></method-race>
      <neuron-contrast></neuron-contrast>
    </section>`;
  }
}

customElements.define("step-attribution", StepAttribution);
