// Step 5: which neurons go, and what that does, against masks drawn at random.

import { html, type TemplateResult } from "lit";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

class StepPruning extends View {
  protected readonly reads: Reads = () => [];

  protected override render(): TemplateResult {
    return html`<section class="panel">
      ${heading(
        "Pruning",
        "Switch off the neurons that drive the confident answers, and see which answers change.",
        "The top p % of one layer by |IG| are set to zero at every position, unless you choose otherwise. Single neurons are added or taken back in the map, the table or the card.",
      )}
      <top-share></top-share>
      <mask-operation></mask-operation>
      <harm-panel></harm-panel>
      <answers-table></answers-table>
      <general-ability></general-ability>
      <random-control></random-control>
      <kept-masks></kept-masks>
      <layer-search></layer-search>
      <strongest-neurons></strongest-neurons>
    </section>`;
  }
}

customElements.define("step-pruning", StepPruning);
