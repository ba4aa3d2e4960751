// Step 3: what the model answers, and how sure it is.

import { html, type TemplateResult } from "lit";
import { reportedSets } from "../services/edited";
import { View, type Reads } from "./view";
import { heading } from "./widgets";

class StepScores extends View {
  protected readonly reads: Reads = ({ shown }) => [shown.scores, shown.sets];
  /** Name of the set whose items are shown. */
  #open: string | null = null;

  protected override willUpdate(): void {
    const { scores, sets } = this.state.shown;
    // Scores may be counted anew by another rule: the set stays open meanwhile.
    if (!sets.some(({ name }) => name === this.#open) || (!scores[this.#open ?? ""] && Object.keys(scores).length > 0)) {
      this.#open = reportedSets(this.state.study).find((name) => scores[name]) ?? Object.keys(scores)[0] ?? null;
    }
  }

  protected override render(): TemplateResult {
    const open = this.#open ?? "";
    return html`<section class="panel" @open-set=${this.#show}>
      ${heading(
        "Scores",
        "The model rates every choice; the one it finds most likely is its answer.",
        "Log-likelihood of each choice's tokens given the prompt, tokenised jointly and split at the prompt's end, as in lm-evaluation-harness.",
      )}
      <accuracy-table data-set=${open}></accuracy-table>
      <scored-items data-set=${open}></scored-items>
    </section>`;
  }

  #show({ detail }: CustomEvent<string>): void {
    this.#open = detail;
    this.requestUpdate();
  }
}

customElements.define("step-scores", StepScores);
