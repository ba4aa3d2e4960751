// Step 5: which neurons go, and what that does, against masks drawn at random.

import { h, isBusy, refill, view, View } from "../dom";
import { clip, count, duration, visible } from "../format";
import { LIVE_PARAMETERS, measure, measureIfLive, runControl, runSearch, takeTop } from "../services/actions";
import { neuronCount, selectionAtHand } from "../services/mask";
import { setsOf, store } from "../services/store";
import type { Selection } from "../types";
import { accuracyOf } from "./accuracy";
import { dotStrip } from "./dot-strip";
import { searchTable } from "./search-table";
import { heading, numeric } from "./widgets";

class StepPruning extends View {
  protected readonly keys = [
    "attribution", "mask", "selection", "pruned", "control", "control_masks", "search", "percents", "job", "engine",
    "model", "live", "sets", "shape", "rule", "selection_source", "made_with",
  ] as const;
  #layer = h("select", { "data-key": "layer", "aria-label": "Layer" });
  #slider = h("input", { type: "range", min: 0, max: 100, step: 1, "data-key": "percent", "aria-label": "Percentage of the layer" });
  #number = h("input", { type: "number", min: 0.01, max: 100, step: "any", "data-key": "percent-number", "aria-label": "Percentage of the layer, exactly" });
  #actions = h("div", { class: "tools" });
  #control = h("section", {});
  #search = h("section", {});
  #count = h("span", { class: "note" });
  #shown: Selection | null = null;

