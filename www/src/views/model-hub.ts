// A model of the hub, by its name: what there is, how large it is and under which licence, before it is fetched.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { bytes, parameters } from "../format";
import { bytesPerWeight, loadBytes } from "../precision";
import { fitOf } from "../services/fit";
import { choose, lookUp, pickFromHub } from "../services/models";
import type { HubChoice, HubListing } from "../worker/plan";
import { View, type Drawn, type Reads } from "./view";

class ModelHub extends View {
  protected readonly reads: Reads = ({ engine, view }) => [view.hub, engine.device_info, engine.storage, engine.precision, this.isBlocked];

  protected override render(): Drawn {
    const { hub } = this.state.view;
    return html`<section><h2>From the Hugging Face hub</h2>
      <form class="tools hub" @submit=${(event: SubmitEvent) => this.#lookUp(event)}>
        <input type="text" name="model" data-key="hub-name" placeholder="owner/name" spellcheck="false" autocomplete="off"
          autocapitalize="none" aria-label="Name of a model on the hub" .defaultValue=${hub.text}>
        <button type="submit" data-key="hub-look" ?disabled=${this.isBlocked || hub.cancel !== null}>Look up</button>
      </form>
      <p class="note">Any public model of the families Llama, Qwen2, Qwen3, Gemma 3, GPT-2, GPT-NeoX and OLMo 2: owner/name, or its page’s address.</p>
      <div class="hub-answer" aria-live="polite">
        ${
          hub.cancel
            ? html`<p class="note tools">Asking the hub …
          <button class="small" data-key="hub-cancel" @click=${hub.cancel}>Cancel</button></p>`
            : nothing
        }
        ${hub.error ? html`<p class="warning" role="alert" data-code=${hub.error.code}>${sentence(hub.error.message)} ${hub.error.hint}</p>` : nothing}
        ${hub.listing ? this.#listing(hub.listing) : nothing}
      </div>
    </section>`;
  }

  #lookUp(event: SubmitEvent): void {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get("model"));
    if (name.trim()) void lookUp(name);
  }

  #listing(listing: HubListing): TemplateResult {
    const taken = listing.choices[this.state.view.hub.choice] ?? listing.choices[0];
    return html`<div class="hub-listing">
      <p><b>${listing.repo}</b> <small>commit ${listing.commit.slice(0, 10)}, licence ${listing.licence ?? "not stated"}</small></p>
      ${
        listing.choices.length > 1
          ? html`<fieldset><legend>Which file?</legend>${listing.choices.map((choice, index) => this.#option(choice, index))}</fieldset>`
          : nothing
      }
      ${taken ? html`${this.#costs(taken)}<p class="tools">${this.#load(taken, listing.commit)}</p>` : nothing}
    </div>`;
  }

  #load(taken: HubChoice, commit: string): TemplateResult {
    const { storage, precision, device_info } = this.state.engine;
    const isKept = storage?.models.some((model) => model.id === taken.plan.id && model.source?.commit === commit) ?? false;
    const isPossible = taken.problem === undefined && fitOf(taken.size, precision, device_info).verdict !== "no";
    return html`<button class="primary" data-key="hub-load" ?disabled=${this.isBlocked || !isPossible}
      @click=${() => void choose(isKept ? { kind: "stored", id: taken.plan.id } : { kind: "hub", plan: taken.plan })}>${
        isKept ? "Load" : `Download ${bytes(taken.bytes)}`
      }</button>`;
  }

  #option(choice: HubChoice, index: number): TemplateResult {
    return html`<label class="check"><input type="radio" name="hub-choice" data-key=${`hub-choice-${index}`}
      .checked=${live(index === this.state.view.hub.choice)} @change=${() => pickFromHub(index)}><span>${choice.label} <small>${bytes(
        choice.bytes,
      )}</small></span></label>`;
  }

  #costs(choice: HubChoice): TemplateResult {
    const { precision } = this.state.engine;
    const fit = fitOf(choice.size, precision, this.state.engine.device_info);
    const size = choice.n_parameters === null ? "" : `${parameters(choice.n_parameters)} parameters, `;
    const memory =
      choice.size === null
        ? `${bytesPerWeight(precision)} bytes of memory a parameter`
        : `about ${bytes(loadBytes(choice.size, precision))} of memory`;
    return html`<div>
      <p>${size}${bytes(choice.bytes)} to download, ${memory}.</p>
      ${choice.problem ? html`<p class="warning">The engine cannot run it: ${choice.problem}.</p>` : nothing}
      ${fit.text ? html`<p class="fit ${fit.verdict}">${fit.text}</p>` : nothing}
    </div>`;
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

customElements.define("model-hub", ModelHub);
