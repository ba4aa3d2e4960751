// Sentences on results say what the numbers do.

import { expect, test } from "vitest";
import { auditVerdict, cellLuck, generalVerdict, luckVerdict, placed, raceVerdict } from "../../www/src/verdicts";
import type { Accuracy, Audit, Race, SearchReport } from "../../www/src/wire/engine";
import { ACCURACY, estimated, race, search } from "./studies";

function raced(...methods: [Race["methods"][number]["settings"]["method"], number, number?][]): Race {
  const { result } = race();
  const best = Math.max(...methods.map(([, value]) => value));
  const of = ([method, value, half = 0.2]: (typeof methods)[number]): Race["methods"][number] => ({
    settings: { ...result.settings, method },
    correlation: estimated(value),
    ...(value === best ? {} : { behind: estimated(best - value, half) }),
    found: estimated(0.6),
    by_layer: [value],
    seconds: 1,
  });
  return { ...result, percent: 5, methods: methods.map(of) };
}

test("a race names the method that comes closest, and whether the others can be told from it", () => {
  const other = raced(["integrated_gradients", 0.7], ["wanda", 0.8], ["random", 0]);
  expect(placed(other).map(({ settings }) => settings.method)).toEqual(["wanda", "integrated_gradients", "random"]);
  expect(raceVerdict(other)).toBe(
    "Closest to exact ablation here: Wanda score, rank correlation 0.80 (0.70 to 0.90). Of the 5 % of neurons that matter most it finds 60 %; "
      + "chance finds 5 %. Integrated Gradients, at 0.70, cannot be told from it by these items: it is behind by 0.10 (−0.10 to 0.30) on the same "
      + "resamples of the items.",
  );
  expect(raceVerdict(raced(["integrated_gradients", 0.5], ["wanda", 0.8]))).toContain(
    "Integrated Gradients, at 0.50, stays clearly behind, by 0.30 (0.10 to 0.50) on the same resamples of the items.",
  );
  // Where it is the best itself, it is held against the next one.
  expect(raceVerdict(raced(["wanda", 0.5], ["integrated_gradients", 0.9], ["activation", 0.6]))).toContain(
    "chance finds 5 %. Activation, at 0.60, stays clearly behind",
  );
});

test("a race that nobody wins says so", () => {
  expect(raceVerdict(raced(["integrated_gradients", 0.02], ["random", 0.05]))).toContain("better than chance does here");
});

function accuracy(value: number, half = 0.1): Accuracy {
  return { correct: value * 100, total: 100, value, low: value - half, high: value + half };
}

function audit(patch: Partial<Audit> = {}): Audit {
  const lengths = {
    longest_right: accuracy(0.3),
    longest_predicted: accuracy(0.3),
    shortest_right: accuracy(0.2),
    shortest_predicted: accuracy(0.2),
  };
  const way = (question: "removed" | "meaningless", value: number): Audit["asked"][number] => ({
    question,
    accuracy: accuracy(value),
    same_answer: accuracy(0.4),
    paired: null,
    refused: null,
  });
  return {
    set: "t",
    accuracy: accuracy(0.8),
    chance: 0.25,
    asked: [way("removed", 0.3), way("meaningless", 0.28)],
    position: {
      set: "t",
      orders: { kind: "cyclic" },
      depends_on_order: false,
      accuracy: accuracy(0.8),
      consistent: accuracy(1, 0),
      places: [],
      seconds: 1,
    },
    lengths,
    seconds: 1,
    ...patch,
  };
}

