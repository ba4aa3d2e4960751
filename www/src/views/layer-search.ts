// The search for the selection whose mask does best on the validation items: by which rules, with what, and what it found.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { count, duration, visible } from "../format";
import { luckVerdict } from "../verdicts";
import { runSearch, takeCell } from "../services/actions";
import { searchEstimate } from "../services/estimate";
import { selectionAtHand } from "../services/mask";
import { setsOf } from "../services/edited";
import { store } from "../services/store";
import { searchTable } from "./search-table";
import { LIMITS, type Operation, type SearchReport, type SearchSpec } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { choice, isChecked, layersOf, numbers, numeric } from "./widgets";
import { searched } from "../services/study";

/** Among how many neurons is picked if nobody says otherwise. */
const CANDIDATES = 16;

/** The share of the largest score in the authors' released code. */
const AUTHORS_SHARE = 0.01;

/** The operations, as they are chosen. */
const OPERATIONS: readonly (readonly [Operation, string])[] = [
  ["zero", "zero"],
  ["mean", "mean"],
  ["scale", "scale"],
];

class LayerSearch extends View {
  protected readonly reads: Reads = ({ study, engine, shown }) => [
    study,
    engine.model,
    shown.search,
    shown.attribution,
    shown.scores,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    const { search, attribution } = this.state.shown;
    const validation = setsOf(this.state.study, "validation");
    return html`
      <div class="table-head"><h2>Search: which neurons?</h2></div>
      <p class="note">${
        validation.length > 0
          ? `Tries masks on the validation items (${validation.map(visible).join(", ")}); a click on a cell takes its mask.`
          : "Give a set the role validation in step 2: the search picks by its items."
      }</p>
      <div class="tools">${this.#percents()}${this.#control()}
        <button data-key="search" ?disabled=${this.isBusy || !attribution || validation.length === 0} @click=${() => void runSearch()}>Search</button>
        ${search ? html`<small data-result="tried">${tried(search)}, ${duration(search.seconds)}</small>` : nothing}
      </div>
      <details data-key="search-rules"><summary>Other rules, operations, and fewer items for poor cells</summary>
        <div class="fields">${this.#rules()}${this.#operation()}</div>
      </details>
      ${this.#cost()}
      ${search?.luck ? html`<p class="finding" data-result="luck">${luckVerdict(search)}</p>` : nothing}
      ${search ? searchTable(search, selectionAtHand(this.state), (cell) => void takeCell(cell, searched(search))) : nothing}`;
  }

  #percents(): TemplateResult {
    const { percents } = this.state.study.search;
    const of = { is: (value: number) => value > 0 && value <= 100, what: "numbers above 0 and up to 100" };
    return numbers("Percentages", "percents", percents, of, (to) => this.#change({ percents: to }));
  }

