// Step 2: the questions. In from text, file or sample; sets with roles; the prompt that the model will read.

import { h, refill, view, View } from "../dom";
import { count, visible } from "../format";
import {
  addSet, canUndoItems, parse, removeSet, renameSet, replaceSets, sampleItems, setRole, splitSet, undoItems,
} from "../services/items";
import { openDocument } from "../services/documents";
import { report, toError } from "../services/jobs";
import { store, type PageSet } from "../services/store";
import { ROLES, type AnswersFrom, type ParsedItems } from "../types";
import { errorList, importPreview } from "./import-preview";
import { dropTarget, filePicker, heading, numeric } from "./widgets";

const ROLE_HINTS = {
  attribution: "Neurons are scored on these items, and a tuning learns from them. One set has this role.",
  validation: "These items pick the layer and percentage, and the best state of a tuning.",
  test: "Results are reported on these items.",
  out_of_distribution: "Results are reported on these items too: of another kind than those the mask is made with.",
};

const EXAMPLE = '{"id": "1", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": 1}';

/** The name that a set of typed lines takes. */
const PASTED = "pasted";

/** A text that is looked at and not yet taken; `file` is null for typed lines. */
interface Waiting { file: string | null; name: string; text: string; answersFrom?: AnswersFrom | undefined; parsed: ParsedItems }

/** What is under way in this step: it outlives a visit to another one. */
const desk = {
  open: null as string | null,
  text: h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Items as text", placeholder: EXAMPLE }),
  waiting: [] as Waiting[],
  isAdding: false,
  shares: [1, 1, 1],
  splitSeed: 0,
  prompt: view("prompt-settings"),
};

/** Text of a file in UTF-8, or in UTF-16 where it says so; other bytes are refused rather than read as other letters. */
async function textOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = `${bytes[0]} ${bytes[1]}`;
  const encoding = start === "255 254" ? "utf-16le" : start === "254 255" ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`“${file.name}” is not ${encoding.toUpperCase()}: save it as UTF-8 and choose it again.`);
  }
}

class StepItems extends View {
  protected readonly keys = ["sets", "samples", "job", "engine", "model"] as const;
  #messages = h("div", { class: "line-errors", role: "status" });
  #pending = h("div", { class: "pending" });
  #list = view("item-list");
  #sets = h("div", {});
  #typing: ReturnType<typeof setTimeout> | undefined;

