// What becomes of the pruned neurons, as it is chosen on the page.

import { afterEach, expect, test, vi } from "vitest";
import { operationText } from "../../www/src/format";
import { store } from "../../www/src/services/store";
import type { ChangeRequest, Mask } from "../../www/src/wire/engine";
import "../../www/src/views/mask-operation";
import { mask, study } from "./studies";
import { answer, control, drawn, enter, set, show } from "./support";

const atHand = (): Mask => store.state.study.pruning.mask;

function choose(view: HTMLElement, operation: string): void {
  const field = control<HTMLSelectElement>(view, "operation");
  field.value = operation;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

afterEach(() => vi.restoreAllMocks());

test("an operation is chosen, a factor within its range, and means over the items of the attribution", async () => {
  answer((_, { mask: of, like }: ChangeRequest) => ({ ...like, layers: of.layers }));
  const model = { info: { sha256: "model" } } as never;
  const view = await show("mask-operation", { study: study({ pruning: { mask: mask(1, 2) } }), engine: { status: "ready", model } });
  expect(control<HTMLSelectElement>(view, "operation").value).toBe("zero");
  choose(view, "scale");
  await vi.waitFor(() => expect(atHand()).toMatchObject({ operation: "scale", factor: 0.5 }));
  await drawn();
  const factor = control(view, "factor");
  expect([factor.min, factor.max]).toEqual(["-1000", "1000"]);
  await enter(factor, "1000.5");
  expect([factor.value, view.querySelector(".warning")?.textContent]).toEqual(["0.5", "a number from -1000 to 1000"]);
  await enter(factor, "-2");
  await vi.waitFor(() => expect(atHand().factor).toBe(-2));
  choose(view, "mean");
  await vi.waitFor(() => expect(atHand()).toMatchObject({ operation: "mean", means_of: "a" }));
  expect(atHand().factor).toBeUndefined();
  await drawn();
  expect(view.textContent).toContain("of “a”");
});

test("without a set to take means over, the page says so and nothing is changed", async () => {
  const item_sets = study().item_sets.filter(({ name }) => name !== "a");
  const view = await show("mask-operation", {
    study: study({ item_sets, pruning: { mask: mask(1) } }),
    engine: { status: "ready", model: { info: { sha256: "model" } } as never },
  });
  choose(view, "mean");
  await drawn();
  expect(store.state.view.notice).toContain("role attribution");
  expect([atHand().operation, control<HTMLSelectElement>(view, "operation").value]).toEqual(["zero", "zero"]);
  await set({ engine: { model: null } });
  expect(control<HTMLSelectElement>(view, "operation").disabled).toBe(true);
});

test("an operation in words", () => {
  expect(operationText({ operation: "zero" })).toBe("set to zero");
  expect(operationText({ operation: "scale", factor: -0.5 })).toBe("multiplied by −0.5");
  expect(operationText({ operation: "mean", means_of: "a" })).toBe("set to their mean over “a”");
  expect(operationText({ operation: "mean" })).toBe("set to their mean");
});
