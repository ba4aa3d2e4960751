// The search for the layer and the percentage whose mask does best on the validation items.

import { html, nothing, type TemplateResult } from "lit";
import { clip, count, duration, visible } from "../format";
import { luckVerdict } from "../verdicts";
import { runSearch, takeTop } from "../services/actions";
import { selectionAtHand } from "../services/mask";
import { setsOf } from "../services/edited";
import { store } from "../services/store";
import { searchTable } from "./search-table";
import { typed } from "./typed";
import { LIMITS, type SearchReport } from "../wire/engine";
import { View, type Reads } from "./view";
import { numeric, valueOf } from "./widgets";

class LayerSearch extends View {
  protected readonly reads: Reads = ({ study, shown }) => [study, shown.search, shown.attribution, this.isBusy];

  protected override render(): TemplateResult {
    const { search, attribution } = this.state.shown;
    const { percents, control } = this.state.study.search;
    const validation = setsOf(this.state.study, "validation");
    return html`
      <div class="table-head"><h3>Search: layer × percentage</h3></div>
      <p class="note">${
        validation.length > 0
          ? `Tries every layer on the validation items (${validation.map(visible).join(", ")}); a click on a cell takes its mask.`
          : "Give a set the role validation in step 2: the search picks by its items."
      }</p>
      <div class="tools">
        <label class="field"><span>Percentages</span><input type="text" data-key="percents" .value=${typed(percents.join(", "))}
          @change=${(event: Event) => this.#take(valueOf(event))}></label>
        ${numeric(
          "Random masks beside each cell",
          "search-control",
          control?.masks ?? 0,
          { min: 0, max: LIMITS.cell_masks, step: 1 },
          (masks) => this.#control(masks),
          "Masks of the same size in the same layer, drawn at random: they say what luck alone gives who searches so many cells",
        )}
        <button data-key="search" ?disabled=${this.isBusy || !attribution || validation.length === 0} @click=${() => void runSearch()}>Search</button>
        ${search ? html`<small>${tried(search)}, ${duration(search.seconds)}</small>` : nothing}
      </div>
      ${search?.luck ? html`<p class="finding" data-result="luck">${luckVerdict(search)}</p>` : nothing}
      ${search ? searchTable(search, selectionAtHand(this.state), (cell) => void takeTop(cell)) : nothing}`;
  }

  #take(text: string): void {
    const parts = text.split(/[\s,;]+/).filter((part) => part !== "");
    const wrong = parts.find((part) => !(Number(part) > 0 && Number(part) <= 100));
    if (parts.length > 0 && wrong === undefined)
      store.edit({ search: { ...this.state.study.search, percents: [...new Set(parts.map(Number))].sort((a, b) => a - b) } });
    else {
      const reason = wrong === undefined ? "" : `; “${clip(wrong, 20)}” is none`;
      store.view({ notice: `Percentages are numbers above 0 and up to 100, separated by commas${reason}.` });
    }
    // The field says again what is in use.
    this.requestUpdate();
  }

  #control(masks: number): void {
    const {
      search: { percents },
      seed,
    } = this.state.study;
    store.edit({ search: { percents, ...(masks > 0 ? { control: { masks, seed } } : {}) } });
  }
}

function tried({ cells, luck }: SearchReport): string {
  const random = luck ? ` and ${count(cells.length * luck.best.length, "random one")}` : "";
  return `${count(cells.length, "mask")}${random}`;
}

customElements.define("layer-search", LayerSearch);
