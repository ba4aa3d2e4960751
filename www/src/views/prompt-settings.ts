// How items are put to the model: the template or one of the user's own, shots, the choices' order; and what that makes
// of an item, token by token, while it is being changed.

import { h, refill, View } from "../dom";
import { engine } from "../services/engine";
import { prompting, type PromptingChange, setPrompting } from "../services/items";
import { report, toError } from "../services/jobs";
import { templateId, type FewShot, type Item, type Prompting, type Template } from "../types";
import { promptView } from "./prompt-view";
import { choice, numeric } from "./widgets";

const OWN = "own";
const MOST_SHOTS = 64;

class PromptSettings extends View {
  protected readonly keys = ["sets", "template", "templates", "few_shot", "choice_order", "wanted", "job", "engine", "model"] as const;
  #controls = h("div", {});
  #editor = h("div", {});
  #message = h("p", { class: "template-error", role: "status" });
  #preview = h("div", { class: "preview" });
  /** The template that is being written. */
  #draft: Template | null = null;
  /** What the editor opened on. */
  #start: Template | null = null;
  /** The last own template: it comes back after a named one. */
  #own: Template | null = null;
  #inUse: string | Template | null = null;
  #index = 0;
  #shown = "";
  #previewed = "";
  #placeholders: { name: string; becomes: string }[] = [];

