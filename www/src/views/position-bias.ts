// Does the model prefer a place in the list? The open set with its choices in several orders.

import { html, nothing, type TemplateResult } from "lit";
import { accuracyText, clip, count, duration, letter, percent, visible } from "../format";
import { measureBias } from "../services/actions";
import { LIMITS, type Orders, type PositionBias as Found } from "../wire/engine";
import { accuracyBar } from "./accuracy";
import { View, type Drawn, type Reads } from "./view";
import { choice, columns, numeric, ofNumbers } from "./widgets";

class PositionBias extends View {
  static override readonly properties = { set: { attribute: "data-set" } };
  protected readonly reads: Reads = ({ shown }) => [shown.bias, shown.sets, this.isBusy];
  /** Name of the set. */
  declare set: string | undefined;
  /** Once somebody opened or closed it. */
  #isOpen: boolean | null = null;
  #asked = { kind: "cyclic" as Orders["kind"], orders: 4, seed: 0 };

  protected override render(): Drawn {
    const { bias, sets } = this.state.shown;
    const set = sets.find((other) => other.name === this.set);
    if (!set || set.items.length === 0) return nothing;
    const { kind, orders, seed } = this.#asked;
    return html`<details class="position-bias" ?open=${this.#isOpen ?? bias?.set === set.name} @toggle=${({ currentTarget }: Event) => {
      this.#isOpen = (currentTarget as HTMLDetailsElement).open;
    }}>
      <summary>Position bias: does the model prefer a place in the list?</summary>
      <div class="tools">
        ${choice(
          "Orders",
          "bias-orders",
          [
            ["cyclic", "every rotation"],
            ["seeded", "seeded orders"],
          ],
          kind,
          (to) => this.#ask({ kind: to }),
        )}
        ${
          kind === "seeded"
            ? html`
          ${numeric("How many", "bias-count", orders, { min: 1, max: LIMITS.orders, step: 1 }, (to) => this.#ask({ orders: to }))}
          ${numeric("Seed", "bias-seed", seed, { min: 0, max: 2 ** 31, step: 1 }, (to) => this.#ask({ seed: to }))}`
            : nothing
        }
        <button data-key="measure-bias" ?disabled=${this.isBusy} @click=${() => void measureBias(set.name, this.#orders())}>Measure on “${clip(
          visible(set.name),
          30,
        )}”</button>
      </div>
      ${bias?.set === set.name ? result(bias) : nothing}
    </details>`;
  }

  /** As they are by now: a click may come before what was typed last is drawn. */
  #orders(): Orders {
    const { kind, orders, seed } = this.#asked;
    return kind === "cyclic" ? { kind } : { kind, orders, seed };
  }

  #ask(patch: Partial<{ kind: Orders["kind"]; orders: number; seed: number }>): void {
    Object.assign(this.#asked, patch);
    this.requestUpdate();
  }
}

function ordersText(orders: Orders): string {
  return orders.kind === "cyclic" ? "every rotation" : `${count(orders.orders, "order")} of seed ${orders.seed}`;
}

function result({ places, accuracy, consistent, depends_on_order, orders, seconds }: Found): TemplateResult {
  return html`<div data-result="bias">
    ${
      depends_on_order
        ? nothing
        : html`<p class="note">This template shows the model no list: each choice scores the same wherever it stands, so
      no place can be preferred. A lettered template shows one.</p>`
    }
    <p>${count(consistent.correct, "item")} of ${consistent.total} (${percent(consistent.value)}) get the same answer in every order. Over all
      orders (${ordersText(orders)}): ${accuracyText(accuracy)}, in ${duration(seconds)}.</p>
    <div class="table-scroll"><table>
      ${columns(["Place", ...ofNumbers("Right there", "Predicted", "Accuracy where it is right"), ""])}
      <tbody>${places.map(
        (place) => html`<tr>
        <th scope="row">${letter(place.position)}</th>
        <td class="number">${place.gold} (${percent(place.gold / accuracy.total)})</td>
        <td class="number">${place.predicted} (${percent(place.predicted / accuracy.total)})</td>
        <td class="number">${percent(place.accuracy.value)}</td>
        <td>${accuracyBar(place.accuracy)}</td>
      </tr>`,
      )}</tbody>
    </table></div>
  </div>`;
}

customElements.define("position-bias", PositionBias);
