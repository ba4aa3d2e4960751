// What the tests of services and views share: a page without an engine, and a store with what a test needs.

import { render } from "lit";
import { vi } from "vitest";
import { engine, type OnProgress } from "../../www/src/services/engine";
import { store, type EngineState, type Held, type ViewState } from "../../www/src/services/store";

/** Resolves once everything that was asked for is drawn. */
export function drawn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** What of the state a test needs. */
type Needed = Partial<Pick<Held, "study" | "history" | "results">> & { engine?: Partial<EngineState>; view?: Partial<ViewState> };

function write({ engine = {}, view = {}, ...held }: Needed): void {
  store.set(held);
  store.engine(engine);
  store.view(view);
}

/** Writes to the store, and waits until that is drawn. */
export async function set(needed: Needed): Promise<void> {
  write(needed);
  await drawn();
}

/** Puts a view into the page. */
export async function show(tag: string, needed: Needed = {}, attributes: Readonly<Record<string, string>> = {}): Promise<HTMLElement> {
  write(needed);
  const view = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) view.setAttribute(name, value);
  document.body.append(view);
  await drawn();
  return view;
}

/** Draws a template in the page, again in the same place when it is called again. */
export function draw(template: unknown): HTMLElement {
  const host = document.querySelector<HTMLElement>("#host") ?? Object.assign(document.createElement("div"), { id: "host" });
  document.body.append(host);
  render(template, host);
  return host;
}

/** An engine that is ready and answers calls so, or throws, until mocks are restored. */
export function answer(by: (method: string, request: never, onProgress: OnProgress) => unknown): void {
  store.engine({ status: "ready" });
  const call = async (method: string, [request]: never[], onProgress: OnProgress): Promise<unknown> =>
    by(method, request as never, onProgress);
  vi.spyOn(engine, "call").mockImplementation(call as never);
}

/** A control by its stable key. */
export function control<E extends HTMLElement = HTMLInputElement>(root: ParentNode, key: string): E {
  const found = root.querySelector<E>(`[data-key="${key}"]`);
  if (!found) throw new Error(`there is no ${key}`);
  return found;
}

/** Types into a field, and leaves what is typed untaken. */
export function type(field: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  field.focus();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Types into a field and takes what is typed. */
export async function enter(field: HTMLInputElement | HTMLTextAreaElement, text: string): Promise<void> {
  type(field, text);
  field.dispatchEvent(new Event("change", { bubbles: true }));
  await drawn();
}
