// What a mask costs beside the items: how well the model continues a plain text before and after it.

import { html, nothing, type TemplateResult } from "lit";
import { count, fixed } from "../format";
import { measureText } from "../services/checks";
import { neuronCount } from "../services/mask";
import { isLesson } from "../services/models";
import { generalVerdict } from "../verdicts";
import type { GeneralAbility as Found, TextScore } from "../wire/engine";
import { View, type Reads } from "./view";
import { columns, ofNumbers } from "./widgets";

class GeneralAbility extends View {
  protected readonly reads: Reads = ({ study, engine, shown }) => [
    study.pruning.mask,
    study.model,
    engine.model,
    shown.general,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    const { general } = this.state.shown;
    const { mask } = this.state.study.pruning;
    const { model } = this.state.engine;
    return html`
      <div class="table-head"><h2>General ability</h2></div>
      ${
        isLesson(model?.info ?? this.state.study.model)
          ? html`<p class="note">What the mask costs beside the items is measured on a plain text. The lesson's model knows the words of its quiz alone, so
              that no text can be put to it; its neutral set stands for that.</p>`
          : html`<p class="note">Does the model still know its language? Perplexity: at each token of a text the model is as unsure as between so
              many equally likely ones. Lower is better; a mask that takes away nothing but a habit leaves it as it was.</p>
            <div class="tools"><button data-key="general" ?disabled=${this.isBusy || neuronCount(mask) === 0} @click=${() => void measureText()}>Perplexity
              of a text before and after</button></div>
            ${general ? result(general) : nothing}`
      }`;
  }
}

function result(found: Found): TemplateResult {
  const { before, after } = found;
  const line = (name: string, { perplexity, bits_per_byte }: TextScore): TemplateResult => html`<tr>
    <th scope="row">${name}</th><td class="number">${fixed(perplexity, 1)}</td><td class="number">${fixed(bits_per_byte, 3)}</td></tr>`;
  return html`<div data-result="general">
    <p class="finding">${generalVerdict(found)}</p>
    <table class="narrow">
      ${columns(["", ...ofNumbers("Perplexity", "Bits per byte")])}
      <tbody>${line("as it was", before)}${line("with the mask", after)}</tbody>
    </table>
    <p class="note">The opening of Lewis Carroll's “Alice's Adventures in Wonderland” (1865, public domain), ${count(before.tokens, "token")}. The model
      has most likely read it in its training. Bits per byte can be compared between models, perplexity only between those of one
      tokenizer.</p>
  </div>`;
}

customElements.define("general-ability", GeneralAbility);
