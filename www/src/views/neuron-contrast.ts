// Which neurons drive the answers on some items more than on others? What is held against what, and the start of it.

import { html, nothing, type TemplateResult } from "lit";
import { visible } from "../format";
import { runContrast } from "../services/checks";
import type { ContrastAsked } from "../services/contrast";
import { setsOf } from "../services/edited";
import { contrastTime, takes } from "../services/estimate";
import { store } from "../services/store";
import type { Against } from "../wire/engine";
import { QUESTIONS } from "./contrast-found";
import { View, type Drawn, type Reads } from "./view";
import { choice } from "./widgets";
import { setsOfContrast } from "../services/contrast";

class NeuronContrast extends View {
  protected readonly reads: Reads = ({ study, results, view, shown }) => [
    study.item_sets,
    study.attribution,
    view.contrast,
    shown.contrast,
    shown.attribution,
    shown.scores,
    shown.sets,
    // Of them the time is known.
    results,
    this.isBusy,
  ];
  /** Once somebody opened or closed it. */
  #isOpen: boolean | null = null;

  protected override render(): TemplateResult {
    const { contrast } = this.state.shown;
    const asked = this.#asked();
    return html`<details class="neuron-contrast" ?open=${this.#isOpen ?? contrast !== null} @toggle=${({ currentTarget }: Event) => {
      this.#isOpen = (currentTarget as HTMLDetailsElement).open;
    }}>
      <summary>Which neurons drive some items more than others?</summary>
      <p class="note">The score of each neuron on one set minus that on another: a habit that fits one kind of items and not the other has its
        neurons here. Or on the same items with their questions and without: a neuron that drives both alike does not answer the question.</p>
      ${asked ? this.#tools(asked) : html`<p class="note">There are no items (step 2).</p>`}
      ${contrast ? html`<contrast-found></contrast-found>` : nothing}
    </details>`;
  }

  get #names(): string[] {
    return this.state.shown.sets.filter(({ items }) => items.length > 0).map(({ name }) => name);
  }

  /** What was asked last, as far as it is there; else the items of the attribution against others that are reported on. */
  #asked(): ContrastAsked | null {
    const { view, shown, study } = this.state;
    const names = this.#names;
    const isThere = (one: ContrastAsked): boolean => setsOfContrast(one).every((name) => names.includes(name));
    const last = [view.contrast, shown.contrast].find((one) => one !== null && isThere(one));
    if (last) return { set: last.set, against: last.against };
    const set = [...setsOf(study, "attribution"), ...names].find((name) => names.includes(name));
    if (set === undefined) return null;
    const other = [...setsOf(study, "out_of_distribution"), ...setsOf(study, "test")].find((name) => name !== set && names.includes(name));
    return { set, against: other === undefined ? { kind: "question", question: "removed" } : { kind: "set", set: other } };
  }

  #tools(asked: ContrastAsked): Drawn {
    const names = this.#names;
    const { set, against } = asked;
    const time = contrastTime(this.state, asked);
    const others = names.filter((name) => name !== set).map((name) => [keyOf({ kind: "set", set: name }), `“${visible(name)}”`] as const);
    const questions = (["removed", "meaningless"] as const).map(
      (question) => [keyOf({ kind: "question", question }), `the same items ${QUESTIONS[question]}`] as const,
    );
    return html`<div class="tools">
      ${choice(
        "Items",
        "contrast-set",
        names.map((name) => [name, `“${visible(name)}”`]),
        set,
        (to) => ask({ set: to, against: against.kind === "set" && against.set === to ? { kind: "set", set } : against }),
      )}
      ${choice("Against", "contrast-against", [...others, ...questions], keyOf(against), (key) => ask({ set, against: againstOf(key) }))}
      <button data-key="contrast" ?disabled=${this.isBusy} @click=${() => void runContrast(this.#asked() ?? asked)}>Contrast them</button>
      <span class="note">Scores every neuron on both sides, as set above${takes(time)}.</span>
    </div>`;
  }
}

/** A contrast that was made before is shown again; another one is to be made. */
function ask(contrast: ContrastAsked): void {
  store.view({ contrast });
}

function keyOf(against: Against): string {
  return against.kind === "set" ? `set:${against.set}` : `question:${against.question}`;
}

function againstOf(key: string): Against {
  const of = key.slice(key.indexOf(":") + 1);
  return key.startsWith("set:") ? { kind: "set", set: of } : { kind: "question", question: of === "removed" ? of : "meaningless" };
}

customElements.define("neuron-contrast", NeuronContrast);
