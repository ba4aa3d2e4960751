// The items of one set, edited in place. Rows become fields where they are clicked; long lists come in pages.

import { download, h, refill, View } from "../dom";
import { clip, count, visible } from "../format";
import { addItem, deleteItem, exportItems, updateItem } from "../services/items";
import { report } from "../services/jobs";
import type { PageSet } from "../services/store";
import type { Item } from "../types";

const PAGE = 25;
/** There are 26 letters. */
const MAX_CHOICES = 26;

class ItemList extends View {
  protected readonly keys = ["sets", "engine"] as const;
  #page = 0;
  /** Id of the item whose form is open. */
  #editing: string | null = null;
  #shown = "";

  protected override setup(): void {
    this.addEventListener("refresh", () => this.render());
  }

  protected render(): void {
    const name = this.getAttribute("data-set") ?? "";
    const set = this.state.sets.find((other) => other.name === name);
    if (name !== this.#shown) [this.#shown, this.#page, this.#editing] = [name, 0, null];
    if (!set) {
      refill(this);
      return;
    }
    const pages = Math.max(1, Math.ceil(set.items.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const first = this.#page * PAGE;
    const turn = (by: number, text: string): HTMLElement => h("button", { class: "small", "data-key": `page${by}`,
      disabled: this.#page + by < 0 || this.#page + by >= pages, onclick: () => {
        this.#page += by;
        this.#editing = null;
        this.render();
      } }, text);
    const rows = set.items.slice(first, first + PAGE).map((item, offset) => {
      const index = first + offset;
      return item.id === this.#editing ? this.#form(set, item, index) : this.#row(set, item, index);
    });
    refill(this,
      h("div", { class: "table-head" }, h("h2", {}, `Items of “${clip(visible(name), 50)}”`),
        h("span", { class: "tools" },
          h("button", { class: "small", "data-key": "add-item", onclick: () => {
            addItem(name);
            this.#page = Math.floor(set.items.length / PAGE);
            this.#edit(this.state.sets.find((other) => other.name === name)?.items.at(-1));
          } }, "Add an item"),
          ...(["jsonl", "csv"] as const).map((format) => h("button", { class: "small", "data-key": `export-${format}`,
            disabled: set.items.length === 0 || this.state.engine !== "ready", title: `Save these items as ${format.toUpperCase()}`,
            onclick: () => {
              exportItems(name, format).then((text) =>
                download(`${name}.${format}`, text, format === "csv" ? "text/csv" : "application/jsonl")).catch(report);
            } }, `Save as ${format.toUpperCase()}`)),
          pages > 1 ? turn(-1, "‹") : null,
          pages > 1 ? h("small", {}, `${first + 1}–${Math.min(set.items.length, first + PAGE)} of ${count(set.items.length, "item")}`) : null,
          pages > 1 ? turn(1, "›") : null)),
      h("ol", { class: "items" }, ...rows));
  }

  /** Opens the form of an item. */
  #edit(item: Item | undefined): void {
    this.#editing = item?.id ?? null;
    this.render();
    this.querySelector<HTMLElement>("[data-key='edit-context']")?.focus();
  }

  #row(set: PageSet, item: Item, index: number): HTMLElement {
    return h("li", { class: "item", "data-item": item.id },
      h("span", { class: "id" }, clip(visible(item.id), 22)),
      h("span", { class: "text" }, h("span", { class: "context" }, clip(item.context || "(no context)", 180)),
        h("span", { class: "choices" }, ...item.choices.map((choice, at) =>
          h("span", { class: at === item.gold ? "gold" : "" }, clip(choice, 80), at === item.gold ? " ✓" : "")))),
      h("span", { class: "tools" },
        h("button", { class: "small", "data-key": `edit-${index}`, "aria-label": `Edit ${item.id}`, onclick: () => this.#edit(item) }, "Edit"),
        h("button", { class: "small", "data-key": `delete-${index}`, "aria-label": `Delete ${item.id}`,
          onclick: () => deleteItem(set.name, index) }, "Delete")));
  }

  #form(set: PageSet, item: Item, index: number): HTMLElement {
    // A click may come before the form is drawn anew for what was typed: each change builds on the item as it is by now.
    const change = (patch: (now: Item) => Partial<Item>): void => {
      const now = this.state.sets.find((other) => other.name === set.name)?.items[index];
      if (now?.id === item.id) updateItem(set.name, index, { ...now, ...patch(now) });
    };
    const choices = item.choices.map((text, at) => h("div", { class: "choice-row" },
      h("input", { type: "radio", name: "gold", "data-key": `gold-${at}`, checked: at === item.gold,
        "aria-label": `Choice ${at + 1} is right`, onchange: () => change(() => ({ gold: at })) }),
      h("input", { type: "text", "data-key": `choice-${at}`, value: text, "aria-label": `Choice ${at + 1}`,
        onchange: (event: Event) => {
          const { value } = event.target as HTMLInputElement;
          change(({ choices }) => ({ choices: choices.map((other, place) => (place === at ? value : other)) }));
        } }),
      h("button", { class: "small", "data-key": `drop-${at}`, disabled: item.choices.length <= 2, "aria-label": `Remove choice ${at + 1}`,
        onclick: () => change(({ choices, gold }) => ({
          choices: choices.filter((_, place) => place !== at),
          gold: gold > at || gold >= choices.length - 1 ? Math.max(0, gold - 1) : gold,
        })) }, "×")));
    return h("li", { class: "item editing" },
      h("label", { class: "field wide" }, h("span", {}, `Context of ${clip(item.id, 22)}`),
        h("textarea", { rows: 3, "data-key": "edit-context", value: item.context, onchange: (event: Event) => {
          const { value } = event.target as HTMLTextAreaElement;
          change(() => ({ context: value }));
        } })),
      h("fieldset", {}, h("legend", {}, "Choices; the marked one is right"), ...choices),
      h("span", { class: "tools" },
        h("button", { class: "small", "data-key": "add-choice", disabled: item.choices.length >= MAX_CHOICES, onclick: () => change(({ choices }) => ({ choices: [...choices, "new choice"] })) }, "Add a choice"),
        h("button", { class: "small primary", "data-key": "edit-done", onclick: () => {
          this.#editing = null;
          this.render();
          this.querySelector<HTMLElement>(`[data-key='edit-${index}']`)?.focus();
        } }, "Done")));
  }
}

customElements.define("item-list", ItemList);
