// What is kept in this browser: complete models, and downloads that can go on.

import { h, refill, View } from "../dom";
import { bytes, percent } from "../format";
import { choose, forget } from "../services/models";

import type { StoredModel, UnfinishedModel } from "../worker/plan";

class ModelStored extends View {
  protected readonly keys = ["storage", "job", "engine", "model"] as const;
  #wasBlocked: boolean | null = null;

  protected render(changed: ReadonlySet<string>): void {
    const { storage, job, engine } = this.state;
    const isBlocked = job !== null || engine !== "ready";
    if (changed.size === 1 && changed.has("job") && isBlocked === this.#wasBlocked) return;
    this.#wasBlocked = isBlocked;
    if (!storage || storage.models.length + storage.unfinished.length === 0) {
      refill(this);
      return;
    }
    const room = storage.quota > 0 ? `${bytes(storage.used)} of ${bytes(storage.quota)} used. ` : "";
    const promise = storage.persisted ? "The browser keeps them until you delete them."
      : "The browser may clear them when the disk runs full.";
    refill(this, h("section", {}, h("h2", {}, "Kept in this browser"),
      h("div", { class: "table-scroll" }, h("table", { class: "models stored" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), h("th", { scope: "col" }, "From"),
          h("th", { scope: "col", class: "number" }, "Size"), h("th", { scope: "col" }, "Since"),
          h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Action")))),
        h("tbody", {},
          ...storage.unfinished.map((model) => this.#begun(model, isBlocked)),
          ...storage.models.map((model) => this.#model(model, isBlocked))))),
      h("p", { class: "note" }, room, promise)));
  }

  #from(source: StoredModel["source"]): string {
    return source ? `${source.repo}@${source.commit.slice(0, 7)}` : "your files";
  }

  #delete(id: string, name: string, isBlocked: boolean): HTMLElement {
    return h("button", { class: "small", "data-key": `forget-${id}`, disabled: isBlocked,
      "aria-label": `Delete ${name} from this browser`, onclick: () => void forget(id) }, "Delete");
  }

  #model(model: StoredModel, isBlocked: boolean): HTMLElement {
    const source = this.state.model?.source;
    const isLoaded = source?.kind === "stored" && source.id === model.id;
    return h("tr", { "data-stored": model.id },
      h("td", {}, h("b", {}, model.name), " ", h("small", {}, model.licence ?? "")),
      h("td", { title: model.source?.commit ?? null }, this.#from(model.source)),
      h("td", { class: "number" }, bytes(model.bytes)),
      h("td", {}, new Date(model.stored_at).toLocaleDateString()),
      h("td", { class: "action" },
        h("button", { class: "small", "data-key": `stored-${model.id}`, disabled: isBlocked || isLoaded,
          "aria-label": `Load ${model.name}`, onclick: () => void choose({ kind: "stored", id: model.id }) }, isLoaded ? "Loaded" : "Load"),
        this.#delete(model.id, model.name, isBlocked)));
  }

  #begun(model: UnfinishedModel, isBlocked: boolean): HTMLElement {
    const share = model.bytes > 0 ? model.held / model.bytes : 0;
    return h("tr", { "data-unfinished": model.id },
      h("td", {}, h("b", {}, model.name), " ", h("small", {}, `unfinished: ${percent(share, 0)}`)),
      h("td", { title: model.source?.commit ?? null }, this.#from(model.source)),
      h("td", { class: "number" }, `${bytes(model.held)} of ${bytes(model.bytes)}`),
      h("td", {}, ""),
      h("td", { class: "action" },
        h("button", { class: "small", "data-key": `resume-${model.id}`, disabled: isBlocked,
          "aria-label": `Resume the download of ${model.name}`, onclick: () => void choose({ kind: "unfinished", id: model.id }) }, "Resume"),
        this.#delete(model.id, model.name, isBlocked)));
  }
}

customElements.define("model-stored", ModelStored);
