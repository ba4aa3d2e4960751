// One set's answers: calibration, position bias, audit, and every item with its choices and, where asked for, their tokens.

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { clip, fixed, percent, visible } from "../format";
import { scoreAll } from "../services/actions";
import { engine } from "../services/engine";
import { report } from "../services/jobs";
import type { ItemAddress } from "../services/results";
import { store } from "../services/store";
import type { ChoiceScore, Item, ItemScore, PromptView, SetScores } from "../wire/engine";
import { mark } from "./accuracy";
import { calibrationChart } from "./calibration-chart";
import { tokenText } from "./prompt-view";
import { sampleNote } from "./sample-note";
import { View, type Reads } from "./view";
import { columns, pager } from "./widgets";

const PAGE = 50;

class ScoredItems extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ engine, view, shown }) => [engine.samples, view.item, shown.scores, shown.sets, this.isBusy];
  /** Name of the set. */
  declare set: string | undefined;
  #page = 0;
  #tokens = new Map<string, PromptView>();
  /** What the tokens belong to. */
  #scores: Record<string, SetScores> | null = null;
  /** The item whose tokens were asked for last, and for which scores. */
  #read: { item: ItemAddress; of: unknown } | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("set")) this.#page = 0;
    // Other prompts have other tokens.
    if (this.#scores !== this.state.shown.scores) this.#tokens.clear();
    this.#scores = this.state.shown.scores;
    this.#readOpen();
  }

  /** Reads the tokens of the item that is open, once for its scores. */
  #readOpen(): void {
    const { item: open } = this.state.view;
    if (!open || open.set !== this.set || (this.#read?.item === open && this.#read.of === this.#scores)) return;
    this.#read = { item: open, of: this.#scores };
    const item = this.state.shown.sets.find(({ name }) => name === open.set)?.items.find(({ id }) => id === open.id);
    if (item) void this.#readTokens(item);
  }

  protected override render(): TemplateResult {
    const { engine, shown } = this.state;
    const set = shown.sets.find(({ name }) => name === this.set);
    const scored = this.set === undefined ? undefined : shown.scores[this.set];
    // These two are there without scores as well: they keep what was set in them.
    return html`${set ? sampleNote(set, engine.samples) : nothing}${scored?.calibration ? calibrationChart(scored.calibration) : nothing}
      <position-bias data-set=${scored?.set ?? ""}></position-bias>
      <items-audit data-set=${scored?.set ?? ""}></items-audit>
      ${scored ? this.#table(scored) : nothing}`;
  }

  #table(scored: SetScores): TemplateResult {
    const items = new Map(this.state.shown.sets.find((set) => set.name === scored.set)?.items.map((item) => [item.id, item]));
    const pages = Math.ceil(scored.items.length / PAGE);
    const page = Math.min(this.#page, Math.max(0, pages - 1));
    const rows = scored.items.slice(page * PAGE, (page + 1) * PAGE);
    return html`
      <div class="table-head"><h2>Items of “${clip(visible(scored.set), 50)}”</h2>${
        pages > 1
          ? html`<span class="tools">${pager("scores-page", page, pages, `page ${page + 1} of ${pages}`, (to) => {
              this.#page = to;
              this.requestUpdate();
            })}</span>`
          : nothing
      }</div>
      <div class="table-scroll"><table class="scores">
        ${columns(["", "Item", "Choices: log-likelihood, per character", "Confidence", ""])}
        <tbody>${rows.map((score) => this.#row(score, items.get(score.id)))}</tbody>
      </table></div>`;
  }

  /** An item, and under it the tokens of its choices and of its prompt where they are asked for. */
  #row(score: ItemScore, item: Item | undefined): TemplateResult {
    const { item: open } = this.state.view;
    const isOpen = open?.id === score.id && open.set === this.set;
    const toggle = html`<button class="small" data-key=${`tokens-${score.id}`} aria-expanded=${isOpen ? "true" : "false"} @click=${() => {
      store.view({ item: isOpen || this.set === undefined ? null : { set: this.set, id: score.id } });
    }}>Tokens</button>`;
    return html`${itemRow(score, item, toggle)}${
      isOpen
        ? html`<tr class="token-row"><td colspan="5">${tokenTable(score, this.#tokens.get(score.id), this.isBusy)}<token-salience></token-salience></td></tr>`
        : nothing
    }`;
  }

  /** The tokens' texts come from the engine; the numbers are the score's. */
  async #readTokens(item: Item): Promise<void> {
    const { set } = this;
    if (set === undefined) return;
    try {
      const found = await engine.call("prompt", [{ item, set }]);
      if (this.set === set) this.#tokens.set(item.id, found);
    } catch (thrown) {
      report(thrown);
    }
    this.requestUpdate();
  }
}

/** Every choice's scored tokens with their log-probabilities. */
function tokenTable(score: ItemScore, found: PromptView | undefined, isBusy: boolean): TemplateResult {
  if (score.choices.every((choice) => (choice.token_log_probabilities ?? []).length === 0)) {
    return html`<div class="tools"><button class="small" data-key="score-tokens" ?disabled=${isBusy} @click=${() => void scoreAll()}>Score again</button>
      <span class="note">These scores came without single tokens; new ones have them.</span></div>`;
  }
  return html`<ol class="token-scores" type="A">${score.choices.map((choice, index) => {
    const view = found?.choices[index];
    const texts = view?.tokens.slice(view.scored_from) ?? [];
    const without = choice.unconditional === undefined ? "" : `, without the context ${fixed(choice.unconditional, 3)}`;
    return html`<li class=${index === score.gold ? "gold" : ""}>${(choice.token_log_probabilities ?? []).map((value, at) => token(value, texts[at]))}<span
      class="note"> sum ${fixed(choice.log_likelihood, 3)} over ${choice.tokens}${without}</span></li>`;
  })}</ol>`;
}

function token(value: number, text: string | undefined): TemplateResult {
  return html`<span class="token" title="log-probability ${fixed(value, 4)}, probability ${percent(Math.exp(value))}"><code>${
    text === undefined ? "…" : tokenText(text)
  }</code><small>${fixed(value, 2)}</small></span>`;
}

function itemRow(score: ItemScore, item: Item | undefined, toggle: TemplateResult): TemplateResult {
  return html`<tr data-item=${score.id}>
    <td>${mark(score.correct)}</td>
    <td class="context"><small class="id">${clip(score.id, 24)}</small><br><bdi>${clip(item?.context ?? "", 140)}</bdi></td>
    <td><ul class="choice-scores">${score.choices.map((choice, index) =>
      choiceRow(choice, index === score.predicted, index === score.gold),
    )}</ul></td>
    <td class="confidence" title="Probability of the predicted choice among the choices"><span class="track"><i
      .style=${`width: ${score.confidence * 100}%`}></i></span><span class="number">${percent(score.confidence, 0)}</span></td>
    <td class="tools">${toggle}</td>
  </tr>`;
}

function choiceRow(choice: ChoiceScore, isPredicted: boolean, isGold: boolean): TemplateResult {
  return html`<li class="${isPredicted ? "predicted" : ""} ${isGold ? "gold" : ""}" data-log-likelihood=${choice.log_likelihood}>
    <span>${isPredicted ? "▸ " : ""}<bdi>${clip(choice.text.trim(), 70)}</bdi>${isGold ? " ✓" : ""}</span>
    <span class="number">${fixed(choice.log_likelihood, 3)}</span>
    <span class="number">${fixed(choice.per_character, 3)}</span>
  </li>`;
}

customElements.define("scored-items", ScoredItems);
