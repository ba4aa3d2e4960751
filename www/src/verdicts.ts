// What results mean, in a sentence or two each. Pure functions.

import { count, fixed, METHODS, percent } from "./format";
import { isOfSelection } from "./selections";
import { clearOf, type HeldContrast } from "./services/contrast";
import type { Accuracy, Audit, Estimated, GeneralAbility, Race, Raced, SearchReport } from "./wire/engine";

/** A correlation with its interval. */
export function correlationText({ value, low, high }: Estimated): string {
  return `${fixed(value, 2)} (${fixed(low, 2)} to ${fixed(high, 2)})`;
}

/** The methods of a race, the one that comes closest to exact ablation first. */
export function placed({ methods }: Race): Raced[] {
  return methods.toSorted((a, b) => b.correlation.value - a.correlation.value);
}

function nameOf({ settings }: Raced): string {
  return METHODS[settings.method];
}

/** Whether a method can be told from the best one: both are measured on the same resamples, so that their difference says it. */
function toldApart({ value, low, high }: Estimated): string {
  const by = `${fixed(value, 2)} (${fixed(low, 2)} to ${fixed(high, 2)}) on the same resamples of the items`;
  return low > 0 ? `stays clearly behind, by ${by}` : `cannot be told from it by these items: it is behind by ${by}`;
}

/** Which method does best, whether Integrated Gradients can be told from it, and what chance would give. */
export function raceVerdict(race: Race): string {
  const [first, second] = placed(race);
  if (!first) return "";
  const isIntegrated = ({ settings }: Raced): boolean => settings.method === "integrated_gradients";
  const other = isIntegrated(first) ? second : race.methods.find(isIntegrated);
  const share = `Of the ${race.percent} % of neurons that matter most it finds ${percent(first.found.value, 0)}; chance finds ${race.percent} %.`;
  if (first.correlation.low <= 0) {
    return (
      `No method puts the neurons in the order of exact ablation better than chance does here: the best, ${nameOf(first)}, has a rank `
      + `correlation of ${correlationText(first.correlation)}. ${share}`
    );
  }
  // A race of an older version does not say how far methods are behind.
  const compared = other?.behind ? ` ${nameOf(other)}, at ${fixed(other.correlation.value, 2)}, ${toldApart(other.behind)}.` : "";
  return `Closest to exact ablation here: ${nameOf(first)}, rank correlation ${correlationText(first.correlation)}. ${share}${compared}`;
}

/** What chance does less often than this is taken for more than chance. */
const SIGNIFICANT = 0.05;

/** Whether an accuracy is more than guessing has. */
function isAbove({ low }: Accuracy, chance: number): boolean {
  return low > chance;
}

/** Whether it is less: then the answers are no guesses either. */
function isBelow({ high }: Accuracy, chance: number): boolean {
  return high < chance;
}

function ofQuestions({ accuracy, chance, asked }: Audit): string {
  const guessing = `guessing has ${percent(chance)}`;
  const right = `it is right in ${percent(accuracy.value)}, and ${guessing}.`;
  if (isBelow(accuracy, chance))
    return `On these items the model is clearly below guessing: ${right} It follows something that points to wrong answers.`;
  if (!isAbove(accuracy, chance)) return `On these items the model cannot be told from guessing: ${right}`;
  const known = asked.flatMap(({ accuracy, paired }) => (accuracy ? [{ without: accuracy, paired }] : []));
  const most = known.toSorted((a, b) => b.without.value - a.without.value)[0];
  if (!most) return "These items cannot be asked without their questions, so that this does not say what they are needed for.";
  const { without, paired } = most;
  const said = `${percent(without.value)}, and ${guessing}`;
  if (isAbove(without, chance)) {
    return (
      `The choices alone give answers away: without its question the model is right in ${said}. Whatever neurons do for these items need not be `
      + "an answer to the question."
    );
  }
  return paired && paired.p_value > SIGNIFICANT
    ? `Without their questions it is right in ${said}; that differs from the ${percent(accuracy.value)} with them, but ${count(accuracy.total, "item")} `
        + "are too few to be sure."
    : `The model needs the questions: without them it is right in ${said}.`;
}

function ofLengths({ lengths }: Audit): string {
  const { longest_right, longest_predicted, shortest_right, shortest_predicted } = lengths;
  const preferred = (which: string, right: Accuracy, predicted: Accuracy): string =>
    predicted.low > right.high
      ? ` It prefers the ${which} choice: takes it in ${percent(predicted.value)} of the items, and it is right in ${percent(right.value)}.`
      : "";
  return preferred("longest", longest_right, longest_predicted) + preferred("shortest", shortest_right, shortest_predicted);
}

