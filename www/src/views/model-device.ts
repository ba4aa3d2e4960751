// What computes, and in how many bits it holds the weights.

import { html, nothing, type TemplateResult } from "lit";
import { bytes, short } from "../format";
import { PRECISIONS } from "../precision";
import { changeDevice, startAgain } from "../services/boot";
import { changePrecision } from "../services/models";
import type { DeviceInfo, Precision } from "../wire/engine";
import type { DeviceChoice } from "../worker/protocol";
import { View, type Reads } from "./view";
import { options, valueOf } from "./widgets";

const DEVICES: readonly (readonly [DeviceChoice, string])[] = [
  ["auto", "automatic"],
  ["webgpu", "WebGPU (graphics card)"],
  ["wasm", "WebAssembly (processor)"],
];

class ModelDevice extends View {
  protected readonly reads: Reads = ({ engine, view }) => [
    engine.device,
    engine.device_info,
    engine.status,
    view.job !== null,
    engine.version,
    engine.precision,
  ];

  protected override render(): TemplateResult {
    const { device, device_info, status, version, precision } = this.state.engine;
    const { job } = this.state.view;
    const isStarting = job !== null || status === "starting";
    return html`<section class="device"><h2>Device</h2>
      <p class="tools">
        <label class="field"><span>Compute with</span><select data-key="device" id="device-choice" ?disabled=${isStarting}
          @change=${(event: Event) => void changeDevice(valueOf(event) as DeviceChoice)}>${options(DEVICES, device)}</select></label>
        <label class="field"><span>Hold weights as</span><select data-key="precision" ?disabled=${job !== null || status !== "ready"}
          title="Fewer bits take less memory and change every number a little. Computation and gradients stay in 32-bit floats."
          @change=${(event: Event) => void changePrecision(valueOf(event) as Precision)}>${options(PRECISIONS, precision)}</select></label>
        <button data-key="start-engine" ?disabled=${isStarting} @click=${() => void startAgain()}>Start the engine again</button>
      </p>
      <p class="note">${device_info ? `${about(device_info)} Engine ${version}.` : status === "starting" ? "The device is tested …" : "No device is ready."}</p>
      ${job ? html`<p class="note">The device can be changed when the running job has ended.</p>` : nothing}
    </section>`;
  }
}

function about({ kind, adapter, limits, self_test, message }: DeviceInfo): string {
  const memory = limits?.memory_bytes;
  return `Now: ${kind === "webgpu" ? "WebGPU, " : ""}${adapter}. ${memory ? `It holds models of up to ${bytes(memory)} of memory. ` : ""}${
    kind === "webgpu"
      ? `Self-test against the processor ${self_test.passed ? "passed" : "failed"}: largest difference ${short(self_test.max_error)}. `
      : "It is what other devices are compared with. "
  }${message ?? ""}`;
}

customElements.define("model-device", ModelDevice);
