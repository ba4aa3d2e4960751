// What is shown of what was found follows from the study alone: changed, and changed back, renamed, under another mask.

import { expect, test } from "vitest";
import { prompted, prompting } from "../../www/src/services/edited";
import {
  holds,
  NOTHING,
  ofStudy,
  scoresByOtherRules,
  shownResults,
  withResult,
  type Found,
  type Shown,
} from "../../www/src/services/results";
import type { EditedStudy } from "../../www/src/services/edited";
import type { ItemSetSpec, NeuronCard } from "../../www/src/wire/engine";
import { attributed, attribution, madeOf, mask, pruned, race, scores, search, set, study } from "./studies";

function shown(of: EditedStudy, ...found: Found[]): Shown {
  return shownResults(of, found, { ...NOTHING, selected: { layer: 0, neuron: 1 } });
}

test("a result is shown for as long as the study is what it was made of, and again once it is", () => {
  const found = [scores("t"), attribution(), search()];
  const isWhole = (of: EditedStudy): boolean => {
    const {
      scores: { t },
      attribution,
      search,
    } = shown(of, ...found);
    return t !== undefined && attribution !== null && search !== null;
  };
  const now = study();
  expect(isWhole(now)).toBe(true);
  const changes: Partial<EditedStudy>[] = [
    { template: "lettered@1" },
    { few_shot: { k: 1 } },
    { choice_order: { seed: 0 } },
    { scoring: { rule: "per_byte" } },
    { model: { ...now.model, sha256: "another" } },
    { model: { ...now.model, precision: "int8" } },
    { item_sets: now.item_sets.map((other) => ({ ...other, sha256: `${other.sha256}!` })) },
  ];
  for (const change of changes) {
    const { scores, attribution, search } = shown(study(change), ...found);
    expect([scores, attribution, search], JSON.stringify(change)).toEqual([{}, null, null]);
  }
  // Neither of these is a part of scores.
  expect(isWhole(study({ pruning: { mask: mask(1) }, seed: 5 }))).toBe(true);
});

test("what is shown stays the same object while nothing of it changes", () => {
  const found = [pruned(mask(1), "t", "u")];
  const under = { pruning: { mask: mask(1) } };
  expect(shown(study(under), ...found).pruned).toBe(shown(study(under), ...found).pruned);
  expect(shown(study(under), ...found).pruned).toBe(found[0]?.result);
  const fewer = { ...under, item_sets: study().item_sets.slice(0, 3) };
  expect(shown(study(fewer), ...found).pruned).toBe(shown(study(fewer), ...found).pruned);
});

test("of a measured mask those sets are shown that are reported on and whose items are the same", () => {
  const found = pruned(mask(1), "t", "u");
  const under = (patch: Partial<EditedStudy> = {}) => study({ pruning: { mask: mask(1) }, ...patch });
  const names = (of: EditedStudy): string[] => shown(of, found).pruned?.sets.map(({ set }) => set) ?? [];
  expect(names(under())).toEqual(["t", "u"]);
  expect(names(study({ pruning: { mask: mask(1, 2) } }))).toEqual([]);
  const changed = (patch: Partial<ItemSetSpec>) =>
    under({ item_sets: study().item_sets.map((other) => (other.name === "u" ? { ...other, ...patch } : other)) });
  expect(names(changed({ sha256: "edited" }))).toEqual(["t"]);
  expect(names(changed({ roles: ["validation"] }))).toEqual(["t"]);
  // Of two, that of most sets is shown.
  expect(shown(under(), pruned(mask(1), "u"), found).pruned?.sets).toHaveLength(2);
});

test("results follow the items, whatever their set is called", () => {
  const renamed = study({ item_sets: [set("a", "A", "attribution"), set("picked", "V", "validation"), set("moved", "T", "test")] });
  const { scores: found, search: by } = shown(renamed, scores("t"), attribution(), search());
  expect(found["moved"]).toMatchObject({ set: "moved", warnings: ["of `moved`"] });
  expect(by?.sets).toEqual(["picked"]);
  // Another set of that name has other items.
  const other = study({ item_sets: [set("t", "X", "test"), set("moved", "T", "test")] });
  expect(Object.keys(shown(other, scores("t")).scores)).toEqual(["moved"]);
});

test("a set that is called as what every object has is a set like others", () => {
  const sets = ["constructor", "__proto__"].map((name) => set(name, name.toUpperCase(), "test"));
  const none = shown(study({ item_sets: sets }));
  const all = shown(study({ item_sets: sets }), ...sets.map(({ name }) => scores(name)));
  for (const { name } of sets) {
    expect([none.scores[name], none.effects[name]]).toEqual([undefined, undefined]);
    expect(all.scores[name]?.set).toBe(name);
  }
});

test("shots are a part of a result by their items", () => {
  const stamp = { shots: "U", prompting: { template: "plain@1", few_shot: { k: 2 } } };
  const shots = (name: string) => study({ few_shot: { k: 2, set: name } });
  expect(shown(shots("u"), scores("t", stamp)).scores["t"]).toBeDefined();
  expect(shown(shots("v"), scores("t", stamp)).scores["t"]).toBeUndefined();
  expect(shown(study(), scores("t", stamp)).scores["t"]).toBeUndefined();
  expect(shown(shots("gone"), scores("t", stamp)).scores["t"]).toBeUndefined();
});

