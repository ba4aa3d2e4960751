// Step 1: which model, from where, on which device.

import { h, isBusy, refill, View } from "../dom";
import { bytes, count, parameters, short } from "../format";
import { changeDevice } from "../services/boot";
import { choose, chooseFiles, forget, isShipped, sourceOfEntry } from "../services/models";
import type { CatalogEntry, StoredModel } from "../types";
import type { DeviceChoice } from "../worker/protocol";
import { dropTarget, filePicker, heading } from "./widgets";

const DEVICES: readonly (readonly [DeviceChoice, string])[] = [
  ["auto", "automatic"], ["webgpu", "WebGPU (graphics card)"], ["wasm", "WebAssembly (one processor core)"],
];

class StepModel extends View {
  protected readonly keys = ["model", "catalog", "storage", "device", "device_info", "engine", "job", "version"] as const;

  protected override setup(): void {
    dropTarget(this, (files) => void chooseFiles(files));
  }

  protected render(): void {
    refill(this, h("section", { class: "panel" },
      heading("Model", "Choose the language model to look into. It runs in this tab and stays in this browser.",
        "Decoders of the Llama family, from .gguf (F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K) or safetensors (F32, F16, BF16)."),
      this.#loaded(),
      this.#catalogue(),
      h("div", { class: "drop-zone" },
        h("p", {}, h("b", {}, "Your own model: "), "drop a .gguf file here, or model.safetensors with config.json and tokenizer.json."),
        filePicker("Choose model files …", ".gguf,.safetensors,.json", (files) => void chooseFiles(files))),
      this.#stored(),
      this.#device()));
  }

  #loaded(): HTMLElement | null {
    const { model, catalog } = this.state;
    if (!model) return null;
    const { info, name } = model;
    const entry = catalog.find((other) => other.id === info.id);
    const expected = entry?.files.find((file) => file.name.endsWith(".gguf") || file.name.endsWith(".safetensors"))?.sha256;
    const check = expected ? (expected === info.sha256 ? "as in the catalogue" : "not the catalogue's file")
      : entry ? "part of this page" : "not in the catalogue";
    const types = Object.entries(info.report.tensor_types).map(([type, tensors]) => `${tensors} × ${type}`).join(", ");
    const rows: [string, string][] = [
      ["Size", `${parameters(info.n_parameters)} parameters, ${bytes(info.report.bytes)} ${info.report.source}`],
      ["Shape", `n_layers ${info.n_layers}, d_model ${info.d_model}, d_mlp ${info.d_mlp}, ${info.n_heads} heads (${info.n_kv_heads} key/value)`],
      ["Neurons", (info.n_layers * info.d_mlp).toLocaleString("en")],
      ["Vocabulary", `${info.vocabulary.toLocaleString("en")} tokens, ${info.tied ? "tied" : "untied"} output, context ${info.context_length}`],
      ["Tensors", `${info.report.applied} read (${types})${info.report.unused.length > 0 ? `, ${info.report.unused.length} unused` : ""}`],
      ["sha256", `${info.sha256.slice(0, 16)}… (${check})`],
    ];
    return h("section", { class: "loaded", "data-model": info.id },
      h("h2", {}, `Loaded: ${name}`),
      h("dl", { class: "facts wide" }, ...rows.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])),
      model.source ? null : h("p", { class: "note" }, "This model is not kept: after a reload it has to be chosen again."));
  }

  #catalogue(): HTMLElement {
    const { catalog, model } = this.state;
    const blocked = this.state.job !== null || this.state.engine !== "ready";
    const row = (entry: CatalogEntry): HTMLElement => {
      const size = entry.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
      const source = sourceOfEntry(entry);
      const isLoaded = model?.info.id === entry.id;
      const where = { site: "part of this page", stored: "kept in this browser", catalog: `${bytes(size)} to download`, files: "" };
      return h("li", { class: isLoaded ? "current" : "" },
        h("div", {}, h("b", {}, entry.name), h("small", {}, ` ${parameters(entry.parameters)} parameters, ${entry.licence}, `
          + `about ${bytes(entry.memory_bytes)} of memory, ${where[source.kind]}`),
        h("p", { class: "note" }, entry.note)),
        h("button", { "data-key": `load-${entry.id}`, disabled: blocked || isLoaded, onclick: () => void choose(source),
          class: isShipped(entry) ? "" : "primary" },
        isLoaded ? "Loaded" : source.kind === "catalog" ? "Download" : "Load"));
    };
    return h("section", {}, h("h2", {}, "Catalogue"),
      catalog.length > 0 ? h("ul", { class: "catalogue" }, ...catalog.map(row)) : h("p", { class: "note" }, "The catalogue cannot be read."));
  }

  #stored(): HTMLElement | null {
    const { storage, job } = this.state;
    if (!storage || storage.models.length === 0) return null;
    const row = (model: StoredModel): HTMLElement => h("li", {},
      h("div", {}, h("b", {}, model.name), h("small", {}, ` ${bytes(model.bytes)}, ${count(model.files.length, "file")}, since `
        + new Date(model.stored_at).toLocaleDateString())),
      h("span", { class: "tools" },
        h("button", { class: "small", "data-key": `stored-${model.id}`, disabled: job !== null || this.state.engine !== "ready",
          onclick: () => void choose({ kind: "stored", id: model.id }) }, "Load"),
        h("button", { class: "small", "data-key": `forget-${model.id}`, disabled: job !== null,
          "aria-label": `Delete ${model.name} from this browser`, onclick: () => void forget(model.id) }, "Delete")));
    const room = storage.quota > 0 ? ` ${bytes(storage.used)} of ${bytes(storage.quota)} used.` : "";
    return h("section", {}, h("h2", {}, "Kept in this browser"), h("ul", { class: "catalogue stored" }, ...storage.models.map(row)),
      h("p", { class: "note" }, room));
  }

  #device(): HTMLElement {
    const { device, device_info, engine, job, version } = this.state;
    const select = h("select", { "data-key": "device", id: "device-choice", disabled: job !== null || engine === "starting",
      onchange: (event: Event) => void changeDevice((event.target as HTMLSelectElement).value as DeviceChoice) },
    ...DEVICES.map(([value, text]) => h("option", { value }, text)));
    select.value = device;
    return h("section", { class: "device" }, h("h2", {}, "Device"),
      h("label", { class: "field" }, h("span", {}, "Compute with"), select),
      device_info ? h("p", { class: "note" }, `Now: ${device_info.kind === "webgpu" ? "WebGPU" : "WebAssembly"}, ${device_info.adapter}. `,
        device_info.kind === "webgpu"
          ? `Self-test against the processor ${device_info.self_test.passed ? "passed" : "failed"}: largest difference ${short(device_info.self_test.max_error)}. `
          : "It is what other devices are compared with. ",
        device_info.message ?? "", ` Engine ${version}.`)
        : h("p", { class: "note" }, engine === "starting" ? "The device is tested …" : "No device is ready."),
      isBusy() && job ? h("p", { class: "note" }, "The device can be changed when the running job has ended.") : null);
  }
}

customElements.define("step-model", StepModel);
