// The overview: what is on screen, and where to begin; or what an opened link wants to do.

import { h, refill, view, View } from "../dom";
import { count } from "../format";
import { openLesson } from "../services/boot";
import { openFile } from "../services/documents";
import { isLessonAtHand } from "../services/models";
import { store, type Step } from "../services/store";
import { filePicker } from "./widgets";

class StepStart extends View {
  protected readonly keys = [
    "shared", "attribution", "made_with", "catalog", "sets", "pruned", "job", "has_earlier", "precomputed", "engine",
  ] as const;

  protected render(): void {
    const { shared, has_earlier } = this.state;
    refill(this,
      shared || has_earlier ? view("link-panel") : null,
      shared ? null : this.#introduction());
  }

  #introduction(): HTMLElement {
    const { attribution, pruned, job, engine } = this.state;
    const go = (step: Step, text: string): HTMLElement =>
      h("button", { class: "link", "data-key": `go-${step}`, onclick: () => store.set({ step }) }, text);
    const isLesson = isLessonAtHand(this.state);
    return h("section", { class: "panel start" },
      h("h1", {}, "Which neurons give the wrong reason its confidence?"),
      h("p", { class: "lead" },
        "A language model can answer with confidence because of a habit of its training data, and not because it knows. ",
        "A few neurons often carry such a habit. Secateur scores every neuron of a model for your multiple-choice items, "
        + "prunes some, and measures what that does. All of it runs in this tab; nothing is sent anywhere."),
      isLesson && attribution ? h("p", {},
        "On screen is a small model that learned a quiz ", h("em", {}, "and"), " a shortcut: a cue that points to the right answer in most of "
        + "its training items. In the ", h("b", {}, "shifted"), " set the cue points to a wrong one. The map shows every neuron",
        pruned ? `; the ticks below its rows are the ${count(pruned.neurons, "pruned neuron")}; the accuracies at the right say what pruning them did.`
          : ".") : null,
      h("ol", { class: "ways" },
        h("li", {}, h("b", {}, isLesson ? "Follow the lesson. " : "Go on. "), "See how the model ", go("scores", "answers"), ", which neurons ",
          go("attribution", "drive its answers"), ", and ", go("pruning", "prune"), " others than those on screen."),
        h("li", {}, h("b", {}, "Bring your own. "), "Choose a ", go("model", "model"), " and ", go("items", "items"),
          ", then go down the steps at the left."),
        h("li", {}, h("b", {}, "Take it along. "), "A mask file, a Python snippet and a link that re-runs all of it are in ",
          go("result", "the result"), ".")),
      h("p", { class: "tools" }, filePicker("Open a study, report or mask …", ".json", ([file]) => void (file && openFile(file)), false),
        h("button", { "data-key": "lesson", disabled: job !== null || engine !== "ready",
        onclick: () => void openLesson() }, "Start over with the lesson")),
      h("p", { class: "note" },
        "The method is that of A. Ali, S. Katz, L. Wolf and I. Titov, “Detecting and Pruning Prominent but Detrimental Neurons "
        + "in Large Language Models” (COLM 2025, arXiv 2507.09185). No number here is a reproduction of one of that paper's."));
  }
}

customElements.define("step-start", StepStart);
