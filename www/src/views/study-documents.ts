// The study and its report as files.

import { html, type TemplateResult } from "lit";
import { saveFile } from "../save-file";
import { reportDocument, wholeStudy } from "../services/study";
import { View, type Reads } from "./view";

class StudyDocuments extends View {
  protected readonly reads: Reads = ({ engine }) => [engine.status, engine.model];

  protected override render(): TemplateResult {
    const { model, status } = this.state.engine;
    return html`<section><h2>Documents</h2>
      <div class="tools">
        <button data-key="save-report" ?disabled=${model === null || status !== "ready"} @click=${this.#saveReport}>Download the report (JSON)</button>
        <button data-key="save-study" ?disabled=${model === null} @click=${this.#saveStudy}>Download the study (JSON)</button>
      </div>
    </section>`;
  }

  get #name(): string {
    return this.state.engine.model?.info.id ?? "model";
  }

  #saveReport(): void {
    const document = reportDocument(this.state);
    if (document) saveFile(`${this.#name}.report.json`, JSON.stringify(document));
  }

  #saveStudy(): void {
    saveFile(`${this.#name}.study.json`, JSON.stringify(wholeStudy(this.state), null, 2));
  }
}

customElements.define("study-documents", StudyDocuments);
