// Small controls that several steps share.

import { h } from "../dom";

/** A step's heading with its one-line explanation. */
export function heading(title: string, plain: string, exact?: string): HTMLElement {
  return h("div", { class: "heading" }, h("h1", {}, title), h("p", { class: "lead" }, plain),
    exact ? h("p", { class: "exact" }, exact) : null);
}

/** A button that opens the system's file dialog. */
export function filePicker(
  label: string, accept: string, take: (files: File[]) => void, isMultiple = true, key = `pick-${label}`,
): HTMLElement {
  return picker(label, key, { accept, multiple: isMultiple }, take);
}

/** A button that opens the system's dialog for folders; takes all files in one. */
export function folderPicker(label: string, take: (files: File[]) => void): HTMLElement {
  return picker(label, `pick-${label}`, { webkitdirectory: true }, take);
}

function picker(
  label: string, key: string, kind: Record<string, string | boolean>, take: (files: File[]) => void,
): HTMLElement {
  const input = h("input", { type: "file", ...kind, class: "visually-hidden", tabindex: -1,
    "aria-hidden": "true", onchange: () => {
      const files = [...(input.files ?? [])];
      // The same file can be chosen again.
      input.value = "";
      if (files.length > 0) take(files);
    } });
  return h("span", { class: "picker" }, h("button", { "data-key": key, onclick: () => input.click() }, label), input);
}

/** Makes an element a place to drop files on; `transfer` also knows the folders among them. */
export function dropTarget(
  element: HTMLElement, take: (files: File[], transfer: DataTransfer) => void,
): void {
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

/** A labelled choice among named values. */
export function choice<T extends string>(
  label: string, key: string, values: readonly (readonly [T, string])[], current: T, take: (value: T) => void, hint?: string,
  isDisabled = false,
): HTMLElement {
  const select = h("select", { "data-key": key, disabled: isDisabled, onchange: (event: Event) => take((event.target as HTMLSelectElement).value as T) },
    ...values.map(([value, text]) => h("option", { value }, text)));
  select.value = current;
  return h("label", { class: "field", title: hint ?? null }, h("span", {}, label), select);
}

/** A labelled number that is taken when it is left; one out of its range gives way to the last taken, and the range is said. */
export function numeric(
  label: string, key: string, current: number, range: { min: number; max: number; step: number | "any" },
  take: (value: number) => void, hint?: string,
): HTMLElement {
  const { min, max, step } = range;
  let taken = current;
  const message = h("small", { class: "warning", role: "status" });
  const input = h("input", { type: "number", "data-key": key, ...range, value: current, onchange: () => {
    const value = input.valueAsNumber;
    const isGood = value >= min && value <= max && (step !== 1 || Number.isInteger(value));
    message.textContent = isGood ? "" : `${step === 1 ? "a whole number" : "a number"} from ${min} to ${max}`;
    if (!isGood) {
      input.value = String(taken);
      return;
    }
    taken = value;
    take(value);
  } });
  return h("label", { class: "field", title: hint ?? null }, h("span", {}, label), input, message);
}

/** A button that puts text on the clipboard and says so. */
export function copyButton(label: string, key: string, text: () => string): HTMLElement {
  const button = h("button", { "data-key": key, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
    setTimeout(() => {
      button.textContent = label;
    }, 2000);
  } }, label);
  return button;
}
