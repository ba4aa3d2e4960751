// Item sets: in from text and samples, edited, named, given roles; each change reaches the engine.

import type { SampleSet } from "../site";
import { ROLES } from "../roles";
import type { AnswersFrom, Item, ParsedItems, Prompting, Role, ScoringRule, SetScores } from "../wire/engine";
import { engine, isEnd } from "./engine";
import { report, toError } from "./jobs";
import { renamedSets, renamedShots, type Names } from "./renaming";
import { followNames, putScores, scoresByAnyRule, setTold, settle } from "./results";
import { store, type PageSet, type State, type Wanted } from "./store";

/** The sets before a change, and the set that shots were drawn from. */
let history: { sets: PageSet[]; shots: string | undefined }[] = [];

/** The sets at hand are of another study: what was done before cannot be undone in it. */
export function forgetHistory(): void {
  history = [];
}

/** Gives the engine a set and takes its hash. */
async function send(name: string): Promise<void> {
  if (store.state.engine !== "ready") return;
  const set = store.state.sets.find((other) => other.name === name);
  if (!set) return;
  if (set.items.length === 0) {
    await engine.call("remove_items", [name]);
    return;
  }
  const { sha256 } = await engine.call("set_items", [{ name, items: set.items }]);
  if (set.sha256 === sha256) return;
  const { sets } = store.state;
  store.set({ sets: sets.map((other) => (other.items === set.items ? { ...other, sha256 } : other)) });
}

/** Gives the engine everything it forgot with its worker. */
export async function sendAll(): Promise<void> {
  const { sets, rule } = store.state;
  await engine.call("set_prompting", [prompting(store.state)]);
  await engine.call("set_rule", [{ rule, scores: [] }]);
  for (const { name } of sets) await send(name);
  takeWanted().catch(report);
}

function remember(): void {
  const { sets, few_shot } = store.state;
  history = [...history, { sets, shots: few_shot?.set }].slice(-100);
}

/** Gives the engine changed sets, at once: what is asked of it after this is asked of them. */
async function sendChanged(gone: readonly string[], changed: readonly string[]): Promise<void> {
  if (store.state.engine !== "ready") return;
  await Promise.all([...gone.map((name) => engine.call("remove_items", [name])), ...changed.map(send)]);
}

function changeSet(name: string, edit: (set: PageSet) => PageSet): void {
  remember();
  store.set({ sets: store.state.sets.map((set) => (set.name === name ? edit(set) : set)) });
  sendChanged([], [name]).catch(report);
}

export function canUndoItems(): boolean {
  return history.length > 0;
}

export function undoItems(): void {
  const last = history.at(-1);
  if (!last) return;
  history = history.slice(0, -1);
  const { sets, shots } = last;
  const isIn = (all: readonly PageSet[]): boolean => all.some((set) => set.name === shots);
  // The change took the set away that shots were drawn from: it gives them again.
  if (shots !== undefined && isIn(sets) && !isIn(store.state.sets)) {
    store.set({ notice: null });
    setPrompting(({ few_shot }) => (few_shot ? { few_shot: { ...few_shot, set: shots } } : null)).catch(report);
  }
  replaceSets(sets, false);
}

/** Replaces all sets; whatever is the same keeps its results. */
export function replaceSets(sets: PageSet[], isUndoable = true): void {
  const before = store.state.sets;
  if (isUndoable) remember();
  store.set({ sets });
  followNames(before);
  callShots(renamedSets(before, sets));
  forgetGoneShots();
  const same = (set: PageSet): boolean =>
    before.some((old) => old.name === set.name && old.items === set.items);
  const gone = before.filter((old) => !sets.some((set) => set.name === old.name)).map((set) => set.name);
  const changed = sets.filter((set) => !same(set)).map((set) => set.name);
  sendChanged(gone, changed).catch(report);
}

/** Shots of a set that is called otherwise now are still of it. The engine has nothing against that: it is so at once. */
function callShots(names: Names): void {
  for (const wanted of untaken) {
    const shots = renamedShots(wanted.few_shot, names);
    if (shots) wanted.few_shot = shots;
  }
  const few_shot = renamedShots(store.state.few_shot, names);
  if (!few_shot) return;
  store.set({ few_shot });
  setPrompting(({ few_shot: now }) => now && { few_shot: now }).catch(report);
}

