// Masks under names: kept, renamed, deleted, taken back, made one of two, and side by side with what each of them does.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { count, duration, visible } from "../format";
import { comparedMasks, measureMasks, unmeasured, type Compared } from "../services/comparison";
import { reportedSets } from "../services/edited";
import { masksSeconds } from "../services/estimate";
import { canStep } from "../services/history";
import { AT_HAND, combineMasks, keepMask, redoKept, suggestedName, undoKept } from "../services/kept-masks";
import { neuronCount } from "../services/mask";
import { isLesson } from "../services/models";
import { LIMITS, type Combination } from "../wire/engine";
import { masksTable } from "./masks-table";
import { View, type Drawn, type Reads } from "./view";
import { isChecked, LINE, options, say, unsay, valueOf } from "./widgets";

const COMBINATIONS: readonly (readonly [Combination, string])[] = [
  ["union", "or (union)"],
  ["intersection", "and (intersection)"],
  ["difference", "without (difference)"],
];

class KeptMasks extends View {
  protected readonly reads: Reads = ({ study, history, engine, results, shown }) => [
    study,
    history,
    engine.model,
    results,
    shown.kept,
    shown.pruned,
    shown.general,
    shown.scores,
    this.isBusy,
  ];
  #how: Combination = "union";
  /** The two that are combined; null is the mask at hand. Nobody has chosen the second one yet. */
  #pair: [string | null, string | null | undefined] = [null, undefined];
  #withText = false;

  protected override render(): TemplateResult {
    const { study, history } = this.state;
    return html`
      <div class="table-head"><h2>Kept masks</h2><span class="tools">
        <button class="small" data-key="undo-kept" ?disabled=${!canStep(history.undo, "kept_masks")} @click=${undoKept}>Undo</button>
        <button class="small" data-key="redo-kept" ?disabled=${!canStep(history.redo, "kept_masks")} @click=${redoKept}>Redo</button>
      </span></div>
      <p class="note">Keep masks under names, in the study and its documents (a link carries the one at hand alone), combine two into a new one
        at hand, and see side by side what each does.</p>
      <div class="tools">
        <label class="field"><span>Name</span><input type="text" data-key="keep-name" maxlength=${LIMITS.mask_name}
          placeholder=${neuronCount(study.pruning.mask) > 0 ? suggestedName(study) : ""} @keydown=${(event: KeyboardEvent) => {
            if (event.key === "Enter") this.#keep();
          }} @input=${unsay}>${LINE}</label>
        <button data-key="keep-mask" ?disabled=${neuronCount(study.pruning.mask) === 0} @click=${() => this.#keep()}>Keep the mask at hand</button>
      </div>
      ${study.kept_masks.length > 0 ? this.#comparison() : nothing}`;
  }

  #keep(): void {
    const field = this.querySelector<HTMLInputElement>("[data-key=keep-name]");
    if (!field || neuronCount(this.state.study.pruning.mask) === 0) return;
    const against = keepMask(field.value);
    say(field, against ?? "");
    if (against === null) field.value = "";
  }

  #comparison(): TemplateResult {
    const masks = comparedMasks(this.state);
    const open = unmeasured(masks, this.state, this.#isTextAsked);
    const table = masksTable(masks, this.state, { open, isBusy: this.isBusy, measure: (mask) => this.#measure([mask]) });
    return html`${this.#combining(masks)}${this.#measuring(masks, open)}${table}`;
  }

  #combining(masks: readonly Compared[]): TemplateResult {
    const names = masks.flatMap(({ name, otherModel }) => (name !== null && otherModel === null ? [name] : []));
    const isThere = (name: string | null | undefined): name is string | null =>
      name === null || (name !== undefined && names.includes(name));
    const [first, second] = [isThere(this.#pair[0]) ? this.#pair[0] : null, isThere(this.#pair[1]) ? this.#pair[1] : (names[0] ?? null)];
    const side = (
      label: string,
      at: 0 | 1,
      current: string | null,
    ): TemplateResult => html`<select data-key=${`combine-${at}`} aria-label=${label}
      @change=${(event: Event) => {
        const index = Number(valueOf(event));
        this.#pair = [first, second];
        this.#pair[at] = names[index] ?? null;
        this.requestUpdate();
      }}>${options([[-1, AT_HAND] as const, ...names.map((name, index) => [index, visible(name)] as const)], current === null ? -1 : names.indexOf(current))}</select>`;
    return html`<div class="tools" role="group" aria-label="Combine two masks">
      ${side("First mask", 0, first)}
      <select data-key="combine-how" aria-label="How they are combined" @change=${(event: Event) => {
        this.#how = valueOf(event) as Combination;
      }}>${options(COMBINATIONS, this.#how)}</select>
      ${side("Second mask", 1, second)}
      <button data-key="combine" ?disabled=${this.isBusy || names.length === 0} @click=${() => void combineMasks(this.#how, first, second)}>Combine</button>
    </div>`;
  }

  #measuring(masks: readonly Compared[], open: readonly Compared[]): Drawn {
    const onItems = unmeasured(masks, this.state, false).length;
    const onText = this.#isTextAsked ? open.filter(({ known }) => !known.general).length : 0;
    const seconds = masksSeconds(this.state, onItems, onText);
    return html`<div class="tools">
      <button data-key="measure-masks" ?disabled=${this.isBusy || open.length === 0 || reportedSets(this.state.study).length === 0}
        @click=${() => this.#measure(open)}>Measure all</button>
      ${
        this.#hasText
          ? html`<label class="check"><input type="checkbox" data-key="with-text" .checked=${live(this.#withText)} @change=${(
              event: Event,
            ) => {
              this.#withText = isChecked(event);
              this.requestUpdate();
            }}>with the perplexity of a text</label>`
          : nothing
      }
      <span class="note">${
        open.length === 0
          ? "All of them are measured."
          : `${count(open.length, "mask is", "masks are")} not measured${seconds === null ? "" : `, about ${duration(seconds)}`}; what is there when you cancel stays.`
      }</span>
    </div>`;
  }

  /** The lesson's model knows no text. */
  get #hasText(): boolean {
    return !isLesson(this.state.engine.model?.info ?? this.state.study.model);
  }

  get #isTextAsked(): boolean {
    return this.#hasText && this.#withText;
  }

  #measure(masks: readonly Compared[]): void {
    void measureMasks(masks, this.#isTextAsked);
  }
}

customElements.define("kept-masks", KeptMasks);
