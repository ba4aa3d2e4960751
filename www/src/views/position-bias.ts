// Does the model prefer a place in the list? The open set with its choices in several orders.

import { h, isBusy, refill, View } from "../dom";
import { accuracyText, clip, count, duration, percent, visible } from "../format";
import { measureBias } from "../services/actions";
import type { Orders, PositionBias as Found } from "../types";
import { accuracyBar } from "./accuracy";
import { choice, numeric } from "./widgets";

class PositionBias extends View {
  protected readonly keys = ["bias", "sets", "job", "engine", "model"] as const;
  #kind: Orders["kind"] = "cyclic";
  #orders = 4;
  #seed = 0;

  protected render(): void {
    const set = this.getAttribute("data-set") ?? "";
    const { bias } = this.state;
    const items = this.state.sets.find((other) => other.name === set)?.items.length ?? 0;
    if (items === 0) {
      refill(this);
      return;
    }
    const isOpen = this.querySelector("details")?.open ?? bias?.set === set;
    const orders = (): Orders => (this.#kind === "cyclic" ? { kind: "cyclic" } : { kind: "seeded", orders: this.#orders, seed: this.#seed });
    refill(this, h("details", { class: "position-bias", open: isOpen },
      h("summary", {}, "Position bias: does the model prefer a place in the list?"),
      h("div", { class: "tools" },
        choice("Orders", "bias-orders", [["cyclic", "every rotation"], ["seeded", "seeded orders"]], this.#kind, (kind) => {
          this.#kind = kind;
          this.render();
        }),
        this.#kind === "seeded" ? numeric("How many", "bias-count", this.#orders, { min: 1, max: 64, step: 1 }, (value) => {
          this.#orders = value;
        }) : null,
        this.#kind === "seeded" ? numeric("Seed", "bias-seed", this.#seed, { min: 0, max: 2 ** 31, step: 1 }, (value) => {
          this.#seed = value;
        }) : null,
        h("button", { "data-key": "measure-bias", disabled: isBusy(), onclick: () => void measureBias(set, orders()) }, `Measure on “${clip(visible(set), 30)}”`)),
      bias?.set === set ? result(bias) : null));
  }
}

function ordersText(orders: Orders): string {
  return orders.kind === "cyclic" ? "every rotation" : `${count(orders.orders, "order")} of seed ${orders.seed}`;
}

function result({ places, accuracy, consistent, depends_on_order, orders, seconds }: Found): HTMLElement {
  return h("div", { "data-result": "bias" },
    depends_on_order ? null : h("p", { class: "note" },
      "This template shows the model no list: each choice scores the same wherever it stands, so no place can be preferred. A lettered template shows one."),
    h("p", {}, `${count(consistent.correct, "item")} of ${consistent.total} (${percent(consistent.value)}) get the same answer in every order. `
      + `Over all orders (${ordersText(orders)}): ${accuracyText(accuracy)}, in ${duration(seconds)}.`),
    h("div", { class: "table-scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ...["Place", "Right there", "Predicted", "Accuracy where it is right", ""].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...places.map((place) => h("tr", {},
        h("th", { scope: "row" }, String.fromCharCode(65 + place.position)),
        h("td", { class: "number" }, `${place.gold} (${percent(place.gold / accuracy.total)})`),
        h("td", { class: "number" }, `${place.predicted} (${percent(place.predicted / accuracy.total)})`),
        h("td", { class: "number" }, percent(place.accuracy.value)),
        h("td", {}, accuracyBar(place.accuracy))))))));
}

customElements.define("position-bias", PositionBias);
