// What a link's study came to.

import { expect, test } from "vitest";
import "../../www/src/views/link-panel";
import type { Reproduction, SharedStudy } from "../../www/src/wire/engine";
import lesson from "../../models/lesson-planted/report.json";
import { ACCURACY } from "./studies";
import { show } from "./support";

test("the table says which accuracies are with the mask, and the note what the link carries", async () => {
  const of = (name: string, isMasked: boolean) => ({
    set: name,
    before: ACCURACY,
    ...(isMasked ? { after: ACCURACY } : {}),
    predicted: [0],
    log_likelihoods: [-1],
  });
  const shared = { study: lesson.study, expected: { sets: [of("a", false), of("t", true)] } } as unknown as SharedStudy;
  const reproduction = {
    mask_identical: true,
    accuracy_identical: true,
    predictions_identical: true,
    predictions_compared: 3,
    largest_log_likelihood_difference: 0,
    log_likelihoods_compared: 2,
    log_likelihoods_close: true,
    beside: [],
    other_precision: null,
    sets: ["a", "t"].map((name) => ({ set: name, expected: ACCURACY, measured: ACCURACY })),
    message: "All the same.",
  } as Reproduction;
  const view = await show("link-panel", { view: { shared, reproduction } });
  const rows = [...view.querySelectorAll("tbody tr")].map((row) =>
    [...row.querySelectorAll("td")].map(({ textContent }) => textContent.trim()),
  );
  expect(rows.map(([name, masked]) => [name, masked])).toEqual([
    ["a", "without"],
    ["t", "with"],
  ]);
  expect(view.querySelector(".verdict .note")?.textContent).toContain("those of the first 1 item of a set alone");
});
