// Step 7: what to take along.

import { download, h, isBusy, refill, View } from "../dom";
import { count } from "../format";
import { snippet } from "../services/actions";
import { openFile } from "../services/documents";
import { report } from "../services/jobs";
import { neuronCount } from "../services/mask";
import { link, LONGEST_LINK, maskFile, reportDocument, study } from "../services/study";
import { copyButton, filePicker, heading } from "./widgets";

class StepResult extends View {
  protected readonly keys = [
    "mask", "pruned", "control", "job", "engine", "model", "sets", "tuning", "attribution", "search", "selection",
    "template", "few_shot", "choice_order", "rule", "made_with",
  ] as const;
  #link = "";
  #linkOf = "";
  #snippet = "";
  #snippetOf = "";

  protected render(): void {
    const { mask, pruned, model } = this.state;
    const size = neuronCount(mask);
    const busy = isBusy();
    const name = model?.info.id ?? "model";
    const studyText = JSON.stringify(study(this.state));
    if (this.#linkOf !== studyText) this.#link = "";
    void this.#refreshSnippet();
    refill(this, h("section", { class: "panel" },
      heading("Result", "Take the mask along, or send a link that lets anyone run this again and compare."),
      h("div", { class: "two halves" },
        h("section", {}, h("h2", {}, "Mask file"),
          h("p", { class: "note" }, size === 0 ? "Nothing is pruned yet."
            : `${count(size, "neuron")}, the model's sha256, the study that made it and what was measured.`),
          h("div", { class: "tools" },
            h("button", { class: "primary", "data-key": "export-mask", disabled: busy || !pruned, onclick: () => void this.#export(name) },
              "Download mask.json"),
            filePicker("Open a mask, study or report …", ".json", (files) => void this.#open(files), false)),
          pruned || size === 0 ? null : h("p", { class: "note" }, "Measure the mask first (step 5): the file says what it does."),
          h("p", { class: "note" }, "A pruned model is neither smaller nor faster: its neurons are switched off, not cut out.")),
        h("section", {}, h("h2", {}, "Link"),
          h("p", { class: "note" }, "Settings, mask and own items travel in the address itself, after the #; no server sees them."),
          h("div", { class: "tools" },
            h("button", { class: "primary", "data-key": "make-link", disabled: busy || this.state.sets.length === 0,
              onclick: () => void this.#makeLink(studyText) }, "Make the link"),
            this.#link ? copyButton("Copy", "copy-link", () => this.#link) : null),
          this.#link ? h("input", { class: "link-text", type: "text", readonly: true, value: this.#link, "data-key": "link",
            "aria-label": "Link", onfocus: (event: Event) => (event.target as HTMLInputElement).select() }) : null,
          this.#link.length > LONGEST_LINK ? h("p", { class: "warning" }, `The link has ${this.#link.length.toLocaleString("en")} characters, and some programs cut `
            + `it off. Send the study file instead: “secateur run” executes it.`) : null)),
      h("section", {}, h("div", { class: "table-head" }, h("h2", {}, "In Python"), size === 0 ? null : copyButton("Copy", "copy-snippet", () => this.#snippet)),
        h("pre", { class: "snippet", tabindex: 0 }, this.#snippet || "# The snippet applies the mask in Hugging Face transformers.")),
      h("section", {}, h("h2", {}, "Documents"),
        h("div", { class: "tools" },
          h("button", { "data-key": "save-report", disabled: model === null || this.state.engine !== "ready",
            onclick: () => this.#saveReport(name) }, "Download the report (JSON)"),
          h("button", { "data-key": "save-study", disabled: model === null, onclick: () =>
            download(`${name}.study.json`, JSON.stringify(study(this.state), null, 2)) }, "Download the study (JSON)")))));
  }

  async #export(name: string): Promise<void> {
    try {
      download(`${name}.mask.json`, await maskFile());
    } catch (thrown) {
      report(thrown);
    }
  }

  async #open(files: File[]): Promise<void> {
    const [file] = files;
    if (file) await openFile(file);
  }

  #saveReport(name: string): void {
    const document = reportDocument(this.state);
    if (document) download(`${name}.report.json`, JSON.stringify(document));
  }

  async #makeLink(of: string): Promise<void> {
    this.#link = (await link()) ?? "";
    this.#linkOf = of;
    this.render();
  }

  async #refreshSnippet(): Promise<void> {
    const { mask, engine, model, job } = this.state;
    const of = JSON.stringify([mask, model?.info.id]);
    if (engine !== "ready" || !model || job || of === this.#snippetOf) return;
    this.#snippetOf = of;
    this.#snippet = neuronCount(mask) === 0 ? "" : await snippet(mask);
    this.render();
  }
}

customElements.define("step-result", StepResult);
