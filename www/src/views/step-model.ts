// Step 1: which model, from where, on which device.

import { html, type TemplateResult } from "lit";
import { openFile } from "../services/documents";
import { report } from "../services/jobs";
import { ofDrop } from "../services/model-files";
import { chooseFiles } from "../services/models";
import { View, type Reads } from "./view";
import { dropTarget, heading } from "./widgets";

class StepModel extends View {
  protected readonly reads: Reads = () => [];

  constructor() {
    super();
    dropTarget(this, (files, transfer) => {
      const [only] = files;
      // A JSON file by itself is no model.
      if (only && files.length === 1 && only.name.endsWith(".json")) void openFile(only);
      else ofDrop(transfer).then(chooseFiles).catch(report);
    });
  }

  protected override render(): TemplateResult {
    return html`<section class="panel">
      ${heading("Model", "Choose the language model to look into. It runs in this tab and stays in this browser.")}
      <model-loaded></model-loaded>
      <known-models></known-models>
      <div class="two halves"><model-hub></model-hub><own-files></own-files></div>
      <kept-models></kept-models>
      <model-device></model-device>
    </section>`;
  }
}

customElements.define("step-model", StepModel);
