// Item sets: in from text and samples, edited, named, given roles; each change reaches the engine.

import { fetchCurrent, type SampleSet } from "../site";
import { ROLES } from "../roles";
import type { AnswersFrom, ExportFormat, Item, ItemSetSpec, ParsedItems, Prompting, Role, ScoringRule } from "../wire/engine";
import { EMPTY_STUDY, prompted, prompting, type PageSet, type Pruning } from "./edited";
import { engine, isEnd } from "./engine";
import { remembered, step, withMasks } from "./history";
import { report, toError } from "./jobs";
import { isEqual } from "./made-of";
import { renamedSets, renamedShots, withRenamedMeans, type Names } from "./renaming";
import { scoresByOtherRules, withResult } from "./results";
import { store } from "./store";

/** Gives the engine a set and takes its hash. */
async function send(name: string): Promise<void> {
  if (store.state.engine.status !== "ready") return;
  const set = store.state.shown.sets.find((other) => other.name === name);
  if (!set) return;
  if (set.items.length === 0) {
    await engine.call("remove_items", [name]);
    return;
  }
  const { sha256 } = await engine.call("set_items", [{ name, items: set.items }]);
  if (set.sha256 === sha256) return;
  const { item_sets } = store.state.study;
  store.edit({ item_sets: item_sets.map((other) => (other.items === set.items ? { ...other, sha256 } : other)) });
}

/** Gives the engine everything it forgot with its worker. */
export async function sendAll(): Promise<void> {
  try {
    await sendPrompting();
  } catch (thrown) {
    // A visit may have ended before the engine could say so.
    report(thrown);
    store.edit({ template: EMPTY_STUDY.template });
    await sendPrompting();
  }
  await engine.call("set_rule", [{ rule: store.state.study.scoring.rule }]);
  for (const { name } of store.state.shown.sets) await send(name);
  await countByRule();
}

function remember(): void {
  const { study, history } = store.state;
  store.set({ history: remembered(history, study, "items") });
}

/** Gives the engine changed sets, at once: what is asked of it after this is asked of them. */
async function sendChanged(gone: readonly string[], changed: readonly string[]): Promise<void> {
  if (store.state.engine.status !== "ready") return;
  await Promise.all([...gone.map((name) => engine.call("remove_items", [name])), ...changed.map(send)]);
}

function isRead(set: ItemSetSpec): set is PageSet {
  return set.items !== undefined;
}

function changeSet(name: string, edit: (set: PageSet) => PageSet): void {
  remember();
  const { item_sets } = store.state.study;
  store.edit({ item_sets: item_sets.map((set) => (set.name === name && isRead(set) ? edit(set) : set)) });
  sendChanged([], [name]).catch(report);
}

export function undoItems(): void {
  const { study, history } = store.state;
  const taken = step(history, "undo", study, "items");
  if (taken?.change.of !== "items") return;
  const { item_sets, shots } = taken.change;
  store.set({ history: taken.history });
  const isIn = (all: readonly ItemSetSpec[]): boolean => all.some((set) => set.name === shots);
  const gaveShots = shots !== undefined && isIn(item_sets) && !isIn(study.item_sets);
  place(item_sets);
  // The change took the set away that shots were drawn from: it gives them again.
  if (!gaveShots) return;
  store.view({ notice: null });
  setPrompting(({ few_shot }) => (few_shot ? { few_shot: { ...few_shot, set: shots } } : null)).catch(report);
}

/** Replaces all sets; whatever is the same keeps its results. */
export function replaceSets(sets: ItemSetSpec[]): void {
  remember();
  place(sets);
}

function place(sets: ItemSetSpec[]): void {
  const before = store.state.study.item_sets;
  store.edit({ item_sets: sets });
  // What was remembered before its hash was known has to get it again.
  const same = (set: ItemSetSpec): boolean =>
    before.some((old) => old.name === set.name && old.items === set.items && old.sha256 === set.sha256);
  const gone = before.filter((old) => !sets.some((set) => set.name === old.name)).map((set) => set.name);
  const changed = sets.filter((set) => !same(set)).map((set) => set.name);
  sendChanged(gone, changed).catch(report);
  const names = renamedSets(before, sets);
  if (names.size > 0) followMeans(names);
  followShots(before);
}

/** Masks and searches of means over a set that is called otherwise now are still of it, masks that can be had back as well. */
function followMeans(names: Names): void {
  const { study, history } = store.state;
  const follow = <P extends Pruning>(pruning: P): P => {
    const mask = withRenamedMeans(pruning.mask, names);
    return mask === pruning.mask ? pruning : { ...pruning, mask };
  };
  store.set({ history: withMasks(history, follow) });
  store.edit({
    search: withRenamedMeans(study.search, names),
    pruning: follow(study.pruning),
    kept_masks: study.kept_masks.map(follow),
  });
}

