// Accuracies by the rules of prediction. Pure functions.

import type { Accuracy, ScoringRule, SetScores } from "./wire/engine";

/** The accuracy by a rule; undefined where that was not measured. */
export function accuracyBy(scores: SetScores, rule: ScoringRule): Accuracy | undefined {
  switch (rule) {
    case "sum":
      return scores.accuracy;
    case "per_character":
      return scores.accuracy_per_character;
    case "per_byte":
      return scores.accuracy_per_byte;
    case "per_token":
      return scores.accuracy_per_token;
    case "mutual_information":
      return scores.accuracy_mutual_information;
  }
}

/** The accuracy by the rule that predictions follow. */
export function accuracyOf(scores: SetScores, rule: ScoringRule): Accuracy {
  return accuracyBy(scores, rule) ?? scores.accuracy;
}
