// Every item's answer before and after the mask, side by side; the flipped ones are marked and come first.

import { h, refill, View } from "../dom";
import { clip, count, percent, visible } from "../format";
import type { ItemScore, Paired, PrunedSet } from "../types";
import { mark } from "./accuracy";

const PAGE = 10;

class AnswersTable extends View {
  protected readonly keys = ["pruned", "scores", "sets"] as const;
  #open: string | null = null;
  #onlyFlipped = true;
  #page = 0;

  protected render(): void {
    const { pruned, scores, sets } = this.state;
    const mostFlipped = pruned?.sets.toSorted((a, b) => b.flipped.length - a.flipped.length)[0];
    const shown = pruned?.sets.find((set) => set.set === this.#open) ?? mostFlipped;
    if (!pruned || !shown) {
      refill(this);
      return;
    }
    const before = new Map(scores[shown.set]?.items.map((item) => [item.id, item]));
    const contexts = new Map(sets.find((set) => set.name === shown.set)?.items.map((item) => [item.id, item.context]));
    const flipped = new Set(shown.flipped.map((flip) => flip.id));
    const items = shown.after.items.filter((item) => !this.#onlyFlipped || flipped.has(item.id));
    items.sort((a, b) => Number(flipped.has(b.id)) - Number(flipped.has(a.id)));
    const pages = Math.max(1, Math.ceil(items.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const turn = (by: number, text: string): HTMLElement => h("button", { class: "small", "data-key": `answers${by}`,
      disabled: this.#page + by < 0 || this.#page + by >= pages, onclick: () => {
        this.#page += by;
        this.render();
      } }, text);
    const pick = h("select", { "data-key": "answers-set", "aria-label": "Set of the answers", onchange: (event: Event) => {
      this.#open = (event.target as HTMLSelectElement).value;
      this.#page = 0;
      this.render();
    } }, ...pruned.sets.map((set) => h("option", { value: set.set }, `${visible(set.set)} (${set.flipped.length} flipped)`)));
    pick.value = shown.set;
    refill(this,
      h("div", { class: "table-head" }, h("h3", {}, "Answers before and after"), h("span", { class: "tools" }, pick,
        h("label", { class: "check" }, h("input", { type: "checkbox", "data-key": "only-flipped", checked: this.#onlyFlipped,
          onchange: (event: Event) => {
            this.#onlyFlipped = (event.target as HTMLInputElement).checked;
            this.#page = 0;
            this.render();
          } }), "only flipped"),
        pages > 1 ? turn(-1, "‹") : null, pages > 1 ? h("small", {}, `${this.#page + 1} of ${pages}`) : null, pages > 1 ? turn(1, "›") : null)),
      h("p", { class: "note", "data-result": "flips" }, flips(shown)),
      items.length > 0 ? h("div", { class: "table-scroll" }, h("table", { class: "answers" },
        h("thead", {}, h("tr", {}, ...["", "Item", "Before", "After", "Right answer"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...items.slice(this.#page * PAGE, (this.#page + 1) * PAGE).map((after) =>
          row(after, before.get(after.id), contexts.get(after.id) ?? "", flipped.has(after.id)))))) : null);
  }
}

/** `p = 0.031`, or below what three digits show. */
function chance({ p_value }: Paired): string {
  return p_value < 0.001 ? "p < 0.001" : `p = ${p_value.toFixed(3)}`;
}

function flips({ flipped, after, paired }: PrunedSet): string {
  const better = flipped.filter((flip) => flip.after === flip.gold).length;
  const worse = flipped.filter((flip) => flip.before === flip.gold).length;
  return `${flipped.length} of ${count(after.items.length, "item")} changed their answer: ${better} to the right one, ${worse} from it`
    + `, ${flipped.length - better - worse} from wrong to wrong.`
    + (paired ? ` Exact test of the change (McNemar, two-sided): ${chance(paired)}.` : "");
}

function answer(item: ItemScore | undefined): HTMLElement {
  if (!item) return h("td", {}, "–");
  const choice = item.choices[item.predicted];
  return h("td", {}, mark(item.correct), ` ${clip(choice?.text.trim() ?? "", 60)} `, h("small", {}, percent(item.confidence, 0)));
}

function row(after: ItemScore, before: ItemScore | undefined, context: string, isFlipped: boolean): HTMLElement {
  return h("tr", { class: isFlipped ? "flipped" : "", "data-item": after.id },
    h("td", {}, isFlipped ? h("span", { title: "flipped" }, "⇄", h("span", { class: "visually-hidden" }, " flipped")) : ""),
    h("td", { class: "context" }, h("small", { class: "id" }, clip(after.id, 24)), h("br"), clip(context, 110)),
    answer(before), answer(after), h("td", {}, clip(after.choices[after.gold]?.text.trim() ?? "", 60)));
}

customElements.define("answers-table", AnswersTable);
