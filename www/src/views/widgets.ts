// Small controls that several views share.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { clip, numbersIn } from "../format";
import { typed } from "./typed";
import type { Drawn } from "./view";

/** A step's heading with its one-line explanation. */
export function heading(title: string, plain: string, exact?: string): TemplateResult {
  return html`<div class="heading"><h1>${title}</h1><p class="lead">${plain}</p>${exact ? html`<p class="exact">${exact}</p>` : nothing}</div>`;
}

/** A column of numbers, whose name stands over their ends. */
interface OfNumbers {
  numbers: string;
}

/** Columns of numbers. */
export function ofNumbers(...names: string[]): OfNumbers[] {
  return names.map((numbers) => ({ numbers }));
}

/** The head of a table whose columns are told apart by these words. */
export function columns(names: readonly (string | OfNumbers)[]): TemplateResult {
  return html`<thead><tr>${names.map((name) =>
    typeof name === "string" ? html`<th scope="col">${name}</th>` : html`<th scope="col" class="number">${name.numbers}</th>`,
  )}</tr></thead>`;
}

/** Names and what they stand for, as a list of definitions. */
export function facts(rows: readonly (readonly [string, string])[]): TemplateResult {
  return html`<dl class="facts wide">${rows.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>`;
}

/** What the field or choice holds that an event is of. */
export function valueOf({ currentTarget }: Event): string {
  return (currentTarget as HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement).value;
}

/** Whether the box is ticked that an event is of. */
export function isChecked({ currentTarget }: Event): boolean {
  return (currentTarget as HTMLInputElement).checked;
}

/** A button that opens the system's file dialog. */
export function filePicker(
  label: string,
  accept: string,
  take: (files: File[]) => void,
  isMultiple = true,
  key = `pick-${label}`,
): TemplateResult {
  return picker(label, key, { accept, isMultiple }, take);
}

/** A button that opens the system's dialog for folders; takes all files in one. */
export function folderPicker(label: string, take: (files: File[]) => void): TemplateResult {
  return picker(label, `pick-${label}`, { isFolder: true }, take);
}

function picker(
  label: string,
  key: string,
  kind: { accept?: string; isMultiple?: boolean; isFolder?: boolean },
  take: (files: File[]) => void,
): TemplateResult {
  const ask = ({ currentTarget }: Event): void => ((currentTarget as Element).nextElementSibling as HTMLInputElement).click();
  const choose = ({ currentTarget }: Event): void => {
    const input = currentTarget as HTMLInputElement;
    const files = [...(input.files ?? [])];
    // The same file can be chosen again.
    input.value = "";
    if (files.length > 0) take(files);
  };
  return html`<span class="picker"><button data-key=${key} @click=${ask}>${label}</button><input type="file" class="visually-hidden"
    tabindex="-1" aria-hidden="true" accept=${kind.accept ?? nothing} ?multiple=${kind.isMultiple} ?webkitdirectory=${kind.isFolder}
    @change=${choose}></span>`;
}

/** Makes an element a place to drop files on; `transfer` also knows the folders among them. */
export function dropTarget(element: HTMLElement, take: (files: File[], transfer: DataTransfer) => void): void {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("dropping");
  });
  element.addEventListener("dragleave", () => element.classList.remove("dropping"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    element.classList.remove("dropping");
    const transfer = event.dataTransfer;
    if (transfer && transfer.files.length > 0) take([...transfer.files], transfer);
  });
}

/** The options of a select, of which one is taken. The select's own value would be set before it has any. */
export function options<T extends string | number>(values: readonly (readonly [T, string])[], current: T | null): TemplateResult[] {
  return values.map(([value, text]) => html`<option value=${value} .selected=${live(value === current)}>${text}</option>`);
}

/** A labelled choice among named values. */
export function choice<T extends string>(
  label: string,
  key: string,
  values: readonly (readonly [T, string])[],
  current: T,
  take: (value: T) => void,
  hint?: string,
  isDisabled = false,
): TemplateResult {
  return html`<label class="field" title=${hint ?? nothing}><span>${label}</span><select data-key=${key} ?disabled=${isDisabled}
    @change=${(event: Event) => take(valueOf(event) as T)}>${options(values, current)}</select></label>`;
}

