// What drives the answers? The open set without its questions, in other orders, and by the lengths of its choices.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, clip, count, duration, percent, visible } from "../format";
import { runAudit, runContrast } from "../services/checks";
import { auditVerdict } from "../verdicts";
import type { Accuracy, Asked, Audit, Item } from "../wire/engine";
import { accuracyBar } from "./accuracy";
import { QUESTIONS } from "./contrast-found";
import { View, type Drawn, type Reads } from "./view";
import { columns, ofNumbers } from "./widgets";

class ItemsAudit extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ shown }) => [shown.audit, shown.contrast, shown.sets, this.isBusy];
  /** Name of the set. */
  declare set: string | undefined;
  /** Once somebody opened or closed it. */
  #isOpen: boolean | null = null;

  protected override render(): Drawn {
    const { audit, sets } = this.state.shown;
    const set = sets.find((other) => other.name === this.set);
    if (!set || set.items.length === 0) return nothing;
    return html`<details class="items-audit" ?open=${this.#isOpen ?? audit?.set === set.name} @toggle=${({ currentTarget }: Event) => {
      this.#isOpen = (currentTarget as HTMLDetailsElement).open;
    }}>
      <summary>What drives the answers? The same items without their questions</summary>
      <p class="note">A model may be right without having read the question: by what the choices say, where they stand, how long they are. Then
        neurons that drive its answers are no neurons of knowledge.</p>
      <div class="tools"><button data-key="audit" ?disabled=${this.isBusy} @click=${() => void runAudit(set.name)}>Audit “${clip(
        visible(set.name),
        30,
      )}”</button></div>
      ${audit?.set === set.name ? html`${result(audit, set.items)}${this.#carriers(audit)}` : nothing}
    </details>`;
  }

  /** From what the answers follow to the neurons that make them follow it. */
  #carriers({ set, asked }: Audit): Drawn {
    const way = asked.find(({ accuracy }) => accuracy !== null);
    if (!way) return nothing;
    const { question } = way;
    const { contrast } = this.state.shown;
    return html`<div class="tools">
        <button data-key="audit-contrast" ?disabled=${this.isBusy} @click=${() =>
          void runContrast({ set, against: { kind: "question", question } })}>Which neurons carry that?</button>
        <span class="note">Scores every neuron on these items as given and ${QUESTIONS[question]}, as step 4 is set.</span>
      </div>
      ${contrast?.set === set && contrast.against.kind === "question" ? html`<contrast-found></contrast-found>` : nothing}`;
  }
}

function result(audit: Audit, items: readonly Item[]): TemplateResult {
  const { accuracy, chance, asked, position, seconds } = audit;
  return html`<div data-result="audit">
    <p class="finding">${auditVerdict(audit)}</p>
    <div class="table-scroll"><table>
      ${columns(["Asked", "Right", "", ...ofNumbers("Same answer as with the question", "p, exact test")])}
      <tbody>
        <tr><th scope="row">as given</th><td>${accuracyText(accuracy)}</td><td>${accuracyBar(accuracy, undefined, chance)}</td><td></td><td></td></tr>
        ${asked.map((way) => row(way, chance))}
      </tbody>
    </table></div>
    <p class="note">The broken line is what guessing has: ${percent(chance)}. p: how often so uneven a change of right answers would come by chance
      (McNemar). Measured in ${duration(seconds)}.</p>
    <p>${
      position.depends_on_order
        ? `Places: ${count(position.consistent.correct, "item")} of ${position.consistent.total} (${percent(position.consistent.value)}) get the same answer in every rotation of their choices.`
        : "Places: this template shows the model no list, so that no place can be preferred."
    }</p>
    ${lengths(audit, items)}
  </div>`;
}

function row({ question, accuracy, same_answer, paired, refused }: Asked, chance: number): TemplateResult {
  return html`<tr data-question=${question}>
    <th scope="row">${QUESTIONS[question]}</th>
    ${
      accuracy
        ? html`<td>${accuracyText(accuracy)}</td><td>${accuracyBar(accuracy, undefined, chance)}</td>
          <td class="number">${same_answer ? `${percent(same_answer.value)} of ${same_answer.total}` : ""}</td>
          <td class="number">${paired ? probability(paired.p_value) : ""}</td>`
        : html`<td colspan="4">cannot be asked so: ${reason(refused)}</td>`
    }
  </tr>`;
}

/** Why items cannot be asked so, without the name of the first item that says it and of the part of the engine that did. */
function reason(refused: string | null): string {
  return (refused ?? "").replace(/^item `[^`]*`: (tokenizer: )?/, "");
}

/** Small ones have as many digits as they are worth. */
function probability(value: number): string {
  return value < 0.001 ? "below 0.001" : value.toFixed(3);
}

/** Whether no item has a longest choice. */
function areAlike(items: readonly Item[]): boolean {
  return items.every(({ choices }) => new Set(choices.map((choice) => [...choice].length)).size === 1);
}

function lengths({ lengths: found }: Audit, items: readonly Item[]): TemplateResult {
  if (areAlike(items)) return html`<p>Lengths: the choices of each item are equally long, so that length says nothing.</p>`;
  const { longest_right, longest_predicted, shortest_right, shortest_predicted } = found;
  const line = (name: string, right: Accuracy, predicted: Accuracy): TemplateResult => html`<tr>
    <th scope="row">${name}</th><td>${accuracyText(right)}</td><td>${accuracyText(predicted)}</td></tr>`;
  return html`<div class="table-scroll"><table>
    ${columns(["Choice, by its characters", "Is right in", "Is the model's answer in"])}
    <tbody>${line("the longest", longest_right, longest_predicted)}${line("the shortest", shortest_right, shortest_predicted)}</tbody>
  </table></div>`;
}

customElements.define("items-audit", ItemsAudit);
