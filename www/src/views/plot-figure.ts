// The place of a chart that Observable Plot draws. The library is fetched when the first one is shown.

import { report } from "../services/jobs";
import { part } from "../version";
import type * as Plot from "./plot-marks";

export type Library = typeof Plot;

/** Draws with the library. */
export type Chart = (plot: Library) => Element;

/** Shortest time between two drawings: the curves of a tuning grow many times a second. */
const REST_MS = 150;

class PlotFigure extends HTMLElement {
  #chart: Chart | null = null;
  #isDrawing = false;
  #drawn_ms = Number.NEGATIVE_INFINITY;

  set chart(chart: Chart) {
    this.#chart = chart;
    if (!this.#isDrawing) void this.#draw().catch(report);
  }

  /** Draws the latest that was asked for by then. */
  async #draw(): Promise<void> {
    this.#isDrawing = true;
    try {
      const plot = await part(() => import("./plot-marks"));
      const rest = this.#drawn_ms + REST_MS - performance.now();
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
      const chart = this.#chart?.(plot);
      if (!chart) return;
      // The page's policy allows no styles but those of its own sheets, which say what these do.
      chart.querySelector("style")?.remove();
      this.replaceChildren(chart);
      this.#drawn_ms = performance.now();
    } finally {
      this.#isDrawing = false;
    }
  }
}

customElements.define("plot-figure", PlotFigure);
