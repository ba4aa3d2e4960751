// Which words drive the answer? The open item's prompt, each token shaded by what it adds to the target, and the numbers beside it.

import { html, nothing, type TemplateResult } from "lit";
import { count, fixed, short, visible } from "../format";
import { measureSalience } from "../services/actions";
import type { ItemAddress } from "../services/results";
import { isDark } from "../services/theme";
import type { Salience, TargetKind } from "../wire/engine";
import { SHOWN, tokenText } from "./prompt-view";
import { css, place, READABLE } from "./scale";
import { View, type Drawn, type Reads } from "./view";
import { columns, ofNumbers } from "./widgets";

/** What is explained, in words. */
const TARGETS: Readonly<Record<TargetKind, string>> = {
  top_logit: "the largest logit after the prompt",
  choice_first_token: "the log-probability of the first token of the predicted choice",
  choice_logprob: "the log-likelihood of the predicted choice, normalised over the choices",
  gold_margin: "the gold margin: the logit of the right choice's first token minus the largest of the wrong ones'",
};

class TokenSalience extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [study.attribution.target, view.item, shown.salience, this.isBusy];

  protected override render(): Drawn {
    const { study, view, shown } = this.state;
    const { item } = view;
    if (!item) return nothing;
    const { target } = study.attribution;
    const isOfTarget = shown.salience?.settings.target === target;
    return html`<section class="salience">
      ${isOfTarget ? nothing : this.#start(item, target)}
      ${shown.salience ? found(shown.salience) : nothing}
    </section>`;
  }

  #start(item: ItemAddress, target: TargetKind): TemplateResult {
    return html`<div class="tools">
      <button class="small" data-key="salience" ?disabled=${this.isBusy} @click=${() => void measureSalience(item)}>Which words drive
        the answer?</button>
      <span class="note">Explains ${TARGETS[target]}, as step 4 is set.</span>
    </div>`;
  }
}

function found({ settings, target, value, tokens, scores }: Salience): TemplateResult {
  const largest = Math.max(...scores.map(Math.abs), Number.MIN_VALUE);
  const hidden = Math.max(0, tokens.length - SHOWN);
  const order = [...tokens.keys()].sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0) || a - b).slice(0, SHOWN);
  const sum = scores.reduce((total, score) => total + score, 0);
  return html`<div data-result="salience" class="salience-found">
    <div>
      <p class="note">What each word adds to ${TARGETS[settings.target]}, “${visible(target)}” (${fixed(value, 3)} here): gradient × input of its
        embedding (Shrikumar et al., 2016). To first order only: the sum is ${short(sum)}.</p>
      <p class="tokens" aria-label="The prompt, shaded">${
        hidden > 0 ? html`<small>${count(hidden, "token")} … </small>` : nothing
      }${tokens.slice(hidden).map((token, index) => shaded(token, scores[hidden + index] ?? 0, largest))}</p>
      ${legend(largest)}
    </div>
    <div class="table-scroll" tabindex="0" role="region" aria-label="Tokens by what they add"><table>
      ${columns([...ofNumbers("Place"), "Token", ...ofNumbers("Adds")])}
      <tbody>${order.map(
        (index) => html`<tr><td class="number">${index + 1}</td><td><code>${tokenText(tokens[index] ?? "")}</code></td>
          <td class="number">${short(scores[index] ?? 0)}</td></tr>`,
      )}</tbody>
    </table></div>
  </div>`;
}

function shade(score: number, largest: number): string {
  return `background: ${css(place(score, largest, false) * READABLE, isDark())}`;
}

function shaded(token: string, score: number, largest: number): TemplateResult {
  return html`<span class=${signOf(score)} title=${short(score)} .style=${shade(score, largest)}>${tokenText(token)}</span>`;
}

/** The line below a token says what its colour does. */
function signOf(score: number): string {
  return score > 0 ? "for" : score < 0 ? "against" : "";
}

function legend(largest: number): TemplateResult {
  const entry = (score: number, text: string): TemplateResult =>
    html`<span><i class="shade ${signOf(score)}" .style=${shade(score, largest)}></i> ${text}</span>`;
  return html`<p class="key">${entry(largest, "for it (above zero): orange over a line")} ${entry(-largest, "against it (below zero): purple over a broken line")}
    <span>the stronger the shade, the more, up to ${short(largest)}</span></p>`;
}

customElements.define("token-salience", TokenSalience);
