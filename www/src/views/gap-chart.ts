// How far an attribution is from completeness, layer by layer.

import { h, refill, View } from "../dom";
import { fixed, percent, short } from "../format";
import type { LayerGap } from "../types";

/** A gap of this share of the difference is worth more steps. */
const LARGE = 0.1;

export function share({ gap, difference }: LayerGap): number {
  return difference > 0 ? gap / difference : gap > 0 ? 1 : 0;
}

/** Where almost nothing is explained, the share of it says nothing. */
export function isLarge(row: LayerGap, gaps: readonly LayerGap[]): boolean {
  const scale = Math.max(...gaps.map((other) => other.difference));
  return share(row) > LARGE && row.gap > scale * 0.02;
}

class GapChart extends View {
  protected readonly keys = ["attribution"] as const;

  protected render(): void {
    const { attribution } = this.state;
    if (!attribution) {
      refill(this);
      return;
    }
    const { gaps, settings } = attribution;
    const large = gaps.filter((row) => isLarge(row, gaps));
    const row = (gap: LayerGap): HTMLElement => {
      const bar = h("i", {});
      bar.style.width = `${Math.min(1, share(gap)) * 100}%`;
      const isFlagged = isLarge(gap, gaps);
      return h("tr", { class: isFlagged ? "flagged" : "" },
        h("td", {}, gap.layer < 0 ? "all layers" : `layer ${gap.layer}`),
        h("td", { class: "number" }, short(gap.difference)),
        h("td", { class: "number" }, short(gap.gap)),
        h("td", {}, h("span", { class: "track" }, bar)),
        h("td", { class: "number" }, `${percent(share(gap))}${isFlagged ? " !" : ""}`),
        h("td", { class: "number" }, short(gap.gap_max)));
    };
    refill(this,
      h("h3", {}, "Completeness"),
      h("p", { class: "note" }, "The scores of a layer should add up to what its neurons change in the target, M(1) − M(0). "
        + "The gap is what is missing. ",
      large.length > 0
        ? h("b", {}, `${large.length === 1 ? "One gap is" : `${large.length} gaps are`} large: take more steps than ${fixed(settings.steps, 0)}`
          + (settings.rule === "middle" ? "." : ", or the middle rule."))
        : `It is below ${percent(LARGE, 0)} wherever it matters.`),
      h("div", { class: "table-scroll" }, h("table", { class: "gaps" },
        h("thead", {}, h("tr", {}, ...["", "|M(1) − M(0)|", "Gap, mean", "", "of it", "Largest gap"].map((text) =>
          h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...gaps.map(row)))));
  }
}

customElements.define("gap-chart", GapChart);
