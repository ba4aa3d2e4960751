// Messages that stay on screen until they are read, whatever is told after them.

import type { SecateurError } from "../wire/engine";
import { store, type Message } from "./store";

/** Shows a message; one that is on screen already is not shown twice. */
export function tell(kind: Message["kind"], { code, message, hint }: SecateurError): void {
  const { messages } = store.state.view;
  const isThere = messages.some((other) => other.code === code && other.message === message);
  if (!isThere) store.view({ messages: [...messages, { kind, code, message, hint }] });
}

/** Takes messages away that are no longer true. */
export function withdraw(code: string): void {
  const { messages } = store.state.view;
  const rest = messages.filter((message) => message.code !== code);
  if (rest.length < messages.length) store.view({ messages: rest });
}

/** The user has read it. */
export function dismiss(message: Message): void {
  store.view({ messages: store.state.view.messages.filter((other) => other !== message) });
}