/** Shots of a set that is called otherwise now are still of it; those of one that is gone come from each set itself. */
function followShots(before: readonly ItemSetSpec[]): void {
  const { study } = store.state;
  const set = study.few_shot?.set;
  if (set === undefined || study.item_sets.some(({ name }) => name === set)) return;
  const renamed = renamedShots(study.few_shot, renamedSets(before, study.item_sets));
  if (!renamed) store.view({ notice: `The set “${set}” is gone: shots are now drawn from each set itself.` });
  setPrompting(({ few_shot }) => {
    const { set: _, ...own } = few_shot ?? { k: 0 };
    return { few_shot: renamed ?? own };
  }).catch(report);
}

/** What speaks against a set's name: another one is called so; null where nothing does. */
function againstName(name: string): string | null {
  return store.state.study.item_sets.some((set) => set.name === name) ? `Another set is called “${name}”.` : null;
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let count = 2; againstName(name) !== null; count += 1) name = `${wanted}-${count}`;
  return name;
}

/** Roles that a new set takes: it is tested on, and does what no other set does yet. */
function freeRoles(): Role[] {
  const taken = new Set(store.state.study.item_sets.flatMap((set) => set.roles));
  const roles: Role[] = ["test"];
  if (!taken.has("attribution")) roles.unshift("attribution");
  if (!taken.has("validation")) roles.push("validation");
  return roles;
}

/** Adds items as a set of their own; `sample` is the bundled one that they all are of. */
export function addSet(wanted: string, items: Item[], sample?: string): void {
  const name = freeName(wanted);
  const set: PageSet = { name, roles: freeRoles(), items, sha256: "", ...(sample === undefined ? {} : { sample }) };
  replaceSets([...store.state.study.item_sets, set]);
}

export function removeSet(name: string): void {
  replaceSets(store.state.study.item_sets.filter((set) => set.name !== name));
}

/** What speaks against the new name; null where nothing does. */
export function renameSet(name: string, wanted: string): string | null {
  const renamed = wanted.trim();
  if (renamed === "" || renamed === name) return null;
  const against = againstName(renamed);
  if (against === null) replaceSets(store.state.study.item_sets.map((set) => (set.name === name ? { ...set, name: renamed } : set)));
  return against;
}

/** Only one set is attributed; validation and test may be several. */
export function setRole(name: string, role: Role, on: boolean): void {
  remember();
  const sets = store.state.study.item_sets.map((set) => {
    const others = set.roles.filter((other) => other !== role);
    if (set.name === name) return { ...set, roles: on ? [...others, role] : others };
    return role === "attribution" && on ? { ...set, roles: others } : set;
  });
  store.edit({ item_sets: sets });
}

/** A set with other items: they are of no sample any more. */
function edited({ name, roles }: PageSet, items: Item[]): PageSet {
  return { name, roles, items, sha256: "" };
}

export function updateItem(name: string, index: number, item: Item): void {
  changeSet(name, (set) =>
    edited(
      set,
      set.items.map((old, at) => (at === index ? item : old)),
    ),
  );
}

export function deleteItem(name: string, index: number): void {
  changeSet(name, (set) =>
    edited(
      set,
      set.items.filter((_, at) => at !== index),
    ),
  );
}

export function addItem(name: string): void {
  changeSet(name, (set) => {
    const ids = new Set(set.items.map((item) => item.id));
    let count = set.items.length + 1;
    while (ids.has(`item-${count}`)) count += 1;
    const item: Item = { id: `item-${count}`, context: "", choices: ["yes", "no"], gold: 0 };
    return edited(set, [...set.items, item]);
  });
}

/** Deals a set out to the three roles, stratified by the place of the right choice. */
export async function splitSet(name: string, shares: number[], seed: number): Promise<void> {
  const set = store.state.shown.sets.find((other) => other.name === name);
  if (!set || set.items.length < 3) return;
  const parts = await engine.call("split", [{ items: set.items, shares, seed }]);
  const now = store.state.study.item_sets;
  // It was changed or removed while the engine was busy.
  if (now.find((other) => other.name === name)?.items !== set.items) return splitSet(name, shares, seed);
  const others = now
    .filter((other) => other.name !== name)
    .map((other) => ({
      ...other,
      roles: other.roles.filter((role) => role !== "attribution"),
    }));
  const made = parts.map((items, part): PageSet => {
    const role = ROLES[part] as Role;
    const own = { name: freeName(`${name}-${role}`), roles: [role], items, sha256: "" };
    // A part of a part has no name in a study; its items travel with it.
    const { sample, first, count } = set;
    if (sample === undefined || set.split) return own;
    return {
      ...own,
      sample,
      ...(first === undefined ? {} : { first }),
      ...(count === undefined ? {} : { count }),
      split: { seed, shares, part },
    };
  });
  replaceSets([...others, ...made]);
}

