// The mask as a file, with what made it and what it does.

import { html, nothing, type TemplateResult } from "lit";
import { count, operationText } from "../format";
import { saveFile } from "../save-file";
import { openFile } from "../services/documents";
import { report } from "../services/jobs";
import { neuronCount } from "../services/mask";
import { maskFile } from "../services/study";
import { View, type Reads } from "./view";
import { filePicker } from "./widgets";

class MaskFile extends View {
  protected readonly reads: Reads = ({ study, shown }) => [study.pruning.mask, shown.pruned, this.isBusy];

  protected override render(): TemplateResult {
    const { mask } = this.state.study.pruning;
    const { pruned } = this.state.shown;
    const size = neuronCount(mask);
    return html`<section><h2>Mask file</h2>
      <p class="note">${
        size === 0
          ? "Nothing is pruned yet."
          : `${count(size, "neuron")}, whose activations are ${operationText(mask)}; the model's sha256, the study that made it and what was measured.`
      }</p>
      <div class="tools">
        <button class="primary" data-key="export-mask" ?disabled=${this.isBusy || !pruned} @click=${() => void this.#save()}>Download mask.json</button>
        ${filePicker("Open a mask, study or report …", ".json", ([file]) => void (file && openFile(file)), false)}
      </div>
      ${pruned || size === 0 ? nothing : html`<p class="note">Measure the mask first (step 5): the file says what it does.</p>`}
      <p class="note">A pruned model is neither smaller nor faster: its neurons are switched off, not cut out.</p>
    </section>`;
  }

  async #save(): Promise<void> {
    const name = this.state.engine.model?.info.id ?? "model";
    try {
      saveFile(`${name}.mask.json`, await maskFile());
    } catch (thrown) {
      report(thrown);
    }
  }
}

customElements.define("mask-file", MaskFile);
