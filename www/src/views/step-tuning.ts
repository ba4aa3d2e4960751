// Step 6: light fine-tuning after pruning, beside the same without pruning.

import { html, type TemplateResult } from "lit";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

class StepTuning extends View {
  protected readonly reads: Reads = () => [];

  protected override render(): TemplateResult {
    return html`<section class="panel">
      ${heading(
        "Tuning",
        "Let the remaining neurons of one layer adjust their strength a little, and see whether that helps further.",
        "One trained factor (gain) per remaining neuron; cross-entropy over the choices' log-likelihoods; AdamW; this project's extension, not the paper's.",
      )}
      <tuning-settings></tuning-settings>
      <tuning-curves></tuning-curves>
    </section>`;
  }
}

customElements.define("step-tuning", StepTuning);
