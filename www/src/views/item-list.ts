// The items of one set, edited in place. Rows become fields where they are clicked; long lists come in pages.

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { clip, count, visible } from "../format";
import { saveFile } from "../save-file";
import { addItem, deleteItem, exportItems, updateItem } from "../services/items";
import { report } from "../services/jobs";
import type { PageSet } from "../services/edited";
import { LIMITS, type ExportFormat, type Item } from "../wire/engine";
import { sampleNote } from "./sample-note";
import { typed } from "./typed";
import { View, type Drawn, type Reads } from "./view";
import { pager, valueOf } from "./widgets";

const PAGE = 25;

class ItemList extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ engine, shown }) => [shown.sets, shown.scores, engine.status, engine.samples];
  /** Name of the set. */
  declare set: string | undefined;
  #page = 0;
  /** Id of the item whose form is open. */
  #editing: string | null = null;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("set")) [this.#page, this.#editing] = [0, null];
  }

  protected override render(): Drawn {
    const set = this.#found();
    if (!set) return nothing;
    const pages = Math.max(1, Math.ceil(set.items.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const first = this.#page * PAGE;
    return html`
      <div class="table-head"><h2>Items of “${clip(visible(set.name), 50)}”</h2><span class="tools">
        <button class="small" data-key="add-item" @click=${() => this.#add(set)}>Add an item</button>
        ${(["jsonl", "csv"] as const).map((format) => this.#export(set, format))}
        ${pager(
          "page",
          this.#page,
          pages,
          `${first + 1}–${Math.min(set.items.length, first + PAGE)} of ${count(set.items.length, "item")}`,
          (page) => {
            this.#page = page;
            this.#edit(null);
          },
        )}
      </span></div>
      ${sampleNote(set, this.state.engine.samples)}
      ${(this.state.shown.scores[set.name]?.warnings ?? []).map((warning) => html`<p class="warning" data-warning="scores">${warning}.</p>`)}
      <ol class="items">${set.items
        .slice(first, first + PAGE)
        .map((item, offset) =>
          item.id === this.#editing ? this.#form(set, item, first + offset) : this.#row(set, item, first + offset),
        )}</ol>`;
  }

  #found(): PageSet | undefined {
    return this.state.shown.sets.find((other) => other.name === this.set);
  }

  #export({ name, items }: PageSet, format: ExportFormat): TemplateResult {
    const save = (): void =>
      void exportItems(name, format)
        .then((text) => saveFile(`${name}.${format}`, text, format === "csv" ? "text/csv" : "application/jsonl"))
        .catch(report);
    return html`<button class="small" data-key=${`export-${format}`} ?disabled=${items.length === 0 || this.state.engine.status !== "ready"}
      title="Save these items as ${format.toUpperCase()}" @click=${save}>Save as ${format.toUpperCase()}</button>`;
  }

  #add({ name, items }: PageSet): void {
    addItem(name);
    this.#page = Math.floor(items.length / PAGE);
    this.#edit(this.#found()?.items.at(-1) ?? null, "edit-context");
  }

  /** Opens the form of an item, or closes the one that is open, and moves the focus to a control. */
  #edit(item: Item | null, focus?: string): void {
    this.#editing = item?.id ?? null;
    this.requestUpdate();
    if (focus) void this.updateComplete.then(() => this.querySelector<HTMLElement>(`[data-key='${focus}']`)?.focus());
  }

  #row(set: PageSet, item: Item, index: number): TemplateResult {
    return html`<li class="item" data-item=${item.id}>
      <span class="id">${clip(visible(item.id), 22)}</span>
      <span class="text"><bdi class="context">${clip(item.context || "(no context)", 180)}</bdi><span class="choices">${item.choices.map(
        (choice, at) =>
          html`<span class=${at === item.gold ? "gold" : ""}><bdi>${clip(choice, 80)}</bdi>${at === item.gold ? " ✓" : ""}</span>`,
      )}</span></span>
      <span class="tools">
        <button class="small" data-key=${`edit-${index}`} aria-label="Edit ${item.id}"
          @click=${() => this.#edit(item, "edit-context")}>Edit</button>
        <button class="small" data-key=${`delete-${index}`} aria-label="Delete ${item.id}"
          @click=${() => deleteItem(set.name, index)}>Delete</button>
      </span>
    </li>`;
  }

  #form(set: PageSet, item: Item, index: number): TemplateResult {
    // A click may come before the form is drawn anew for what was typed: each change builds on the item as it is by now.
    const change = (patch: (now: Item) => Partial<Item>): void => {
      const now = this.#found()?.items[index];
      if (now?.id === item.id) updateItem(set.name, index, { ...now, ...patch(now) });
    };
    return html`<li class="item editing">
      <label class="field wide"><span>Context of ${clip(item.id, 22)}</span><textarea rows="3" data-key="edit-context"
        .value=${typed(item.context)} @change=${(event: Event) => {
          const context = valueOf(event);
          change(() => ({ context }));
        }}></textarea></label>
      <fieldset><legend>Choices; the marked one is right</legend>${item.choices.map((text, at) => choiceRow(item, text, at, change))}</fieldset>
      <span class="tools">
        <button class="small" data-key="add-choice" ?disabled=${item.choices.length >= LIMITS.choices}
          @click=${() => change(({ choices }) => ({ choices: [...choices, "new choice"] }))}>Add a choice</button>
        <button class="small primary" data-key="edit-done" @click=${() => this.#edit(null, `edit-${index}`)}>Done</button>
      </span>
    </li>`;
  }
}

function choiceRow(item: Item, text: string, at: number, change: (patch: (now: Item) => Partial<Item>) => void): TemplateResult {
  const rewrite = (event: Event): void => {
    const value = valueOf(event);
    change(({ choices }) => ({ choices: choices.map((other, place) => (place === at ? value : other)) }));
  };
  const drop = (): void =>
    change(({ choices, gold }) => ({ choices: choices.filter((_, place) => place !== at), gold: gold > at ? gold - 1 : gold }));
  const isRight = at === item.gold;
  return html`<div class="choice-row">
    <input type="radio" name="gold" data-key=${`gold-${at}`} .checked=${live(isRight)} aria-label="Choice ${at + 1} is right"
      @change=${() => change(() => ({ gold: at }))}>
    <input type="text" data-key=${`choice-${at}`} .value=${typed(text)} aria-label="Choice ${at + 1}" @change=${rewrite}>
    <button class="small" data-key=${`drop-${at}`} ?disabled=${isRight || item.choices.length <= 2} aria-label="Remove choice ${at + 1}"
      title=${isRight ? "The right choice is not removed: mark another one as right first" : nothing} @click=${drop}>×</button>
  </div>`;
}

customElements.define("item-list", ItemList);
