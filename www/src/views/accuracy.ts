// Accuracies as pictures and texts that several views share.

import { h, svg } from "../dom";
import { accuracyText, interval, percent, points, visible } from "../format";
import type { Accuracy, ScoringRule, SetScores } from "../types";

/** One or two accuracies with their intervals on a line from 0 to 100 %. */
export function accuracyBar(before: Accuracy, after?: Accuracy): SVGSVGElement {
  const label = after
    ? `before ${accuracyText(before)}, after ${accuracyText(after)}`
    : accuracyText(before);
  const x = (value: number): number => 4 + value * 192;
  const mark = (accuracy: Accuracy, y: number, kind: string): SVGGElement => svg("g", { class: kind },
    svg("line", { class: "whisker", x1: x(accuracy.low), x2: x(accuracy.high), y1: y, y2: y }),
    svg("circle", { cx: x(accuracy.value), cy: y, r: 3.6 }));
  const height = after ? 22 : 14;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((value) =>
    svg("line", { class: "grid", x1: x(value), x2: x(value), y1: 1, y2: height - 1 }));
  return svg("svg", { class: "accuracy-bar", viewBox: `0 0 200 ${height}`, role: "img", "aria-label": label },
    ticks, mark(before, 7, "before"), after ? mark(after, 15, "after") : null);
}

/** `81.3 %` with the interval in small. */
export function accuracyCell(accuracy: Accuracy): HTMLElement {
  return h("span", { class: "accuracy", title: accuracyText(accuracy) }, percent(accuracy.value), " ",
    h("small", {}, interval(accuracy.low, accuracy.high)));
}

/** A set's accuracy before and after, as a row of a definition list. */
export function beforeAfter(name: string, before: Accuracy, after: Accuracy | undefined): HTMLElement {
  return h("div", { class: "before-after" },
    h("div", { class: "row" },
      h("span", { class: "set-name", title: name }, visible(name)),
      h("span", { class: "numbers" }, after ? `${(before.value * 100).toFixed(1)} → ` : "", percent((after ?? before).value))),
    accuracyBar(before, after),
    h("div", { class: "row" },
      h("small", { title: "Change in percentage points" }, after ? `${points(before, after)} points` : ""),
      h("small", {}, `${interval((after ?? before).low, (after ?? before).high)}, n = ${before.total}`)));
}

/** Whether an answer is right, by sign and by word. */
export function mark(isRight: boolean): HTMLElement {
  return h("span", { class: isRight ? "mark right" : "mark wrong", title: isRight ? "right" : "wrong" },
    isRight ? "✓" : "✗", h("span", { class: "visually-hidden" }, isRight ? " right" : " wrong"));
}

/** The accuracy by a rule; undefined where that was not measured. */
export function accuracyBy(scores: SetScores, rule: ScoringRule): Accuracy | undefined {
  switch (rule) {
    case "sum": return scores.accuracy;
    case "per_character": return scores.accuracy_per_character;
    case "per_byte": return scores.accuracy_per_byte;
    case "per_token": return scores.accuracy_per_token;
    case "mutual_information": return scores.accuracy_mutual_information;
  }
}

/** The accuracy by the rule that predictions follow. */
export function accuracyOf(scores: SetScores, rule: ScoringRule): Accuracy {
  return accuracyBy(scores, rule) ?? scores.accuracy;
}