test("a search is of the attribution that is shown, and of all validation sets", () => {
  expect(shown(study(), search()).search).toBeNull();
  expect(shown(study(), search(), attribution(8)).search).not.toBeNull();
  expect(shown(study(), search(), attribution(4), attribution(8)).search).toBeNull();
  const more = study({ item_sets: [...study().item_sets, set("w", "W", "validation")] });
  expect(shown(more, search(), attribution()).search).toBeNull();
});

test("a race is of its own settings, whatever attribution is there", () => {
  expect(shown(study(), race()).race).not.toBeNull();
  expect(shown(study(), race(), attribution()).race).not.toBeNull();
  expect(shown(study({ template: "lettered@1" }), race()).race).toBeNull();
});

test("a text's score is of the model and of the mask, and of no set", () => {
  const text = { tokens: 2, bytes: 8, log_likelihood: -2, perplexity: Math.E, bits_per_byte: 0.36 };
  const { set: _, items: __, prompting: ___, rule: ____, ...model } = madeOf("t");
  const found: Found<"general"> = { kind: "general", result: { before: text, after: text }, made_of: [{ ...model, mask: mask(1) }] };
  const under = study({ pruning: { mask: mask(1) } });
  expect(shown(under, found).general).toBe(found.result);
  expect(holds(found, under, shown(under))).toBe(true);
  expect(shown({ ...under, template: "lettered@1", item_sets: [] }, found).general).toBe(found.result);
  expect(shown(study({ pruning: { mask: mask(2) } }), found).general).toBeNull();
  expect(shown({ ...under, model: { ...under.model, sha256: "another" } }, found).general).toBeNull();
});

test("a card is the selected neuron's, and has its scores where there is an attribution", () => {
  const card = (neuron: number, of: Found["made_of"]): Found<"card"> => ({
    kind: "card",
    result: { layer: 0, neuron, effect: { set: "t" } } as unknown as NeuronCard,
    made_of: of,
  });
  const withScores = card(1, [madeOf("t"), attributed()]);
  expect(shown(study(), withScores, attribution()).card).not.toBeNull();
  expect(shown(study(), withScores).card).toBeNull();
  expect(shown(study(), card(2, [madeOf("t"), attributed()]), attribution()).card).toBeNull();
  expect(shown(study(), card(1, [madeOf("t")]), attribution()).card).toBeNull();
  expect(withResult([withScores], card(2, withScores.made_of))).toHaveLength(2);
});

test("a later result of the same takes the place of the former, and each kind has so much room", () => {
  expect(withResult([scores("t"), scores("u")], scores("t")).map(({ made_of: [of] }) => of?.set)).toEqual(["t", "u"]);
  let results: Found[] = [scores("t")];
  for (let steps = 1; steps <= 20; steps += 1) results = withResult(results, attribution(steps));
  expect(results).toHaveLength(14);
  expect(results[0]?.made_of[0]?.settings?.steps).toBe(20);
  expect(results.at(-1)?.kind).toBe("scores");
  // What is shown stays, however old it is.
  const first = attribution(0);
  results = [first];
  for (let steps = 1; steps <= 20; steps += 1) results = withResult(results, attribution(steps), [first]);
  expect(results).toHaveLength(14);
  expect(results.at(-1)).toBe(first);
});

test("whether a result holds is known when it comes", () => {
  const now = study();
  expect(holds(attribution(), now, shown(now))).toBe(true);
  expect(holds(scores("t", { rule: "per_byte" }), now, shown(now))).toBe(false);
});

test("scores by another rule are counted where none by the rule are there", () => {
  const byte = study({ scoring: { rule: "per_byte" } });
  expect(scoresByOtherRules(byte, [scores("t"), scores("u"), scores("u", { rule: "per_byte" })]).map(({ result }) => result.set)).toEqual([
    "t",
  ]);
  expect(scoresByOtherRules(byte, [scores("t", { items: "other" })])).toEqual([]);
  const most = scores("t", { rule: "mutual_information" });
  most.result = { ...most.result, accuracy_mutual_information: most.result.accuracy };
  expect(scoresByOtherRules(byte, [scores("t"), most])[0]).toBe(most);
});

test("results of a document are of the study beside them", () => {
  const of = study({ pruning: { mask: mask(1) } });
  const made = ofStudy(
    of,
    [pruned(mask(1), "t", "u"), search(), attribution(), scores("t")].map(({ kind, result }) => ({ kind, result })) as never,
  );
  const { scores: found, attribution: one, search: two, pruned: three } = shown(of, ...made);
  expect([found["t"], one, two, three].every((result) => (result ?? null) !== null)).toBe(true);
  expect(shown(prompted(of, { ...prompting(of), template: "lettered@1" }), ...made).chosen).toEqual([]);
  expect(shown({ ...of, pruning: { mask: mask() } }, ...made).pruned).toBeNull();
});