test("an audit says whether the questions are needed", () => {
  expect(auditVerdict(audit())).toBe("The model needs the questions: without them it is right in 30.0 %, and guessing has 25.0 %.");
  const [removed, meaningless] = audit().asked;
  if (!removed || !meaningless) throw new Error("both are asked");
  expect(auditVerdict(audit({ asked: [{ ...removed, accuracy: accuracy(0.6) }, meaningless] }))).toContain(
    "The choices alone give answers away: without its question the model is right in 60.0 %",
  );
  expect(auditVerdict(audit({ accuracy: accuracy(0.3) }))).toContain("cannot be told from guessing");
  expect(auditVerdict(audit({ accuracy: { ...accuracy(0.05), low: 0.022, high: 0.112 } }))).toBe(
    "On these items the model is clearly below guessing: it is right in 5.0 %, and guessing has 25.0 %. It follows something that points to wrong answers.",
  );
  const paired = { items: 100, both_right: 0, both_wrong: 0, improved: 1, worsened: 6, p_value: 0.125 };
  expect(auditVerdict(audit({ asked: [{ ...removed, paired }, meaningless] }))).toBe(
    "Without their questions it is right in 30.0 %, and guessing has 25.0 %; that differs from the 80.0 % with them, but 100 items are too few to be sure.",
  );
  const refused = { accuracy: null, same_answer: null, paired: null, refused: "no token" };
  const none = audit({ asked: [{ ...removed, ...refused }, meaningless] });
  expect(auditVerdict(none)).toContain("without them it is right in 28.0 %");
  expect(auditVerdict(audit({ asked: [{ ...removed, ...refused }] }))).toContain("cannot be asked without their questions");
});

test("an audit names a place or a length that the model prefers", () => {
  const { position, lengths } = audit();
  expect(auditVerdict(audit({ position: { ...position, depends_on_order: true, consistent: accuracy(0.2) } }))).toContain(
    "Its answers follow the places of the choices: 20.0 % of the items",
  );
  expect(auditVerdict(audit({ lengths: { ...lengths, longest_predicted: accuracy(0.7) } }))).toContain(
    "It prefers the longest choice: takes it in 70.0 % of the items, and it is right in 30.0 %.",
  );
});

function searched(best: number[], correct = 30): SearchReport {
  const { result } = search();
  const cells = result.cells.map((cell, index) => ({ ...cell, accuracy: { ...ACCURACY, total: 64, correct: index === 0 ? correct : 2 } }));
  return { ...result, cells, luck: { seed: 0, correct: [best, best.map(() => 1)], best } };
}

test("the best cell is held against the best cells of random surfaces", () => {
  expect(luckVerdict(search().result)).toBe("");
  const twenty = Array.from({ length: 20 }, (_, index) => 20 + (index % 5));
  expect(luckVerdict(searched(twenty))).toBe(
    "The best cell of 20 random surfaces (a random mask of its size in every cell) has 22.0 of 64 right on average (from 20 to 24); the best cell here has 30. Better than luck: "
      + "none of them does as well.",
  );
  expect(luckVerdict(searched([...twenty, 30]))).toContain("Not clearly better than luck: 1 of them does at least as well.");
  expect(luckVerdict(searched([...twenty, ...twenty, 30]))).toContain("Better than luck: only 1 of them does as well.");
  expect(luckVerdict(searched([20, 21, 22]))).toContain("Perhaps better than luck");
  expect(luckVerdict(searched([20, 31, 30]))).toContain("No better than luck: 2 of them do at least as well.");
});

test("a cell says what random masks of its size do", () => {
  expect(cellLuck(searched([5, 9, 1]), 0)).toBe("random masks of this size: median 5 right, best 9");
  expect(cellLuck(searched([5, 9, 1, 2]), 0)).toBe("random masks of this size: median 3.5 right, best 9");
  expect(cellLuck(search().result, 0)).toBe("");
});

test("what a mask costs in a text is said in three degrees", () => {
  const text = (perplexity: number) => ({ tokens: 1, bytes: 1, log_likelihood: 0, perplexity, bits_per_byte: 1 });
  const said = (after: number): string => generalVerdict({ before: text(20), after: text(after) });
  expect(said(20.4)).toBe("The mask costs hardly any general ability (+2.0 %).");
  expect(said(19)).toContain("(−5.0 %)");
  expect(said(25)).toContain("some general ability (+25.0 %)");
  expect(said(40)).toContain("much general ability (+100.0 %)");
});
