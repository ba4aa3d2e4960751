// A link that was opened: what it wants to do, the model it needs, what reproduced.

import { html, nothing, type TemplateResult } from "lit";
import { bytes, count, operationText, percent, scoreText, settingsText, short, visible } from "../format";
import { report } from "../services/jobs";
import { backToEarlier, closeLink, neededModel, runLink } from "../services/links";
import { neuronCount } from "../services/mask";
import { ofDialog, sourceOfFiles } from "../services/model-files";
import { store } from "../services/store";
import { templateId } from "../roles";
import { searchText, selectionText } from "../selections";
import type { Accuracy, Reproduction, SharedStudy } from "../wire/engine";
import { View, type Drawn, type Reads } from "./view";
import { columns, facts, filePicker, ofNumbers } from "./widgets";

class LinkPanel extends View {
  protected readonly reads: Reads = ({ engine, view }) => [
    view.shared,
    view.shared_fragment,
    view.reproduction,
    view.has_earlier,
    engine.model,
    engine.storage,
    engine.catalog,
    this.isBlocked,
  ];

  protected override render(): Drawn {
    const { shared, reproduction, has_earlier } = this.state.view;
    const back = has_earlier
      ? html`<p class="note">Your own study from before is put aside. <button class="link" data-key="earlier"
      ?disabled=${this.isBlocked} @click=${() => void backToEarlier()}>Go back to it</button></p>`
      : nothing;
    if (!shared) return html`<section class="panel">${back}</section>`;
    return html`<section class="panel link-panel">
      <h1>${this.#isOfFile() ? "A study from a file" : "A study was sent to you"}</h1>
      <p class="lead">The ${this.#isOfFile() ? "file" : "link"} carries the settings, the mask and what was found. This page runs it all again on
        your machine and compares. Your own study stays until that is done, and is put aside then.</p>
      ${reproduction ? verdict(reproduction, shared) : nothing}
      ${describe(shared)}
      ${reproduction ? nothing : this.#next(shared)}
      <div class="tools">
        ${reproduction ? html`<button data-key="again" ?disabled=${this.isBlocked} @click=${() => void runLink()}>Run it again</button>` : nothing}
        <button data-key="close-link" ?disabled=${this.isBlocked} @click=${closeLink}>${
          reproduction ? "Go on from here" : this.#isOfFile() ? "Leave the file" : "Leave the link"
        }</button>
      </div>
      ${back}
    </section>`;
  }

  /** It did not come by the address, or has left it with work of one's own. */
  #isOfFile(): boolean {
    return this.state.view.shared_fragment === null;
  }

  #next(shared: SharedStudy): TemplateResult {
    const needed = neededModel(shared);
    const run = (text: string): TemplateResult =>
      html`<button class="primary" data-key="run-link" ?disabled=${this.isBlocked} @click=${() => void runLink()}>${text}</button>`;
    const pick = filePicker("Choose its file …", ".gguf,.safetensors,.json", (files) => void this.#bring(files));
    switch (needed.state) {
      case "loaded":
        return html`<p>${run(shared.expected ? "Re-run and compare" : "Run this study")}</p>`;
      case "here":
        return html`<p>${run(`Load ${visible(needed.name)} and run`)}</p>`;
      case "known":
        return html`<div>
        <p>The study needs ${needed.entry.name}, which is not in this browser yet (${bytes(needed.bytes)}, ${needed.entry.licence}).</p>
        <p class="tools">${run(`Download it (${bytes(needed.bytes)}) and run`)}${pick}</p>
      </div>`;
      case "unknown":
        return html`<div>
        <p>The study needs the model <b>${visible(shared.study.model.name ?? shared.study.model.id)}</b>, which no catalogue here knows. Choose
          its file: one .gguf, or model.safetensors with config.json and tokenizer.json. Its sha256 must begin with
          <code>${shared.study.model.sha256.slice(0, 12) || "–"}</code>.</p>
        <p class="tools">${pick}</p>
      </div>`;
    }
  }

  async #bring(files: File[]): Promise<void> {
    try {
      const source = await sourceOfFiles(ofDialog(files), this.state.engine.catalog);
      if (typeof source === "string") store.view({ error: { code: "file", message: source, hint: "" } });
      else await runLink(source);
    } catch (thrown) {
      report(thrown);
    }
  }
}

