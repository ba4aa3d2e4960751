// The seven steps, each with one line that says where it stands.

import { h, refill, View } from "../dom";
import { count, percent, visible } from "../format";
import { neuronCount } from "../services/mask";
import { reportedSets, store, type State, type Step } from "../services/store";
import { accuracyOf } from "./accuracy";

const TITLES: Record<Step, string> = {
  start: "Overview",
  model: "Model",
  items: "Items",
  scores: "Scores",
  attribution: "Attribution",
  pruning: "Pruning",
  tuning: "Tuning",
  result: "Result",
};

function status(step: Step, state: Readonly<State>): string {
  const { model, engine, sets, scores, attribution, mask, pruned, tuning, shared } = state;
  switch (step) {
    case "start": return shared ? "a link was opened" : "";
    case "model": return (model && visible(model.name)) ?? (engine === "failed" ? "the engine failed" : engine === "starting" ? "starting …" : "none");
    case "items": {
      const items = sets.reduce((sum, set) => sum + set.items.length, 0);
      return sets.length === 0 ? "none" : `${count(sets.length, "set")}, ${count(items, "item")}`;
    }
    case "scores": {
      const [first] = reportedSets(state);
      const scored = first === undefined ? undefined : scores[first];
      return scored ? `${visible(first ?? "")}: ${percent(accuracyOf(scored, state.rule).value)}` : "not yet";
    }
    case "attribution": return attribution ? count(attribution.items_used.length, "item") : "not yet";
    case "pruning": {
      const total = neuronCount(mask);
      return total === 0 ? "nothing" : `${count(total, "neuron")}${pruned ? "" : ", not measured"}`;
    }
    case "tuning": return tuning ? `layer ${tuning.layer}` : "optional";
    case "result": return pruned ? "mask, link, report" : "";
  }
}

class StepRail extends View {
  protected readonly keys = [
    "step", "model", "engine", "sets", "scores", "attribution", "mask", "pruned", "tuning", "shared", "rule",
  ] as const;

  protected render(): void {
    const { state } = this;
    const entries = (Object.keys(TITLES) as Step[]).map((step, index) => {
      const isCurrent = state.step === step;
      return h("li", {}, h("button", {
        "data-key": `step-${step}`, "data-step": step, class: isCurrent ? "current" : "",
        "aria-current": isCurrent ? "step" : null, onclick: () => store.set({ step }),
      }, h("span", { class: "number", "aria-hidden": "true" }, index === 0 ? "" : index),
      h("span", { class: "step-text" }, h("b", {}, TITLES[step]), h("small", {}, status(step, state)))));
    });
    refill(this, h("nav", { "aria-label": "Steps" }, h("ol", {}, ...entries)));
  }
}

customElements.define("step-rail", StepRail);
