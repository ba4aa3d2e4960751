// The loaded model, and what its files held.

import { html, nothing } from "lit";
import { bytes, parameters, visible } from "../format";
import { PRECISIONS } from "../precision";
import { entryOf } from "../services/models";
import type { Model } from "../services/store";
import { View, type Drawn, type Reads } from "./view";
import { facts } from "./widgets";

class ModelLoaded extends View {
  protected readonly reads: Reads = ({ engine }) => [engine.model, engine.catalog, engine.storage];

  protected override willUpdate(): void {
    const { model } = this.state.engine;
    this.className = model ? "loaded" : "";
    this.dataset["model"] = model?.info.id ?? "";
  }

  protected override render(): Drawn {
    const { model } = this.state.engine;
    if (!model) return nothing;
    const { info, name } = model;
    const { notes, unused } = info.report;
    return html`<h2>Loaded: ${visible(name)}</h2>
      <p>${parameters(info.n_parameters)} parameters, ${(info.n_layers * info.d_mlp).toLocaleString("en")} neurons in ${info.n_layers} layers.</p>
      ${(notes ?? []).map((note) => html`<p class="note" data-note="load">Note: ${note}.</p>`)}
      <details data-key="load-report"><summary>What the files held</summary>${facts(this.#rows(model))}${
        unused.length > 0
          ? html`<p class="note">Unused tensors: ${unused.slice(0, 20).join(", ")}${unused.length > 20 ? " …" : ""}</p>`
          : nothing
      }</details>
      ${model.source ? nothing : html`<p class="note">This model is not kept: after a reload it has to be chosen again.</p>`}`;
  }

  #rows({ info, source }: Model): [string, string][] {
    const { report } = info;
    const kept = source?.kind === "stored" ? this.state.engine.storage?.models.find((other) => other.id === info.id)?.source : undefined;
    const types = Object.entries(report.tensor_types)
      .map(([type, tensors]) => `${tensors} × ${type}`)
      .join(", ");
    return [
      ["Size", `${parameters(info.n_parameters)} parameters, ${bytes(report.bytes)} ${report.source}`],
      ["Neurons", `${(info.n_layers * info.d_mlp).toLocaleString("en")}: ${info.n_layers} layers of ${info.d_mlp.toLocaleString("en")}`],
      ["Shape", `family ${info.family}, d_model ${info.d_model}, ${info.n_heads} heads (${info.n_kv_heads} key/value)`],
      [
        "Vocabulary",
        `${info.vocabulary.toLocaleString("en")} tokens, ${info.tied ? "tied" : "untied"} output, context ${info.context_length.toLocaleString("en")}`,
      ],
      ["Held as", PRECISIONS.find(([value]) => value === report.precision)?.[1] ?? report.precision],
      ["Chat template", report.has_chat_template ? "there is one; prompts are scored without it, as they stand" : "none"],
      ["Tensors", `${report.applied} read (${types}), none missing, ${report.unused.length} unused`],
      ...(kept ? [["From", `${kept.repo} at ${kept.commit}`] as [string, string]] : []),
      ["sha256", `${info.sha256} (${entryOf(info) ? "as in the catalogue" : "not in the catalogue"})`],
    ];
  }
}

customElements.define("model-loaded", ModelLoaded);