/** A labelled number that is taken when it is left; one out of its range gives way to the last taken, and the range is said. */
export function numeric(
  label: string,
  key: string,
  current: number | null,
  range: { min: number; max: number; step: number | "any" },
  take: (value: number) => void,
  hint?: string,
  isDisabled = false,
): TemplateResult {
  const text = current === null ? "" : String(current);
  const { min, max, step } = range;
  const change = ({ currentTarget }: Event): void => {
    const input = currentTarget as HTMLInputElement;
    const value = input.valueAsNumber;
    const isGood = value >= min && value <= max && (step !== 1 || Number.isInteger(value));
    say(input, isGood ? "" : `${step === 1 ? "a whole number" : "a number"} from ${min} to ${max}`);
    if (isGood) take(value);
    else input.value = text;
  };
  return html`<label class="field" title=${hint ?? nothing}><span>${label}</span><input type="number" data-key=${key} min=${min} max=${max}
    step=${step} ?disabled=${isDisabled} .value=${typed(text)} @change=${change}
    @input=${unsay}>${LINE}</label>`;
}

/** A labelled list of numbers, each once and in order, which is taken when it is left; one with what is no such number gives way to the last taken,
 * and what it may hold is said. */
export function numbers(
  label: string,
  key: string,
  current: readonly number[],
  of: { is: (value: number) => boolean; what: string; ifEmpty?: string },
  take: (values: number[]) => void,
): TemplateResult {
  const text = current.join(", ");
  const change = ({ currentTarget }: Event): void => {
    const input = currentTarget as HTMLInputElement;
    const { values, wrong } = numbersIn(input.value, of.is);
    const isGood = wrong === undefined && (values.length > 0 || of.ifEmpty !== undefined);
    say(input, isGood ? "" : `${of.what}, separated by commas${wrong === undefined ? "" : `; not “${clip(wrong, 20)}”`}`);
    input.value = isGood ? values.join(", ") : text;
    if (isGood) take(values);
  };
  return html`<label class="field" title=${of.what}><span>${label}</span><input type="text" data-key=${key} placeholder=${of.ifEmpty ?? nothing}
    .value=${typed(text)} @change=${change} @input=${unsay}>${LINE}</label>`;
}

/** A list of layers of a model; all of them where none is named. */
export function layersOf(n_layers: number): Parameters<typeof numbers>[3] {
  return {
    is: (value) => Number.isInteger(value) && value >= 0 && value < n_layers,
    what: `numbers of layers from 0 to ${n_layers - 1}`,
    ifEmpty: "all",
  };
}

/** The line beside a field that says what is wrong with what was typed. */
export const LINE = html`<small class="warning" role="status"></small>`;

/** What is said beside a button that measures masks, where there is nothing to measure them on. */
export const NO_ITEMS = "There are no items to measure on: add some in step 2.";

/** Writes into that line. */
export function say(field: Element, text: string): void {
  if (field.nextElementSibling) field.nextElementSibling.textContent = text;
}

/** Empties it, since something else is typed. */
export function unsay({ currentTarget }: Event): void {
  say(currentTarget as Element, "");
}

/** Asks for another name until it is given up or there is nothing against it; `rename` says what there is. */
export function askName(of: string, name: string, rename: (wanted: string) => string | null): void {
  let [against, wanted]: [string | null, string | null] = ["", name];
  while (against !== null) {
    wanted = prompt(`${against}Name of ${of}`, wanted);
    if (wanted === null) return;
    const said = rename(wanted);
    against = said && `${said}\n\n`;
  }
}

/** Buttons to the page before and the page after; `shown` says what is on this one. Nothing where there is one page. */
export function pager(key: string, page: number, pages: number, shown: string, turn: (page: number) => void): Drawn {
  const to = (
    by: number,
    sign: string,
    label: string,
  ): TemplateResult => html`<button class="small" data-key=${key + by} aria-label=${label}
    ?disabled=${page + by < 0 || page + by >= pages} @click=${() => turn(page + by)}>${sign}</button>`;
  return pages > 1 ? html`${to(-1, "‹", "Previous page")}<small>${shown}</small>${to(1, "›", "Next page")}` : nothing;
}

/** A button that puts text on the clipboard and says so. */
export function copyButton(label: string, key: string, text: () => string): TemplateResult {
  const copy = async ({ currentTarget }: Event): Promise<void> => {
    const button = currentTarget as HTMLButtonElement;
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
    setTimeout(() => {
      button.textContent = label;
    }, 2000);
  };
  return html`<button data-key=${key} .textContent=${label} @click=${copy}></button>`;
}
