// Why this method? Every method against what they all estimate: the exact ablation of each neuron.

import { html, nothing, type TemplateResult } from "lit";
import { count, duration, METHODS, percent, settingsText, visible } from "../format";
import { raceSettings, runRace, type RaceAsked } from "../services/checks";
import { layersText } from "../selections";
import { setsOf } from "../services/edited";
import { raceTime, takes } from "../services/estimate";
import { correlationText, placed, raceVerdict } from "../verdicts";
import type { Estimated, Race, Raced } from "../wire/engine";
import { raceCharts } from "./race-charts";
import { View, type Reads } from "./view";
import { columns, layersOf, numbers, numeric, ofNumbers } from "./widgets";

class MethodRace extends View {
  protected readonly reads: Reads = ({ study, results, engine, shown }) => [
    study.attribution,
    study.item_sets,
    study.model.shape,
    engine.presets,
    shown.race,
    shown.scores,
    // Of them the time is known.
    results,
    this.isBusy,
  ];
  /** Once somebody opened or closed it. */
  #isOpen: boolean | null = null;
  #asked: RaceAsked = { percent: 5 };

  protected override render(): TemplateResult {
    const { race } = this.state.shown;
    const [set] = setsOf(this.state.study, "attribution");
    return html`<details class="method-race" ?open=${this.#isOpen ?? race !== null} @toggle=${({ currentTarget }: Event) => {
      this.#isOpen = (currentTarget as HTMLDetailsElement).open;
    }}>
      <summary>Why this method? Every method against exact ablation</summary>
      <p class="note">Exact ablation sets one neuron after the other to zero and measures what the target loses by it. That is what all the methods
        estimate, in much less time: the race says which of them comes closest for these items.</p>
      ${set === undefined ? html`<p class="note">No item set has the role attribution (step 2).</p>` : this.#tools(set)}
      ${race ? result(race, race.layers.length === this.#layers) : nothing}
    </details>`;
  }

  #tools(set: string): TemplateResult {
    const { percent: share, layers } = this.#asked;
    const { d_mlp = 0 } = this.state.study.model.shape ?? {};
    const settings = raceSettings(this.state.study.attribution, this.state.engine.presets["fast"]);
    const time = raceTime(this.state, settings, layers);
    const number = layers?.length ?? this.#layers;
    return html`<div class="tools">
      ${numeric(
        "Top share to find, %",
        "race-percent",
        share,
        { min: 0.1, max: 100, step: "any" },
        (percent) => this.#ask({ percent }),
        "Of each layer, the neurons of largest effect by exact ablation",
      )}
      ${numbers("Layers", "race-layers", layers ?? [], layersOf(this.#layers), (to) => this.#takeLayers(to))}
      <button data-key="race" ?disabled=${this.isBusy} @click=${() => void runRace(this.#asked)}>Run the race on “${visible(set)}”</button>
      <span class="note">${count(number * d_mlp, "neuron")} to be ablated for each item${takes(time)}.</span>
    </div>`;
  }

  get #layers(): number {
    return this.state.study.model.shape?.n_layers ?? 0;
  }

  #ask(patch: Partial<RaceAsked>): void {
    this.#asked = { ...this.#asked, ...patch };
    this.requestUpdate();
  }

  #takeLayers(layers: number[]): void {
    this.#asked = { percent: this.#asked.percent, ...(layers.length > 0 ? { layers } : {}) };
    this.requestUpdate();
  }
}

function result(race: Race, isOfAll: boolean): TemplateResult {
  const { set, settings, layers, items, resamples, seed } = race;
  const where = isOfAll ? "all layers" : layersText(layers);
  return html`<div data-result="race">
    <p class="finding">${raceVerdict(race)}</p>
    ${raceCharts(race)}
    ${table(race)}
    <p class="note">On “${visible(set)}”, ${count(items, "item")}, ${where};
      ablated: ${settingsText(settings)}. Rank correlation (Spearman's) of the absolute scores with the absolute effects: 1 where the neurons of a
      layer stand in the same order, 0 where the order says nothing; with its sign: of the
      scores themselves with the effects. Means over the layers. In brackets the range in which 95 % of the resamples lie, the items drawn again
      ${count(resamples, "time")} (seed ${seed}): a resample has fewer different items, so that the estimate may lie at its edge or beside it.</p>
  </div>`;
}

function table(race: Race): TemplateResult {
  return html`<div class="table-scroll"><table class="race">
    ${columns(["Method", ...ofNumbers("Rank correlation", "With its sign", `Finds of the top ${race.percent} %`, "Time")])}
    <tbody>${placed(race).map(row)}
      <tr><th scope="row">${METHODS.ablation}, the truth</th><td></td><td></td><td></td><td class="number">${duration(race.ablation_seconds)}</td></tr>
    </tbody>
  </table></div>`;
}

function row({ settings, correlation, correlation_signed, found, seconds }: Raced): TemplateResult {
  return html`<tr data-method=${settings.method}>
    <th scope="row" title=${settingsText(settings)}>${METHODS[settings.method]}</th>
    <td class="number">${correlationText(correlation)}</td>
    <td class="number">${correlation_signed ? correlationText(correlation_signed) : "–"}</td>
    <td class="number">${foundText(found)}</td>
    <td class="number">${duration(seconds)}</td>
  </tr>`;
}

function foundText({ value, low, high }: Estimated): string {
  return `${percent(value, 0)} (${percent(low, 0)} to ${percent(high, 0)})`;
}

customElements.define("method-race", MethodRace);