  #control(): TemplateResult {
    const {
      search: { control },
      seed,
    } = this.state.study;
    return numeric(
      "Random masks beside each cell",
      "search-control",
      control?.masks ?? 0,
      { min: 0, max: LIMITS.cell_masks, step: 1 },
      (masks) => this.#change({ control: masks > 0 ? { masks, seed } : undefined }),
      "Masks of the same size in the same layers, drawn at random: they say what luck alone gives who searches so many cells",
    );
  }

  #rules(): TemplateResult {
    const { windows = [1], shares = [], harm = false, greedy, halving = false, layers } = this.state.study.search;
    const n_layers = this.state.engine.model?.info.n_layers ?? this.state.study.model.shape?.n_layers ?? 0;
    const together = Math.max(1, layers?.length ?? n_layers);
    return html`
      ${numbers("Layers", "search-layers", layers ?? [], layersOf(n_layers), (to) =>
        this.#change({ layers: to.length > 0 ? to : undefined }),
      )}
      ${numbers(
        "Layers taken together",
        "search-windows",
        windows,
        {
          is: (value) => Number.isInteger(value) && value >= 1 && value <= together,
          what: `how many layers that follow each other are ranked together, from 1 to ${together}: 1 is each alone (the paper), 1, 3 is every three as well`,
          ifEmpty: "",
        },
        (to) => this.#change({ windows: to.join() === "1" ? undefined : to }),
      )}
      ${numbers(
        "Above a share of the largest score",
        "search-shares",
        shares,
        {
          is: (value) => value >= 0 && value < 1,
          what: `numbers from 0 and below 1; the authors' released code has ${AUTHORS_SHARE}`,
          ifEmpty: "none",
        },
        (to) => this.#change({ shares: to.length > 0 ? to : undefined }),
      )}
      ${box("By measured harm", "search-harm", harm, (to) => this.#change({ harm: to || undefined }), "The most harmful neurons of each layer; the effect of every neuron on the attribution's items is measured first")}
      ${numeric(
        "Neurons picked one by one",
        "search-greedy",
        greedy?.rounds ?? 0,
        { min: 0, max: greedy?.candidates ?? CANDIDATES, step: 1 },
        (rounds) => this.#change({ greedy: rounds > 0 ? { candidates: greedy?.candidates ?? CANDIDATES, rounds } : undefined }),
        "Each time the one of the strongest neurons that does most for the validation items beside those before it",
      )}
      ${
        greedy
          ? numeric(
              "of the strongest",
              "search-candidates",
              greedy.candidates,
              { min: greedy.rounds, max: LIMITS.candidates, step: 1 },
              (candidates) => this.#change({ greedy: { ...greedy, candidates } }),
            )
          : nothing
      }
      ${box("Halve cells while items double", "search-halving", halving, (to) => this.#change({ halving: to || undefined }), "All cells are tried on few items, and the better half of them on twice as many, until those that are left are tried on all")}`;
  }

  #operation(): TemplateResult {
    const { operation = "zero", factor } = this.state.study.search;
    const take = (to: Operation): void =>
      this.#change({
        operation: to === "zero" ? undefined : to,
        factor: to === "scale" ? (factor ?? 0.5) : undefined,
        means_of: undefined,
      });
    return html`
      ${choice("A mask sets activations to", "search-operation", OPERATIONS, operation, take, "zero (the paper); their mean over the prompts of the attribution's set; or what they are times a factor")}
      ${operation === "scale" ? numeric("Factor", "search-factor", factor ?? 0.5, { min: -LIMITS.factor, max: LIMITS.factor, step: "any" }, (to) => this.#change({ factor: to })) : nothing}`;
  }

  /** Said before it is paid. */
  #cost(): Drawn {
    const estimate = searchEstimate(this.state);
    if (!estimate) return nothing;
    const { full, halving, run_seconds } = estimate;
    const { harm, halving: isHalved = false } = this.state.study.search;
    const said = (runs: number): string => {
      const seconds = run_seconds === null ? null : runs * run_seconds;
      return `${count(runs, "run")} of an item under a mask${seconds === null ? "" : `, about ${duration(seconds)}`}`;
    };
    const [own, other] = isHalved ? [halving, full] : [full, halving];
    return html`<p class="note" data-result="search-cost">Cost: ${said(own)}${
      full === halving ? "" : isHalved ? html` (with every cell on every item ${said(other)})` : html` (by halving ${said(other)})`
    }${harm ? "; before it every neuron's effect is measured, as far as that was not done" : ""}.</p>`;
  }

  /** What is undefined is not said of a search. */
  #change(change: { [K in keyof SearchSpec]?: SearchSpec[K] | undefined }): void {
    const all = Object.entries({ ...this.state.study.search, ...change });
    store.edit({ search: Object.fromEntries(all.filter(([, value]) => value !== undefined)) as unknown as SearchSpec });
  }
}

function box(label: string, key: string, isOn: boolean, take: (isOn: boolean) => void, hint: string): TemplateResult {
  return html`<label class="check" title=${hint}><input type="checkbox" data-key=${key} .checked=${live(isOn)}
    @change=${(event: Event) => take(isChecked(event))}>${label}</label>`;
}

function tried({ cells, luck }: SearchReport): string {
  const random = luck ? ` and ${count(cells.length * luck.best.length, "random one")}` : "";
  return `${count(cells.length, "mask")}${random}`;
}

customElements.define("layer-search", LayerSearch);
