// The seven steps, each with one line that says where it stands.

import { html, nothing, type TemplateResult } from "lit";
import { count, percent, visible } from "../format";
import { accuracyOf } from "../rules";
import { neuronCount } from "../services/mask";
import { reportedSets } from "../services/edited";
import { STEPS, store, type State, type Step } from "../services/store";
import { View, type Reads } from "./view";

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

function status(step: Step, state: State): string {
  const { sets, scores, attribution, pruned, tuning } = state.shown;
  const { model, status } = state.engine;
  switch (step) {
    case "start":
      return state.view.shared ? "a link was opened" : "";
    case "model":
      return (model && visible(model.name)) ?? (status === "failed" ? "the engine failed" : status === "starting" ? "starting …" : "none");
    case "items": {
      const items = sets.reduce((sum, set) => sum + set.items.length, 0);
      return sets.length === 0 ? "none" : `${count(sets.length, "set")}, ${count(items, "item")}`;
    }
    case "scores": {
      const [first] = reportedSets(state.study);
      const scored = first === undefined ? undefined : scores[first];
      return scored ? `${visible(first ?? "")}: ${percent(accuracyOf(scored, state.study.scoring.rule).value)}` : "not yet";
    }
    case "attribution":
      return attribution ? count(attribution.items_used.length, "item") : "not yet";
    case "pruning": {
      const total = neuronCount(state.study.pruning.mask);
      return total === 0 ? "nothing" : `${count(total, "neuron")}${pruned ? "" : ", not measured"}`;
    }
    case "tuning":
      return tuning ? `layer ${tuning.layer}` : "optional";
    case "result":
      return pruned ? "mask, link, report" : "";
  }
}

class StepRail extends View {
  protected readonly reads: Reads = ({ study, engine, view, shown }) => [
    view.step,
    engine.model,
    engine.status,
    shown.sets,
    shown.scores,
    shown.attribution,
    study.pruning.mask,
    shown.pruned,
    shown.tuning,
    view.shared,
    study.scoring.rule,
  ];

  protected override render(): TemplateResult {
    return html`<nav aria-label="Steps"><ol>${STEPS.map((step, index) => this.#entry(step, index))}</ol></nav>`;
  }

  #entry(step: Step, index: number): TemplateResult {
    const isCurrent = this.state.view.step === step;
    return html`<li><button data-key=${`step-${step}`} data-step=${step} class=${isCurrent ? "current" : ""}
      aria-current=${isCurrent ? "step" : nothing} @click=${() => store.view({ step })}><span class="number" aria-hidden="true">${
        index === 0 ? "" : index
      }</span><span class="step-text"><b>${TITLES[step]}</b><small>${status(step, this.state)}</small></span></button></li>`;
  }
}

customElements.define("step-rail", StepRail);
