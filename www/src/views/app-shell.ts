// The page's frame: head, rail, map, the current step, the neuron's card.

import { html, nothing, type TemplateResult } from "lit";
import { cache } from "lit/directives/cache.js";
import { startAgain } from "../services/boot";
import { store, type Step } from "../services/store";
import { setTheme, theme, type Theme } from "../services/theme";
import { View, type Reads } from "./view";
import { options, valueOf } from "./widgets";

/** A template each: what is under way in a step outlives a visit to another one. */
const VIEWS: Readonly<Record<Step, TemplateResult>> = {
  start: html`<step-overview></step-overview>`,
  model: html`<step-model></step-model>`,
  items: html`<step-items></step-items>`,
  scores: html`<step-scores></step-scores>`,
  attribution: html`<step-attribution></step-attribution>`,
  pruning: html`<step-pruning></step-pruning>`,
  tuning: html`<step-tuning></step-tuning>`,
  result: html`<step-result></step-result>`,
};

class AppShell extends View {
  protected readonly reads: Reads = ({ engine, view }) => [view.step, view.news, engine.device_info, engine.status];
  #shown: Step | null = null;

  protected override render(): TemplateResult {
    return html`
      <a class="skip" href="#workspace" @click=${this.#skip}>Skip to the current step</a>
      <header>
        <a class="brand" href="./" @click=${goToStart}>Secateur</a>
        <p class="tagline">find and prune the neurons that answer confidently for the wrong reason</p>
        <div class="device-chip">${this.#device()}</div>
        <select aria-label="Colours" @change=${(event: Event) => setTheme(valueOf(event) as Theme)}>${options(
          (["system", "light", "dark"] as const).map((name) => [name, name]),
          theme(),
        )}</select>
      </header>
      <message-bar></message-bar>
      <p class="visually-hidden" role="status" data-result="news">${this.state.view.news}</p>
      <div class="columns">
        <step-rail></step-rail>
        <div class="middle">
          <heat-map></heat-map>
          <job-bar></job-bar>
          <main id="workspace" tabindex="-1">${cache(VIEWS[this.state.view.step])}</main>
        </div>
        <aside aria-label="Mask and neuron"><pruned-neurons></pruned-neurons><neuron-card></neuron-card></aside>
      </div>`;
  }

  protected override updated(): void {
    const { step } = this.state.view;
    if (step !== this.#shown) this.#enter(step);
  }

  get #workspace(): HTMLElement {
    return this.querySelector("#workspace") as HTMLElement;
  }

  #skip(event: Event): void {
    // The fragment belongs to links of studies.
    event.preventDefault();
    this.#workspace.focus();
  }

  #enter(step: Step): void {
    const isMoved = this.#shown !== null;
    this.#shown = step;
    this.#workspace.scrollTop = 0;
    // On a small screen the rail and the map stand above the step: the page moves to it.
    if (isMoved && this.#workspace.getBoundingClientRect().top > 0.6 * innerHeight) this.#workspace.scrollIntoView();
  }

  #device(): TemplateResult {
    const { device_info, status } = this.state.engine;
    const kind = device_info?.kind === "webgpu" ? "WebGPU" : "WebAssembly";
    const text = status === "starting" ? "engine starting …" : device_info ? kind : "no engine";
    const title = device_info
      ? `${device_info.adapter}; self-test ${device_info.self_test.passed ? "passed" : "failed"}. ${device_info.message ?? ""}`
      : "";
    return html`<span class="lamp ${status}" aria-hidden="true"></span>
      <button class="link" data-key="device-chip" title=${title} @click=${() => store.view({ step: "model" })}>${text}</button>
      ${status === "failed" ? html`<button class="small" data-key="start-again" @click=${() => void startAgain()}>Start the engine again</button>` : nothing}`;
  }
}

/** Says on the page's body what it is at, as soon as that is so and not once it is drawn: for whoever drives the page. */
function mark(): void {
  const { engine, view } = store.state;
  const { dataset } = document.body;
  dataset["engine"] = engine.status;
  dataset["job"] = view.job ? "running" : "none";
  dataset["model"] = engine.model?.info.id ?? "";
  dataset["study"] = view.is_unsaved ? "changed" : "saved";
}

function goToStart(event: Event): void {
  event.preventDefault();
  store.view({ step: "start" });
}

mark();
store.listen(mark);
customElements.define("app-shell", AppShell);