function ofOrder({ position }: Audit): string {
  const { depends_on_order, consistent } = position;
  return depends_on_order && consistent.high < 0.5
    ? ` Its answers follow the places of the choices: ${percent(consistent.value)} of the items get the same one in every order.`
    : "";
}

/** What the answers to a set follow. */
export function auditVerdict(audit: Audit): string {
  return ofQuestions(audit) + ofOrder(audit) + ofLengths(audit);
}

/** One interval of 95 % in twenty leaves out zero by chance; neurons that go together do so by turns, hence the room. */
const [BY_CHANCE, ROOM] = [0.05, 2];

/** Whether two sides of a contrast can be told apart. */
export function contrastVerdict(contrast: HeldContrast): string {
  const clear = clearOf(contrast);
  if (clear === null) return "A side with a single item has no interval: these differences cannot be told from chance.";
  const all = contrast.difference.length;
  const chance = Math.round(BY_CHANCE * all);
  const said =
    `The 95 % interval of ${clear.toLocaleString("en")} of ${count(all, "neuron")} leaves out zero; if none of them differed, about `
    + `${chance.toLocaleString("en")} would do so by chance.`;
  return clear > ROOM * chance ? said : `${said} That is hardly more than chance: what stands below may be noise.`;
}

/** Of so many random surfaces one in twenty is the best by luck: fewer cannot say that a cell is better. */
const ENOUGH = 19;

/** The best cell of a search against the best cells of random surfaces; nothing where none were tried. */
export function luckVerdict({ cells, best, luck }: SearchReport): string {
  const found = cells.find((cell) => isOfSelection(cell, best))?.accuracy;
  if (!luck || luck.best.length === 0 || !found) return "";
  const surfaces = luck.best.length;
  const mean = luck.best.reduce((sum, correct) => sum + correct, 0) / surfaces;
  const asGood = luck.best.filter((correct) => correct >= found.correct).length;
  const isLess = (asGood + 1) / (surfaces + 1) <= SIGNIFICANT;
  const verdict = isLess
    ? `Better than luck: ${asGood === 0 ? "none of them does" : `only ${asGood} of them ${asGood === 1 ? "does" : "do"}`} as well.`
    : asGood === 0
      ? `Perhaps better than luck: none of them does as well, but it takes ${ENOUGH} or more to say so.`
      : `${asGood > surfaces / 2 ? "No better than luck" : "Not clearly better than luck"}: ${asGood} of them ${
          asGood === 1 ? "does" : "do"
        } at least as well.`;
  const range = surfaces > 1 ? ` (from ${Math.min(...luck.best)} to ${Math.max(...luck.best)})` : "";
  return `The best cell of ${count(surfaces, "random surface")} (a random mask of its size in every cell) has ${fixed(mean, 1)} of ${found.total} right${
    surfaces > 1 ? " on average" : ""
  }${range}; the best cell here has ${found.correct}. ${verdict}`;
}

/** Right answers under the random masks of a cell: the middle one and the best; nothing where none were tried. Where random masks were
 * left after some items, their shares. */
export function cellLuck({ luck }: SearchReport, cell: number): string {
  const items = luck?.items?.[cell];
  const values = (luck?.correct[cell] ?? []).map((correct, mask) => (items ? correct / Math.max(1, items[mask] ?? 1) : correct));
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high, best] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1], sorted.at(-1)];
  if (low === undefined || high === undefined || best === undefined) return "";
  const said = (value: number): string => (items ? percent(value) : String(value));
  return `random masks of this size: median ${said((low + high) / 2)} right, best ${said(best)}`;
}

/** A rise of the perplexity that a reader of the text would hardly see, and one that is the end of it. */
const [SMALL, LARGE] = [0.05, 0.5];

/** What a mask costs in a plain text. */
export function generalVerdict({ before, after }: GeneralAbility): string {
  const rise = after.perplexity / before.perplexity - 1;
  const by = `${rise > 0 ? "+" : ""}${percent(rise)}`;
  if (rise < SMALL) return `The mask costs hardly any general ability (${by}).`;
  return rise < LARGE
    ? `The mask costs some general ability (${by}): part of what its neurons do is for any text.`
    : `The mask costs much general ability (${by}): its neurons are needed for any text.`;
}
