// The known models, one row each: what it is, what it costs, and the way to have it.

import { html, nothing, type TemplateResult } from "lit";
import { bytes, parameters, percent } from "../format";
import { loadBytes } from "../precision";
import { fitOf } from "../services/fit";
import { ofDialog } from "../services/model-files";
import { choose, chooseFiles, entryOf, isFetchable, isShipped, sourceOfEntry } from "../services/models";
import type { CatalogEntry } from "../site";
import type { ModelSource } from "../worker/protocol";
import { View, type Drawn, type Reads } from "./view";
import { filePicker } from "./widgets";

class KnownModels extends View {
  protected readonly reads: Reads = ({ engine }) => [
    engine.model,
    engine.catalog,
    engine.storage,
    engine.device_info,
    engine.precision,
    this.isBlocked,
  ];

  protected override render(): Drawn {
    const entries = [...this.state.engine.catalog].sort((a, b) => a.memory_bytes - b.memory_bytes);
    return html`<section>
      <div class="ways-in"><h2>Known models</h2>
        <p>or ${this.#jump("any model of the hub", "model-hub input")}, ${this.#jump("your own files", ".drop-zone button")}</p></div>
      ${
        entries.length === 0
          ? html`<p class="note">The catalogue cannot be read.</p>`
          : html`<div class="table-scroll"><table class="models catalogue">
          <thead><tr>
            <th scope="col">Model</th><th scope="col" class="number">Parameters</th><th scope="col" class="number">Download</th>
            <th scope="col" class="number">Memory</th><th scope="col"><span class="visually-hidden">Action</span></th>
          </tr></thead>
          <tbody>${entries.map((entry) => this.#row(entry))}</tbody>
        </table></div>`
      }
    </section>`;
  }

  /** The other ways to a model stand below the table. */
  #jump(text: string, target: string): TemplateResult {
    return html`<button class="link" data-key=${`jump-${target}`} @click=${() => {
      const control = this.closest("step-model")?.querySelector<HTMLElement>(target);
      control?.scrollIntoView({ block: "center" });
      control?.focus({ preventScroll: true });
    }}>${text}</button>`;
  }

  #row(entry: CatalogEntry): TemplateResult {
    const { model, storage, device_info, precision } = this.state.engine;
    const size = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
    const source = sourceOfEntry(entry);
    const isLoaded = model?.info.id === entry.id && entryOf(model.info) === entry;
    const fit = fitOf(entry, precision, device_info);
    const begun = storage?.unfinished.find((other) => other.id === entry.id);
    const download = isShipped(entry)
      ? "with the page"
      : source.kind === "stored"
        ? "kept here"
        : begun
          ? `${percent(begun.held / Math.max(1, size), 0)} of ${bytes(size)}`
          : bytes(size);
    return html`<tr class=${isLoaded ? "selected" : ""} data-entry=${entry.id}>
      <td><b>${entry.name}</b> <small>${entry.licence}</small><p class="note">${entry.note}</p>${
        fit.text && !isLoaded ? html`<p class="fit ${fit.verdict}">${fit.text}</p>` : nothing
      }</td>
      <td class="number">${parameters(entry.parameters)}</td>
      <td class="number">${download}</td>
      <td class="number">${bytes(loadBytes(entry, precision))}</td>
      <td class="action">${this.#action(entry, begun ? { kind: "unfinished", id: entry.id } : source, isLoaded, fit.verdict === "no")}</td>
    </tr>`;
  }

  #action(entry: CatalogEntry, source: ModelSource, isLoaded: boolean, isTooLarge: boolean): TemplateResult {
    if (!isLoaded && source.kind === "catalog" && !isFetchable(entry)) {
      return filePicker("Choose file …", ".gguf", (files) => void chooseFiles(ofDialog(files)), false, `pick-${entry.id}`);
    }
    const words = { site: "Load", stored: "Load", catalog: "Download", unfinished: "Resume", files: "", hub: "" };
    const text = isLoaded ? "Loaded" : words[source.kind];
    return html`<button data-key=${`load-${entry.id}`} ?disabled=${this.isBlocked || isLoaded || isTooLarge}
      aria-label="${text} ${entry.name}" @click=${() => void choose(source)}>${text}</button>`;
  }
}

customElements.define("known-models", KnownModels);
