//! Predictions and accuracy: pure functions of log-likelihoods, with lm-evaluation-harness' conventions.

use serde::{Deserialize, Serialize};

use crate::model::run::arg_max;

/// By which number the predicted choice is picked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ScoringRule"))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Sum of the choice's token log-likelihoods (`acc`).
    #[default]
    Sum,
    /// The sum over the text's number of Unicode characters (`acc_norm`).
    PerCharacter,
    /// The sum over the text's number of UTF-8 bytes (`acc_bytes`).
    PerByte,
    /// The sum over the number of its tokens.
    PerToken,
    /// The sum less the log-likelihood of the text without the context (`acc_mutual_info`).
    MutualInformation,
}

/// One choice of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChoiceScore {
    /// The choice's text in the item.
    pub text: String,
    /// Sum of its scored tokens' log-probabilities given the prompt, in nats.
    pub log_likelihood: f64,
    /// Tokens that are scored.
    pub tokens: usize,
    /// Unicode characters of the text that the template makes of the choice.
    pub characters: usize,
    /// `log_likelihood / characters`.
    pub per_character: f64,
    /// UTF-8 bytes of that text.
    #[serde(default)]
    pub bytes: usize,
    /// Log-likelihood of the same continuation after the model's first token alone, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconditional: Option<f64>,
    /// Log-probability of each scored token, in nats, where they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_log_probabilities: Vec<f32>,
}

impl ChoiceScore {
    /// The number that a rule compares. Mutual information needs [`ChoiceScore::unconditional`] and is the sum
    /// without it.
    pub fn by(&self, rule: Rule) -> f64 {
        let per = |count: usize| self.log_likelihood / count.max(1) as f64;
        match rule {
            Rule::Sum => self.log_likelihood,
            Rule::PerCharacter => self.per_character,
            Rule::PerByte => per(self.bytes),
            Rule::PerToken => per(self.tokens),
            Rule::MutualInformation => self.log_likelihood - self.unconditional.unwrap_or(0.0),
        }
    }
}

/// One scored item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ItemScore {
    /// The item's id.
    pub id: String,
    /// Index of the right choice.
    pub gold: usize,
    /// Index of the predicted choice, by the rule in use; the first one of equals.
    pub predicted: usize,
    /// Whether the prediction is right.
    pub correct: bool,
    /// Probability of the predicted choice: softmax of the summed log-likelihoods over the choices.
    pub confidence: f64,
    /// The choices in the item's order.
    pub choices: Vec<ChoiceScore>,
}

impl ItemScore {
    /// From the scores of an item's choices.
    pub fn new(id: &str, gold: usize, choices: Vec<ChoiceScore>, rule: Rule) -> Self {
        let sums: Vec<f64> = choices.iter().map(|choice| choice.log_likelihood).collect();
        let mut score = Self {
            id: id.to_owned(),
            gold,
            predicted: 0,
            correct: false,
            confidence: 0.0,
            choices,
        };
        score.predicted = score.predicted_by(rule);
        score.correct = score.predicted == score.gold;
        score.confidence = softmax(&sums).get(score.predicted).copied().unwrap_or(0.0);
        score
    }

    /// The predicted choice by a rule.
    pub fn predicted_by(&self, rule: Rule) -> usize {
        arg_max(self.choices.iter().map(|choice| choice.by(rule)))
    }

    /// Log-likelihood of the gold choice minus that of the best wrong one, in nats.
    pub fn gold_margin(&self) -> f64 {
        let best_wrong = self
            .choices
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != self.gold)
            .map(|(_, choice)| choice.log_likelihood)
            .fold(f64::NEG_INFINITY, f64::max);
        self.choices
            .get(self.gold)
            .map_or(f64::NAN, |gold| gold.log_likelihood - best_wrong)
    }
}

/// `ln Σ exp(x_j)`.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = values.iter().map(|value| (value - largest).exp()).sum();
    largest + total.ln()
}

