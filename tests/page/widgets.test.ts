import { html } from "lit";
import { expect, test, vi } from "vitest";
import { typed } from "../../www/src/views/typed";
import { askName, numbers, numeric, options, pager } from "../../www/src/views/widgets";
import { control, draw, enter, type } from "./support";

function field(value: string): HTMLInputElement {
  return control(draw(html`<input data-key="field" .value=${typed(value)}>`), "field");
}

test("a field follows its value, but not while somebody types in it", () => {
  expect(field("8").value).toBe("8");
  type(field("8"), "3");
  expect(field("16").value).toBe("3");
  // Nothing came of the typing: the field says what is in force by now.
  field("16").dispatchEvent(new Event("blur"));
  expect(field("16").value).toBe("16");
});

test("what was typed and taken gives way to what came of it", async () => {
  await enter(field("8"), " 3");
  expect(field("3").value).toBe("3");
});

test("a number is taken within its range; another one gives way to the last, with the range in words", async () => {
  const take = vi.fn();
  const input = control(draw(numeric("Seed", "seed", 4, { min: 0, max: 9, step: 1 }, take)), "seed");
  await enter(input, "7");
  expect(take).toHaveBeenCalledExactlyOnceWith(7);
  for (const wrong of ["-1", "10", "1.5", ""]) {
    await enter(input, wrong);
    expect(input.value).toBe("4");
    expect(document.querySelector(".warning")?.textContent).toBe("a whole number from 0 to 9");
  }
  type(input, "5");
  expect(document.querySelector(".warning")?.textContent).toBe("");
  expect(take).toHaveBeenCalledOnce();
});

test("a list of numbers is taken in order, and what is none of them is said until something else is typed", async () => {
  const take = vi.fn();
  const input = control(
    draw(numbers("Layers", "layers", [2], { is: (value) => value < 4, what: "numbers below 4", ifEmpty: "all" }, take)),
    "layers",
  );
  await enter(input, "3 1, 3");
  expect(take).toHaveBeenLastCalledWith([1, 3]);
  await enter(input, "1, five");
  expect(take).toHaveBeenCalledOnce();
  expect([input.value, document.querySelector(".warning")?.textContent]).toEqual(["2", "numbers below 4, separated by commas; not “five”"]);
  type(input, "");
  expect(document.querySelector(".warning")?.textContent).toBe("");
  await enter(input, "");
  expect(take).toHaveBeenLastCalledWith([]);
});

test("a name is asked for again until there is nothing against it", () => {
  const asked: string[] = [];
  const given = ["taken", "free"];
  vi.stubGlobal("prompt", (text: string, value: string) => {
    asked.push(`${text}: ${value}`);
    return given.shift() ?? null;
  });
  askName("the set", "old", (wanted) => (wanted === "taken" ? "Another set is called so." : null));
  vi.unstubAllGlobals();
  expect(asked).toEqual(["Name of the set: old", "Another set is called so.\n\nName of the set: taken"]);
});

test("a select shows what is taken from its first draw on, and again after a choice that came to nothing", () => {
  const rule = (taken: string): HTMLSelectElement =>
    control(
      draw(
        html`<select data-key="rule">${options(
          [
            ["sum", "Sum"],
            ["mean", "Mean"],
          ],
          taken,
        )}</select>`,
      ),
      "rule",
    );
  expect(rule("mean").value).toBe("mean");
  rule("mean").value = "sum";
  expect(rule("mean").value).toBe("mean");
});

test("a pager ends at the first and the last page, and is not there for one", () => {
  const turn = vi.fn();
  const buttons = (page: number, pages: number): HTMLButtonElement[] => [
    ...draw(pager("p", page, pages, "shown", turn)).querySelectorAll("button"),
  ];
  expect(buttons(0, 3).map((button) => button.disabled)).toEqual([true, false]);
  expect(buttons(0, 3).map((button) => button.getAttribute("aria-label"))).toEqual(["Previous page", "Next page"]);
  buttons(0, 3)[1]?.click();
  expect(turn).toHaveBeenLastCalledWith(1);
  expect(buttons(2, 3).map((button) => button.disabled)).toEqual([false, true]);
  expect(buttons(0, 1)).toEqual([]);
});
