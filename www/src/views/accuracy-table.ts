// How well each set is answered, by every rule of prediction; the choice of the rule, and the scoring itself.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, duration, percent, visible } from "../format";
import { accuracyBy, accuracyOf } from "../rules";
import { scoreAll } from "../services/actions";
import { setRule } from "../services/items";
import { report } from "../services/jobs";
import { store } from "../services/store";
import type { ScoringRule, SetScores } from "../wire/engine";
import { accuracyBar } from "./accuracy";
import { View, type Drawn, type Reads } from "./view";
import { choice, columns, ofNumbers } from "./widgets";

const RULES: readonly (readonly [ScoringRule, string])[] = [
  ["sum", "largest sum of log-likelihoods (acc)"],
  ["per_character", "largest per character (acc_norm)"],
  ["per_byte", "largest per byte (acc_bytes)"],
  ["per_token", "largest per token"],
  ["mutual_information", "largest gain over no context (acc_mutual_info)"],
];
/** Columns of the summary, in the words of lm-evaluation-harness where it has them. */
const METRICS: readonly (readonly [ScoringRule, string])[] = [
  ["sum", "acc"],
  ["per_character", "acc_norm"],
  ["per_byte", "acc_bytes"],
  ["per_token", "per token"],
  ["mutual_information", "mutual info"],
];

class AccuracyTable extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ study, engine, shown }) => [
    study.scoring.rule,
    shown.scores,
    shown.sets,
    engine.status,
    this.isBusy,
  ];
  /** Name of the set whose items are shown. */
  declare set: string | undefined;

  protected override render(): TemplateResult {
    return html`${this.#tools()}${this.#table()}${this.#warnings()}`;
  }

  /** Sets without scores. */
  get #missing(): number {
    const { sets, scores } = this.state.shown;
    return sets.filter((set) => set.items.length > 0 && !scores[set.name]).length;
  }

  #tools(): TemplateResult {
    const { sets, scores } = this.state.shown;
    const { rule } = this.state.study.scoring;
    const { status } = this.state.engine;
    // The scores follow in the engine.
    const take = (value: ScoringRule): void => void setRule(value).catch(report);
    return html`<div class="tools">
      <button class="primary" data-key="score" ?disabled=${this.isBusy || sets.length === 0} @click=${() => void scoreAll()}>${
        this.#missing > 0 || Object.keys(scores).length === 0 ? "Score the items" : "Score again"
      }</button>
      ${choice("Prediction", "rule", RULES, rule, take, undefined, status !== "ready")}
    </div>`;
  }

  #table(): TemplateResult {
    const scored = Object.values(this.state.shown.scores);
    return scored.length === 0
      ? html`<p class="note">Nothing is scored yet.</p>`
      : html`<div class="table-scroll"><table class="summary">
      ${columns(["Set", "Accuracy", "", ...ofNumbers(...METRICS.map(([, name]) => name), "Calibration error")])}
      <tbody>${scored.map((scores) => this.#row(scores))}</tbody>
    </table></div>`;
  }

  #row(scored: SetScores): TemplateResult {
    const { rule } = this.state.study.scoring;
    const accuracy = accuracyOf(scored, rule);
    const pairs = scored.accuracy_both_of_pair;
    return html`<tr class=${scored.set === this.set ? "selected" : ""} data-set=${scored.set}>
      <td><button class="link" data-key=${`scores-${scored.set}`} @click=${() => store.view({ open_set: scored.set })}>${visible(scored.set)}</button><small
        class="block">${duration(scored.seconds)}</small></td>
      <td class="accuracy-text">${accuracyText(accuracy)}${
        pairs ? html`<small class="block">both of a mirrored pair: ${accuracyText(pairs)}</small>` : nothing
      }</td>
      <td>${accuracyBar(accuracy)}</td>
      ${METRICS.map(([name]) => {
        const value = accuracyBy(scored, name);
        return html`<td class="number ${name === rule ? "in-use" : ""}" data-rule=${name}>${value ? percent(value.value) : "–"}</td>`;
      })}
      <td class="number">${scored.calibration ? percent(scored.calibration.expected_error) : "–"}</td>
    </tr>`;
  }

  #warnings(): Drawn {
    const { scores } = this.state.shown;
    const { rule } = this.state.study.scoring;
    const warnings = Object.values(scores).flatMap((scored) => scored.warnings ?? []);
    return html`${warnings.map((warning) => html`<p class="warning" data-warning="scores">${warning}.</p>`)}${
      rule === "mutual_information" && this.#missing > 0
        ? html`<p class="note">Mutual information needs every choice scored without its context as
        well: score the items. Another prediction brings back the scores at hand.</p>`
        : nothing
    }`;
  }
}

customElements.define("accuracy-table", AccuracyTable);