/// `exp(x_i) / Σ exp(x_j)`.
pub fn softmax(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = values.iter().map(|value| (value - largest).exp()).collect();
    let total: f64 = exps.iter().sum();
    exps.iter().map(|value| value / total).collect()
}

/// A share of right answers with its 95 % Wilson interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Accuracy {
    /// Items answered right.
    pub correct: usize,
    /// Items in all.
    pub total: usize,
    /// `correct / total`.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The 0.975 quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl Accuracy {
    /// The score interval of Wilson (1927).
    pub fn wilson(correct: usize, total: usize) -> Self {
        if total == 0 {
            return Self {
                correct,
                total,
                value: 0.0,
                low: 0.0,
                high: 1.0,
            };
        }
        let n = total as f64;
        let value = correct as f64 / n;
        let z2 = Z * Z;
        let centre = (value + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
        Self {
            correct,
            total,
            value,
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        }
    }

    /// Of several disjoint groups of items together.
    pub fn pooled<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let (correct, total) = parts.fold((0, 0), |sum, part| {
            (sum.0 + part.correct, sum.1 + part.total)
        });
        Self::wilson(correct, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(text: &str, log_likelihood: f64, tokens: usize) -> ChoiceScore {
        let characters = text.chars().count();
        ChoiceScore {
            text: text.into(),
            log_likelihood,
            tokens,
            characters,
            per_character: log_likelihood / characters as f64,
            bytes: text.len(),
            unconditional: None,
            token_log_probabilities: Vec::new(),
        }
    }

    /// A cross-entropy has no floor: a probability that is no number any more still has a logarithm.
    #[test]
    fn the_logarithm_of_a_sum_holds_for_any_log_likelihoods() {
        assert!((log_sum_exp(&[-1638.0, -0.25]) + 0.25).abs() < 1e-12);
        assert!((log_sum_exp(&[-3.0, -3.0]) - (2.0_f64.ln() - 3.0)).abs() < 1e-12);
    }

    fn score(sums: [f64; 2], rule: Rule) -> ItemScore {
        let choices = vec![choice("é", sums[0], 1), choice("long", sums[1], 8)];
        ItemScore::new("a", 1, choices, rule)
    }

    /// "é" has one character and two bytes, "long" four of each and here eight tokens: −2 and −6 make −2 and −1.5 a
    /// character, −1 and −1.5 a byte, −2 and −0.75 a token.
    #[test]
    fn the_rule_decides_between_a_short_and_a_long_choice() {
        for (rule, predicted) in [
            (Rule::Sum, 0),
            (Rule::PerCharacter, 1),
            (Rule::PerByte, 0),
            (Rule::PerToken, 1),
            (Rule::MutualInformation, 0),
        ] {
            let score = score([-2.0, -6.0], rule);
            assert_eq!(
                (score.predicted, score.correct),
                (predicted, predicted == 1),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn mutual_information_takes_off_what_a_choice_has_without_the_context() {
        let mut choices = vec![choice("a", -2.0, 1), choice("b", -3.0, 1)];
        choices[0].unconditional = Some(-1.0);
        choices[1].unconditional = Some(-5.0);
        let score = ItemScore::new("a", 1, choices, Rule::MutualInformation);
        assert_eq!(score.predicted, 1);
    }

    #[test]
    fn confidence_is_the_softmax_over_the_choices() {
        let score = score([0.0, 3f64.ln()], Rule::Sum);
        assert!((score.confidence - 0.75).abs() < 1e-12);
        assert!((score.gold_margin() - 3f64.ln()).abs() < 1e-12);
    }

    /// Values of R's `binom::binom.wilson(5, 10)` and `(0, 10)`.
    #[test]
    fn wilson_interval_has_the_published_values() {
        let half = Accuracy::wilson(5, 10);
        assert!((half.low - 0.236_593_1).abs() < 1e-6 && (half.high - 0.763_406_9).abs() < 1e-6);
        let none = Accuracy::wilson(0, 10);
        assert!(none.low.abs() < 1e-12 && (none.high - 0.277_532_8).abs() < 1e-6);
    }
}
