// The value of a field that people type in.

import { noChange } from "lit";
import { directive, Directive, type PropertyPart } from "lit/directive.js";

type Field = HTMLInputElement | HTMLTextAreaElement;

class Typed extends Directive {
  #isHeard = false;
  #isTyping = false;
  /** What the field is to hold if nothing comes of the typing. */
  #waiting: string | null = null;

  render(value: string): string {
    return value;
  }

  override update({ element }: PropertyPart, [value]: [string]): typeof noChange {
    const field = element as Field;
    if (!this.#isHeard) this.#hear(field);
    if (this.#isTyping) this.#waiting = value;
    else if (field.value !== value) field.value = value;
    return noChange;
  }

  #hear(field: Field): void {
    this.#isHeard = true;
    field.addEventListener("input", () => {
      this.#isTyping = true;
    });
    field.addEventListener("change", () => {
      [this.#isTyping, this.#waiting] = [false, null];
    });
    field.addEventListener("blur", () => {
      if (this.#waiting !== null) field.value = this.#waiting;
      [this.#isTyping, this.#waiting] = [false, null];
    });
  }
}

/** Keeps the field at a value, but leaves what is being typed alone until it is taken: `.value=${typed(text)}`. */
export const typed = directive(Typed);
