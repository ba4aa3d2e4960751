// A model of the hub, by its name: what there is, how large it is and under which licence, before it is fetched.

import { h, refill, View } from "../dom";
import { bytes, parameters } from "../format";
import { bytesPerWeight, loadBytes } from "../precision";
import { fitOf } from "../services/fit";
import { choose, lookUp, pickFromHub } from "../services/models";
import { store } from "../services/store";
import type { HubChoice, HubListing } from "../worker/plan";

class ModelHub extends View {
  protected readonly keys = ["hub", "job", "engine", "device_info", "model", "storage", "precision"] as const;
  #input = h("input", { type: "text", "data-key": "hub-name", placeholder: "owner/name", spellcheck: "false", autocomplete: "off",
    autocapitalize: "none", "aria-label": "Name of a model on the hub" });
  #ask = h("button", { type: "submit", "data-key": "hub-look" }, "Look up");
  #answer = h("div", { class: "hub-answer", "aria-live": "polite" });

  protected override setup(): void {
    this.#input.value = store.state.hub.text;
    this.replaceChildren(h("section", {}, h("h2", {}, "From the Hugging Face hub"),
      h("form", { class: "tools hub", onsubmit: (event: Event) => {
        event.preventDefault();
        if (this.#input.value.trim()) void lookUp(this.#input.value);
      } }, this.#input, this.#ask),
      h("p", { class: "note" }, "Any public model of the families Llama, Qwen2, Qwen3, Gemma 3, GPT-2 and GPT-NeoX: owner/name, or its page’s address."),
      this.#answer));
  }

  protected render(): void {
    const { hub, job, engine } = this.state;
    const isBlocked = job !== null || engine !== "ready";
    this.#ask.disabled = isBlocked || hub.isAsking;
    refill(this.#answer,
      hub.isAsking ? h("p", { class: "note" }, "Asking the hub …") : null,
      hub.error ? h("p", { class: "warning", role: "alert", "data-code": hub.error.code }, `${sentence(hub.error.message)} ${hub.error.hint}`) : null,
      hub.listing ? this.#listing(hub.listing, isBlocked) : null);
  }

  #listing(listing: HubListing, isBlocked: boolean): HTMLElement {
    const taken = listing.choices[this.state.hub.choice] ?? listing.choices[0];
    const isKept = this.state.storage?.models
      .some((model) => model.id === taken?.plan.id && model.source?.commit === listing.commit) ?? false;
    return h("div", { class: "hub-listing" },
      h("p", {}, h("b", {}, listing.repo), " ", h("small", {}, `commit ${listing.commit.slice(0, 10)}, licence ${listing.licence ?? "not stated"}`)),
      listing.choices.length > 1 ? h("fieldset", {}, h("legend", {}, "Which file?"), ...listing.choices.map((choice, index) => this.#option(choice, index))) : null,
      taken ? this.#costs(taken) : null,
      taken ? h("p", { class: "tools" }, h("button", { class: "primary", "data-key": "hub-load",
        disabled: isBlocked || taken.problem !== undefined || fitOf(taken.size, this.state.precision, this.state.device_info).verdict === "no",
        onclick: () => void choose(isKept ? { kind: "stored", id: taken.plan.id } : { kind: "hub", plan: taken.plan }) },
      isKept ? "Load" : `Download ${bytes(taken.bytes)}`)) : null);
  }

  #option(choice: HubChoice, index: number): HTMLElement {
    const input = h("input", { type: "radio", name: "hub-choice", value: index, "data-key": `hub-choice-${index}`,
      checked: index === this.state.hub.choice, onchange: () => pickFromHub(index) });
    return h("label", { class: "check" }, input, h("span", {}, choice.label, " ", h("small", {}, bytes(choice.bytes))));
  }

  #costs(choice: HubChoice): HTMLElement {
    const fit = fitOf(choice.size, this.state.precision, this.state.device_info);
    const { precision } = this.state;
    const size = choice.n_parameters === null ? "" : `${parameters(choice.n_parameters)} parameters, `;
    const memory = choice.size === null ? `${bytesPerWeight(precision)} bytes of memory a parameter`
      : `about ${bytes(loadBytes(choice.size, precision))} of memory`;
    return h("div", {}, h("p", {}, `${size}${bytes(choice.bytes)} to download, ${memory}.`),
      choice.problem ? h("p", { class: "warning" }, `The engine cannot run it: ${choice.problem}.`) : null,
      fit.text ? h("p", { class: `fit ${fit.verdict}` }, fit.text) : null);
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

customElements.define("model-hub", ModelHub);
