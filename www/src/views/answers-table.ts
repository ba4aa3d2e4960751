// Every item's answer before and after the mask, side by side; the flipped ones are marked and come first.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { chanceText, clip, count, percent, visible } from "../format";
import type { ItemScore, PrunedSet } from "../wire/engine";
import { mark } from "./accuracy";
import { View, type Drawn, type Reads } from "./view";
import { columns, isChecked, options, pager, valueOf } from "./widgets";

const PAGE = 10;

class AnswersTable extends View {
  protected readonly reads: Reads = ({ shown }) => [shown.pruned, shown.scores, shown.sets];
  #open: string | null = null;
  #onlyFlipped = true;
  #page = 0;

  protected override render(): Drawn {
    const { pruned, scores, sets } = this.state.shown;
    const mostFlipped = pruned?.sets.toSorted((a, b) => b.flipped.length - a.flipped.length)[0];
    const shown = pruned?.sets.find((set) => set.set === this.#open) ?? mostFlipped;
    if (!pruned || !shown) return nothing;
    const before = new Map(scores[shown.set]?.items.map((item) => [item.id, item]));
    const contexts = new Map(sets.find((set) => set.name === shown.set)?.items.map((item) => [item.id, item.context]));
    const flipped = new Set(shown.flipped.map((flip) => flip.id));
    const items = shown.after.items.filter((item) => !this.#onlyFlipped || flipped.has(item.id));
    items.sort((a, b) => Number(flipped.has(b.id)) - Number(flipped.has(a.id)));
    const pages = Math.max(1, Math.ceil(items.length / PAGE));
    const page = Math.min(this.#page, pages - 1);
    const rows = items.slice(page * PAGE, (page + 1) * PAGE);
    return html`
      <div class="table-head"><h2>Answers before and after</h2><span class="tools">
        <select data-key="answers-set" aria-label="Set of the answers" @change=${(event: Event) => {
          this.#open = valueOf(event);
          this.#turn(0);
        }}>${options(
          pruned.sets.map((set) => [set.set, `${visible(set.set)} (${set.flipped.length} flipped)`]),
          shown.set,
        )}</select>
        <label class="check"><input type="checkbox" data-key="only-flipped" .checked=${live(this.#onlyFlipped)} @change=${(
          event: Event,
        ) => {
          this.#onlyFlipped = isChecked(event);
          this.#turn(0);
        }}>only flipped</label>
        ${pager("answers", page, pages, `${page + 1} of ${pages}`, (to) => this.#turn(to))}
      </span></div>
      <p class="note" data-result="flips">${flips(shown)}</p>
      ${
        rows.length > 0
          ? html`<div class="table-scroll"><table class="answers">
        ${columns(["", "Item", "Before", "After", "Right answer"])}
        <tbody>${rows.map((after) => row(after, before.get(after.id), contexts.get(after.id) ?? "", flipped.has(after.id)))}</tbody>
      </table></div>`
          : nothing
      }`;
  }

  #turn(page: number): void {
    this.#page = page;
    this.requestUpdate();
  }
}

function flips({ flipped, after, paired }: PrunedSet): string {
  const better = flipped.filter((flip) => flip.after === flip.gold).length;
  const worse = flipped.filter((flip) => flip.before === flip.gold).length;
  return (
    `${flipped.length} of ${count(after.items.length, "item")} changed their answer: ${better} to the right one, ${worse} from it`
    + `, ${flipped.length - better - worse} from wrong to wrong.`
    + (paired ? ` Exact test of the change (McNemar, two-sided): ${chanceText(paired)}.` : "")
  );
}

function answer(item: ItemScore | undefined): TemplateResult {
  if (!item) return html`<td>–</td>`;
  const choice = item.choices[item.predicted];
  return html`<td>${mark(item.correct)} <bdi>${clip(choice?.text.trim() ?? "", 60)}</bdi> <small>${percent(item.confidence, 0)}</small></td>`;
}

function row(after: ItemScore, before: ItemScore | undefined, context: string, isFlipped: boolean): TemplateResult {
  return html`<tr class=${isFlipped ? "flipped" : ""} data-item=${after.id}>
    <td>${isFlipped ? html`<span title="flipped">⇄<span class="visually-hidden"> flipped</span></span>` : nothing}</td>
    <td class="context"><small class="id">${clip(after.id, 24)}</small><br><bdi>${clip(context, 110)}</bdi></td>
    ${answer(before)}${answer(after)}
    <td><bdi>${clip(after.choices[after.gold]?.text.trim() ?? "", 60)}</bdi></td>
  </tr>`;
}

customElements.define("answers-table", AnswersTable);
