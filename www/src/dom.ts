// Elements in one expression, and a base for the views.

import { store, type State } from "./services/store";

type Child = Node | string | number | null | undefined | false;
type Handler = (event: never) => void;
type Properties = Record<string, string | number | boolean | null | undefined | Handler>;
type Children = readonly (Child | readonly Child[])[];

/** Values of fields as they were drawn or last taken. */
const drawn = new WeakMap<Element, string>();

function fill(element: Element, properties: Properties, children: Children): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as unknown as EventListener);
    else if (name === "value" && "value" in element) {
      (element as HTMLInputElement).value = String(value);
      drawn.set(element, (element as HTMLInputElement).value);
    }
    else if (name === "checked" && "checked" in element) (element as HTMLInputElement).checked = value === true;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "object" ? (child as Node) : String(child));
  }
}

/** `h("p", { class: "note" }, "text")`; a property `onclick` is a listener. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Properties = {}, ...children: (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, properties, children);
  return element;
}

/** The same for SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K, properties: Properties = {}, ...children: (Child | readonly Child[])[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, properties, children);
  return element;
}

/** One of the page's own elements, which are not in the built-in names. */
export function view(tag: string, properties: Properties = {}): HTMLElement {
  const element = document.createElement(tag);
  fill(element, properties, []);
  return element;
}

/** What identifies a control across redraws. */
function controlKey(element: Element | null): string | null {
  return element?.getAttribute("data-key") ?? element?.id ?? null;
}

/** The element that the mouse is pressed on or that the focus is about to leave, and what waits until that is over:
 * a click needs its element from press to release, and so does the way to the next field. */
let held: Node | null = null;
const waiting = new Map<Element, Children>();

function hold(event: Event): void {
  held = event.target as Node;
}

function release(): void {
  held = null;
  drawWaiting();
}

function drawWaiting(): void {
  for (const [parent, children] of [...waiting]) refill(parent, ...children);
}

/** Whether something was typed into this element that nobody has taken yet. */
function isTyped(element: Element | null): boolean {
  const before = element ? drawn.get(element) : undefined;
  return before !== undefined && before !== (element as HTMLInputElement).value;
}

addEventListener("mousedown", hold, true);
addEventListener("keydown", (event) => {
  if (event.key !== "Tab") return;
  hold(event);
  setTimeout(release);
}, true);
// What a click does is drawn at once; what waited for it comes after it.
addEventListener("click", () => {
  held = null;
}, true);
for (const end of ["mouseup", "dragend"]) addEventListener(end, () => setTimeout(release), true);
// The list of a select may swallow the release.
addEventListener("mousemove", (event) => {
  if (held && event.buttons === 0) release();
}, true);
// Last of those that hear of a change: what was typed is taken.
addEventListener("change", ({ target }) => {
  if (target instanceof Element && drawn.has(target)) drawn.set(target, (target as HTMLInputElement).value);
  drawWaiting();
});

/** Buttons can be pressed as soon as they could in what waits to be drawn. */
function followButtons(parent: Element, children: Children): void {
  const buttons = "button[data-key]";
  const elements = children.flat().filter((child) => child instanceof Element);
  const next = elements.flatMap((element) => [...(element.matches(buttons) ? [element] : []), ...element.querySelectorAll(buttons)]);
  for (const now of parent.querySelectorAll<HTMLButtonElement>(buttons)) {
    const same = next.find((other) => controlKey(other) === controlKey(now));
    if (same instanceof HTMLButtonElement) now.disabled = same.disabled;
  }
}

type Field = HTMLInputElement | HTMLTextAreaElement;

function isField(element: Element | null): element is Field {
  return element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
}

/** Selects in the field that takes the place of `field` what is selected now, so that the next key replaces it as well. */
function keepSelection(field: Field): (again: Field) => void {
  const { selectionStart: start, selectionEnd: end, selectionDirection: direction, scrollTop, type, value } = field;
  // Inputs of type number do not say what is selected; the page's selection does.
  const isAll = start === null && value !== "" && getSelection()?.toString() === value;
  return (again) => {
    if (start !== null && again.type === type) again.setSelectionRange(start, end, direction ?? undefined);
    else if (isAll) again.select();
    again.scrollTop = scrollTop;
  };
}

/** Replaces the content of an element, now or once nobody presses or types in it; the focus, the caret and what is
 * selected stay as they were. */
export function refill(parent: Element, ...children: Children): void {
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  if ((held && parent.contains(held)) || isTyped(active)) {
    waiting.set(parent, children);
    followButtons(parent, children);
    return;
  }
  waiting.delete(parent);
  const key = controlKey(active);
  const select = isField(active) ? keepSelection(active) : null;
  parent.replaceChildren();
  fill(parent, {}, children);
  if (!key) return;
  const again = [...parent.querySelectorAll<HTMLElement>("[data-key],[id]")].find((other) => controlKey(other) === key);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (isField(again)) select?.(again);
}

/** An element that draws what the store says, again whenever one of its keys changes. */
export abstract class View extends HTMLElement {
  /** Keys of the store that this view reads. */
  protected abstract readonly keys: readonly (keyof State)[];
  /** Whether it is drawn again at every step of a job, and not only when one begins or ends. */
  protected readonly followsProgress: boolean = false;
  #stop: (() => void) | null = null;
  #isBuilt = false;
  #wasRunning = false;

  protected get state(): Readonly<State> {
    return store.state;
  }

  /** Builds what never changes; called when the element first enters the page. */
  protected setup(): void {}

  /** Draws. `changed` is empty at the first time. */
  protected abstract render(changed: ReadonlySet<keyof State>): void;

  connectedCallback(): void {
    if (!this.#isBuilt) this.setup();
    this.#isBuilt = true;
    this.render(new Set());
    this.#wasRunning = store.state.job !== null;
    this.#stop = store.listen((changed) => {
      const read = this.keys.filter((key) => changed.has(key));
      const isRunning = store.state.job !== null;
      const isProgress = isRunning === this.#wasRunning && read.every((key) => key === "job");
      this.#wasRunning = isRunning;
      if (read.length > 0 && (!isProgress || this.followsProgress)) this.render(changed);
    });
  }

  disconnectedCallback(): void {
    this.#stop?.();
  }
}

/** Whether a job or a missing engine keeps the buttons from working. */
export function isBusy(): boolean {
  const { job, engine, model } = store.state;
  return job !== null || engine !== "ready" || model === null;
}

/** Saves text as a file. */
export function download(name: string, text: string, type = "application/json"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  // The browser reads the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
