// One item exactly as the model gets it: the text, its tokens, and which of them are scored.

import { html, nothing, type TemplateResult } from "lit";
import { clip, count } from "../format";
import type { PromptView } from "../wire/engine";

/** Tokens of a long prompt that are shown: its end is what differs. */
export const SHOWN = 300;

/** A token with its white space made visible. */
export function tokenText(token: string): string {
  return token.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ /, "␣") || "∅";
}

export function promptView({ prompt, choices, tokens, gold }: PromptView, id: string): TemplateResult {
  const hidden = Math.max(0, tokens.length - SHOWN);
  return html`<div>
    <p class="note">Item ${clip(id, 30)} as the model reads it; what is scored of each choice is underlined${
      tokens.length > 0 ? ` (${count(tokens.length, "token")} before the choices):` : ":"
    }</p>
    <pre class="prompt">${prompt}<span class="choices">${choices.map(
      (choice, index) =>
        html`<span class=${index === gold ? "gold" : ""}>${choice.context}<u>${choice.continuation}</u>${index === gold ? " ✓" : ""}</span>`,
    )}</span></pre>
    ${
      tokens.length > 0
        ? html`
      <p class="tokens" aria-label="Tokens of the prompt">${hidden > 0 ? html`<small>${count(hidden, "token")} … </small>` : nothing}${tokens
        .slice(hidden)
        .map((token) => html`<span>${tokenText(token)}</span>`)}</p>
      <ol class="choice-tokens" type="A" aria-label="Tokens of the choices">${choices.map(
        (choice, index) =>
          html`<li class=${index === gold ? "gold" : ""}><span class="tokens">${choice.tokens.map((token, at) =>
            scoredToken(token, at >= choice.scored_from),
          )}</span></li>`,
      )}</ol>`
        : nothing
    }
  </div>`;
}

function scoredToken(token: string, isScored: boolean): TemplateResult {
  return html`<span class=${isScored ? "scored" : "unscored"} title=${isScored ? "scored" : "read, not scored"}>${tokenText(token)}</span>`;
}