/** Shots of a set that is gone come from each set itself. */
function forgetGoneShots(): void {
  const gone = ({ few_shot, sets }: Readonly<State>): string | null =>
    few_shot?.set === undefined || sets.some((set) => set.name === few_shot.set) ? null : few_shot.set;
  const set = gone({ ...store.state, ...store.state.wanted });
  if (set === null) return;
  store.set({ notice: `The set “${set}” is gone: shots are now drawn from each set itself.` });
  setPrompting((now) => {
    if (!now.few_shot || gone(now) === null) return null;
    const { set: _, ...own } = now.few_shot;
    return { few_shot: own };
  }).catch(report);
}

/** Whether a set cannot be called so: another one is, or it is what every object has, as `constructor`. */
function isTaken(name: string): boolean {
  return name in {} || store.state.sets.some((set) => set.name === name);
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let count = 2; isTaken(name); count += 1) name = `${wanted}-${count}`;
  return name;
}

/** Roles that a new set takes: it is tested on, and does what no other set does yet. */
function freeRoles(): Role[] {
  const taken = new Set(store.state.sets.flatMap((set) => set.roles));
  const roles: Role[] = ["test"];
  if (!taken.has("attribution")) roles.unshift("attribution");
  if (!taken.has("validation")) roles.push("validation");
  return roles;
}

export function addSet(wanted: string, items: Item[], sample?: PageSet["sample"]): void {
  const name = freeName(wanted);
  const set: PageSet = { name, roles: freeRoles(), items, sha256: "", ...(sample ? { sample } : {}) };
  replaceSets([...store.state.sets, set]);
}

export function removeSet(name: string): void {
  replaceSets(store.state.sets.filter((set) => set.name !== name));
}

export function renameSet(name: string, wanted: string): void {
  const renamed = wanted.trim();
  if (renamed === "" || renamed === name) return;
  if (isTaken(renamed)) {
    store.set({ notice: `The name “${renamed}” is taken.` });
    return;
  }
  replaceSets(store.state.sets.map((set) => (set.name === name ? { ...set, name: renamed } : set)));
}

/** Only one set is attributed; validation and test may be several. */
export function setRole(name: string, role: Role, on: boolean): void {
  remember();
  const sets = store.state.sets.map((set) => {
    const others = set.roles.filter((other) => other !== role);
    if (set.name === name) return { ...set, roles: on ? [...others, role] : others };
    return role === "attribution" && on ? { ...set, roles: others } : set;
  });
  store.set({ sets });
}

function edited(set: PageSet, items: Item[]): PageSet {
  const { sample: _, ...rest } = set;
  return { ...rest, items, sha256: "" };
}

export function updateItem(name: string, index: number, item: Item): void {
  changeSet(name, (set) => edited(set, set.items.map((old, at) => (at === index ? item : old))));
}

export function deleteItem(name: string, index: number): void {
  changeSet(name, (set) => edited(set, set.items.filter((_, at) => at !== index)));
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
  const set = store.state.sets.find((other) => other.name === name);
  if (!set || set.items.length < 3) return;
  const parts = await engine.call("split", [{ items: set.items, shares, seed }]);
  const now = store.state.sets;
  // It was changed or removed while the engine was busy.
  if (now.find((other) => other.name === name)?.items !== set.items) return splitSet(name, shares, seed);
  const others = now.filter((other) => other.name !== name).map((other) => ({
    ...other, roles: other.roles.filter((role) => role !== "attribution"),
  }));
  const made = parts.map((items, part): PageSet => {
    const role = ROLES[part] as Role;
    // A part of a part has no name in a study; its items travel with it.
    const sample = set.sample && !set.sample.split ? { ...set.sample, split: { seed, shares, part } } : undefined;
    return { name: freeName(`${name}-${role}`), roles: [role], items, sha256: "", ...(sample ? { sample } : {}) };
  });
  replaceSets([...others, ...made]);
}

