// Step 3: what the model answers, and how sure it is.

import { html, type TemplateResult } from "lit";
import { reportedSets } from "../services/edited";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

class StepScores extends View {
  protected readonly reads: Reads = ({ study, view, shown }) => [study.item_sets, view.open_set, shown.scores, shown.sets];

  /** Name of the set whose items are shown. */
  get #open(): string {
    const { view, shown, study } = this.state;
    const scored = Object.keys(shown.scores);
    // Scores may be counted anew by another rule: the set stays open meanwhile.
    const isThere = shown.sets.some(({ name }) => name === view.open_set) && (shown.scores[view.open_set ?? ""] || scored.length === 0);
    const reported = reportedSets(study);
    return (isThere ? view.open_set : (reported.find((name) => shown.scores[name]) ?? scored[0] ?? reported[0])) ?? "";
  }

  protected override render(): TemplateResult {
    const open = this.#open;
    return html`<section class="panel">
      ${heading(
        "Scores",
        "The model rates every choice; the one it finds most likely is its answer.",
        "Log-likelihood of each choice's tokens given the prompt, tokenised jointly and split at the prompt's end, as in lm-evaluation-harness.",
      )}
      <accuracy-table data-set=${open}></accuracy-table>
      <scored-items data-set=${open}></scored-items>
    </section>`;
  }
}

customElements.define("step-scores", StepScores);
