// What the heat map says in words and numbers, around the picture and instead of it.

import { html, type TemplateResult } from "lit";
import { address, aggregateText, hasBaseline, hasTarget, METHODS, operationText, short } from "../format";
import type { Attribution, Mask, Method } from "../wire/engine";
import { rowHeight, scoreOf, strongest, type Geometry, type Picture } from "./heat-map-picture";
import { css } from "./scale";

/** What the map shows. */
export function title({ n_layers, d_mlp }: Picture, attribution: Attribution | null): string {
  if (!attribution) return `${n_layers} layers × ${d_mlp} neurons`;
  const { settings, items_used, set } = attribution;
  const site = hasBaseline(settings.method) ? `${settings.site === "gate_pre" ? "gate" : "activation"}, ` : "";
  return (
    `${METHODS[settings.method]} per neuron: ${n_layers} layers × ${d_mlp} neurons, ${site}`
    + aggregateText(settings, items_used.length, set)
  );
}

/** What a screen reader says of the whole map. */
export function description(picture: Picture, mask: Mask): string {
  const perLayer = Array.from({ length: picture.n_layers }, (_, layer) => {
    const neuron = strongest(picture, layer, 0, picture.d_mlp);
    return { layer, neuron, score: scoreOf(picture, { layer, neuron }) };
  }).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  const top = perLayer[0];
  const pruned = mask.layers.map(({ layer, neurons }) => `${neurons.length} in layer ${layer}`).join(", ");
  return (
    `Heat map of ${picture.n_layers} layers by ${picture.d_mlp} neurons. `
    + (top ? `Strongest neuron: ${address(top.layer, top.neuron)}, score ${short(top.score)}. ` : "")
    + `Pruned: ${pruned === "" ? "none" : `${pruned}; ${operationText(mask)}`}.`
  );
}

/** The layers' names beside their rows, as many as there is room for. */
export function layerLabels({ n_layers }: Picture, geometry: Geometry, ratio: number): TemplateResult[] {
  const pitch = rowHeight(geometry) / ratio;
  const every = Math.ceil(13 / pitch);
  const style = `height: ${pitch}px; line-height: ${pitch - geometry.gap / ratio}px`;
  return Array.from(
    { length: n_layers },
    (_, layer) => html`<span .style=${style}>${layer % every === 0 ? (pitch >= 18 ? `layer ${layer}` : layer) : ""}</span>`,
  );
}

/** What stands along the horizontal axis. */
export function axisLabels({ start, span, d_mlp }: Picture, { width }: Geometry, ratio: number, isByStrength: boolean): TemplateResult {
  const perPixel = (span * ratio) / width;
  const shown = span === d_mlp ? `all ${d_mlp}` : `${start} to ${start + span - 1} of ${d_mlp}`;
  return html`<span>${isByStrength ? "strongest" : `neuron ${start}`}</span>
    <span>${perPixel > 1.01 ? `${shown}; a column shows the strongest of ${perPixel.toFixed(1)}` : shown}</span>
    <span>${isByStrength ? "weakest" : start + span - 1}</span>`;
}

/** Which colour is which score. */
export function legend({ largest, isRoot, isDark: isNight }: Picture, method: Method): TemplateResult {
  const at = (share: number): number => Math.sign(share) * (isRoot ? share * share : Math.abs(share)) * largest;
  return html`<div class="map-legend" aria-label="Scores from ${short(-largest)} to ${short(largest)}">
    <div class="legend-scale"><span class="legend-bar" aria-hidden="true">${Array.from(
      { length: 41 },
      (_, index) => html`<i .style=${`background: ${css(index / 20 - 1, isNight)}`}></i>`,
    )}</span><span class="legend-numbers">${[-1, -0.5, 0, 0.5, 1].map((share) => html`<span>${short(at(share))}</span>`)}</span></div>
    <span class="legend-words">${
      hasTarget(method) ? "purple: against the answer · orange: for it" : "purple: below zero · orange: above"
    } · <b class="tick"></b> pruned</span>
  </div>`;
}
