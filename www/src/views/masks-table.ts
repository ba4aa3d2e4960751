// Masks side by side: what each is, what it shares with the one at hand, and what it does, as far as that is measured.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, chanceText, count, fixed, interval, operationText, percent, visible } from "../format";
import { accuracyOf } from "../rules";
import type { Compared } from "../services/comparison";
import { reportedSets } from "../services/edited";
import { AT_HAND, commonNeurons, deleteMask, renameMask, takeMask } from "../services/kept-masks";
import type { Part } from "../services/made-of";
import { neuronCount } from "../services/mask";
import type { State } from "../services/store";
import type { GeneralAbility, Mask, PrunedSet, ScoringRule } from "../wire/engine";
import type { Drawn } from "./view";
import { askName } from "./widgets";

/** What another mask, or the same, was measured with, as it is said of what is out of date. */
const PARTS: Readonly<Record<Part, string>> = {
  model: "another model",
  precision: "weights held otherwise",
  engine: "another version of the engine",
  items: "other items",
  shots: "other shots",
  prompting: "another prompt",
  rule: "another scoring rule",
  settings: "other settings",
  mask: "another mask",
};

/** What of the masks can be measured now, and how. */
interface Measuring {
  open: readonly Compared[];
  isBusy: boolean;
  measure(mask: Compared): void;
}

export function masksTable(masks: readonly Compared[], state: State, measuring: Measuring): TemplateResult {
  const { item_sets } = state.study;
  const sets = reportedSets(state.study);
  const hasText = masks.some(({ known }) => known.general !== null);
  const head = (name: string): TemplateResult => {
    const isOther = item_sets.some((set) => set.name === name && set.roles.includes("out_of_distribution"));
    return html`<th scope="col">${visible(name)}${isOther ? html`<br><small>out of distribution</small>` : nothing}</th>`;
  };
  return html`<div class="table-scroll" data-result="masks" tabindex="0" role="group" aria-label="Masks side by side"><table class="masks">
      <thead><tr>
        <th scope="col">Mask</th><th scope="col">Activations</th><th scope="col" class="number">Neurons</th><th scope="col">Layers</th>
        <th scope="col" class="number" title="Neurons that the mask shares with the one at hand">Shared</th>
        ${sets.map(head)}
        ${hasText ? html`<th scope="col">Perplexity</th>` : nothing}
        <th scope="col"><span class="visually-hidden">Action</span></th>
      </tr></thead>
      <tbody>${masks.map((one) => row(one, state, { ...measuring, sets, hasText }))}</tbody>
    </table></div>
    <p class="note">Accuracy before → after, with the 95 % Wilson interval of the latter and the exact test of the change (McNemar, two-sided). Of
      several masks that are tried on the same items, the best looks better than it is. “Shared”: neurons that are also of the mask at hand.</p>`;
}

interface Look extends Measuring {
  sets: readonly string[];
  hasText: boolean;
}

function row(one: Compared, { study }: State, { sets, hasText, open, isBusy, measure }: Look): TemplateResult {
  const { name, mask, isAtHand, otherModel, known } = one;
  const shared = commonNeurons(mask, study.pruning.mask);
  const title = name === null ? AT_HAND : visible(name);
  return html`<tr class=${isAtHand ? "selected" : ""} data-mask=${name ?? ""}>
    <th scope="row">${title}${isAtHand && name !== null ? html` <small>at hand</small>` : nothing}${remark(one)}</th>
    <td>${operationText(mask)}</td>
    <td class="number">${neuronCount(mask).toLocaleString("en")}</td>
    <td>${layersText(mask)}</td>
    <td class="number">${shared.toLocaleString("en")}</td>
    ${sets.map((set) =>
      effect(
        known.pruned?.sets.find((other) => other.set === set),
        study.scoring.rule,
      ),
    )}
    ${hasText ? perplexity(known.general) : nothing}
    <td class="tools">${
      open.includes(one)
        ? html`<button class="small" data-key=${`measure-mask-${name ?? ""}`} ?disabled=${isBusy} aria-label="Measure ${title}"
          @click=${() => measure(one)}>Measure</button>`
        : nothing
    }${name === null ? nothing : tools(name, isAtHand || otherModel !== null)}</td>
  </tr>`;
}

function tools(name: string, cannotBeTaken: boolean): TemplateResult {
  const rename = (): void => {
    askName("the mask", name, (wanted) => renameMask(name, wanted));
  };
  return html`<button class="small" data-key=${`take-mask-${name}`} ?disabled=${cannotBeTaken} aria-label="Take ${name} as the mask at hand"
      @click=${() => takeMask(name)}>Take</button><button class="small" data-key=${`rename-mask-${name}`} aria-label="Rename ${name}"
      @click=${rename}>Rename</button><button class="small" data-key=${`delete-mask-${name}`} aria-label="Delete ${name}"
      @click=${() => deleteMask(name)}>Delete</button>`;
}

/** Why a mask's numbers are missing. */
function remark({ otherModel, known: { outdated } }: Compared): Drawn {
  if (otherModel !== null) return html`<br><small class="warning">a mask of another model, ${visible(otherModel)}</small>`;
  if (outdated.length === 0) return nothing;
  return html`<br><small class="warning">was measured with ${outdated.map((part) => PARTS[part]).join(" and ")}</small>`;
}

/** `3, 7, 9`, or how many there are. */
function layersText({ layers }: Mask): string {
  return layers.length > 4 ? count(layers.length, "layer") : layers.map(({ layer }) => layer).join(", ");
}

function effect(found: PrunedSet | undefined, rule: ScoringRule): TemplateResult {
  if (!found) return html`<td>–</td>`;
  const { before, paired } = found;
  const after = accuracyOf(found.after, rule);
  return html`<td class="effect" title="before ${accuracyText(before)}, after ${accuracyText(after)}">${(before.value * 100).toFixed(1)} → ${percent(
    after.value,
  )}<br><small>${interval(after.low, after.high)}${paired ? html`<br>${chanceText(paired)}` : nothing}</small></td>`;
}

function perplexity(found: GeneralAbility | null): TemplateResult {
  return found
    ? html`<td class="effect">${fixed(found.before.perplexity, 1)} → ${fixed(found.after.perplexity, 1)}</td>`
    : html`<td>–</td>`;
}
