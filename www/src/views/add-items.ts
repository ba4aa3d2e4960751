// Items from lines that are pasted or typed, or from files: looked at first, then taken.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { count, visible } from "../format";
import { openDocument } from "../services/documents";
import { addSet, parse } from "../services/items";
import { report, toError } from "../services/jobs";
import { store } from "../services/store";
import type { AnswersFrom, ParsedItems } from "../wire/engine";
import { errorList, importPreview } from "./import-preview";
import { type Reads, View } from "./view";
import { filePicker, valueOf } from "./widgets";

const EXAMPLE = '{"id": "1", "question": "Which one is a fruit?", "choices": ["hammer", "apple"], "answer": 1}';
const KINDS = ".jsonl,.json,.txt,.csv,.tsv,.xml,.gift";
/** The name that a set of typed lines takes. */
const PASTED = "pasted";
/** How long the typing rests before the lines are looked at. */
const REST_MS = 250;

/** A text that is looked at and not yet taken; `file` is null for typed lines. */
interface Waiting {
  file: string | null;
  name: string;
  text: string;
  answersFrom?: AnswersFrom | undefined;
  parsed: ParsedItems;
}

export class AddItems extends View {
  protected readonly reads: Reads = () => [];
  /** What is typed. */
  #text = "";
  #waiting: readonly Waiting[] = [];
  #messages: readonly TemplateResult[] = [];
  #isAdding = false;
  #typing: ReturnType<typeof setTimeout> | undefined;

  protected override render(): TemplateResult {
    return html`<div class="drop-zone">
      <p><b>Add items: </b>paste lines here, or drop a file anywhere on this step.</p>
      <textarea rows="3" spellcheck="false" aria-label="Items as text" placeholder=${EXAMPLE} .value=${live(this.#text)}
        @input=${this.#type}></textarea>
      <div class="tools">
        <button class="primary" data-key="add-pasted" @click=${() => void this.#addPasted()}>Add these lines</button>
        ${filePicker("Choose a file …", KINDS, (files) => void this.read(files).catch(report))}
      </div>
      <div class="pending">${this.#waiting.map((waiting) =>
        importPreview(waiting.name, waiting.parsed, {
          add: () => this.#take(waiting),
          drop: () => this.#forget(waiting),
          count: (first) => void this.#count(waiting, first).catch(report),
        }),
      )}</div>
      <div class="line-errors" role="status">${this.#messages}</div>
    </div>`;
  }

  /** Shows what files hold; one that is chosen again takes the place of what it held before. */
  async read(files: readonly File[]): Promise<void> {
    this.#messages = [];
    this.#wait(this.#waiting.filter((old) => !files.some((file) => file.name === old.file)));
    for (const file of files) {
      const name = file.name.replace(/\.(jsonl?|txt|csv|tsv|xml|gift)$/i, "");
      await this.#look(file.name, name, () => textOf(file));
    }
  }

  #type(event: Event): void {
    this.#text = valueOf(event);
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#lookAtTyped(), REST_MS);
  }

  /** Shows what the typed lines hold. */
  async #lookAtTyped(): Promise<void> {
    const text = this.#text;
    // What was said of the same text still holds.
    const before = this.#waiting.find((old) => old.file === null && old.text === text);
    this.#messages = [];
    this.#wait(this.#waiting.filter((old) => old.file !== null));
    if (text.trim() !== "") await this.#look(null, PASTED, async () => text, before?.answersFrom);
  }

  /** Shows what a text holds, or why it cannot be read. */
  async #look(file: string | null, name: string, read: () => Promise<string>, answersFrom?: AnswersFrom): Promise<void> {
    const title = file === null ? "The text" : `“${file}”`;
    const wait = this.state.view.job ? this.#say(`${title} is read once the job under way is done.`) : null;
    try {
      const text = await read();
      // A study, a report or a mask of this program is none of items.
      if (file !== null && (await openDocument(text))) return;
      const parsed = text.trim() === "" ? null : await parse(text, answersFrom);
      // What was typed since has a look of its own.
      if (file === null && (text !== this.#text || this.#waiting.some((other) => other.file === null))) return;
      if (parsed && parsed.items.length + parsed.errors.length > 0) {
        this.#wait([...this.#waiting, { file, name, text, answersFrom, parsed }]);
      } else this.#say(`${title} holds no items.`);
    } catch (thrown) {
      this.#say(toError(thrown).message);
    } finally {
      this.#messages = this.#messages.filter((message) => message !== wait);
      this.requestUpdate();
    }
  }

  #say(text: string): TemplateResult {
    const message = html`<p>${text}</p>`;
    this.#messages = [...this.#messages, message];
    this.requestUpdate();
    return message;
  }

  #wait(waiting: readonly Waiting[]): void {
    this.#waiting = waiting;
    this.requestUpdate();
  }

  /** Reads a text again with its right answers counted from `answersFrom`. */
  async #count(waiting: Waiting, answersFrom: AnswersFrom): Promise<void> {
    const parsed = await parse(waiting.text, answersFrom);
    this.#wait(this.#waiting.map((other) => (other === waiting ? { ...waiting, answersFrom, parsed } : other)));
  }

  #forget(waiting: Waiting): void {
    if (waiting.file === null) this.#text = "";
    this.#wait(this.#waiting.filter((other) => other !== waiting));
  }

  async #addPasted(): Promise<void> {
    if (this.#isAdding) return;
    this.#isAdding = true;
    clearTimeout(this.#typing);
    await this.#lookAtTyped();
    this.#isAdding = false;
    if (this.#text.trim() === "") this.#say("There are no lines to add: type or paste some first.");
    const waiting = this.#waiting.find((other) => other.file === null);
    if (waiting && waiting.parsed.items.length > 0) this.#take(waiting);
  }

  /** Takes the good lines as a set and says what is wrong with the others. */
  #take(waiting: Waiting): void {
    const {
      name,
      parsed: { items, errors },
    } = waiting;
    addSet(name, items);
    const added = store.state.shown.sets.at(-1)?.name ?? "";
    this.#forget(waiting);
    this.#messages = [
      html`<p>${count(items.length, "item")} added as “${visible(added)}”.${
        errors.length > 0 ? ` ${count(errors.length, "line")} left out:` : nothing
      }</p>${errorList(errors)}`,
    ];
    store.view({ open_set: added });
  }
}

/** Beginnings of files that are no text, and what is to be done about them; the command line has the same. */
const NO_TEXT = [
  ["PAR1", "a Parquet file: export it as JSONL or CSV"],
  ["\x1f\x8b", "compressed by gzip: unpack it first"],
  ["PK\x03\x04", "an Excel file, another document or a ZIP archive: save its table as CSV, or unpack it first"],
  ["%PDF-", "a PDF: copy its text into a text file"],
] as const;

/** Text of a file in UTF-8, or in UTF-16 where it says so; other bytes are refused rather than read as other letters. */
async function textOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const first = String.fromCharCode(...bytes.subarray(0, 5));
  const other = NO_TEXT.find(([start]) => first.startsWith(start));
  if (other) throw new Error(`“${file.name}” is ${other[1]}.`);
  const start = `${bytes[0]} ${bytes[1]}`;
  const encoding = start === "255 254" ? "utf-16le" : start === "254 255" ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`“${file.name}” is not ${encoding.toUpperCase()}: save it as UTF-8 and choose it again.`);
  }
}

customElements.define("add-items", AddItems);
