// What is pruned, and what that does: the tool's central numbers, always in sight.

import { h, isBusy, refill, View } from "../dom";
import { count, percent, settingsText, visible } from "../format";
import { measure } from "../services/actions";
import { clearMask, neuronCount, redoMask, selectionAtHand, undoMask } from "../services/mask";
import { unmeasuredSets, type State } from "../services/store";
import { accuracyOf, beforeAfter } from "./accuracy";

class MaskSummary extends View {
  protected readonly keys = [
    "mask", "pruned", "scores", "sets", "undo", "redo", "job", "engine", "model", "shape", "precomputed", "selection", "attribution", "made_with", "rule",
  ] as const;

  protected render(): void {
    const { mask, pruned, scores, undo, redo, shape, precomputed, rule } = this.state;
    const total = neuronCount(mask);
    const layers = mask.layers.map(({ layer, neurons }) => {
      const share = shape ? ` (${percent(neurons.length / shape.d_mlp)})` : "";
      return `${count(neurons.length, "neuron")} of layer ${layer}${share}`;
    });
    const unmeasured = unmeasuredSets(this.state);
    const measured = pruned?.sets.map((set) => beforeAfter(set.set, set.before, accuracyOf(set.after, rule))) ?? [];
    const sets = measured.concat(unmeasured.flatMap((name) => {
      const scored = scores[name];
      return scored ? [beforeAfter(name, accuracyOf(scored, rule), undefined)] : [];
    }));
    const tool = (label: string, text: string, disabled: boolean, act: () => void): HTMLElement =>
      h("button", { class: "small", "data-key": `mask-${label}`, disabled, onclick: act, title: label }, text);
    refill(this,
      h("div", { class: "card-head" }, h("h2", {}, "Pruned"),
        h("div", { class: "tools" },
          tool("Undo", "undo", undo.length === 0, undoMask),
          tool("Redo", "redo", redo.length === 0, redoMask),
          tool("Prune nothing", "clear", total === 0, clearMask))),
      h("p", { class: "mask-size" }, total === 0 ? "Nothing is pruned." : layers.join(", "),
        total > 0 ? h("small", {}, selectionText(this.state)) : null),
      sets.length > 0
        ? h("div", { class: "effects", "aria-label": "Accuracy before and after" }, ...sets,
          h("p", { class: "key" }, h("i", { class: "dot before" }), "before ", h("i", { class: "dot after" }), "after, ",
            "with 95 % Wilson intervals"))
        : null,
      total > 0 && (!pruned || unmeasured.length > 0)
        ? h("button", { class: "primary", "data-key": "measure", disabled: isBusy(), onclick: () => void measure() },
          "Measure this mask")
        : null,
      precomputed.includes("pruned") ? h("p", { class: "note" }, "Computed beforehand on the command line.") : null,
    );
  }
}

/** By what the mask was chosen: the attribution at hand, or an earlier one with its own settings. */
function selectionText(state: Readonly<State>): string {
  const { selection, selection_source: source } = state;
  if (!selection) return "";
  const text = ` top ${selection.percent} % by |IG|`;
  if (selectionAtHand(state)) return text;
  const of = source ? ` (“${visible(source.set)}”, ${settingsText(source.settings)})` : "";
  return `${text} of an attribution that is not at hand${of}`;
}

customElements.define("mask-summary", MaskSummary);
