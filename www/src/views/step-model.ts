// Step 1: which model, from where, on which device.

import { html, type TemplateResult } from "lit";
import { openFile } from "../services/documents";
import { report } from "../services/jobs";
import { ofDialog, ofDrop } from "../services/model-files";
import { chooseFiles } from "../services/models";
import { View } from "./view";
import { dropTarget, filePicker, folderPicker, heading } from "./widgets";

class StepModel extends View {
  protected readonly keys = [] as const;

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
      <model-catalogue></model-catalogue>
      <div class="two halves"><model-hub></model-hub>${ownFiles()}</div>
      <model-stored></model-stored>
      <model-device></model-device>
    </section>`;
  }
}

function ownFiles(): TemplateResult {
  const take = (files: File[]): void => void chooseFiles(ofDialog(files));
  return html`<section><h2>Your own files</h2>
    <div class="drop-zone">
      <p>Drop a <b>.gguf</b> file (or all parts of one) or a model’s <b>folder</b> anywhere on this step.</p>
      <p class="tools">${filePicker("Choose files …", ".gguf,.safetensors,.json", take)}${folderPicker("Choose a folder …", take)}</p>
      <p class="note">A folder holds safetensors (one file, or shards with their index), config.json and tokenizer.json.</p>
    </div>
  </section>`;
}

customElements.define("step-model", StepModel);