function describe({ study, expected }: SharedStudy): TemplateResult {
  const { model, item_sets, template, few_shot, choice_order, attribution, pruning, search, control, tuning } = study;
  const sets = item_sets.map((set) => {
    const size = set.items?.length ?? set.count;
    return `${visible(set.name)} (${size === undefined ? visible(set.sample ?? "sample") : count(size, "item")}; ${set.roles.join(", ")})`;
  });
  const size = pruning?.mask ? neuronCount(pruning.mask) : 0;
  const selection = pruning?.selection;
  const rows: [string, string][] = [
    ["Model", `${visible(model.name ?? model.id)}${model.sha256 ? `, sha256 ${model.sha256.slice(0, 12)}…` : ""}`],
    ["Items", sets.join("; ")],
    [
      "Prompt",
      [visible(templateId(template)), few_shot ? count(few_shot.k, "shot") : "", choice_order ? "choices in a seeded order" : ""]
        .filter((part) => part !== "")
        .join(", "),
    ],
  ];
  if (attribution) {
    const isIg = attribution.method === "integrated_gradients";
    rows.push(["Attribution", `${isIg ? "Integrated Gradients, " : ""}${settingsText(attribution)}`]);
  }
  if (search) rows.push(["Search", searchText(search)]);
  if (size > 0 || selection) {
    const where = selection ? selectionText(selection, scoreText(attribution?.method)) : "as they are";
    rows.push([
      "Mask",
      `${size > 0 ? `${count(size, "neuron")}, ` : ""}${where}${pruning?.mask ? `; ${operationText(pruning.mask)}` : ""}`,
    ]);
  }
  if (control) rows.push(["Control", `${control.masks} random masks of the same size`]);
  if (tuning) rows.push(["Tuning", `gains of layer ${tuning.layer}, ${tuning.steps} steps`]);
  for (const { set, before, after } of expected?.sets ?? []) {
    rows.push([`Found on ${visible(set)}`, `${percent(before.value)}${after ? ` → ${percent(after.value)}` : ""} of ${before.total}`]);
  }
  return facts(rows);
}

function verdict(reproduction: Reproduction, { expected }: SharedStudy): TemplateResult {
  const {
    mask_identical,
    accuracy_identical,
    predictions_identical,
    predictions_compared,
    largest_log_likelihood_difference,
    log_likelihoods_compared,
    log_likelihoods_close,
    other_precision,
    sets,
    message,
  } = reproduction;
  const verdicts = [mask_identical, accuracy_identical, predictions_identical, log_likelihoods_close].filter((is) => is !== null);
  const isSame = verdicts.every((is) => is);
  if (verdicts.length === 0) {
    return html`<section class="verdict" data-reproduced="nothing">
      <h2>It was run</h2>
      <p>No results came with it, so there is nothing to compare: what this page found is in the steps.</p>
    </section>`;
  }
  const predictions = count(predictions_compared, "compared prediction");
  const masked = new Set(expected?.sets.filter(({ after }) => after).map(({ set }) => set));
  // A link has answers of the first items alone, and of as many of every set.
  const cut =
    expected?.sets.filter(({ before, predicted }) => predicted.length < before.total).map(({ predicted }) => predicted.length) ?? [];
  return html`<section class="verdict" data-reproduced=${isSame ? "yes" : "no"}>
    <h2>${isSame ? "It reproduced" : "It did not reproduce in full"}</h2>
    <ul>
      ${line(mask_identical, "The same neurons are pruned.", "Other neurons are pruned.")}
      ${line(accuracy_identical, "All accuracies are the same.", "Some accuracies differ.")}
      ${line(predictions_identical, `All ${predictions} are the same.`, `Of ${predictions} some differ.`)}
      ${
        log_likelihoods_compared === 0
          ? nothing
          : html`<li>Largest difference of ${log_likelihoods_compared} log-likelihoods: ${short(largest_log_likelihood_difference)} nats${
              log_likelihoods_close === false ? ", more than rounding explains" : ""
            }.</li>`
      }
      ${
        other_precision
          ? line(false, "", `The weights were held in ${other_precision.expected}, and are held in ${other_precision.measured} here.`)
          : nothing
      }
    </ul>
    ${
      sets.length === 0
        ? nothing
        : html`<table>
      ${columns(["Set", "Mask", ...ofNumbers("Expected", "Measured here")])}
      <tbody>${sets.map(
        ({ set, expected, measured }) => html`<tr>
        <td>${visible(set)}</td>
        <td>${masked.has(set) ? "with" : "without"}</td>
        <td class="number">${share(expected)}</td>
        <td class="number">${share(measured)}</td>
      </tr>`,
      )}</tbody>
    </table>`
    }
    <p class="note">${message}${
      cut.length > 0
        ? ` Accuracies are of all items; of each answer the link carries those of the first ${count(Math.max(...cut), "item")} of a set alone.`
        : ""
    }</p>
  </section>`;
}

/** What is the same or not, by sign and by word; nothing where it was not compared. */
function line(is: boolean | null, yes: string, no: string): Drawn {
  return is === null
    ? nothing
    : html`<li class=${is ? "same" : "different"}><span aria-hidden="true">${is ? "=" : "≠"}</span> ${is ? yes : no}</li>`;
}

function share({ value, correct, total }: Accuracy): string {
  return `${percent(value)} (${correct} of ${total})`;
}

customElements.define("link-panel", LinkPanel);
