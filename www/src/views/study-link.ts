// The study as a link that lets anyone run it again.

import { html, nothing, type TemplateResult } from "lit";
import { link, LONGEST_LINK, study } from "../services/study";
import { View, type Reads } from "./view";
import { copyButton } from "./widgets";

class StudyLink extends View {
  protected readonly reads: Reads = ({ study, shown }) => [
    study,
    shown.sets,
    shown.attribution,
    shown.search,
    shown.pruned,
    shown.control,
    shown.tuning,
    this.isBusy,
  ];
  #link = "";
  /** The study that the link is of. */
  #linkOf = "";

  protected override willUpdate(): void {
    if (this.#link && this.#linkOf !== this.#study()) this.#link = "";
  }

  protected override render(): TemplateResult {
    const text = this.#link;
    return html`<section><h2>Link</h2>
      <p class="note">Settings, mask and own items travel in the address itself, after the #; no server sees them.</p>
      <div class="tools">
        <button class="primary" data-key="make-link" ?disabled=${this.isBusy || this.state.shown.sets.length === 0}
          @click=${() => void this.#make()}>Make the link</button>
        ${text ? copyButton("Copy", "copy-link", () => this.#link) : nothing}
      </div>
      ${
        text
          ? html`<input class="link-text" type="text" readonly .value=${text} data-key="link" aria-label="Link"
        @focus=${({ currentTarget }: Event) => (currentTarget as HTMLInputElement).select()}>`
          : nothing
      }
      ${
        text.length > LONGEST_LINK
          ? html`<p class="warning">The link has ${text.length.toLocaleString("en")} characters, and some programs cut it
        off. Send the study file instead: “secateur run” executes it.</p>`
          : nothing
      }
    </section>`;
  }

  /** What the link carries. */
  #study(): string {
    return JSON.stringify(study(this.state));
  }

  async #make(): Promise<void> {
    const of = this.#study();
    this.#link = (await link()) ?? "";
    this.#linkOf = of;
    this.requestUpdate();
  }
}

customElements.define("study-link", StudyLink);
