// Step 1: which model, from where, on which device.

import { h, refill, view, View } from "../dom";
import { bytes, parameters, short, visible } from "../format";
import { changeDevice, startAgain } from "../services/boot";
import { openFile } from "../services/documents";
import { report } from "../services/jobs";
import { ofDialog, ofDrop } from "../services/model-files";
import { changePrecision, chooseFiles, entryOf } from "../services/models";
import type { Precision } from "../types";
import type { DeviceChoice } from "../worker/protocol";
import { dropTarget, filePicker, folderPicker, heading } from "./widgets";

class StepModel extends View {
  protected readonly keys = [] as const;

  protected override setup(): void {
    dropTarget(this, (files, transfer) => {
      const [only] = files;
      // A JSON file by itself is no model.
      if (only && files.length === 1 && only.name.endsWith(".json")) void openFile(only);
      else ofDrop(transfer).then(chooseFiles).catch(report);
    });
    this.replaceChildren(h("section", { class: "panel" },
      heading("Model", "Choose the language model to look into. It runs in this tab and stays in this browser."),
      view("model-loaded"),
      view("model-catalogue"),
      h("div", { class: "two halves" }, view("model-hub"), this.#files()),
      view("model-stored"),
      view("model-device")));
  }

  #files(): HTMLElement {
    const take = (files: File[]): void => void chooseFiles(ofDialog(files));
    return h("section", {}, h("h2", {}, "Your own files"),
      h("div", { class: "drop-zone" },
        h("p", {}, "Drop a ", h("b", {}, ".gguf"), " file (or all parts of one) or a model’s ", h("b", {}, "folder"), " anywhere on this step."),
        h("p", { class: "tools" },
          filePicker("Choose files …", ".gguf,.safetensors,.json", take),
          folderPicker("Choose a folder …", take)),
        h("p", { class: "note" }, "A folder holds safetensors (one file, or shards with their index), config.json and tokenizer.json.")));
  }

  protected render(): void {}
}

const PRECISIONS: readonly (readonly [Precision, string])[] = [
  ["f32", "32-bit floats (exact)"], ["f16", "16-bit floats (half the memory)"], ["int8", "8-bit integers (a quarter)"],
];

class ModelLoaded extends View {
  protected readonly keys = ["model", "catalog", "storage"] as const;

  protected render(): void {
    const { model, storage } = this.state;
    this.className = model ? "loaded" : "";
    this.dataset["model"] = model?.info.id ?? "";
    if (!model) {
      refill(this);
      return;
    }
    const { info, name } = model;
    const check = entryOf(info) ? "as in the catalogue" : "not in the catalogue";
    const { report } = info;
    const isKept = model.source?.kind === "stored";
    const source = isKept ? storage?.models.find((other) => other.id === info.id)?.source : undefined;
    const types = Object.entries(report.tensor_types).map(([type, tensors]) => `${tensors} × ${type}`).join(", ");
    const rows: [string, string][] = [
      ["Size", `${parameters(info.n_parameters)} parameters, ${bytes(report.bytes)} ${report.source}`],
      ["Neurons", `${(info.n_layers * info.d_mlp).toLocaleString("en")}: ${info.n_layers} layers of ${info.d_mlp.toLocaleString("en")}`],
      ["Shape", `family ${info.family}, d_model ${info.d_model}, ${info.n_heads} heads (${info.n_kv_heads} key/value)`],
      ["Vocabulary", `${info.vocabulary.toLocaleString("en")} tokens, ${info.tied ? "tied" : "untied"} output, context ${info.context_length.toLocaleString("en")}`],
      ["Held as", PRECISIONS.find(([value]) => value === report.precision)?.[1] ?? report.precision],
      ["Chat template", report.has_chat_template ? "there is one; prompts are scored without it, as they stand" : "none"],
      ["Tensors", `${report.applied} read (${types}), none missing, ${report.unused.length} unused`],
      ...(source ? [["From", `${source.repo} at ${source.commit}`] as [string, string]] : []),
      ["sha256", `${info.sha256} (${check})`],
    ];
    refill(this, h("h2", {}, `Loaded: ${visible(name)}`),
      h("p", {}, `${parameters(info.n_parameters)} parameters, ${(info.n_layers * info.d_mlp).toLocaleString("en")} neurons in ${info.n_layers} layers.`),
      ...(report.notes ?? []).map((note) => h("p", { class: "note", "data-note": "load" }, `Note: ${note}.`)),
      h("details", { "data-key": "load-report", open: this.querySelector("details")?.open ?? false }, h("summary", {}, "What the files held"),
        h("dl", { class: "facts wide" }, ...rows.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])),
        report.unused.length > 0
          ? h("p", { class: "note" }, `Unused tensors: ${report.unused.slice(0, 20).join(", ")}${report.unused.length > 20 ? " …" : ""}`) : null),
      model.source ? null : h("p", { class: "note" }, "This model is not kept: after a reload it has to be chosen again."));
  }
}

const DEVICES: readonly (readonly [DeviceChoice, string])[] = [
  ["auto", "automatic"], ["webgpu", "WebGPU (graphics card)"], ["wasm", "WebAssembly (one processor core)"],
];

class ModelDevice extends View {
  protected readonly keys = ["device", "device_info", "engine", "job", "version", "precision"] as const;

  #precision(isDisabled: boolean): HTMLElement {
    const select = h("select", { "data-key": "precision", disabled: isDisabled,
      title: "Fewer bits take less memory and change every number a little. Computation and gradients stay in 32-bit floats.",
      onchange: (event: Event) => void changePrecision((event.target as HTMLSelectElement).value as Precision) },
    ...PRECISIONS.map(([value, text]) => h("option", { value }, text)));
    select.value = this.state.precision;
    return select;
  }

  protected render(): void {
    const { device, device_info, engine, job, version } = this.state;
    const select = h("select", { "data-key": "device", id: "device-choice", disabled: job !== null || engine === "starting",
      onchange: (event: Event) => void changeDevice((event.target as HTMLSelectElement).value as DeviceChoice) },
    ...DEVICES.map(([value, text]) => h("option", { value }, text)));
    select.value = device;
    const memory = device_info?.limits?.memory_bytes;
    refill(this, h("section", { class: "device" }, h("h2", {}, "Device"),
      h("p", { class: "tools" },
        h("label", { class: "field" }, h("span", {}, "Compute with"), select),
        h("label", { class: "field" }, h("span", {}, "Hold weights as"), this.#precision(job !== null || engine !== "ready")),
        h("button", { "data-key": "start-engine", disabled: job !== null || engine === "starting", onclick: () => void startAgain() },
          "Start the engine again")),
      device_info ? h("p", { class: "note" }, `Now: ${device_info.kind === "webgpu" ? "WebGPU, " : ""}${device_info.adapter}. `,
        memory ? `It holds models of up to ${bytes(memory)} of memory. ` : "",
        device_info.kind === "webgpu"
          ? `Self-test against the processor ${device_info.self_test.passed ? "passed" : "failed"}: largest difference ${short(device_info.self_test.max_error)}. `
          : "It is what other devices are compared with. ",
        device_info.message ?? "", ` Engine ${version}.`)
        : h("p", { class: "note" }, engine === "starting" ? "The device is tested …" : "No device is ready."),
      job ? h("p", { class: "note" }, "The device can be changed when the running job has ended.") : null));
  }
}

customElements.define("model-loaded", ModelLoaded);
customElements.define("model-device", ModelDevice);
customElements.define("step-model", StepModel);
