// What is pruned, and what that does: the tool's central numbers, always in sight.

import { html, nothing, type TemplateResult } from "lit";
import { count, operationText, percent, scoreText, settingsText, visible } from "../format";
import { accuracyOf } from "../rules";
import { selectionText, topOf } from "../selections";
import { measure } from "../services/actions";
import { reportedSets } from "../services/edited";
import { canStep } from "../services/history";
import { isAtHand } from "../services/kept-masks";
import { clearMask, neuronCount, redoMask, selectionAtHand, undoMask } from "../services/mask";
import { unmeasuredSets, type State } from "../services/store";
import { beforeAfter } from "./accuracy";
import { View, type Drawn, type Reads } from "./view";
import { NO_ITEMS } from "./widgets";

class PrunedNeurons extends View {
  protected readonly reads: Reads = ({ study, history, shown }) => [
    study,
    history,
    shown.pruned,
    shown.scores,
    shown.precomputed,
    shown.attributed,
    this.isBusy,
  ];

  protected override render(): Drawn {
    const { mask } = this.state.study.pruning;
    const { pruned, precomputed } = this.state.shown;
    const { undo, redo } = this.state.history;
    const { shape } = this.state.study.model;
    const total = neuronCount(mask);
    const layers = mask.layers.map(({ layer, neurons }) => {
      const share = shape ? ` (${percent(neurons.length / shape.d_mlp)})` : "";
      return `${count(neurons.length, "neuron")} of layer ${layer}${share}`;
    });
    const hasItems = reportedSets(this.state.study).length > 0;
    const isMeasured = pruned !== null && unmeasuredSets(this.state).length === 0;
    return html`
      <div class="card-head"><h2>Pruned</h2><div class="tools">
        ${tool("Undo", "undo", !canStep(undo, "mask"), undoMask)}
        ${tool("Redo", "redo", !canStep(redo, "mask"), redoMask)}
        ${tool("Prune nothing", "clear", total === 0, clearMask)}
      </div></div>
      <p class="mask-size">${total === 0 ? "Nothing is pruned." : layers.join(", ")}${
        total > 0 ? html`<small>${chosenBy(this.state)}</small>` : nothing
      }</p>
      ${total > 0 ? html`<p class="note" data-result="operation">Their activations are ${operationText(mask)}.${keptAs(this.state)}</p>` : nothing}
      <selection-stability></selection-stability>
      ${this.#effects()}
      ${
        total > 0 && !isMeasured
          ? html`<button class="primary" data-key="measure" ?disabled=${this.isBusy || !hasItems}
        @click=${() => void measure()}>Measure this mask</button>${hasItems ? nothing : html`<p class="note">${NO_ITEMS}</p>`}`
          : nothing
      }
      ${precomputed.includes("pruned") ? html`<p class="note">Computed beforehand on the command line.</p>` : nothing}`;
  }

  #effects(): Drawn {
    const { pruned, scores } = this.state.shown;
    const { rule } = this.state.study.scoring;
    const measured = pruned?.sets.map((set) => beforeAfter(set.set, set.before, accuracyOf(set.after, rule))) ?? [];
    const sets = measured.concat(
      unmeasuredSets(this.state).flatMap((name) => {
        const scored = scores[name];
        return scored ? [beforeAfter(name, accuracyOf(scored, rule), undefined)] : [];
      }),
    );
    return sets.length === 0
      ? nothing
      : html`<div class="effects" aria-label="Accuracy before and after">${sets}<p class="key"><i
      class="dot before"></i> before <i class="dot after"></i> after, with 95 % Wilson intervals</p></div>`;
  }
}

function tool(label: string, text: string, isDisabled: boolean, act: () => void): TemplateResult {
  return html`<button class="small" data-key=${`mask-${label}`} ?disabled=${isDisabled} @click=${act} title=${label}>${text}</button>`;
}

/** Under which name the mask at hand is kept. */
function keptAs({ study }: State): string {
  const kept = study.kept_masks.find((other) => isAtHand(other, study));
  return kept ? ` Kept as “${visible(kept.name)}”.` : "";
}

/** By what the mask was chosen: the attribution at hand, or an earlier one with its own settings. */
function chosenBy(state: State): string {
  const { selection, source } = state.study.pruning;
  if (!selection) return "";
  const by = scoreText(source?.settings.method);
  const top = topOf(selection);
  // The layer is named before it.
  const text = top ? ` top ${top.percent} % by ${by}` : ` ${selectionText(selection, by)}`;
  if (selectionAtHand(state)) return text;
  const of = source ? ` (“${visible(source.set)}”, ${settingsText(source.settings)})` : "";
  return `${text} of an attribution that is not at hand${of}`;
}

customElements.define("pruned-neurons", PrunedNeurons);
