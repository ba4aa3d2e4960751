// What is kept in this browser: complete models, and downloads that can go on.

import { html, nothing, type TemplateResult } from "lit";
import { bytes, percent } from "../format";
import { choose, forget } from "../services/models";
import type { StoredModel, UnfinishedModel } from "../worker/plan";
import { View, type Drawn, type Reads } from "./view";

class KeptModels extends View {
  protected readonly reads: Reads = ({ engine }) => [engine.storage, engine.model, this.isBlocked];

  protected override render(): Drawn {
    const { storage } = this.state.engine;
    if (!storage || storage.models.length + storage.unfinished.length === 0) return nothing;
    const room = storage.quota > 0 ? `${bytes(storage.used)} of ${bytes(storage.quota)} used. ` : "";
    const promise = storage.persisted
      ? "The browser keeps them until you delete them."
      : "The browser may clear them when the disk runs full.";
    return html`<section><h2>Kept in this browser</h2>
      <div class="table-scroll"><table class="models stored">
        <thead><tr>
          <th scope="col">Model</th><th scope="col">From</th><th scope="col" class="number">Size</th><th scope="col">Since</th>
          <th scope="col"><span class="visually-hidden">Action</span></th>
        </tr></thead>
        <tbody>${storage.unfinished.map((model) => this.#begun(model))}${storage.models.map((model) => this.#model(model))}</tbody>
      </table></div>
      <p class="note">${room}${promise}</p>
    </section>`;
  }

  #delete(id: string, name: string): TemplateResult {
    return html`<button class="small" data-key=${`forget-${id}`} ?disabled=${this.isBlocked} aria-label="Delete ${name} from this browser"
      @click=${() => void forget(id)}>Delete</button>`;
  }

  #model(model: StoredModel): TemplateResult {
    const source = this.state.engine.model?.source;
    const isLoaded = source?.kind === "stored" && source.id === model.id;
    return html`<tr data-stored=${model.id}>
      <td><b>${model.name}</b> <small>${model.licence ?? ""}</small></td>
      ${from(model.source)}
      <td class="number">${bytes(model.bytes)}</td>
      <td>${new Date(model.stored_at).toLocaleDateString()}</td>
      <td class="action"><button class="small" data-key=${`stored-${model.id}`} ?disabled=${this.isBlocked || isLoaded}
        aria-label="Load ${model.name}" @click=${() => void choose({ kind: "stored", id: model.id })}>${
          isLoaded ? "Loaded" : "Load"
        }</button>${this.#delete(model.id, model.name)}</td>
    </tr>`;
  }

  #begun(model: UnfinishedModel): TemplateResult {
    const share = model.bytes > 0 ? model.held / model.bytes : 0;
    return html`<tr data-unfinished=${model.id}>
      <td><b>${model.name}</b> <small>unfinished: ${percent(share, 0)}</small></td>
      ${from(model.source)}
      <td class="number">${bytes(model.held)} of ${bytes(model.bytes)}</td>
      <td></td>
      <td class="action"><button class="small" data-key=${`resume-${model.id}`} ?disabled=${this.isBlocked}
        aria-label="Resume the download of ${model.name}" @click=${() => void choose({ kind: "unfinished", id: model.id })}>Resume</button>${this.#delete(
          model.id,
          model.name,
        )}</td>
    </tr>`;
  }
}

function from(source: StoredModel["source"]): TemplateResult {
  return html`<td title=${source?.commit ?? nothing}>${source ? `${source.repo}@${source.commit.slice(0, 7)}` : "your files"}</td>`;
}

customElements.define("kept-models", KeptModels);
