// The start of an attribution, what it will take, and what the one on screen is of.

import { html, nothing, type TemplateResult } from "lit";
import { count, duration, hasItems, percent, settingsText, visible } from "../format";
import { attribute } from "../services/actions";
import { setsOf } from "../services/edited";
import { attributionTime, confidentItems, takes } from "../services/estimate";
import { View, type Drawn, type Reads } from "./view";

class AttributionRun extends View {
  protected readonly reads: Reads = ({ study, results, shown }) => [
    study.attribution,
    shown.attribution,
    shown.sets,
    shown.scores,
    shown.precomputed,
    // Of them the time is known.
    results,
    this.isBusy,
  ];

  protected override render(): TemplateResult {
    return html`${this.#run()}${this.#found()}`;
  }

  #run(): TemplateResult {
    const [set] = setsOf(this.state.study, "attribution");
    const confident = confidentItems(this.state);
    const time = attributionTime(this.state);
    return html`<div class="tools">
      <button class="primary" data-key="attribute" ?disabled=${this.isBusy || set === undefined} @click=${() => void attribute()}>${
        this.state.shown.attribution ? "Run the attribution again" : "Run the attribution"
      }</button>
      <span class="note">${
        set === undefined
          ? "No item set has the role attribution (step 2)."
          : `On “${visible(set)}”${confident ? `, ${confident.used} of ${confident.total} items are confident enough` : ""}`
            + `${takes(time)}.`
      }</span>
    </div>`;
  }

  #found(): Drawn {
    const { attribution, precomputed } = this.state.shown;
    if (!attribution) return nothing;
    const { set, settings, items_used, items_skipped, seconds } = attribution;
    const alike = settings.target === "gold_margin" ? " or with choices that all begin alike" : "";
    const used =
      `“${visible(set)}”, ${settingsText(settings)}; ${count(items_used.length, "item")} used, `
      + `${items_skipped} below ${percent(settings.confidence_threshold, 0)}${alike}`;
    return html`<p class="result-line" data-result="attribution">On screen: ${
      hasItems(settings.method) ? used : `${settingsText(settings)}, which looks at no item`
    }; ${duration(seconds)}${precomputed.includes("attribution") ? " on the command line" : ""}.</p>`;
  }
}

customElements.define("attribution-run", AttributionRun);
