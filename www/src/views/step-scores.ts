// Step 3: what the model answers, and how sure it is.

import { h, isBusy, refill, view, View } from "../dom";
import { accuracyText, clip, duration, fixed, percent, visible } from "../format";
import { scoreAll } from "../services/actions";
import { engine } from "../services/engine";
import { setRule } from "../services/items";
import { report } from "../services/jobs";
import { reportedSets, type State } from "../services/store";
import type { Item, ItemScore, PromptView, ScoringRule, SetScores } from "../types";
import { accuracyBar, accuracyBy, accuracyOf, mark } from "./accuracy";
import { calibrationChart } from "./calibration-chart";
import { tokenText } from "./prompt-view";
import { choice, heading } from "./widgets";

const RULES: readonly (readonly [ScoringRule, string])[] = [
  ["sum", "largest sum of log-likelihoods (acc)"], ["per_character", "largest per character (acc_norm)"],
  ["per_byte", "largest per byte (acc_bytes)"], ["per_token", "largest per token"],
  ["mutual_information", "largest gain over no context (acc_mutual_info)"],
];
/** Columns of the summary, in the words of lm-evaluation-harness where it has them. */
const METRICS: readonly (readonly [ScoringRule, string])[] = [
  ["sum", "acc"], ["per_character", "acc_norm"], ["per_byte", "acc_bytes"], ["per_token", "per token"], ["mutual_information", "mutual info"],
];
const PAGE = 50;

/** One for all sets and visits: it keeps what was set in it. */
const positionBias = view("position-bias");

class StepScores extends View {
  protected readonly keys = ["scores", "sets", "rule", "wanted", "job", "engine", "model", "precomputed"] as const;
  #open: string | null = null;
  #page = 0;
  /** The item whose tokens are shown. */
  #item: string | null = null;
  #tokens = new Map<string, PromptView>();

