// One item exactly as the model gets it: the text, its tokens, and which of them are scored.

import { h } from "../dom";
import { clip, count } from "../format";
import type { PromptView } from "../types";

/** Tokens of a long prompt that are shown: its end is what differs. */
const SHOWN = 300;

/** A token with its white space made visible. */
export function tokenText(token: string): string {
  return token.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ /, "␣") || "∅";
}

export function promptView({ prompt, choices, tokens, gold }: PromptView, id: string): HTMLElement {
  const hidden = Math.max(0, tokens.length - SHOWN);
  return h("div", {},
    h("p", { class: "note" }, `Item ${clip(id, 30)} as the model reads it; what is scored of each choice is underlined`,
      tokens.length > 0 ? ` (${count(tokens.length, "token")} before the choices):` : ":"),
    h("pre", { class: "prompt" }, prompt, h("span", { class: "choices" }, ...choices.map((choice, index) =>
      h("span", { class: index === gold ? "gold" : "" }, choice.context, h("u", {}, choice.continuation), index === gold ? " ✓" : "")))),
    tokens.length > 0 ? h("p", { class: "tokens", "aria-label": "Tokens of the prompt" },
      hidden > 0 ? h("small", {}, `${count(hidden, "token")} … `) : null,
      ...tokens.slice(hidden).map((token) => h("span", {}, tokenText(token)))) : null,
    tokens.length > 0 ? h("ol", { class: "choice-tokens", type: "A", "aria-label": "Tokens of the choices" }, ...choices.map((choice, index) =>
      h("li", { class: index === gold ? "gold" : "" }, h("span", { class: "tokens" }, ...choice.tokens.map((token, at) =>
        h("span", { class: at < choice.scored_from ? "unscored" : "scored", title: at < choice.scored_from ? "read, not scored" : "scored" },
          tokenText(token))))))) : null);
}
