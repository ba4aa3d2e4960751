// The overview: what is on screen, and where to begin; or what an opened link wants to do.

import { html, nothing, type TemplateResult } from "lit";
import { count } from "../format";
import { openLesson } from "../services/boot";
import { openFile } from "../services/documents";
import { isLessonAtHand, shiftedSet } from "../services/models";
import { store, type ViewState } from "../services/store";
import { View, type Drawn, type Reads } from "./view";
import { filePicker } from "./widgets";

class StepOverview extends View {
  protected readonly reads: Reads = ({ study, engine, view, shown }) => [
    study,
    shown.attribution,
    shown.pruned,
    engine.catalog,
    view.shared,
    view.has_earlier,
    this.isBlocked,
  ];

  protected override render(): TemplateResult {
    const { shared, has_earlier } = this.state.view;
    return html`${shared || has_earlier ? html`<link-panel></link-panel>` : nothing}${shared ? nothing : this.#introduction()}`;
  }

  #introduction(): TemplateResult {
    const isLesson = isLessonAtHand(this.state);
    return html`<section class="panel start">
      <h1>Which neurons give the wrong reason its confidence?</h1>
      <p class="lead">A language model can answer with confidence because of a habit of its training data, and not because it knows. A few
        neurons often carry such a habit. Secateur scores every neuron of a model for your multiple-choice items, prunes some, and measures what
        that does. All of it runs in this tab; nothing is sent anywhere.</p>
      ${isLesson ? this.#lesson() : nothing}
      <ol class="ways">
        <li><b>${isLesson ? "Follow the lesson. " : "Go on. "}</b>See how the model ${go("answers", {
          step: "scores",
          open_set: isLesson ? (shiftedSet(this.state)?.name ?? null) : null,
        })}${isLesson ? " the shifted items" : ""}, which neurons ${go("drive its answers", { step: "attribution" })}, and ${go("prune", { step: "pruning" })} others than those on screen.</li>
        <li><b>Bring your own. </b>Choose a ${go("model", { step: "model" })} and ${go("items", { step: "items" })}, then go down the steps at the left.</li>
        <li><b>Take it along. </b>A mask file, a Python snippet and a link that re-runs all of it are in ${go("the result", { step: "result" })}.</li>
      </ol>
      <p class="tools">${filePicker("Open a study, report or mask …", ".json", ([file]) => void (file && openFile(file)), false)}<button
        data-key="lesson" ?disabled=${this.isBlocked} @click=${() => void openLesson()}>Start over with the lesson</button></p>
      <p class="note">The method is that of A. Ali, S. Katz, L. Wolf and I. Titov, “Detecting and Pruning Prominent but Detrimental Neurons in
        Large Language Models” (COLM 2025, arXiv 2507.09185). No number here is a reproduction of one of that paper's.</p>
    </section>`;
  }

  #lesson(): Drawn {
    const { attribution, pruned } = this.state.shown;
    return attribution
      ? html`<p>On screen is a small model that learned a quiz (to which of four desks do six words belong?) <em>and</em> a shortcut: in most of
      its training items the name at the end points to the right desk as well. In the <b>shifted</b> set the name points to a wrong desk, so that
      who follows the shortcut is wrong. The map shows every neuron${
        pruned
          ? `; the ticks below its rows are the ${count(pruned.neurons, "pruned neuron")}; the accuracies at the right say what pruning them did.`
          : "."
      }</p>`
      : nothing;
  }
}

/** Leads to a step, and where wanted to a set in it. */
function go(text: string, to: Pick<ViewState, "step"> & Partial<Pick<ViewState, "open_set">>): TemplateResult {
  return html`<button class="link" data-key=${`go-${to.step}`} @click=${() => store.view(to)}>${text}</button>`;
}

customElements.define("step-overview", StepOverview);