  protected render(changed: ReadonlySet<keyof State> = new Set()): void {
    const { scores, rule, sets } = this.state;
    // Other prompts have other tokens.
    if (changed.has("scores")) this.#tokens.clear();
    const names = Object.keys(scores);
    if (!this.#open || !scores[this.#open]) this.#open = reportedSets(this.state).find((name) => scores[name]) ?? names[0] ?? null;
    const open = this.#open ? scores[this.#open] : undefined;
    const missing = sets.filter((set) => set.items.length > 0 && !scores[set.name]).length;
    refill(this, h("section", { class: "panel" },
      heading("Scores", "The model rates every choice; the one it finds most likely is its answer.",
        "Log-likelihood of each choice's tokens given the prompt, tokenised jointly and split at the prompt's end, as in lm-evaluation-harness."),
      h("div", { class: "tools" },
        h("button", { class: "primary", "data-key": "score", disabled: isBusy() || sets.length === 0, onclick: () => void scoreAll() },
          missing > 0 ? "Score the items" : "Score again"),
        // The scores follow in the engine.
        choice("Prediction", "rule", RULES, this.state.wanted.rule ?? rule, (value) => {
          setRule(value).catch(report);
        }, undefined, this.state.engine !== "ready")),
      names.length > 0 ? h("div", { class: "table-scroll" }, h("table", { class: "summary" },
        h("thead", {}, h("tr", {}, ...["Set", "Accuracy", "", ...METRICS.map(([, name]) => name), "Calibration error"]
          .map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...names.map((name) => this.#summary(scores[name] as SetScores))))) : h("p", { class: "note" }, "Nothing is scored yet."),
      ...names.flatMap((name) => scores[name]?.warnings ?? []).map((warning) =>
        h("p", { class: "warning", "data-warning": "scores" }, `${warning}.`)),
      rule === "mutual_information" && missing > 0 ? h("p", { class: "note" }, "Mutual information needs every choice scored without its context as well: "
        + "score the items. Another prediction brings back the scores at hand.") : null,
      open ? this.#items(open) : null));
  }

  #summary(scored: SetScores): HTMLElement {
    const { rule } = this.state;
    const accuracy = accuracyOf(scored, rule);
    const pairs = scored.accuracy_both_of_pair;
    return h("tr", { class: scored.set === this.#open ? "selected" : "", "data-set": scored.set },
      h("td", {}, h("button", { class: "link", "data-key": `scores-${scored.set}`, onclick: () => {
        this.#open = scored.set;
        this.#page = 0;
        this.#item = null;
        this.render();
      } }, visible(scored.set)), h("small", { class: "block" }, duration(scored.seconds))),
      h("td", { class: "accuracy-text" }, accuracyText(accuracy),
        pairs ? h("small", { class: "block" }, `both of a mirrored pair: ${accuracyText(pairs)}`) : null),
      h("td", {}, accuracyBar(accuracy)),
      ...METRICS.map(([name]) => {
        const value = accuracyBy(scored, name);
        return h("td", { class: `number ${name === rule ? "in-use" : ""}`, "data-rule": name }, value ? percent(value.value) : "–");
      }),
      h("td", { class: "number" }, scored.calibration ? percent(scored.calibration.expected_error) : "–"));
  }

  #items(scored: SetScores): HTMLElement {
    const items = new Map(this.state.sets.find((set) => set.name === scored.set)?.items.map((item) => [item.id, item]));
    const pages = Math.ceil(scored.items.length / PAGE);
    this.#page = Math.min(this.#page, Math.max(0, pages - 1));
    const rows = scored.items.slice(this.#page * PAGE, (this.#page + 1) * PAGE);
    const turn = (by: number, text: string): HTMLElement => h("button", { class: "small", "data-key": `scores-page${by}`,
      disabled: this.#page + by < 0 || this.#page + by >= pages, onclick: () => {
        this.#page += by;
        this.render();
      } }, text);
    positionBias.setAttribute("data-set", scored.set);
    return h("div", {},
      scored.calibration ? calibrationChart(scored.calibration) : null,
      positionBias,
      h("div", { class: "table-head" }, h("h2", {}, `Items of “${clip(visible(scored.set), 50)}”`),
        pages > 1 ? h("span", { class: "tools" }, turn(-1, "‹"), h("small", {}, `page ${this.#page + 1} of ${pages}`), turn(1, "›")) : null),
      h("div", { class: "table-scroll" }, h("table", { class: "scores" },
        h("thead", {}, h("tr", {}, ...["", "Item", "Choices: log-likelihood, per character", "Confidence", ""].map((text) =>
          h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...rows.flatMap((score) => this.#row(scored.set, score, items.get(score.id)))))));
  }

  /** An item, and under it the tokens of its choices where they are asked for. */
  #row(set: string, score: ItemScore, item: Item | undefined): HTMLElement[] {
    const key = `${set}/${score.id}`;
    const isOpen = this.#item === key;
    const toggle = h("button", { class: "small", "data-key": `tokens-${score.id}`, "aria-expanded": isOpen ? "true" : "false", onclick: () => {
      this.#item = isOpen ? null : key;
      this.render();
      if (!isOpen && item) void this.#readTokens(set, item, key);
    } }, "Tokens");
    const row = itemRow(score, item, toggle);
    return isOpen ? [row, h("tr", { class: "token-row" }, h("td", { colspan: 5 }, tokenTable(score, this.#tokens.get(key))))] : [row];
  }

  /** The tokens' texts come from the engine; the numbers are the score's. */
  async #readTokens(set: string, item: Item, key: string): Promise<void> {
    try {
      this.#tokens.set(key, await engine.call("prompt", [{ item, set }]));
    } catch (thrown) {
      report(thrown);
    }
    if (this.#item === key) this.render();
  }
}

/** Every choice's scored tokens with their log-probabilities. */
function tokenTable(score: ItemScore, found: PromptView | undefined): HTMLElement {
  if (score.choices.every((choice) => (choice.token_log_probabilities ?? []).length === 0)) {
    return h("p", { class: "note" }, "These scores came without single tokens: “Score again” keeps them.");
  }
  return h("ol", { class: "token-scores", type: "A" }, ...score.choices.map((choice, index) => {
    const view = found?.choices[index];
    const texts = view?.tokens.slice(view.scored_from) ?? [];
    return h("li", { class: index === score.gold ? "gold" : "" }, ...(choice.token_log_probabilities ?? []).map((value, at) =>
      h("span", { class: "token", title: `log-probability ${fixed(value, 4)}, probability ${percent(Math.exp(value))}` },
        h("code", {}, texts[at] === undefined ? "…" : tokenText(texts[at])), h("small", {}, fixed(value, 2)))),
    h("span", { class: "note" }, ` sum ${fixed(choice.log_likelihood, 3)} over ${choice.tokens}`
      + (choice.unconditional === undefined ? "" : `, without the context ${fixed(choice.unconditional, 3)}`)));
  }));
}

function itemRow(score: ItemScore, item: Item | undefined, toggle: HTMLElement): HTMLElement {
  const confidence = h("i");
  confidence.style.width = `${score.confidence * 100}%`;
  return h("tr", { "data-item": score.id },
    h("td", {}, mark(score.correct)),
    h("td", { class: "context" }, h("small", { class: "id" }, clip(score.id, 24)), h("br"), clip(item?.context ?? "", 140)),
    h("td", {}, h("ul", { class: "choice-scores" }, ...score.choices.map((choice, index) => {
      const isPredicted = index === score.predicted;
      return h("li", { class: `${isPredicted ? "predicted" : ""} ${index === score.gold ? "gold" : ""}`,
        "data-log-likelihood": choice.log_likelihood },
      h("span", {}, isPredicted ? "▸ " : "", clip(choice.text.trim(), 70), index === score.gold ? " ✓" : ""),
      h("span", { class: "number" }, fixed(choice.log_likelihood, 3)),
      h("span", { class: "number" }, fixed(choice.per_character, 3)));
    }))),
    h("td", { class: "confidence", title: "Probability of the predicted choice among the choices" },
      h("span", { class: "track" }, confidence), h("span", { class: "number" }, percent(score.confidence, 0))),
    h("td", { class: "tools" }, toggle));
}

customElements.define("step-scores", StepScores);
