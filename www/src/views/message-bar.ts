// Errors and notices, until they are dismissed. Nothing is lost behind them.

import { html, nothing, type TemplateResult } from "lit";
import { startAgain } from "../services/boot";
import { dismiss } from "../services/messages";
import { store } from "../services/store";
import type { SecateurError } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";

/** Errors after which no job succeeds with the engine as it is. */
const OF_THE_ENGINE = new Set(["device", "no_engine", "crashed", "device_lost"]);

class MessageBar extends View {
  protected readonly reads: Reads = ({ engine, view }) => [view.error, view.notice, view.messages, engine.status, view.job !== null];

  protected override render(): Drawn {
    const { error, notice, messages } = this.state.view;
    return html`${messages.map((message, index) => {
      const close = (): void => dismiss(message);
      return message.kind === "error"
        ? this.#error(message, `close-message-${index}`, close)
        : noticeBanner(`${message.message} ${message.hint}`, `close-message-${index}`, close);
    })}${error ? this.#error(error, "close-error", () => store.view({ error: null })) : nothing}${
      notice ? noticeBanner(notice, "close-notice", () => store.view({ notice: null })) : nothing
    }`;
  }

  #error(error: SecateurError, key: string, close: () => void): TemplateResult {
    const { status } = this.state.engine;
    const { job } = this.state.view;
    // An engine that stopped is started again by itself, unless it stops time after time.
    const isStopped = status === "failed" || (error.code === "device" && status === "ready");
    const again = (): void => {
      close();
      void startAgain();
    };
    return html`<div class="banner error" role="alert" data-code=${error.code}>
      <span class="sign" aria-hidden="true">!</span>
      <p><b>${sentence(error.message)}</b> ${error.hint}</p>
      ${
        isStopped && OF_THE_ENGINE.has(error.code)
          ? html`<button class="small" data-key=${`again-${key}`} ?disabled=${job !== null}
        @click=${again}>Start the engine again</button>`
          : nothing
      }
      ${error.code === "outdated" ? html`<button class="small" data-key="reload" @click=${() => location.reload()}>Reload the page</button>` : nothing}
      ${closing(key, close)}
    </div>`;
  }
}

function noticeBanner(text: string, key: string, close: () => void): TemplateResult {
  return html`<div class="banner notice" role="status"><p>${text}</p>${closing(key, close)}</div>`;
}

function closing(key: string, close: () => void): TemplateResult {
  return html`<button class="small" data-key=${key} aria-label="Dismiss" @click=${close}>×</button>`;
}

function sentence(text: string): string {
  // A file's name stays as it is.
  const isName = /^\S*[._]\S/.test(text);
  const capital = isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

customElements.define("message-bar", MessageBar);
