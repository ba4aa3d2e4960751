// Step 3: what the model answers, and how sure it is.

import { h, isBusy, refill, View } from "../dom";
import { accuracyText, clip, duration, fixed, percent } from "../format";
import { scoreAll } from "../services/actions";
import { setRule } from "../services/items";
import { report } from "../services/jobs";
import { reportedSets } from "../services/store";
import type { Item, ItemScore, ScoringRule, SetScores } from "../types";
import { accuracyBar, accuracyOf, mark } from "./accuracy";
import { choice, heading } from "./widgets";

const RULES: readonly (readonly [ScoringRule, string])[] = [
  ["sum", "largest sum of log-likelihoods (acc)"], ["per_character", "largest per character (acc_norm)"],
];
const PAGE = 50;

class StepScores extends View {
  protected readonly keys = ["scores", "sets", "rule", "job", "engine", "model", "precomputed"] as const;
  #open: string | null = null;
  #page = 0;

  protected render(): void {
    const { scores, rule, sets } = this.state;
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
        choice("Prediction", "rule", RULES, rule, (value) => {
          setRule(value).catch(report);
        })),
      names.length > 0 ? h("table", { class: "summary" },
        h("thead", {}, h("tr", {}, ...["Set", "Accuracy", "", "Per character", "Time"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...names.map((name) => this.#summary(scores[name] as SetScores)))) : h("p", { class: "note" }, "Nothing is scored yet."),
      open ? this.#items(open) : null));
  }

  #summary(scored: SetScores): HTMLElement {
    const { rule } = this.state;
    const accuracy = accuracyOf(scored, rule);
    const other = scored.accuracy_per_character;
    return h("tr", { class: scored.set === this.#open ? "selected" : "", "data-set": scored.set },
      h("td", {}, h("button", { class: "link", "data-key": `scores-${scored.set}`, onclick: () => {
        this.#open = scored.set;
        this.#page = 0;
        this.render();
      } }, scored.set)),
      h("td", { class: "accuracy-text" }, accuracyText(accuracy)),
      h("td", {}, accuracyBar(accuracy)),
      h("td", { class: "number" }, percent(other.value)),
      h("td", { class: "number" }, duration(scored.seconds)));
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
    return h("div", {},
      h("div", { class: "table-head" }, h("h2", {}, `Items of “${scored.set}”`),
        pages > 1 ? h("span", { class: "tools" }, turn(-1, "‹"), h("small", {}, `page ${this.#page + 1} of ${pages}`), turn(1, "›")) : null),
      h("div", { class: "table-scroll" }, h("table", { class: "scores" },
        h("thead", {}, h("tr", {}, ...["", "Item", "Choices: log-likelihood, per character", "Confidence"].map((text) =>
          h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...rows.map((score) => itemRow(score, items.get(score.id)))))));
  }
}

function itemRow(score: ItemScore, item: Item | undefined): HTMLElement {
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
      h("span", { class: "track" }, confidence), h("span", { class: "number" }, percent(score.confidence, 0))));
}

customElements.define("step-scores", StepScores);
