// The page's comparison of stamps is the engine's: both are held to the same cases (`src/study/made_of.rs` reads them too).

import { expect, test } from "vitest";
import { differences, isEqual, isSame } from "../../www/src/services/made-of";
import type { MadeOf } from "../../www/src/wire/engine";
import cases from "../fixtures/made-of.json";

for (const { what, a, b, differences: expected } of cases as unknown as { what: string; a: MadeOf; b: MadeOf; differences: string[] }[]) {
  test(what, () => {
    expect(differences(a, b)).toEqual(expected);
    expect(differences(b, a)).toEqual(expected);
    expect(isSame([a, a], [b, a])).toBe(expected.length === 0);
  });
}

test("results of more sets are others", () => {
  expect(isSame([{ items: "1" }], [{ items: "1" }, { items: "1" }])).toBe(false);
});

test("what is not there is as good as null, and a list is no record", () => {
  expect(isEqual({ a: 1 }, { a: 1, b: null })).toBe(true);
  expect(isEqual({ a: { b: [1, 2] } }, { a: { b: [1, 3] } })).toBe(false);
  expect(isEqual([], {})).toBe(false);
  expect(isEqual(null, {})).toBe(false);
});