  protected override setup(): void {
    this.addEventListener("refresh", () => this.render());
    this.replaceChildren(h("h2", {}, "Prompt"), this.#controls, this.#editor, this.#message, this.#preview);
  }

  protected render(): void {
    const name = this.getAttribute("data-set") ?? "";
    if (name !== this.#shown) [this.#shown, this.#index] = [name, 0];
    const { template } = this.state;
    // An editor that holds the template in use, unchanged, follows it.
    if (template !== this.#inUse && isSame(this.#draft, this.#inUse)) this.#close();
    this.#inUse = template;
    this.#drawControls();
    void this.#show();
  }

  #items(): Item[] {
    return this.state.sets.find((set) => set.name === this.#shown)?.items ?? [];
  }

  #drawControls(): void {
    const { templates, sets, engine: status } = this.state;
    if (templates.length === 0) return;
    // As they were asked for: the engine may be busy for long.
    const { template, few_shot, choice_order } = { ...this.state, ...this.state.wanted };
    const named = templates.map((other) => [templateId(other), other.name] as const);
    const isOwn = this.#draft !== null || typeof template !== "string";
    const current = templates.find((other) => templateId(other) === templateId(template));
    const shots = few_shot ?? { k: 0 };
    const change = (patch: Partial<FewShot>): void => this.#apply((now) => {
      const next = { ...(now.few_shot ?? { k: 0 }), ...patch };
      return { few_shot: next.k > 0 ? next : null };
    });
    const from = [["", "the same set"] as const, ...sets.filter((set) => set.items.length > 0).map((set) => [set.name, set.name] as const)];
    refill(this.#controls,
      h("div", { class: "fields" },
        choice("Template", "template", [...named, [OWN, "my own …"] as const], isOwn ? OWN : templateId(template), (value) => {
          if (value === OWN) void this.#edit();
          else {
            this.#close();
            this.#apply(() => ({ template: value }));
          }
        }),
        numeric("Shots", "few-shot-k", shots.k, { min: 0, max: MOST_SHOTS, step: 1 }, (k) => change({ k }), "Solved items before each prompt"),
        shots.k > 0 ? choice("Shots from", "few-shot-set", from, few_shot?.set ?? "", (set) => this.#apply(({ few_shot: now }) => {
          if (!now) return null;
          const { set: _, ...rest } = now;
          return { few_shot: set === "" ? rest : { ...rest, set } };
        }), "From the same set, an item is never its own shot") : null,
        shots.k > 0 ? numeric("Shots' seed", "few-shot-seed", few_shot?.seed ?? 0, { min: 0, max: 2 ** 31, step: 1 }, (seed) => change({ seed }),
          "The same seed draws the same shots") : null,
        h("label", { class: "check" }, h("input", { type: "checkbox", "data-key": "choice-order", checked: choice_order !== null,
          disabled: status !== "ready", onchange: (event: Event) =>
            this.#takeOrder((event.target as HTMLInputElement).checked ? 0 : null) }), "shuffle the choices"),
        choice_order === null ? null : numeric("Order's seed", "choice-order-seed", choice_order, { min: 0, max: 2 ** 31, step: 1 },
          (seed) => this.#takeOrder(seed))),
      h("p", { class: "note" }, this.#isWritten() ? "Being written: items are scored with it once you use it."
        : isOwn ? "A template of your own; it travels in the study and its link." : current?.description ?? ""));
    if (isOwn && !this.#editor.hasChildNodes() && typeof template !== "string") void this.#edit();
  }

  /** Whether the editor holds another template than the one in use. */
  #isWritten(): boolean {
    return this.#draft !== null && !isSame(this.#draft, this.state.template);
  }

  /** Closes the editor; what was written in it comes back when an own template is asked for again. */
  #close(): void {
    if (!isSame(this.#draft, this.#start)) this.#own = this.#draft;
    this.#draft = null;
    refill(this.#editor);
  }

  #takeOrder(choice_order: number | null): void {
    this.#apply(() => ({ choice_order }));
  }

  #apply(change: PromptingChange): void {
    this.#message.textContent = "";
    setPrompting(change).catch((thrown) => {
      this.#message.textContent = toError(thrown).message;
      this.#drawControls();
    });
  }

  /** Opens the editor on the own template in use, else on the last one, else on one like the named one in use. */
  async #edit(): Promise<void> {
    const { templates, template } = this.state;
    const base = typeof template === "string" ? templates.find((other) => templateId(other) === template) : template;
    if (!base) return;
    if (typeof template !== "string") this.#own = template;
    this.#start = this.#own ?? { ...base, name: `my-${base.name}`, version: 1, description: "" };
    this.#draft = this.#start;
    try {
      if (this.#placeholders.length === 0) this.#placeholders = await engine.call("placeholders", []);
    } catch (thrown) {
      report(thrown);
    }
    this.#drawEditor();
    this.#drawControls();
    void this.#show();
  }

  #drawEditor(): void {
    const draft = this.#draft;
    if (!draft) return;
    const take = (patch: Partial<Template>): void => {
      this.#draft = { ...(this.#draft ?? draft), ...patch };
      void this.#show();
    };
    const area = (label: string, key: keyof Template, rows: number): HTMLElement => h("label", { class: "field wide" }, h("span", {}, label),
      h("textarea", { rows, spellcheck: "false", "data-key": `template-${key}`, value: String(draft[key] ?? ""),
        oninput: (event: Event) => take({ [key]: (event.target as HTMLTextAreaElement).value }) }));
    refill(this.#editor, h("fieldset", { class: "template-editor" }, h("legend", {}, "My template"),
      h("div", { class: "fields" },
        h("label", { class: "field" }, h("span", {}, "Name"), h("input", { type: "text", "data-key": "template-name", value: draft.name,
          oninput: (event: Event) => take({ name: (event.target as HTMLInputElement).value }) })),
        h("label", { class: "field", title: "Between prompt and choice" }, h("span", {}, "Joined by"), h("input", { type: "text",
          "data-key": "template-delimiter", value: draft.delimiter ?? " ",
          oninput: (event: Event) => take({ delimiter: (event.target as HTMLInputElement).value }) }))),
      area("Once, before everything (may be empty)", "preamble", 1),
      area("Prompt", "prompt", 3),
      area("What is scored of a choice", "choice", 1),
      h("details", {}, h("summary", {}, "Placeholders"), h("dl", { class: "facts" }, ...this.#placeholders.flatMap(({ name, becomes }) =>
        [h("dt", {}, h("code", {}, `{${name}}`)), h("dd", {}, becomes)]))),
      h("div", { class: "tools" },
        h("button", { class: "primary", "data-key": "use-template", onclick: () => {
          const draft = this.#draft;
          if (draft) this.#apply(() => ({ template: draft }));
        } }, "Use this template"),
        h("button", { "data-key": "close-template", onclick: () => {
          this.#message.textContent = "";
          if (typeof this.state.template !== "string") {
            void this.#edit();
            return;
          }
          // Unchanged, it is the own template itself that is discarded.
          if (isSame(this.#draft, this.#own)) this.#own = null;
          this.#draft = null;
          refill(this.#editor);
          this.render();
          this.querySelector<HTMLElement>("[data-key='template']")?.focus();
        } }, "Discard"))));
  }

  /** An item of the open set as the model gets it. */
  async #show(): Promise<void> {
    const { engine: status, model, job } = this.state;
    const items = this.#items();
    this.#index = Math.min(this.#index, Math.max(0, items.length - 1));
    const item = items[this.#index];
    const asked: Prompting = { ...prompting(this.state), ...(this.#draft ? { template: this.#draft } : {}) };
    const wanted = JSON.stringify([asked, item, this.#shown, model?.info.sha256, items.length]);
    if (!item || status !== "ready") {
      this.#previewed = "";
      refill(this.#preview);
      return;
    }
    // A running job keeps the engine; the preview follows when it has ended.
    if (job || wanted === this.#previewed) return;
    this.#previewed = wanted;
    const turn = (by: number, text: string, label: string): HTMLElement => h("button", { class: "small", "data-key": `preview${by}`, "aria-label": label,
      disabled: this.#index + by < 0 || this.#index + by >= items.length, onclick: () => {
        this.#index += by;
        void this.#show();
      } }, text);
    const head = h("div", { class: "table-head" }, h("h3", {}, "What the model gets"), h("span", { class: "tools" },
      turn(-1, "‹", "Previous item"), h("small", {}, `item ${this.#index + 1} of ${items.length}`), turn(1, "›", "Next item")));
    try {
      const found = await engine.call("prompt", [{ item, set: this.#shown, prompting: asked }]);
      if (wanted !== this.#previewed) return;
      if (this.#draft) this.#message.textContent = "";
      refill(this.#preview, head, promptView(found, item.id));
    } catch (thrown) {
      if (wanted !== this.#previewed) return;
      const { message } = toError(thrown);
      if (this.#draft) this.#message.textContent = message;
      refill(this.#preview, head, h("p", { class: "note" }, message));
    }
  }
}

function isSame(one: string | Template | null, other: string | Template | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

customElements.define("prompt-settings", PromptSettings);
