// Step 2: the questions. In from text, file or sample; sets with roles; the prompt that the model will read.

import { h, refill, view, View } from "../dom";
import { count } from "../format";
import {
  addSet, canUndoItems, parse, removeSet, renameSet, replaceSets, sampleItems, setRole, splitSet, undoItems,
} from "../services/items";
import { report, toError } from "../services/jobs";
import { store, type PageSet } from "../services/store";
import { ROLES, type ParsedItems } from "../types";
import { errorList, importPreview } from "./import-preview";
import { dropTarget, filePicker, heading, numeric } from "./widgets";

const ROLE_HINTS = {
  attribution: "Neurons are scored on these items, and a tuning learns from them. One set has this role.",
  validation: "These items pick the layer and percentage, and the best state of a tuning.",
  test: "Results are reported on these items.",
  out_of_distribution: "Results are reported on these items too: of another kind than those the mask is made with.",
};

const EXAMPLE = '{"id": "1", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": 1}';

/** The name of a text that was not a file. */
const PASTED = "pasted";

/** A text that is looked at and not yet taken. */
interface Waiting { name: string; parsed: ParsedItems }

class StepItems extends View {
  protected readonly keys = ["sets", "samples", "job", "engine", "model"] as const;
  #open: string | null = null;
  #text = h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Items as text", placeholder: EXAMPLE });
  #messages = h("div", { class: "line-errors", role: "status" });
  #pending = h("div", { class: "pending" });
  #list = view("item-list");
  #sets = h("div", {});
  #prompt = view("prompt-settings");
  #waiting: Waiting[] = [];
  #shares = [1, 1, 1];
  #splitSeed = 0;
  #typing: ReturnType<typeof setTimeout> | undefined;

  protected override setup(): void {
    dropTarget(this, (files) => void this.#readFiles(files).catch(report));
    this.#text.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => void this.#look(PASTED, this.#text.value), 250);
    });
    this.replaceChildren(h("section", { class: "panel" },
      heading("Items", "Multiple-choice questions with a known answer: bring your own, or take a sample.",
        "JSONL: {\"id\", \"context\" or \"question\", \"choices\": […], \"gold\": index}, or the fields of a known data set (COPA, HellaSwag, PIQA, …). "
        + "Also CSV or TSV (question, a, b, …, correct), Aiken, GIFT, Moodle XML, COPA's XML, and BIG-bench's JSON. The format is told from the text."),
      this.#sets,
      h("div", { class: "drop-zone" },
        h("p", {}, h("b", {}, "Add items: "), "paste lines here, or drop a file anywhere on this step."),
        this.#text,
        h("div", { class: "tools" },
          h("button", { class: "primary", "data-key": "add-pasted", onclick: () => void this.#addPasted() }, "Add these lines"),
          filePicker("Choose a file …", ".jsonl,.json,.txt,.csv,.tsv,.xml,.gift", (files) => void this.#readFiles(files).catch(report))),
        this.#pending, this.#messages),
      this.#prompt, this.#list));
  }

  protected render(): void {
    const { sets } = this.state;
    if (!sets.some((set) => set.name === this.#open)) this.#open = sets[0]?.name ?? null;
    for (const part of [this.#list, this.#prompt]) {
      part.setAttribute("data-set", this.#open ?? "");
      part.dispatchEvent(new Event("refresh"));
    }
    refill(this.#sets,
      sets.length > 0 ? this.#table() : h("p", { class: "note" }, "There are no items yet."), this.#setTools());
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
        set.items.length >= 6 ? h("button", { class: "small", "data-key": `split-${set.name}`, onclick: () => void splitSet(set.name, this.#shares, this.#splitSeed).catch(report),
          title: "Deal the items out to three sets, attribution, validation and test, each with its share of every place of the right choice" }, "Split in 3") : null,
        h("button", { class: "small", "data-key": `remove-${set.name}`, onclick: () => removeSet(set.name),
          "aria-label": `Remove ${set.name}` }, "Remove")));
    const isReused = sets.some((set) => set.roles.length > 1 && set.roles.includes("test"));
    return h("div", {},
      h("div", { class: "table-scroll" }, h("table", { class: "sets" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Set"), h("th", { scope: "col", class: "number" }, "Items"),
          ...ROLES.map((role) => h("th", { scope: "col", class: "center", title: ROLE_HINTS[role] }, role.replaceAll("_", " "))),
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
    const share = (part: number): HTMLElement => numeric(part === 0 ? "Split" : ":", `share-${part}`, this.#shares[part] ?? 1,
      { min: 0.01, max: 1000, step: "any" }, (value) => {
        this.#shares[part] = value;
      }, `Share of ${ROLES[part]}`);
    return h("div", { class: "tools" }, pick,
      h("button", { "data-key": "undo-items", disabled: !canUndoItems(), onclick: undoItems }, "Undo"),
      h("button", { "data-key": "remove-all", disabled: sets.length === 0, onclick: () => replaceSets([]) }, "Remove all sets"),
      sets.some((set) => set.items.length >= 6) ? h("span", { class: "split-shares" }, share(0), share(1), share(2),
        numeric("seed", "split-seed", this.#splitSeed, { min: 0, max: 2 ** 31, step: 1 }, (value) => {
          this.#splitSeed = value;
        })) : null);
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
    for (const file of files) await this.#look(file.name.replace(/\.(jsonl?|txt|csv|tsv|xml|gift)$/, ""), await file.text());
  }

  /** Shows what a text holds. */
  async #look(name: string, text: string): Promise<void> {
    const others = (): Waiting[] => this.#waiting.filter((other) => other.name !== name);
    this.#waiting = others();
    refill(this.#messages);
    if (text.trim() !== "") {
      try {
        const parsed = await parse(text);
        // What was typed since has a look of its own.
        if (name === PASTED && text !== this.#text.value) return;
        this.#waiting = [...others(), { name, parsed }];
      } catch (thrown) {
        refill(this.#messages, h("p", {}, toError(thrown).message));
      }
    }
    this.#drawWaiting();
  }

  #drawWaiting(): void {
    refill(this.#pending, ...this.#waiting.map((waiting) => importPreview(waiting.name, waiting.parsed,
      () => this.#take(waiting), () => this.#forget(waiting.name))));
  }

  #forget(name: string): void {
    this.#waiting = this.#waiting.filter((other) => other.name !== name);
    if (name === PASTED) this.#text.value = "";
    this.#drawWaiting();
  }

  async #addPasted(): Promise<void> {
    clearTimeout(this.#typing);
    await this.#look(PASTED, this.#text.value);
    const waiting = this.#waiting.find((other) => other.name === PASTED);
    if (waiting && waiting.parsed.items.length > 0) this.#take(waiting);
  }

  /** Takes the good lines as a set and says what is wrong with the others. */
  #take({ name, parsed: { items, errors } }: Waiting): void {
    addSet(name, items);
    this.#open = store.state.sets.at(-1)?.name ?? null;
    this.#forget(name);
    refill(this.#messages, h("p", {}, `${count(items.length, "item")} added as “${this.#open}”.`,
      errors.length > 0 ? ` ${count(errors.length, "line")} left out:` : ""), errorList(errors));
    this.render();
  }
}

customElements.define("step-items", StepItems);
