// How items are put to the model: the template or one of the user's own, shots, the choices' order; and what that makes
// of an item, token by token, while it is being changed.

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { engine } from "../services/engine";
import { prompting } from "../services/edited";
import { type PromptingChange, setPrompting } from "../services/items";
import { report, toError } from "../services/jobs";
import { templateId } from "../roles";
import { LIMITS, type FewShot, type Item, type Placeholder, type Prompting, type PromptView, type Template } from "../wire/engine";
import { promptView } from "./prompt-view";
import { typed } from "./typed";
import { View, type Drawn, type Reads } from "./view";
import { choice, isChecked, numeric, valueOf } from "./widgets";

const OWN = "own";

/** An item as the model gets it, or why it cannot be shown. */
interface Preview {
  id: string;
  index: number;
  total: number;
  found: PromptView | string;
}

class PromptSettings extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ study, engine, view, shown }) => [
    shown.sets,
    study.template,
    engine.templates,
    study.few_shot,
    study.choice_order,
    view.job !== null,
    engine.status,
    engine.model,
  ];
  /** Name of the set whose items are shown. */
  declare set: string | undefined;
  /** The template that is being written. */
  #draft: Template | null = null;
  /** What the editor opened on. */
  #start: Template | null = null;
  /** The last own template: it comes back after a named one. */
  #own: Template | null = null;
  #inUse: string | Template | null = null;
  #message = "";
  #index = 0;
  #preview: Preview | null = null;
  /** What the preview was asked for. */
  #previewed = "";
  #placeholders: Placeholder[] = [];

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("set")) this.#index = 0;
    const { template } = this.state.study;
    const { templates } = this.state.engine;
    // An editor that holds the template in use, unchanged, follows it.
    if (template !== this.#inUse && isSame(this.#draft, this.#inUse)) this.#close();
    this.#inUse = template;
    if (typeof template !== "string" && this.#draft === null && templates.length > 0) this.#open();
  }

  protected override render(): TemplateResult {
    return html`<h2>Prompt</h2><div>${this.#controls()}</div><div>${this.#draft ? this.#editor(this.#draft) : nothing}</div>
      <p class="template-error" role="status">${this.#message}</p><div class="preview">${this.#preview ? this.#shown(this.#preview) : nothing}</div>`;
  }

  protected override updated(): void {
    void this.#look();
  }

  #controls(): Drawn {
    const { templates, status } = this.state.engine;
    const { template } = this.state.study;
    const order = this.state.study.choice_order?.seed;
    if (templates.length === 0) return nothing;
    const named = templates.map((other) => [templateId(other), other.name] as const);
    const isOwn = this.#draft !== null || typeof template !== "string";
    const current = templates.find((other) => templateId(other) === templateId(template));
    return html`<div class="fields">
      ${choice("Template", "template", [...named, [OWN, "my own …"] as const], isOwn ? OWN : templateId(template), (value) => this.#choose(value))}
      ${this.#shots()}
      <label class="check"><input type="checkbox" data-key="choice-order" .checked=${live(order !== undefined)} ?disabled=${status !== "ready"}
        @change=${(event: Event) => this.#takeOrder(isChecked(event) ? 0 : null)}>shuffle the choices</label>
      ${
        order === undefined
          ? nothing
          : numeric("Order's seed", "choice-order-seed", order, { min: 0, max: 2 ** 31, step: 1 }, (seed) => this.#takeOrder(seed))
      }
    </div>
    <p class="note">${
      this.#isWritten()
        ? "Being written: items are scored with it once you use it."
        : isOwn
          ? "A template of your own; it travels in the study and its link."
          : (current?.description ?? "")
    }</p>`;
  }

  #shots(): TemplateResult {
    const { few_shot } = this.state.study;
    const shots = few_shot ?? { k: 0 };
    const change = (patch: Partial<FewShot>): void =>
      this.#apply((now) => {
        const next = { ...(now.few_shot ?? { k: 0 }), ...patch };
        return { few_shot: next.k > 0 ? next : null };
      });
    const from = [
      ["", "the same set"] as const,
      ...this.state.shown.sets.filter((set) => set.items.length > 0).map((set) => [set.name, set.name] as const),
    ];
    const takeFrom = (set: string): void =>
      this.#apply(({ few_shot: now }) => {
        if (!now) return null;
        const { set: _, ...rest } = now;
        return { few_shot: set === "" ? rest : { ...rest, set } };
      });
    return html`${numeric("Shots", "few-shot-k", shots.k, { min: 0, max: LIMITS.shots, step: 1 }, (k) => change({ k }), "Solved items before each prompt")}${
      shots.k > 0
        ? html`
        ${choice("Shots from", "few-shot-set", from, few_shot?.set ?? "", takeFrom, "From the same set, an item is never its own shot")}
        ${numeric(
          "Shots' seed",
          "few-shot-seed",
          few_shot?.seed ?? 0,
          { min: 0, max: 2 ** 31, step: 1 },
          (seed) => change({ seed }),
          "The same seed draws the same shots",
        )}`
        : nothing
    }`;
  }

  #choose(value: string): void {
    if (value === OWN) this.#open();
    else {
      this.#close();
      this.#apply(() => ({ template: value }));
    }
    this.requestUpdate();
  }

  /** Whether the editor holds another template than the one in use. */
  #isWritten(): boolean {
    return this.#draft !== null && !isSame(this.#draft, this.state.study.template);
  }

  /** Closes the editor; what was written in it comes back when an own template is asked for again. */
  #close(): void {
    if (!isSame(this.#draft, this.#start)) this.#own = this.#draft;
    this.#draft = null;
  }

  #takeOrder(choice_order: number | null): void {
    this.#apply(() => ({ choice_order }));
  }

  #apply(change: PromptingChange): void {
    this.#say("");
    setPrompting(change).catch((thrown) => {
      // What is refused was in use for a moment: its editor stays open on it.
      this.#inUse = this.state.study.template;
      this.#say(toError(thrown).message);
    });
  }

  #say(message: string): void {
    this.#message = message;
    this.requestUpdate();
  }

  /** Opens the editor on the own template in use, else on the last one, else on one like the named one in use. */
  #open(): void {
    const { templates } = this.state.engine;
    const { template } = this.state.study;
    const base = typeof template === "string" ? templates.find((other) => templateId(other) === template) : template;
    if (!base) return;
    if (typeof template !== "string") this.#own = template;
    this.#start = this.#own ?? { ...base, name: `my-${base.name}`, version: 1, description: "" };
    this.#draft = this.#start;
    if (this.#placeholders.length === 0) void this.#askPlaceholders();
  }

  async #askPlaceholders(): Promise<void> {
    try {
      this.#placeholders = await engine.call("placeholders", []);
      this.requestUpdate();
    } catch (thrown) {
      report(thrown);
    }
  }

  #editor(draft: Template): TemplateResult {
    const write =
      (key: keyof Template) =>
      (event: Event): void => {
        this.#draft = { ...(this.#draft ?? draft), [key]: valueOf(event) };
        this.requestUpdate();
      };
    const area = (
      label: string,
      key: "preamble" | "prompt" | "choice",
      rows: number,
    ): TemplateResult => html`<label class="field wide"><span>${
      label
    }</span><textarea rows=${rows} spellcheck="false" data-key=${`template-${key}`} .value=${typed(draft[key] ?? "")}
      @input=${write(key)}></textarea></label>`;
    return html`<fieldset class="template-editor"><legend>My template</legend>
      <div class="fields">
        <label class="field"><span>Name</span><input type="text" data-key="template-name" .value=${typed(draft.name)} @input=${write("name")}></label>
        <label class="field" title="Between prompt and choice"><span>Joined by</span><input type="text" data-key="template-delimiter"
          .value=${typed(draft.delimiter ?? " ")} @input=${write("delimiter")}></label>
      </div>
      ${area("Once, before everything (may be empty)", "preamble", 1)}
      ${area("Prompt", "prompt", 3)}
      ${area("What is scored of a choice", "choice", 1)}
      <details><summary>Placeholders</summary><dl class="facts">${this.#placeholders.map(
        ({ name, becomes }) => html`<dt><code>{${name}}</code></dt><dd>${becomes}</dd>`,
      )}</dl></details>
      <div class="tools">
        <button class="primary" data-key="use-template" @click=${() => this.#apply(() => ({ template: this.#draft ?? draft }))}>Use this template</button>
        <button data-key="close-template" @click=${() => this.#discard()}>Discard</button>
      </div>
    </fieldset>`;
  }

  /** Gives up what was written. */
  #discard(): void {
    this.#say("");
    if (typeof this.state.study.template !== "string") {
      this.#open();
      return;
    }
    // Unchanged, it is the own template itself that is discarded.
    if (isSame(this.#draft, this.#own)) this.#own = null;
    this.#draft = null;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("[data-key='template']")?.focus());
  }

  #items(): Item[] {
    return this.state.shown.sets.find((set) => set.name === this.set)?.items ?? [];
  }

  /** Hash of the items that shots are drawn from; undefined where there are none. */
  #shotsHash(): string | undefined {
    const { few_shot, item_sets } = this.state.study;
    return few_shot ? item_sets.find(({ name }) => name === (few_shot.set ?? this.set))?.sha256 : undefined;
  }

  /** Asks for an item of the open set as the model gets it. */
  async #look(): Promise<void> {
    const { status, model } = this.state.engine;
    const { job } = this.state.view;
    const items = this.#items();
    const index = Math.min(this.#index, Math.max(0, items.length - 1));
    const item = items[index];
    const asked: Prompting = { ...prompting(this.state.study), ...(this.#draft ? { template: this.#draft } : {}) };
    const wanted = JSON.stringify([asked, item, this.set, model?.info.sha256, items.length, this.#shotsHash()]);
    if (!item || status !== "ready") {
      this.#previewed = "";
      if (this.#preview) this.#show(null);
      return;
    }
    // A running job keeps the engine; the preview follows when it has ended.
    if (job || wanted === this.#previewed) return;
    this.#previewed = wanted;
    let found: PromptView | string;
    try {
      found = await engine.call("prompt", [{ item, set: this.set ?? "", prompting: asked }]);
    } catch (thrown) {
      found = toError(thrown).message;
    }
    if (wanted !== this.#previewed) return;
    if (this.#draft) this.#message = typeof found === "string" ? found : "";
    this.#show({ id: item.id, index, total: items.length, found });
  }

  #show(preview: Preview | null): void {
    this.#preview = preview;
    this.requestUpdate();
  }

  #shown({ id, index, total, found }: Preview): TemplateResult {
    const turn = (
      by: number,
      text: string,
      label: string,
    ): TemplateResult => html`<button class="small" data-key=${`preview${by}`} aria-label=${label}
      ?disabled=${index + by < 0 || index + by >= total} @click=${() => {
        this.#index = index + by;
        this.requestUpdate();
      }}>${text}</button>`;
    return html`<div class="table-head"><h3>What the model gets</h3><span class="tools">${turn(-1, "‹", "Previous item")}<small>item ${
      index + 1
    } of ${total}</small>${turn(1, "›", "Next item")}</span></div>${
      typeof found === "string" ? html`<p class="note">${found}</p>` : promptView(found, id)
    }`;
  }
}

function isSame(one: string | Template | null, other: string | Template | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

customElements.define("prompt-settings", PromptSettings);