  protected override setup(): void {
    dropTarget(this, (files) => void this.#readFiles(files).catch(report));
    desk.text.oninput = () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => void this.#lookAtTyped(), 250);
    };
    this.replaceChildren(h("section", { class: "panel" },
      heading("Items", "Multiple-choice questions with a known answer: bring your own, or take a sample.",
        "JSONL: {\"id\", \"context\" or \"question\", \"choices\": […], \"gold\": index}, or the fields of a known data set (COPA, HellaSwag, PIQA, …). "
        + "Also CSV or TSV (question, a, b, …, correct), Aiken, GIFT, Moodle XML, COPA's XML, and BIG-bench's JSON. The format is told from the text."),
      this.#sets,
      h("div", { class: "drop-zone" },
        h("p", {}, h("b", {}, "Add items: "), "paste lines here, or drop a file anywhere on this step."),
        desk.text,
        h("div", { class: "tools" },
          h("button", { class: "primary", "data-key": "add-pasted", onclick: () => void this.#addPasted() }, "Add these lines"),
          filePicker("Choose a file …", ".jsonl,.json,.txt,.csv,.tsv,.xml,.gift", (files) => void this.#readFiles(files).catch(report))),
        this.#pending, this.#messages),
      desk.prompt, this.#list));
    this.#drawWaiting();
  }

  protected render(): void {
    const { sets } = this.state;
    if (!sets.some((set) => set.name === desk.open)) desk.open = sets[0]?.name ?? null;
    for (const part of [this.#list, desk.prompt]) {
      part.setAttribute("data-set", desk.open ?? "");
      part.dispatchEvent(new Event("refresh"));
    }
    refill(this.#sets,
      sets.length > 0 ? this.#table() : h("p", { class: "note" }, "There are no items yet."), this.#setTools());
  }

  #table(): HTMLElement {
    const { sets } = this.state;
    const row = (set: PageSet): HTMLElement => h("tr", { class: set.name === desk.open ? "selected" : "", "data-set": set.name },
      h("td", {}, h("button", { class: "link", "data-key": `open-${set.name}`, onclick: () => {
        desk.open = set.name;
        this.render();
      } }, visible(set.name))),
      h("td", { class: "number" }, set.items.length),
      ...ROLES.map((role) => h("td", { class: "center" }, h("input", { type: "checkbox", "data-key": `role-${set.name}-${role}`,
        checked: set.roles.includes(role), title: ROLE_HINTS[role], "aria-label": `${set.name}: ${role}`,
        onchange: (event: Event) => setRole(set.name, role, (event.target as HTMLInputElement).checked) }))),
      h("td", {}, h("small", {}, set.sample ? `sample ${visible(set.sample.name)}` : "inline")),
      h("td", { class: "tools" },
        h("button", { class: "small", "data-key": `rename-${set.name}`, onclick: () => {
          const name = prompt("Name of the set", set.name);
          if (name !== null) renameSet(set.name, name);
        } }, "Rename"),
        set.items.length >= 6 ? h("button", { class: "small", "data-key": `split-${set.name}`, onclick: () => void splitSet(set.name, desk.shares, desk.splitSeed).catch(report),
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
    const share = (part: number): HTMLElement => numeric(part === 0 ? "Split" : ":", `share-${part}`, desk.shares[part] ?? 1,
      { min: 0.01, max: 1000, step: "any" }, (value) => {
        desk.shares[part] = value;
      }, `Share of ${ROLES[part]}`);
    return h("div", { class: "tools" }, pick,
      h("button", { "data-key": "undo-items", disabled: !canUndoItems(), onclick: undoItems }, "Undo"),
      h("button", { "data-key": "remove-all", disabled: sets.length === 0, onclick: () => replaceSets([]) }, "Remove all sets"),
      sets.some((set) => set.items.length >= 6) ? h("span", { class: "split-shares" }, share(0), share(1), share(2),
        numeric("seed", "split-seed", desk.splitSeed, { min: 0, max: 2 ** 31, step: 1 }, (value) => {
          desk.splitSeed = value;
        })) : null);
  }

  async #addSample(name: string): Promise<void> {
    try {
      addSet(name, await sampleItems(name), { name });
      desk.open = store.state.sets.at(-1)?.name ?? null;
      this.render();
    } catch (thrown) {
      report(thrown);
    }
  }

  /** Shows what files hold; one that is chosen again takes the place of what it held before. */
  async #readFiles(files: File[]): Promise<void> {
    refill(this.#messages);
    desk.waiting = desk.waiting.filter((old) => !files.some((file) => file.name === old.file));
    for (const file of files) {
      const name = file.name.replace(/\.(jsonl?|txt|csv|tsv|xml|gift)$/i, "");
      await this.#look(file.name, name, () => textOf(file));
    }
  }

  /** Shows what the typed lines hold. */
  async #lookAtTyped(): Promise<void> {
    refill(this.#messages);
    const text = desk.text.value;
    // What was said of the same text still holds.
    const before = desk.waiting.find((old) => old.file === null && old.text === text);
    desk.waiting = desk.waiting.filter((old) => old.file !== null);
    if (text.trim() === "") this.#drawWaiting();
    else await this.#look(null, PASTED, async () => text, before?.answersFrom);
  }

  /** Shows what a text holds, or why it cannot be read. */
  async #look(file: string | null, name: string, read: () => Promise<string>, answersFrom?: AnswersFrom): Promise<void> {
    const title = file === null ? "The text" : `“${file}”`;
    const wait = this.state.job ? this.#say(`${title} is read once the job under way is done.`) : null;
    try {
      const text = await read();
      // A study, a report or a mask of this program is none of items.
      if (file !== null && (await openDocument(text))) return;
      const parsed = text.trim() === "" ? null : await parse(text, answersFrom);
      // What was typed since has a look of its own.
      if (file === null && (text !== desk.text.value || desk.waiting.some((other) => other.file === null))) return;
      if (parsed && parsed.items.length + parsed.errors.length > 0) {
        desk.waiting = [...desk.waiting, { file, name, text, answersFrom, parsed }];
      }
      else this.#say(`${title} holds no items.`);
    } catch (thrown) {
      this.#say(toError(thrown).message);
    } finally {
      wait?.remove();
    }
    this.#drawWaiting();
  }

  #say(text: string): HTMLElement {
    const line = h("p", {}, text);
    this.#messages.append(line);
    return line;
  }

  #drawWaiting(): void {
    refill(this.#pending, ...desk.waiting.map((waiting) => importPreview(waiting.name, waiting.parsed, {
      add: () => this.#take(waiting),
      drop: () => this.#forget(waiting),
      count: (first) => void this.#count(waiting, first).catch(report),
    })));
  }

  /** Reads a text again with its right answers counted from `answersFrom`. */
  async #count(waiting: Waiting, answersFrom: AnswersFrom): Promise<void> {
    const parsed = await parse(waiting.text, answersFrom);
    desk.waiting = desk.waiting.map((other) => (other === waiting ? { ...waiting, answersFrom, parsed } : other));
    this.#drawWaiting();
  }

  #forget(waiting: Waiting): void {
    desk.waiting = desk.waiting.filter((other) => other !== waiting);
    if (waiting.file === null) desk.text.value = "";
    this.#drawWaiting();
  }

  async #addPasted(): Promise<void> {
    if (desk.isAdding) return;
    desk.isAdding = true;
    clearTimeout(this.#typing);
    await this.#lookAtTyped();
    desk.isAdding = false;
    if (desk.text.value.trim() === "") this.#say("There are no lines to add: type or paste some first.");
    const waiting = desk.waiting.find((other) => other.file === null);
    if (waiting && waiting.parsed.items.length > 0) this.#take(waiting);
  }

  /** Takes the good lines as a set and says what is wrong with the others. */
  #take(waiting: Waiting): void {
    const { name, parsed: { items, errors } } = waiting;
    addSet(name, items);
    desk.open = store.state.sets.at(-1)?.name ?? null;
    this.#forget(waiting);
    refill(this.#messages, h("p", {}, `${count(items.length, "item")} added as “${visible(desk.open ?? "")}”.`,
      errors.length > 0 ? ` ${count(errors.length, "line")} left out:` : ""), errorList(errors));
    this.render();
  }
}

customElements.define("step-items", StepItems);
