// Accuracies under random masks as dots, and that of the mask itself as a diamond.

import { html, svg, type TemplateResult } from "lit";
import { percent, visible } from "../format";
import type { ControlSet } from "../wire/engine";

export function dotStrip({ set, accuracies, mean, max, at_least_as_good, mask }: ControlSet, own: number): TemplateResult {
  const value = mask ?? own;
  // Room for the numbers at both ends.
  const x = (accuracy: number): number => 14 + accuracy * 372;
  // Equal accuracies are stacked, so that every mask is seen.
  const heights = new Map<string, number>();
  const dots = accuracies.map((accuracy) => {
    const key = accuracy.toFixed(3);
    const level = heights.get(key) ?? 0;
    heights.set(key, level + 1);
    return svg`<circle class="random" cx=${x(accuracy)} cy=${34 - Math.min(6, level) * 4.5} r="2.6"></circle>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) => svg`<g>
    <line class="grid" x1=${x(share)} x2=${x(share)} y1="3" y2="38"></line>
    <text class="tick" x=${x(share)} y="48" text-anchor="middle">${share * 100} %</text>
  </g>`,
  );
  const words = `${at_least_as_good} of ${accuracies.length} random masks do at least as well as this mask`;
  return html`<figure class="dot-strip" data-set=${set}>
    <figcaption><b>${visible(set)}</b> this mask ${percent(value)}; random masks mean ${percent(mean)}, best ${percent(max)}. ${words}.</figcaption>
    <svg viewBox="0 0 400 52" role="img" aria-label=${words}>
      ${ticks}${dots}<path class="own" d="M ${x(value)} 26 l 5 8 l -5 8 l -5 -8 z"></path>
    </svg>
  </figure>`;
}
