// Lines of Python that apply the mask in Hugging Face transformers.

import { html, nothing, type TemplateResult } from "lit";
import { snippet } from "../services/actions";
import { neuronCount } from "../services/mask";
import { View, type Reads } from "./view";
import { copyButton } from "./widgets";

class PythonSnippet extends View {
  protected readonly reads: Reads = ({ study, engine }) => [study.pruning.mask, engine.model, this.isBusy];
  #snippet = "";
  /** The mask and the model that it is of. */
  #snippetOf = "";

  protected override render(): TemplateResult {
    return html`<section>
      <div class="table-head"><h2>In Python</h2>${
        neuronCount(this.state.study.pruning.mask) === 0 ? nothing : copyButton("Copy", "copy-snippet", () => this.#snippet)
      }</div>
      <pre class="snippet" tabindex="0">${this.#snippet || "# The snippet applies the mask in Hugging Face transformers."}</pre>
    </section>`;
  }

  protected override updated(): void {
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    const { mask } = this.state.study.pruning;
    const of = JSON.stringify([mask, this.state.engine.model?.info.id]);
    if (this.isBusy || of === this.#snippetOf) return;
    this.#snippetOf = of;
    this.#snippet = neuronCount(mask) === 0 ? "" : await snippet(mask);
    this.requestUpdate();
  }
}

customElements.define("python-snippet", PythonSnippet);