/** A set's items as the text of a file. */
export function exportItems(name: string, format: ExportFormat): Promise<string> {
  const items = store.state.shown.sets.find((set) => set.name === name)?.items ?? [];
  return engine.call("export_items", [{ items, format }]);
}

/** Reads text as items; the engine does the reading. */
export function parse(text: string, answersFrom?: AnswersFrom): Promise<ParsedItems> {
  return engine.call("parse_items", [{ text, ...(answersFrom === undefined ? {} : { answers_from: answersFrom }) }]);
}

const fetched = new Map<string, Promise<string>>();

/** Text of a bundled sample. */
export function sampleText(sample: SampleSet): Promise<string> {
  const known = fetched.get(sample.name);
  if (known) return known;
  const text = fetchCurrent(`models/items/${sample.file}`).then((response) => {
    if (!response.ok) throw new Error(`${sample.file} cannot be fetched (status ${response.status})`);
    return response.text();
  });
  fetched.set(sample.name, text);
  text.catch(() => fetched.delete(sample.name));
  return text;
}

/** Items of a bundled sample by name. */
export async function sampleItems(name: string): Promise<Item[]> {
  const sample = store.state.engine.samples.find((other) => other.name === name);
  if (!sample) {
    throw { code: "study", message: `there is no sample set ${name} here`, hint: "Is the page of another version?" };
  }
  return (await parse(await sampleText(sample))).items;
}

/** Tells the engine how items are put to the model, and takes what it calls a template. */
async function sendPrompting(): Promise<void> {
  const asked = prompting(store.state.study);
  const { template } = await engine.call("set_prompting", [asked]);
  // One of its own that is a bundled one has that one's name.
  if (store.state.study.template === asked.template && typeof template !== typeof asked.template) store.edit({ template });
}

/** What of the prompting is to be otherwise; null leaves it as it is. */
export type PromptingChange = (now: Prompting) => Partial<Prompting> | null;

/** The job before it was cancelled or crashed and took the engine with it: the next one is told the settings as they are. */
function isOver(thrown: unknown): boolean {
  const error = toError(thrown);
  return error.code === "cancelled" || isEnd(error);
}

/** Changes how items are put to the model: template, shots, order of the choices. What the engine says is wrong is taken
 * back. */
export async function setPrompting(change: PromptingChange): Promise<void> {
  const { study } = store.state;
  const before = prompting(study);
  const changed = change(before);
  if (!changed) return;
  const after = { ...before, ...changed };
  store.set({ study: prompted(study, after) });
  if (store.state.engine.status !== "ready") return;
  try {
    await sendPrompting();
  } catch (thrown) {
    if (isOver(thrown)) return;
    const now = prompting(store.state.study);
    const isStill = (key: keyof Prompting): boolean => key in changed && isEqual(now[key], after[key]);
    const taken = Object.fromEntries((Object.keys(before) as (keyof Prompting)[]).filter(isStill).map((key) => [key, before[key]]));
    store.set({ study: prompted(store.state.study, { ...now, ...taken }) });
    throw thrown;
  }
}

/** Changes by which number a choice is predicted. Log-likelihoods do not depend on it: scores are counted anew. */
export async function setRule(rule: ScoringRule): Promise<void> {
  store.edit({ scoring: { ...store.state.study.scoring, rule } });
  if (store.state.engine.status !== "ready") return;
  try {
    await Promise.all([engine.call("set_rule", [{ rule }]), countByRule()]);
  } catch (thrown) {
    if (!isOver(thrown)) throw thrown;
  }
}

/** Counts scores by the rule of the study where there are some by another one. */
export async function countByRule(): Promise<void> {
  const { study, results } = store.state;
  const others = scoresByOtherRules(study, results);
  if (others.length === 0) return;
  const scores = others.map(({ result, made_of }) => ({ ...result, made_of }));
  const counted = await engine.call("by_rule", [{ rule: study.scoring.rule, scores }]);
  for (const { made_of, ...result } of counted) {
    store.set({ results: withResult(store.state.results, { kind: "scores", result, made_of }) });
  }
}
