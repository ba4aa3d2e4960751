// One neuron's card: what its score is counted in, and which items its tooltips are of.

import { expect, test } from "vitest";
import type { Found } from "../../www/src/services/results";
import type { AttributionSettings } from "../../www/src/wire/engine";
import "../../www/src/views/neuron-card";
import { ACCURACY, attributed, attribution, madeOf, study } from "./studies";
import { set, show } from "./support";

const selected = { layer: 0, neuron: 1 };

/** The attribution at hand by other settings. */
function by(patch: Partial<AttributionSettings>): Found<"attribution"> {
  const { result, ...found } = attribution();
  return { ...found, result: { ...result, settings: { ...result.settings, ...patch } } };
}

test("a score has the unit of its target where it has one, and says how it is made of the items'", async () => {
  const view = await show("neuron-card", { study: study(), results: [], view: { selected } });
  const unit = async (patch: Partial<AttributionSettings>): Promise<string | undefined> => {
    await set({ results: [by(patch)] });
    return view.querySelector("dd small")?.textContent?.trim();
  };
  expect(view.querySelector("dd")?.textContent).toBe("–");
  expect(await unit({})).toBe("nats, signed mean");
  expect(await unit({ target: "top_logit", aggregate: "mean_absolute" })).toBe("logits, mean of absolute values");
  expect(await unit({ aggregate: "consensus_share" })).toBe("share of items");
  expect(await unit({ layer_scale: "maximum" })).toBe("signed mean");
  expect(await unit({ target: "gold_margin" })).toBe("logits, signed mean");
  for (const method of ["wanda", "activation"] as const) expect(await unit({ method }), method).toBe("signed mean");
  for (const method of ["cosine", "random", "weight_norm"] as const) expect(await unit({ method }), method).toBe("");
});

test("a neuron's rank is known from the scores alone", async () => {
  const { result, ...found } = attribution();
  const scores = Float32Array.from([0.5, -2, 0, 2, 0, 0, 3, 0]);
  const view = await show("neuron-card", { study: study(), results: [{ ...found, result: { ...result, scores } }], view: { selected } });
  const rank = (): string | undefined => view.querySelectorAll("dd")[1]?.textContent;
  expect(rank()).toBe("2 of 8 by |score|");
  await set({ view: { selected: { layer: 0, neuron: 3 } } });
  expect(rank()).toBe("3 of 8 by |score|");
});

test("an item's tooltip is of the set that its number is of, though others have items of the same id", async () => {
  const item_sets = study().item_sets.map((one) => ({
    ...one,
    items: one.items?.map((item) => ({ ...item, context: `of ${one.name}` })) ?? [],
  }));
  const flipped = { id: "0", margin_change: 1, predicted_before: 0, predicted_after: 1 };
  const effect = { set: "t", before: ACCURACY, after: ACCURACY, margin_change: 1, items: [flipped] };
  const card: Found<"card"> = {
    kind: "card",
    made_of: [madeOf("t"), attributed()],
    result: { ...selected, address: "", score: 1, rank: 1, items: [{ id: "0", score: 1 }], effect },
  };
  const view = await show("neuron-card", { study: study({ item_sets }), results: [attribution(), card], view: { selected } });
  expect(view.querySelector(".item-bars li")?.getAttribute("title")).toBe("of a");
  expect(view.querySelector(".flip-list li")?.getAttribute("title")).toBe("of t");
  // Choices are called by their letters, and the margin of log-likelihoods is not the gold margin, which is of logits.
  expect(view.querySelector(".flip-list li")?.textContent).toBe("0: A → B (+1.00 nats)");
  expect(view.querySelector(".effect")?.textContent).toContain("Log-likelihood margin");
});
