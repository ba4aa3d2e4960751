// Step 2: the questions. In from text, file or sample; sets with roles; the prompt that the model will read.

import { html, type TemplateResult } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { report } from "../services/jobs";
import type { AddItems } from "./add-items";
import { View, type Reads } from "./view";
import { dropTarget, heading } from "./widgets";

class StepItems extends View {
  protected readonly reads: Reads = ({ view, shown }) => [view.open_set, shown.sets];
  #adding = createRef<AddItems>();

  constructor() {
    super();
    dropTarget(this, (files) => void this.#adding.value?.read(files).catch(report));
  }

  protected override render(): TemplateResult {
    const { view, shown } = this.state;
    const open = (shown.sets.find(({ name }) => name === view.open_set) ?? shown.sets[0])?.name ?? "";
    return html`<section class="panel">
      ${heading(
        "Items",
        "Multiple-choice questions with a known answer: bring your own, or take a sample.",
        'JSONL: {"id", "context" or "question", "choices": […], "gold": index}, or the fields of a known data set (COPA, HellaSwag, PIQA, …). '
          + "Also CSV or TSV (question, a, b, …, correct), Aiken, GIFT, Moodle XML, COPA's XML, and BIG-bench's JSON. The format is told from the text.",
      )}
      <item-sets data-set=${open}></item-sets>
      <add-items ${ref(this.#adding)}></add-items>
      <prompt-settings data-set=${open}></prompt-settings>
      <item-list data-set=${open}></item-list>
    </section>`;
  }
}

customElements.define("step-items", StepItems);
