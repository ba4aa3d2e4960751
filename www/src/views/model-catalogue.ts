// The known models, one row each: what it is, what it costs, and the way to have it.

import { h, refill, View } from "../dom";
import { bytes, parameters, percent } from "../format";
import { loadBytes } from "../precision";
import { fitOf } from "../services/fit";
import { ofDialog } from "../services/model-files";
import { choose, chooseFiles, entryOf, isFetchable, isShipped, sourceOfEntry } from "../services/models";
import type { CatalogEntry } from "../site";
import type { ModelSource } from "../worker/protocol";
import { filePicker } from "./widgets";

class ModelCatalogue extends View {
  protected readonly keys = ["model", "catalog", "storage", "device_info", "engine", "job", "precision"] as const;
  #wasBlocked: boolean | null = null;

  protected render(changed: ReadonlySet<string>): void {
    const isBlocked = this.state.job !== null || this.state.engine !== "ready";
    // A job's progress changes nothing here.
    if (changed.size === 1 && changed.has("job") && isBlocked === this.#wasBlocked) return;
    this.#wasBlocked = isBlocked;
    const entries = [...this.state.catalog].sort((a, b) => a.memory_bytes - b.memory_bytes);
    refill(this, h("section", {},
      h("div", { class: "ways-in" }, h("h2", {}, "Known models"),
        h("p", {}, "or ", this.#jump("any model of the hub", "model-hub input"), ", ", this.#jump("your own files", ".drop-zone button"))),
      entries.length === 0 ? h("p", { class: "note" }, "The catalogue cannot be read.")
        : h("div", { class: "table-scroll" }, h("table", { class: "models catalogue" },
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), h("th", { scope: "col", class: "number" }, "Parameters"),
            h("th", { scope: "col", class: "number" }, "Download"), h("th", { scope: "col", class: "number" }, "Memory"),
            h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Action")))),
          h("tbody", {}, ...entries.map((entry) => this.#row(entry, isBlocked)))))));
  }

  /** The other ways to a model stand below the table. */
  #jump(text: string, target: string): HTMLElement {
    return h("button", { class: "link", "data-key": `jump-${target}`, onclick: () => {
      const control = this.closest("step-model")?.querySelector<HTMLElement>(target);
      control?.scrollIntoView({ block: "center" });
      control?.focus({ preventScroll: true });
    } }, text);
  }

  #row(entry: CatalogEntry, isBlocked: boolean): HTMLElement {
    const { model, storage, device_info, precision } = this.state;
    const size = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
    const source = sourceOfEntry(entry);
    const isLoaded = model?.info.id === entry.id && entryOf(model.info) === entry;
    const fit = fitOf(entry, precision, device_info);
    const begun = storage?.unfinished.find((other) => other.id === entry.id);
    const download = isShipped(entry) ? "with the page" : source.kind === "stored" ? "kept here"
      : begun ? `${percent(begun.held / Math.max(1, size), 0)} of ${bytes(size)}` : bytes(size);
    return h("tr", { class: isLoaded ? "selected" : "", "data-entry": entry.id },
      h("td", {}, h("b", {}, entry.name), " ", h("small", {}, entry.licence), h("p", { class: "note" }, entry.note),
        fit.text && !isLoaded ? h("p", { class: `fit ${fit.verdict}` }, fit.text) : null),
      h("td", { class: "number" }, parameters(entry.parameters)),
      h("td", { class: "number" }, download),
      h("td", { class: "number" }, bytes(loadBytes(entry, precision))),
      h("td", { class: "action" }, this.#action(entry, begun ? { kind: "unfinished", id: entry.id } : source, isLoaded, isBlocked, fit.verdict === "no")));
  }

  #action(entry: CatalogEntry, source: ModelSource, isLoaded: boolean, isBlocked: boolean, isTooLarge: boolean): HTMLElement {
    if (!isLoaded && source.kind === "catalog" && !isFetchable(entry)) {
      return filePicker("Choose file …", ".gguf", (files) => void chooseFiles(ofDialog(files)), false, `pick-${entry.id}`);
    }
    const words = { site: "Load", stored: "Load", catalog: "Download", unfinished: "Resume", files: "", hub: "" };
    const text = isLoaded ? "Loaded" : words[source.kind];
    return h("button", { "data-key": `load-${entry.id}`, disabled: isBlocked || isLoaded || isTooLarge,
      "aria-label": `${text} ${entry.name}`, onclick: () => void choose(source) }, text);
  }
}

customElements.define("model-catalogue", ModelCatalogue);
