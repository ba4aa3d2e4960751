// The page's frame: head, rail, map, the current step, the neuron's card.

import { h, refill, view, View } from "../dom";
import { startAgain } from "../services/boot";
import { store, type State } from "../services/store";
import { setTheme, theme, type Theme } from "../services/theme";

class AppShell extends View {
  protected readonly keys = ["step", "device_info", "engine", "model", "job", "is_unsaved"] as const;
  #workspace = h("main", { id: "workspace", tabindex: -1 });
  #device = h("div", { class: "device-chip" });
  #shown: State["step"] | null = null;

  protected override setup(): void {
    const themes = h("select", { "aria-label": "Colours", onchange: (event: Event) =>
      setTheme((event.target as HTMLSelectElement).value as Theme) },
    ...(["system", "light", "dark"] as const).map((name) => h("option", { value: name }, name)));
    themes.value = theme();
    this.replaceChildren(
      h("a", { class: "skip", href: "#workspace", onclick: (event: Event) => {
        // The fragment belongs to links of studies.
        event.preventDefault();
        this.#workspace.focus();
      } }, "Skip to the current step"),
      h("header", {},
        h("a", { class: "brand", href: "./", onclick: (event: Event) => {
          event.preventDefault();
          store.set({ step: "start" });
        } }, "Secateur"),
        h("p", { class: "tagline" }, "find and prune the neurons that answer confidently for the wrong reason"),
        this.#device, themes),
      view("message-bar"),
      h("div", { class: "columns" },
        view("step-rail"),
        h("div", { class: "middle" }, view("heat-map"), view("job-bar"), this.#workspace),
        h("aside", { "aria-label": "Mask and neuron" }, view("mask-summary"), view("neuron-card"))));
  }

  protected render(): void {
    const { step, device_info, engine, job, is_unsaved } = this.state;
    document.body.dataset["engine"] = engine;
    document.body.dataset["job"] = job ? "running" : "none";
    document.body.dataset["model"] = this.state.model?.info.id ?? "";
    document.body.dataset["study"] = is_unsaved ? "changed" : "saved";
    if (this.#shown !== step) {
      const isMoved = this.#shown !== null;
      this.#shown = step;
      this.#workspace.replaceChildren(view(`step-${step}`));
      this.#workspace.scrollTop = 0;
      // On a small screen the rail and the map stand above the step: the page moves to it.
      if (isMoved && this.#workspace.getBoundingClientRect().top > 0.6 * innerHeight) this.#workspace.scrollIntoView();
    }
    const kind = device_info?.kind === "webgpu" ? "WebGPU" : "WebAssembly";
    const text = engine === "starting" ? "engine starting …" : device_info ? kind : "no engine";
    refill(this.#device,
      h("span", { class: `lamp ${engine}`, "aria-hidden": "true" }),
      h("button", { class: "link", "data-key": "device-chip", onclick: () => store.set({ step: "model" }),
        title: device_info ? `${device_info.adapter}; self-test ${device_info.self_test.passed ? "passed" : "failed"}. `
          + (device_info.message ?? "") : "" }, text),
      engine === "failed" ? h("button", { class: "small", "data-key": "start-again",
        onclick: () => void startAgain() }, "Start the engine again") : null);
  }
}

customElements.define("app-shell", AppShell);
