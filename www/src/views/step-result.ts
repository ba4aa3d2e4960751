// Step 7: what to take along.

import { html, type TemplateResult } from "lit";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

class StepResult extends View {
  protected readonly reads: Reads = () => [];

  protected override render(): TemplateResult {
    return html`<section class="panel">
      ${heading("Result", "Take the mask along, or send a link that lets anyone run this again and compare.")}
      <div class="two halves"><mask-file></mask-file><study-link></study-link></div>
      <python-snippet></python-snippet>
      <study-documents></study-documents>
    </section>`;
  }
}

customElements.define("step-result", StepResult);
