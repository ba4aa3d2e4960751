// Errors and notices, until they are dismissed. Nothing is lost behind them.

import { h, refill, View } from "../dom";
import { startAgain } from "../services/boot";
import { dismiss } from "../services/messages";
import { store } from "../services/store";
import type { SecateurError } from "../types";

/** Errors after which no job succeeds with the engine as it is. */
const OF_THE_ENGINE = new Set(["device", "no_engine", "crashed", "device_lost"]);

class MessageBar extends View {
  protected readonly keys = ["error", "notice", "messages", "engine", "job"] as const;

  protected render(): void {
    const { error, notice, messages } = this.state;
    refill(this,
      ...messages.map((message, index) => {
        const close = (): void => dismiss(message);
        return message.kind === "error" ? this.#error(message, `close-message-${index}`, close)
          : this.#notice(`${message.message} ${message.hint}`, `close-message-${index}`, close);
      }),
      error ? this.#error(error, "close-error", () => store.set({ error: null })) : null,
      notice ? this.#notice(notice, "close-notice", () => store.set({ notice: null })) : null);
  }

  #error(error: SecateurError, key: string, close: () => void): HTMLElement {
    const { engine, job } = this.state;
    // An engine that stopped is started again by itself, unless it stops time after time.
    const isStopped = engine === "failed" || (error.code === "device" && engine === "ready");
    return h("div", { class: "banner error", role: "alert", "data-code": error.code },
      h("span", { class: "sign", "aria-hidden": "true" }, "!"),
      h("p", {}, h("b", {}, sentence(error.message)), " ", error.hint),
      isStopped && OF_THE_ENGINE.has(error.code) ? h("button", { class: "small", "data-key": `again-${key}`, disabled: job !== null,
        onclick: () => {
          close();
          void startAgain();
        } }, "Start the engine again") : null,
      closing(key, close));
  }

  #notice(text: string, key: string, close: () => void): HTMLElement {
    return h("div", { class: "banner notice", role: "status" }, h("p", {}, text), closing(key, close));
  }
}

function closing(key: string, close: () => void): HTMLElement {
  return h("button", { class: "small", "data-key": key, "aria-label": "Dismiss", onclick: close }, "×");
}

function sentence(text: string): string {
  // A file's name stays as it is.
  const isName = /^\S*[._]\S/.test(text);
  const capital = isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

customElements.define("message-bar", MessageBar);