/** A set's items as the text of a file. */
export function exportItems(name: string, format: "jsonl" | "csv"): Promise<string> {
  const items = store.state.sets.find((set) => set.name === name)?.items ?? [];
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
  const text = fetch(`models/items/${sample.file}`).then((response) => {
    if (!response.ok) throw new Error(`${sample.file} cannot be fetched (status ${response.status})`);
    return response.text();
  });
  fetched.set(sample.name, text);
  text.catch(() => fetched.delete(sample.name));
  return text;
}

/** Items of a bundled sample by name. */
export async function sampleItems(name: string): Promise<Item[]> {
  const sample = store.state.samples.find((other) => other.name === name);
  if (!sample) {
    throw { code: "study", message: `there is no sample set ${name} here`, hint: "Is the page of another version?" };
  }
  return (await parse(await sampleText(sample))).items;
}

/** How the page's items are put to the model. */
export function prompting({ template, few_shot, choice_order }: Readonly<State>): Prompting {
  return { template, few_shot, choice_order };
}

let turn: Promise<void> = Promise.resolve();

/** Settings as they are to be, given those in force when the change has its turn; null leaves them as they are. */
type Change<K extends keyof State> = (now: Readonly<State>) => Partial<Pick<State, K>> | null;

/** Changes that wait for their turn, the latest last. */
let untaken: Wanted[] = [];

/** Says what is to be in force once the engine has had its turn. It may be busy for long, and the page closed by then. */
function keepWanted(): void {
  store.set({ wanted: Object.assign({}, ...untaken) as Wanted });
}

/** Changes settings once the engine has them; what `give` returns is done after that. One change at a time: each builds on
 * those before it. */
function change<K extends keyof Wanted>(
  settings: Change<K>, give: (next: Readonly<State>) => Promise<() => void>,
): Promise<void> {
  const wanted: Wanted | null = settings({ ...store.state, ...store.state.wanted });
  if (!wanted) return Promise.resolve();
  untaken = [...untaken, wanted];
  keepWanted();
  const done = turn.then(async () => {
    try {
      const changed = settings(store.state);
      if (!changed) return;
      setTold(changed);
      const after = store.state.engine === "ready" ? await give({ ...store.state, ...changed }).catch(whenEnded) : null;
      store.set(changed);
      settle();
      after?.();
    } finally {
      setTold({});
      untaken = untaken.filter((other) => other !== wanted);
      keepWanted();
    }
  });
  turn = done.catch(() => undefined);
  return done;
}

/** Makes the changes that a visit ended before. */
async function takeWanted(): Promise<void> {
  // Those of this visit are made in their turn.
  if (untaken.length > 0) return;
  const { rule, ...asked } = store.state.wanted;
  if (Object.keys(asked).length > 0) await setPrompting(() => asked);
  if (rule !== undefined) await setRule(rule);
}

/** The job before the change was cancelled or crashed and took the engine with it: the next one is told the settings as
 * they are. */
function whenEnded(thrown: unknown): null {
  const error = toError(thrown);
  if (error.code === "cancelled" || isEnd(error)) return null;
  throw thrown;
}

export type PromptingChange = Change<"template" | "few_shot" | "choice_order">;

/** Changes how items are put to the model: template, shots, order of the choices. The engine says what is wrong. */
export function setPrompting(settings: PromptingChange): Promise<void> {
  return change(settings, async (next) => {
    await engine.call("set_prompting", [prompting(next)]);
    return () => undefined;
  });
}

/** Changes by which number a choice is predicted. Log-likelihoods do not depend on it: scores are counted anew. */
export function setRule(rule: ScoringRule): Promise<void> {
  return change(() => ({ rule }), async () => {
    const counted = new Map<SetScores, SetScores | undefined>();
    // Once more for sets that were scored meanwhile.
    for (let old = scoresByAnyRule(); ; ) {
      const found = await engine.call("set_rule", [{ rule, scores: old }]);
      for (const scores of old) counted.set(scores, found.find(({ set }) => set === scores.set));
      old = scoresByAnyRule().filter((scores) => !counted.has(scores));
      if (old.length === 0) break;
    }
    return () => {
      // Those whose items were changed are gone by now; some are there by this rule from before.
      const known = store.state.scores;
      const still = scoresByAnyRule();
      for (const [old, scores] of counted) {
        if (scores && !known[scores.set] && still.includes(old)) putScores(scores, store.state);
      }
    };
  });
}
