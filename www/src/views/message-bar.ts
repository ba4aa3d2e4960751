// Errors and notices, until they are dismissed. Nothing is lost behind them.

import { h, refill, View } from "../dom";
import { store } from "../services/store";

class MessageBar extends View {
  protected readonly keys = ["error", "notice"] as const;

  protected render(): void {
    const { error, notice } = this.state;
    const close = (key: "error" | "notice"): HTMLElement =>
      h("button", { class: "small", "data-key": `close-${key}`, "aria-label": "Dismiss", onclick: () => store.set({ [key]: null }) }, "×");
    refill(this,
      error ? h("div", { class: "banner error", role: "alert", "data-code": error.code },
        h("span", { class: "sign", "aria-hidden": "true" }, "!"),
        h("p", {}, h("b", {}, sentence(error.message)), " ", error.hint), close("error")) : null,
      notice ? h("div", { class: "banner notice", role: "status" }, h("p", {}, notice), close("notice")) : null);
  }
}

function sentence(text: string): string {
  // A file's name stays as it is.
  const isName = /^\S*[._]\S/.test(text);
  const capital = isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

customElements.define("message-bar", MessageBar);
