import { expect, test } from "vitest";
import type { Accuracy } from "../../www/src/wire/engine";
import { accuracyBar, beforeAfter, mark } from "../../www/src/views/accuracy";
import { draw } from "./support";

const HALF: Accuracy = { value: 0.5, correct: 2, total: 4, low: 0.25, high: 0.75 };
const ALL: Accuracy = { value: 1, correct: 4, total: 4, low: 0.5, high: 1 };

function attributes(selector: string, names: string[]): (string | undefined)[][] {
  return [...document.querySelectorAll(selector)].map((element) => names.map((name) => element.getAttribute(name)?.replace(/\s/g, " ")));
}

test("accuracies stand on a line from 0 at 4 to 1 at 196, with their intervals", () => {
  draw(accuracyBar(HALF, ALL));
  expect(attributes("circle", ["cx", "cy"])).toEqual([
    ["100", "7"],
    ["196", "15"],
  ]);
  expect(attributes(".whisker", ["x1", "x2"])).toEqual([
    ["52", "148"],
    ["100", "196"],
  ]);
  expect(attributes("svg", ["viewBox", "aria-label"])).toEqual([
    ["0 0 200 22", "before 50.0 % of 4 (95 % Wilson interval 25.0–75.0 %), after 100.0 % of 4 (95 % Wilson interval 50.0–100.0 %)"],
  ]);
  draw(accuracyBar(HALF));
  expect(attributes("circle", ["cx"])).toEqual([["100"]]);
});

test("a change is said in points; marks that are not seen in a name are", () => {
  draw(beforeAfter("a\u200bb", HALF, ALL));
  const [head, foot] = [...document.querySelectorAll(".row")].map((row) => row.textContent?.replace(/\s+/g, " ").trim());
  expect(head).toBe("a⟨U+200B⟩b 50.0 → 100.0 %");
  expect(foot).toBe("+50.0 points 50.0–100.0 %, n = 4");
});

test("right and wrong are told by sign and by word", () => {
  draw(mark(false));
  expect(document.body.textContent).toBe("✗ wrong");
});
