// Step 2: the questions. In from text, file or sample; sets with roles; the prompt that the model will read.

import { h, refill, view, View } from "../dom";
import { clip, count } from "../format";
import { toError } from "../services/jobs";
import {
  addSet, canUndoItems, parse, removeSet, renameSet, replaceSets, sampleItems, setPrompting, setRole, splitSet, undoItems,
} from "../services/items";
import { engine } from "../services/engine";
import { report } from "../services/jobs";
import { store, type PageSet } from "../services/store";
import { ROLES, type PromptView } from "../types";
import { choice, dropTarget, filePicker, heading } from "./widgets";

const ROLE_HINTS = {
  attribution: "Neurons are scored on these items, and a tuning learns from them. One set has this role.",
  validation: "These items pick the layer and percentage, and the best state of a tuning.",
  test: "Results are reported on these items.",
  out_of_distribution: "Results are reported on these items too: of another kind than those the mask is made with.",
};

const EXAMPLE = '{"id": "1", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": 1}';

class StepItems extends View {
  protected readonly keys = ["sets", "samples", "template", "templates", "job", "engine", "model"] as const;
  #open: string | null = null;
  #text = h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Items as text", placeholder: EXAMPLE });
  #messages = h("div", { class: "line-errors", role: "status" });
  #preview = h("div", { class: "preview" });
  #list = view("item-list");
  #sets = h("div", {});
  #tools = h("div", {});
  #previewed = "";