  protected override setup(): void {
    // The slider is finer where masks are small: its place is the square root of the percentage.
    this.#slider.addEventListener("input", () => {
      const percent = fromSlider(this.#slider.valueAsNumber);
      this.#number.value = String(percent);
      this.#take(percent);
    });
    this.#number.addEventListener("change", () => {
      const percent = this.#number.valueAsNumber;
      if (percent > 0 && percent <= 100) this.#take(percent);
      else this.#takeBack();
    });
    this.#layer.addEventListener("change", () => this.#take(this.#number.valueAsNumber));
    this.replaceChildren(h("section", { class: "panel" },
      heading("Pruning", "Switch off the neurons that drive the confident answers, and see which answers change.",
        "The top p % of one layer by |IG| are set to zero at every position. Single neurons are added or taken back in the map, the table or the card."),
      h("div", { class: "fields slider" }, h("label", { class: "field" }, h("span", {}, "Layer"), this.#layer),
        h("label", { class: "field grow" }, h("span", {}, "Top share by |IG|"), this.#slider),
        h("label", { class: "field" }, h("span", {}, "in %"), this.#number)),
      this.#actions,
      view("answers-table"),
      this.#control, this.#search,
      view("ranked-table")));
  }

  /** A share that cannot be gives way to the one in use. */
  #takeBack(): void {
    const { selection } = this.state;
    this.#number.value = selection ? String(selection.percent) : "";
    store.set({ notice: "A share of a layer is a number above 0 and up to 100 %." });
  }

  #take(percent: number): void {
    if (!(percent > 0)) return;
    void takeTop({ layer: Number(this.#layer.value || 0), percent });
  }

  protected render(): void {
    const { attribution, selection, mask, shape, live, model, pruned } = this.state;
    const n_layers = attribution?.n_layers ?? shape?.n_layers ?? 0;
    if (this.#layer.options.length !== n_layers) {
      this.#layer.replaceChildren(...Array.from({ length: n_layers }, (_, layer) => h("option", { value: layer }, `layer ${layer}`)));
    }
    // Only a new selection moves the controls: until it is there, they hold what the user asked for.
    if (selection && selection !== this.#shown) {
      this.#shown = selection;
      this.#layer.value = String(selection.layer);
      if (document.activeElement !== this.#slider) this.#slider.value = String(toSlider(selection.percent));
      if (document.activeElement !== this.#number) this.#number.value = String(selection.percent);
    }
    const off = attribution === null || this.state.engine !== "ready" || model === null;
    this.#layer.disabled = off;
    this.#slider.disabled = off;
    this.#number.disabled = off;
    const size = neuronCount(mask);
    const isSmall = model !== null && model.info.n_parameters <= LIVE_PARAMETERS;
    this.#count.textContent = attribution === null ? "Run the attribution first (step 4); neurons can be pruned by hand without it."
      : pruned ? `Measured in ${duration(pruned.seconds)}.` : size > 0 ? "Not measured yet." : "";
    refill(this.#actions,
      h("button", { class: "primary", "data-key": "prune", disabled: isBusy() || size === 0, onclick: () => void measure() },
        `Measure ${count(size, "pruned neuron")}`),
      isSmall ? h("label", { class: "check" }, h("input", { type: "checkbox", "data-key": "live", checked: live,
        onchange: (event: Event) => {
          store.set({ live: (event.target as HTMLInputElement).checked });
          void measureIfLive();
        } }), "after every change") : null,
      this.#count);
    this.#showControl(size);
    this.#showSearch();
  }

  #showControl(size: number): void {
    const { control, control_masks, pruned, rule } = this.state;
    const own = (set: string): number => {
      const found = pruned?.sets.find((other) => other.set === set);
      return found ? accuracyOf(found.after, rule).value : 0;
    };
    refill(this.#control,
      h("div", { class: "table-head" }, h("h3", {}, "Random control")),
      h("p", { class: "note" }, "Does it matter which neurons go? Masks of the same size in the same layer, drawn at random, answer that."),
      h("div", { class: "tools" },
        numeric("Masks", "control-masks", control_masks, { min: 1, max: 1000, step: 1 }, (masks) => store.set({ control_masks: Math.round(masks) })),
        h("button", { "data-key": "control", disabled: isBusy() || size === 0, onclick: () => void runControl() }, "Run the control"),
        control ? h("small", {}, `${control.masks} masks, seed ${control.seed}, ${duration(control.seconds)}`) : null),
      control ? h("div", { class: "strips" }, ...control.sets.map((set) => dotStrip(set, own(set.set)))) : null);
  }

  #showSearch(): void {
    const { search, percents, attribution } = this.state;
    const validation = setsOf(this.state, "validation");
    refill(this.#search,
      h("div", { class: "table-head" }, h("h3", {}, "Search: layer × percentage")),
      h("p", { class: "note" }, validation.length > 0
        ? `Tries every layer on the validation items (${validation.map(visible).join(", ")}); a click on a cell takes its mask.`
        : "Give a set the role validation in step 2: the search picks by its items."),
      h("div", { class: "tools" },
        h("label", { class: "field" }, h("span", {}, "Percentages"), h("input", { type: "text", "data-key": "percents", value: percents.join(", "),
          onchange: (event: Event) => {
            const parts = (event.target as HTMLInputElement).value.split(/[\s,;]+/).filter((part) => part !== "");
            const wrong = parts.find((part) => !(Number(part) > 0 && Number(part) <= 100));
            const isGood = parts.length > 0 && wrong === undefined;
            store.set(isGood ? { percents: [...new Set(parts.map(Number))].sort((a, b) => a - b) } : {
              percents, notice: `Percentages are numbers above 0 and up to 100, separated by commas${wrong === undefined ? "" : `; “${clip(wrong, 20)}” is none`}.`,
            });
          } })),
        h("button", { "data-key": "search", disabled: isBusy() || !attribution || validation.length === 0, onclick: () => void runSearch() }, "Search"),
        search ? h("small", {}, `${count(search.cells.length, "mask")}, ${duration(search.seconds)}`) : null),
      search ? searchTable(search, selectionAtHand(this.state), (cell) => void takeTop(cell)) : null);
  }
}

function fromSlider(place: number): number {
  const percent = (place / 100) ** 2 * 100;
  return Math.max(0.1, percent < 2 ? Math.round(percent * 10) / 10 : Math.round(percent * 2) / 2);
}

function toSlider(percent: number): number {
  return Math.sqrt(percent / 100) * 100;
}

customElements.define("step-pruning", StepPruning);
