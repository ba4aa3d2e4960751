// A link that was opened: what it wants to do, the model it needs, what reproduced.

import { h, refill, View } from "../dom";
import { bytes, count, percent, settingsText, short, visible } from "../format";
import { report } from "../services/jobs";
import { backToEarlier, closeLink, neededModel, runLink } from "../services/links";
import { neuronCount } from "../services/mask";
import { ofDialog, sourceOfFiles } from "../services/model-files";
import { store } from "../services/store";
import { templateId, type Reproduction, type SharedStudy } from "../types";
import { filePicker } from "./widgets";

class LinkPanel extends View {
  protected readonly keys = [
    "shared", "shared_fragment", "reproduction", "model", "job", "storage", "catalog", "has_earlier", "engine",
  ] as const;

  protected render(): void {
    const { shared, reproduction, has_earlier, job } = this.state;
    const isIdle = job === null && this.state.engine === "ready";
    const back = has_earlier ? h("p", { class: "note" }, "Your own study from before is put aside. ",
      h("button", { class: "link", "data-key": "earlier", disabled: !isIdle, onclick: () => void backToEarlier() },
        "Go back to it")) : null;
    if (!shared) {
      refill(this, h("section", { class: "panel" }, back));
      return;
    }
    refill(this, h("section", { class: "panel link-panel" },
      h("h1", {}, this.#isOfFile() ? "A study from a file" : "A study was sent to you"),
      h("p", { class: "lead" }, `The ${this.#isOfFile() ? "file" : "link"} carries the settings, the mask and what was found. This page runs it all again on `
        + "your machine and compares. Your own study stays until that is done, and is put aside then."),
      reproduction ? verdict(reproduction) : null,
      describe(shared),
      reproduction ? null : this.#next(shared, isIdle),
      h("div", { class: "tools" },
        reproduction ? h("button", { "data-key": "again", disabled: !isIdle, onclick: () => void runLink() }, "Run it again") : null,
        h("button", { "data-key": "close-link", disabled: !isIdle, onclick: closeLink },
          reproduction ? "Go on from here" : this.#isOfFile() ? "Leave the file" : "Leave the link")),
      back));
  }

  /** It did not come by the address, or has left it with work of one's own. */
  #isOfFile(): boolean {
    return this.state.shared_fragment === null;
  }

  #next(shared: SharedStudy, isIdle: boolean): HTMLElement {
    const needed = neededModel(shared);
    const run = (text: string): HTMLElement =>
      h("button", { class: "primary", "data-key": "run-link", disabled: !isIdle, onclick: () => void runLink() }, text);
    const pick = filePicker("Choose its file …", ".gguf,.safetensors,.json", (files) => void this.#bring(files));
    switch (needed.state) {
      case "loaded": return h("p", {}, run(shared.expected ? "Re-run and compare" : "Run this study"));
      case "here": return h("p", {}, run(`Load ${visible(needed.name)} and run`));
      case "known": return h("div", {},
        h("p", {}, `The study needs ${needed.entry.name}, which is not in this browser yet (${bytes(needed.bytes)}, ${needed.entry.licence}).`),
        h("p", { class: "tools" }, run(`Download it (${bytes(needed.bytes)}) and run`), pick));
      case "unknown": return h("div", {},
        h("p", {}, "The study needs the model ", h("b", {}, visible(shared.study.model.name ?? shared.study.model.id)),
          ", which no catalogue here knows. Choose its file: one .gguf, or model.safetensors with config.json and tokenizer.json. "
          + "Its sha256 must begin with ", h("code", {}, shared.study.model.sha256.slice(0, 12) || "–"), "."),
        h("p", { class: "tools" }, pick));
    }
  }

  async #bring(files: File[]): Promise<void> {
    try {
      const source = await sourceOfFiles(ofDialog(files), this.state.catalog);
      if (typeof source === "string") store.set({ error: { code: "file", message: source, hint: "" } });
      else await runLink(source);
    } catch (thrown) {
      report(thrown);
    }
  }
}

function describe({ study, expected }: SharedStudy): HTMLElement {
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
    ["Prompt", [visible(templateId(template)), few_shot ? count(few_shot.k, "shot") : "", choice_order ? "choices in a seeded order" : ""]
      .filter((part) => part !== "").join(", ")],
  ];
  if (attribution) rows.push(["Attribution", `Integrated Gradients, ${settingsText(attribution)}`]);
  if (search) rows.push(["Search", `percentages ${search.percents.join(", ")}`]);
  if (size > 0 || selection) {
    const where = selection ? `top ${selection.percent} % of layer ${selection.layer} by |IG|` : "as they are";
    rows.push(["Mask", `${size > 0 ? `${count(size, "neuron")}, ` : ""}${where}`]);
  }
  if (control) rows.push(["Control", `${control.masks} random masks of the same size`]);
  if (tuning) rows.push(["Tuning", `gains of layer ${tuning.layer}, ${tuning.steps} steps`]);
  for (const { set, before, after } of expected?.sets ?? []) {
    rows.push([`Found on ${visible(set)}`, `${percent(before.value)}${after ? ` → ${percent(after.value)}` : ""} of ${before.total}`]);
  }
  return h("dl", { class: "facts wide" }, ...rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

function verdict(reproduction: Reproduction): HTMLElement {
  const {
    mask_identical, accuracy_identical, predictions_identical, predictions_compared, largest_log_likelihood_difference,
    log_likelihoods_compared, other_precision, sets, message,
  } = reproduction;
  const verdicts = [mask_identical, accuracy_identical, predictions_identical].filter((is) => is !== null);
  const isSame = verdicts.every((is) => is);
  const line = (is: boolean | null, yes: string, no: string): HTMLElement | null => (is === null ? null
    : h("li", { class: is ? "same" : "different" }, h("span", { "aria-hidden": "true" }, is ? "=" : "≠"), ` ${is ? yes : no}`));
  if (verdicts.length === 0) {
    return h("section", { class: "verdict", "data-reproduced": "nothing" },
      h("h2", {}, "It was run"), h("p", {}, "No results came with it, so there is nothing to compare: what this page found is in the steps."));
  }
  return h("section", { class: "verdict", "data-reproduced": isSame ? "yes" : "no" },
    h("h2", {}, isSame ? "It reproduced" : "It did not reproduce in full"),
    h("ul", {},
      line(mask_identical, "The same neurons are pruned.", "Other neurons are pruned."),
      line(accuracy_identical, "All accuracies are the same.", "Some accuracies differ."),
      line(predictions_identical, `All ${count(predictions_compared, "compared prediction")} are the same.`,
        `Of ${count(predictions_compared, "compared prediction")} some differ.`),
      log_likelihoods_compared === 0 ? null
        : h("li", {}, `Largest difference of ${log_likelihoods_compared} log-likelihoods: ${short(largest_log_likelihood_difference)} nats.`),
      other_precision ? h("li", { class: "different" }, h("span", { "aria-hidden": "true" }, "≠"),
        ` The weights were held in ${other_precision.expected}, and are held in ${other_precision.measured} here.`) : null),
    sets.length === 0 ? null
      : h("table", {}, h("thead", {}, h("tr", {}, ...["Set", "Expected", "Measured here"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...sets.map((set) => h("tr", {}, h("td", {}, visible(set.set)),
          h("td", { class: "number" }, `${percent(set.expected.value)} (${set.expected.correct} of ${set.expected.total})`),
          h("td", { class: "number" }, `${percent(set.measured.value)} (${set.measured.correct} of ${set.measured.total})`))))),
    h("p", { class: "note" }, message));
}

customElements.define("link-panel", LinkPanel);
