// The item sets with their roles: opened, renamed, split, removed; and the samples that come with the page.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { count, visible } from "../format";
import { addSet, removeSet, renameSet, replaceSets, sampleItems, setRole, splitSet, undoItems } from "../services/items";
import { report } from "../services/jobs";
import type { PageSet } from "../services/edited";
import { canStep } from "../services/history";
import { store } from "../services/store";
import { ROLES } from "../roles";
import { View, type Drawn, type Reads } from "./view";
import { askName, isChecked, numeric, valueOf } from "./widgets";

const ROLE_HINTS = {
  attribution: "Neurons are scored on these items, and a tuning learns from them. One set has this role.",
  validation: "These items pick the layer and percentage, and the best state of a tuning.",
  test: "Results are reported on these items.",
  out_of_distribution: "Results are reported on these items too: of another kind than those the mask is made with.",
};
const SPLIT_HINT =
  "Deal the items out to three sets, attribution, validation and test, each with its share of every place of the right choice";
/** Fewest items that can be split. */
const FEWEST = 6;

class ItemSets extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ history, engine, shown }) => [history, engine.samples, shown.sets];
  /** Name of the set that is open. */
  declare set: string | undefined;
  #shares = [1, 1, 1];
  #splitSeed = 0;

  protected override render(): TemplateResult {
    return html`${this.state.shown.sets.length > 0 ? this.#table() : html`<p class="note">There are no items yet.</p>`}${this.#tools()}`;
  }

  #table(): TemplateResult {
    const { sets } = this.state.shown;
    const isReused = sets.some((set) => set.roles.length > 1 && set.roles.includes("test"));
    return html`<div>
      <div class="table-scroll"><table class="sets">
        <thead><tr>
          <th scope="col">Set</th><th scope="col" class="number">Items</th>
          ${ROLES.map((role) => html`<th scope="col" class="center" title=${ROLE_HINTS[role]}>${role.replaceAll("_", " ")}</th>`)}
          <th scope="col">From</th><th scope="col"></th>
        </tr></thead>
        <tbody>${sets.map((set) => this.#row(set))}</tbody>
      </table></div>
      ${
        isReused
          ? html`<p class="note">A set that is tested on and also picks the neurons makes pruning look better than it is. “Split in 3”
        deals it out.</p>`
          : nothing
      }
    </div>`;
  }

  #row({ name, items, roles, sample }: PageSet): TemplateResult {
    return html`<tr class=${name === this.set ? "selected" : ""} data-set=${name}>
      <td><button class="link" data-key=${`open-${name}`} @click=${() => store.view({ open_set: name })}>${visible(name)}</button></td>
      <td class="number">${items.length}</td>
      ${ROLES.map(
        (role) => html`<td class="center"><input type="checkbox" data-key=${`role-${name}-${role}`} title=${ROLE_HINTS[role]}
        aria-label="${name}: ${role}" .checked=${live(roles.includes(role))}
        @change=${(event: Event) => setRole(name, role, isChecked(event))}></td>`,
      )}
      <td><small>${sample ? `sample ${visible(sample)}` : "inline"}</small></td>
      <td class="tools"><button class="small" data-key=${`rename-${name}`} @click=${() => askName("the set", name, (wanted) => renameSet(name, wanted))}>Rename</button>${
        items.length >= FEWEST
          ? html`<button class="small" data-key=${`split-${name}`} title=${SPLIT_HINT}
          @click=${() => void splitSet(name, this.#shares, this.#splitSeed).catch(report)}>Split in 3</button>`
          : nothing
      }<button class="small"
        data-key=${`remove-${name}`} aria-label="Remove ${name}" @click=${() => removeSet(name)}>Remove</button></td>
    </tr>`;
  }

  #tools(): TemplateResult {
    const { sets } = this.state.shown;
    const { samples } = this.state.engine;
    return html`<div class="tools">
      <select data-key="sample" aria-label="Add a sample set" @change=${(event: Event) => void this.#addSample(valueOf(event))}>
        <option value="" .selected=${live(true)}>Add a sample set …</option>
        ${samples.map(
          (sample) =>
            html`<option value=${sample.name} title=${sample.description}>${sample.title} (${count(
              sample.items,
              "item",
            )}, ${sample.licence})</option>`,
        )}
      </select>
      <button data-key="undo-items" ?disabled=${!canStep(this.state.history.undo, "items")} @click=${undoItems}>Undo</button>
      <button data-key="remove-all" ?disabled=${sets.length === 0} @click=${() => replaceSets([])}>Remove all sets</button>
      ${sets.some((set) => set.items.length >= FEWEST) ? this.#splitting() : nothing}
    </div>`;
  }

  #splitting(): Drawn {
    const share = (part: number): TemplateResult =>
      numeric(
        part === 0 ? "Split" : ":",
        `share-${part}`,
        this.#shares[part] ?? 1,
        { min: 0.01, max: 1000, step: "any" },
        (value) => {
          this.#shares[part] = value;
          this.requestUpdate();
        },
        `Share of ${ROLES[part]}`,
      );
    return html`<span class="split-shares">${share(0)}${share(1)}${share(2)}${numeric(
      "seed",
      "split-seed",
      this.#splitSeed,
      { min: 0, max: 2 ** 31, step: 1 },
      (value) => {
        this.#splitSeed = value;
        this.requestUpdate();
      },
    )}</span>`;
  }

  async #addSample(name: string): Promise<void> {
    if (name === "") return;
    try {
      addSet(name, await sampleItems(name), name);
      store.view({ open_set: store.state.shown.sets.at(-1)?.name ?? null });
    } catch (thrown) {
      report(thrown);
    }
    // It asks for the next one.
    this.requestUpdate();
  }
}

customElements.define("item-sets", ItemSets);
