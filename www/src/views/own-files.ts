// A model from files of one's own.

import { html, type TemplateResult } from "lit";
import { ofDialog } from "../services/model-files";
import { chooseFiles } from "../services/models";
import { View, type Reads } from "./view";
import { filePicker, folderPicker } from "./widgets";

class OwnFiles extends View {
  protected readonly reads: Reads = () => [];

  protected override render(): TemplateResult {
    const take = (files: File[]): void => void chooseFiles(ofDialog(files));
    return html`<section><h2>Your own files</h2>
      <div class="drop-zone">
        <p>Drop a <b>.gguf</b> file (or all parts of one) or a model’s <b>folder</b> anywhere on this step.</p>
        <p class="tools">${filePicker("Choose files …", ".gguf,.safetensors,.json", take)}${folderPicker("Choose a folder …", take)}</p>
        <p class="note">A folder holds safetensors (one file, or shards with their index), config.json and tokenizer.json.</p>
      </div>
    </section>`;
  }
}

customElements.define("own-files", OwnFiles);
