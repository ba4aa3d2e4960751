// What a text holds before it is taken: format, numbers, the first items, and every wrong line with its column.

import { html, nothing, type TemplateResult } from "lit";
import { clip, count, letter } from "../format";
import type { AnswersFrom, Item, LineError, ParsedItems } from "../wire/engine";
import type { Drawn } from "./view";
import { choice } from "./widgets";

const FORMATS: Record<string, string> = {
  jsonl: "JSON, one object a line",
  json: "a list in JSON",
  "big-bench": "BIG-bench's JSON",
  csv: "CSV",
  tsv: "TSV",
  aiken: "Aiken",
  gift: "GIFT",
  "moodle-xml": "Moodle XML",
  "copa-xml": "COPA's XML",
};
const SHOWN_ITEMS = 3;
const SHOWN_ERRORS = 50;

/** Wrong lines as a list. */
export function errorList(errors: readonly LineError[]): Drawn {
  if (errors.length === 0) return nothing;
  return html`<div>
    <ul>${errors
      .slice(0, SHOWN_ERRORS)
      .map(({ line, column, message }) => html`<li><b>Line ${line}, column ${column}: </b>${message}</li>`)}</ul>
    ${errors.length > SHOWN_ERRORS ? html`<p class="note">and ${count(errors.length - SHOWN_ERRORS, "more line")}.</p>` : nothing}
  </div>`;
}

/** "2 to 4 choices; the right one stands in place A 3 times, B 2". */
function summary({ items }: ParsedItems): string {
  const [fewest, most] = items.reduce(
    ([low, high], { choices: { length } }) => [Math.min(low, length), Math.max(high, length)],
    [Infinity, 0],
  );
  const places = Array.from({ length: most }, (_, place) => items.filter((item) => item.gold === place).length);
  const named = places.map((times, place) => `${letter(place)} ${times}`).slice(0, 8);
  return `${fewest === most ? fewest : `${fewest} to ${most}`} choices each; the right one stands at ${named.join(", ")}${most > 8 ? ", …" : ""}.`;
}

/** What can be done about a text that is looked at. */
export interface PreviewActions {
  add(): void;
  drop(): void;
  /** Reads it again with its right answers counted from there. */
  count(first: AnswersFrom): void;
}

/** From where right answers that are numbers are counted: asked where the text does not show it. */
function counting(name: string, { answers_from, asks_answers_from }: ParsedItems, take: (first: AnswersFrom) => void): Drawn {
  if (answers_from === null && !asks_answers_from) return nothing;
  const firsts = [
    ["0", "0"],
    ["1", "1"],
  ] as const;
  return html`<div class="counting">
    ${choice(
      "The right answers are numbers. The first choice is number",
      `answers-from-${name}`,
      asks_answers_from ? [["", "?"] as const, ...firsts] : firsts,
      answers_from === null ? "" : `${answers_from}`,
      (value) => {
        if (value !== "") take(value === "0" ? 0 : 1);
      },
    )}
    ${asks_answers_from ? html`<p class="note">No item can be taken before that is said.</p>` : nothing}
  </div>`;
}

function firstItem({ context, choices, gold }: Item): TemplateResult {
  return html`<li><span class="context">${clip(context || "(no context)", 160)}</span> <span class="choices">${choices
    .slice(0, 6)
    .map(
      (text, index) => html`<span class=${index === gold ? "gold" : ""}>${clip(text, 50)}${index === gold ? " ✓ " : " "}</span>`,
    )}</span></li>`;
}

/** A text's preview with what can be done about it. */
export function importPreview(name: string, parsed: ParsedItems, actions: PreviewActions): TemplateResult {
  const { items, errors, format } = parsed;
  const known = FORMATS[format];
  const found = items.length > 0 ? `${count(items.length, "item")} can be read` : "no item can be read";
  const lost = errors.length > 0 ? `, ${count(errors.length, "line")} cannot:` : ".";
  return html`<div class="import-preview" data-format=${format}>
    <p><b>${name}</b>${known ? ` is ${known}: ` : ": "}${found}${lost}</p>
    ${counting(name, parsed, actions.count)}
    ${
      items.length > 0
        ? html`
      <p class="note">${summary(parsed)}</p>
      <ol class="first-items" aria-label="First items">${items.slice(0, SHOWN_ITEMS).map(firstItem)}</ol>`
        : nothing
    }
    ${errorList(errors)}
    <div class="tools">
      ${
        items.length > 0
          ? html`<button class="primary" data-key=${`add-${name}`} @click=${actions.add}>Add ${errors.length > 0 ? "the " : ""}${count(
              items.length,
              "item",
            )}${errors.length > 0 ? ` and leave out ${count(errors.length, "line")}` : ""}</button>`
          : nothing
      }
      <button data-key=${`discard-${name}`} @click=${actions.drop}>Discard</button>
    </div>
  </div>`;
}