  protected override setup(): void {
    dropTarget(this, (files) => void this.#readFiles(files));
    this.#text.addEventListener("paste", () => setTimeout(() => void this.#read("pasted", this.#text.value)));
    this.replaceChildren(h("section", { class: "panel" },
      heading("Items", "Multiple-choice questions with a known answer: bring your own, or take a sample.",
        "JSONL: {\"id\", \"context\" or \"question\", \"choices\": […], \"gold\": index}, or the fields of a known data set (COPA, HellaSwag, PIQA, …). "
        + "Also CSV or TSV (question, a, b, …, correct), Aiken, GIFT, Moodle XML, and BIG-bench's JSON. The format is told from the text."),
      this.#sets,
      h("div", { class: "drop-zone" },
        h("p", {}, h("b", {}, "Add items: "), "paste lines here, or drop a file anywhere on this step."),
        this.#text,
        h("div", { class: "tools" },
          h("button", { class: "primary", "data-key": "add-pasted", onclick: () => void this.#read("pasted", this.#text.value) }, "Add these lines"),
          filePicker("Choose a file …", ".jsonl,.json,.txt,.csv,.tsv,.xml,.gift", (files) => void this.#readFiles(files))),
        this.#messages),
      this.#tools, this.#preview, this.#list));
  }

  protected render(): void {
    const { sets, templates, template } = this.state;
    if (!sets.some((set) => set.name === this.#open)) this.#open = sets[0]?.name ?? null;
    this.#list.setAttribute("data-set", this.#open ?? "");
    this.#list.dispatchEvent(new Event("refresh"));
    refill(this.#sets,
      sets.length > 0 ? this.#table() : h("p", { class: "note" }, "There are no items yet."), this.#setTools());
    const named = templates.map((other) => [`${other.name}@${other.version}`, other.name] as const);
    const id = typeof template === "string" ? template : `${template.name}@${template.version}`;
    const current = templates.find((other) => `${other.name}@${other.version}` === id);
    refill(this.#tools, h("h2", {}, "Prompt"),
      named.length > 0 ? choice("Template", "template", named, id, (value) => {
        setPrompting({ template: value }).catch(report);
      }) : null,
      current ? h("p", { class: "note" }, current.description) : null);
    void this.#showPrompt();
  }

  #table(): HTMLElement {
    const { sets } = this.state;
    const row = (set: PageSet): HTMLElement => h("tr", { class: set.name === this.#open ? "selected" : "", "data-set": set.name },
      h("td", {}, h("button", { class: "link", "data-key": `open-${set.name}`, onclick: () => {
        this.#open = set.name;
        this.render();
      } }, set.name)),
      h("td", { class: "number" }, set.items.length),
      ...ROLES.map((role) => h("td", { class: "center" }, h("input", { type: "checkbox", "data-key": `role-${set.name}-${role}`,
        checked: set.roles.includes(role), title: ROLE_HINTS[role], "aria-label": `${set.name}: ${role}`,
        onchange: (event: Event) => setRole(set.name, role, (event.target as HTMLInputElement).checked) }))),
      h("td", {}, h("small", {}, set.sample ? `sample ${set.sample.name}` : "inline")),
      h("td", { class: "tools" },
        h("button", { class: "small", "data-key": `rename-${set.name}`, onclick: () => {
          const name = prompt("Name of the set", set.name);
          if (name !== null) renameSet(set.name, name);
        } }, "Rename"),
        set.items.length >= 6 ? h("button", { class: "small", "data-key": `split-${set.name}`, onclick: () => void splitSet(set.name, [1, 1, 1], this.state.seed).catch(report),
          title: "Deal the items out to three sets: attribution, validation, test" }, "Split in 3") : null,
        h("button", { class: "small", "data-key": `remove-${set.name}`, onclick: () => removeSet(set.name),
          "aria-label": `Remove ${set.name}` }, "Remove")));
    const isReused = sets.some((set) => set.roles.length > 1 && set.roles.includes("test"));
    return h("div", {},
      h("div", { class: "table-scroll" }, h("table", { class: "sets" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Set"), h("th", { scope: "col", class: "number" }, "Items"),
          ...ROLES.map((role) => h("th", { scope: "col", class: "center", title: ROLE_HINTS[role] }, role)),
          h("th", { scope: "col" }, "From"), h("th", { scope: "col" }))),
        h("tbody", {}, ...sets.map(row)))),
      isReused ? h("p", { class: "note" }, "A set that is tested on and also picks the neurons makes pruning look better than it is. "
        + "“Split in 3” deals it out.") : null);
  }

  #setTools(): HTMLElement {
    const { sets, samples } = this.state;
    const pick = h("select", { "data-key": "sample", "aria-label": "Add a sample set", onchange: (event: Event) => {
      const { value } = event.target as HTMLSelectElement;
      if (value) void this.#addSample(value);
    } }, h("option", { value: "" }, "Add a sample set …"),
    ...samples.map((sample) => h("option", { value: sample.name, title: sample.description },
      `${sample.title} (${count(sample.items, "item")}, ${sample.licence})`)));
    return h("div", { class: "tools" }, pick,
      h("button", { "data-key": "undo-items", disabled: !canUndoItems(), onclick: undoItems }, "Undo"),
      h("button", { "data-key": "remove-all", disabled: sets.length === 0, onclick: () => replaceSets([]) }, "Remove all sets"));
  }

  async #addSample(name: string): Promise<void> {
    try {
      addSet(name, await sampleItems(name), { name });
      this.#open = store.state.sets.at(-1)?.name ?? null;
      this.render();
    } catch (thrown) {
      report(thrown);
    }
  }

  async #readFiles(files: File[]): Promise<void> {
    for (const file of files) await this.#read(file.name.replace(/\.(jsonl?|txt|csv|tsv|xml|gift)$/, ""), await file.text());
  }

  /** Takes the good lines as a set and says what is wrong with the others. */
  async #read(name: string, text: string): Promise<void> {
    if (text.trim() === "") return;
    refill(this.#messages, h("p", { class: "note" }, "Reading …"));
    try {
      const { items, errors } = await parse(text);
      if (items.length > 0) {
        addSet(name, items);
        this.#open = store.state.sets.at(-1)?.name ?? null;
        this.#text.value = "";
      }
      const kept = items.length > 0 ? `${count(items.length, "item")} added as “${this.#open}”.` : "No item could be read.";
      refill(this.#messages, h("p", {}, kept, errors.length > 0 ? ` ${count(errors.length, "line")} left out:` : ""),
        errors.length > 0 ? h("ul", {}, ...errors.slice(0, 50).map(({ line, message }) =>
          h("li", {}, h("b", {}, `Line ${line}: `), message))) : null,
        errors.length > 50 ? h("p", { class: "note" }, `and ${errors.length - 50} more.`) : null);
      this.render();
    } catch (thrown) {
      refill(this.#messages, h("p", {}, toError(thrown).message));
    }
  }

  /** The first item of the open set as the model reads it. */
  async #showPrompt(): Promise<void> {
    const { sets, template, engine: status, model, job } = this.state;
    const item = sets.find((set) => set.name === this.#open)?.items[0];
    const wanted = `${template}/${model?.info.sha256 ?? ""}/${JSON.stringify(item)}`;
    if (!item || status !== "ready") {
      this.#previewed = "";
      refill(this.#preview);
      return;
    }
    // A running job keeps the engine; the preview follows when it has ended.
    if (job || wanted === this.#previewed) return;
    this.#previewed = wanted;
    try {
      const found = await engine.call("prompt", [{ item, ...(this.#open ? { set: this.#open } : {}) }]);
      refill(this.#preview, preview(found, item.id));
    } catch (thrown) {
      refill(this.#preview, h("p", { class: "note" }, toError(thrown).message));
    }
  }
}

function preview({ prompt: text, choices, tokens, gold }: PromptView, id: string): HTMLElement {
  return h("div", {},
    h("p", { class: "note" }, `Item ${clip(id, 30)} as the model reads it; each choice is scored as a continuation`,
      tokens.length > 0 ? ` (${count(tokens.length, "token")} of prompt):` : ":"),
    h("pre", { class: "prompt" }, text, h("span", { class: "choices" }, ...choices.map((choice, index) =>
      h("span", { class: index === gold ? "gold" : "", title: choice.tokens.join(" | ") },
        choice.context, choice.continuation, index === gold ? " ✓" : "")))),
    tokens.length > 0 ? h("p", { class: "tokens", "aria-label": "Tokens of the prompt" }, ...tokens.slice(0, 200).map((token) =>
      h("span", {}, token.replace(/\n/g, "⏎")))) : null);
}

customElements.define("step-items", StepItems);
