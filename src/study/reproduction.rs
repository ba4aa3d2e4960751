//! How a re-run compares with what was found before.

use serde::{Deserialize, Serialize};

use super::Report;
use super::beside::{self, ReproducedPart};
use super::made_of::{MadeOf, Part};
use crate::model::Precision;
use crate::pruning::Mask;
use crate::pruning::effect::PruneReport;
use crate::scoring::{Accuracy, SetScores};

/// What a re-run is compared with: what was found before, small enough to travel in a link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Expected {
    /// How the model's matrices were held; not known of links of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The mask that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Each set before and after.
    pub sets: Vec<ExpectedSet>,
    /// What else a report holds; no link carries it.
    #[serde(skip)]
    pub(super) beside: Vec<beside::Part>,
}

/// One set's expected results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ExpectedSet {
    /// The set's name.
    pub set: String,
    /// Accuracy without the mask.
    pub before: Accuracy,
    /// Accuracy with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Accuracy>,
    /// Summed log-likelihood of each item's predicted choice without the mask, rounded to 1e-4 nats; in a link of
    /// the first items.
    #[serde(default)]
    pub log_likelihoods: Vec<f64>,
    /// Predictions without the mask, of the same items.
    #[serde(default)]
    pub predicted: Vec<usize>,
    /// Predictions with the mask, of the same items; links of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predicted_after: Vec<usize>,
}

/// Largest difference of a log-likelihood that rounding explains, in nats: devices differ by up to 5e-4.
const LARGEST_DIFFERENCE: f64 = 1e-2;

/// Items of a set whose log-likelihoods travel in a link.
const ITEMS_IN_LINK: usize = 32;

impl Expected {
    /// The part of some results that a re-run is compared with.
    pub fn new(
        precision: Precision,
        mask: Option<&Mask>,
        baseline: &[&SetScores],
        pruned: Option<&PruneReport>,
    ) -> Self {
        let with_mask = |set: &str| {
            let pruned = pruned?.sets.iter().find(|pruned| pruned.set == set)?;
            Some(&pruned.after)
        };
        let sets = baseline
            .iter()
            .map(|scores| {
                let after = with_mask(&scores.set);
                let correct = |scores: &SetScores| {
                    let correct = scores.items.iter().filter(|item| item.correct);
                    Accuracy::wilson(correct.count(), scores.items.len())
                };
                let predicted = |scores: &SetScores| -> Vec<usize> {
                    scores.items.iter().map(|item| item.predicted).collect()
                };
                let items = scores.items.iter();
                ExpectedSet {
                    set: scores.set.clone(),
                    before: correct(scores),
                    after: after.map(correct),
                    predicted: predicted(scores),
                    predicted_after: after.map(predicted).unwrap_or_default(),
                    log_likelihoods: items
                        .filter_map(|item| item.choices.get(item.predicted))
                        .map(|choice| (choice.log_likelihood * 1e4).round() / 1e4)
                        .collect(),
                }
            })
            .collect();
        Self {
            precision: Some(precision),
            mask: mask.cloned(),
            sets,
            beside: Vec::new(),
        }
    }

    /// What was measured was made of, as far as it is told.
    pub(super) fn made_of(&self) -> MadeOf {
        MadeOf {
            precision: self.precision,
            mask: self.mask.clone(),
            ..MadeOf::default()
        }
    }

    /// What of it fits into a link: of every set the first items.
    pub fn shortened(mut self) -> Self {
        self.beside.clear();
        for set in &mut self.sets {
            set.log_likelihoods.truncate(ITEMS_IN_LINK);
            set.predicted.truncate(ITEMS_IN_LINK);
            set.predicted_after.truncate(ITEMS_IN_LINK);
        }
        self
    }

    /// Of a report.
    pub fn of_report(report: &Report) -> Self {
        let baseline: Vec<&SetScores> = report.baseline.iter().collect();
        let mask = report.pruned.as_ref().map(|pruned| &pruned.mask);
        let precision = report.model.report.precision;
        Self {
            beside: beside::Part::all_of(report),
            ..Self::new(precision, mask, &baseline, report.pruned.as_ref())
        }
    }
}

/// One set, expected and measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ReproducedSet {
    /// The set's name.
    pub set: String,
    /// Accuracy with the mask, or without where there is none, as the link says.
    pub expected: Accuracy,
    /// The same, measured now.
    pub measured: Accuracy,
}

/// Two runs that held the model's matrices differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OtherPrecision {
    /// In the run that was shared.
    pub expected: Precision,
    /// In the re-run.
    pub measured: Precision,
}

/// What a re-run reproduced.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Reproduction {
    /// Whether the same neurons are pruned; absent where the link has no mask.
    pub mask_identical: Option<bool>,
    /// Whether all accuracies are the same; absent where none were expected.
    pub accuracy_identical: Option<bool>,
    /// Whether all compared predictions are the same, without the mask and with it; absent where none were expected.
    pub predictions_identical: Option<bool>,
    /// How many predictions were compared.
    pub predictions_compared: usize,
    /// Largest difference of a log-likelihood, in nats.
    pub largest_log_likelihood_difference: f64,
    /// How many log-likelihoods were compared.
    pub log_likelihoods_compared: usize,
    /// Whether rounding explains that difference; absent where none were compared, or the matrices were held otherwise.
    pub log_likelihoods_close: Option<bool>,
    /// The other parts of a report.
    pub beside: Vec<ReproducedPart>,
    /// How the matrices were held then and are now, where that differs.
    pub other_precision: Option<OtherPrecision>,
    /// Set by set.
    pub sets: Vec<ReproducedSet>,
    /// The same in a sentence.
    pub message: String,
}

impl Reproduction {
    fn verdicts(&self) -> [Option<bool>; 5] {
        let are_same = self.beside.iter().map(|part| part.different == 0);
        [
            self.mask_identical,
            self.accuracy_identical,
            self.predictions_identical,
            self.log_likelihoods_close,
            are_same.reduce(|all, one| all && one),
        ]
    }

    /// Whether something was compared, and all of it is the same, as far as rounding allows.
    pub fn is_identical(&self) -> bool {
        let verdicts = self.verdicts();
        verdicts.contains(&Some(true)) && !verdicts.contains(&Some(false))
    }

    /// Compares a new run with what was expected.
    pub fn new(expected: &Expected, measured: &Expected) -> Self {
        let pairs: Vec<(&ExpectedSet, &ExpectedSet)> = expected
            .sets
            .iter()
            .filter_map(|old| {
                let new = measured.sets.iter().find(|new| new.set == old.set)?;
                Some((old, new))
            })
            .collect();
        let complete = pairs.len() == expected.sets.len();
        let other_parts = expected.made_of().differences(&measured.made_of());
        let masks = expected.mask.as_ref().map(|_| measured.mask.is_some());
        let mask_identical = masks.map(|both| both && !other_parts.contains(&Part::Mask));
        let same_accuracy = |(old, new): &(&ExpectedSet, &ExpectedSet)| {
            let counts = |a: Accuracy| (a.correct, a.total);
            counts(old.before) == counts(new.before)
                && (old.after.is_none() || old.after.map(counts) == new.after.map(counts))
        };
        let accuracy_identical =
            (!expected.sets.is_empty()).then(|| complete && pairs.iter().all(same_accuracy));
        let predictions_compared = expected
            .sets
            .iter()
            .map(|old| old.predicted.len() + old.predicted_after.len())
            .sum();
        let same_predictions = |(old, new): &(&ExpectedSet, &ExpectedSet)| {
            new.predicted.starts_with(&old.predicted)
                && new.predicted_after.starts_with(&old.predicted_after)
        };
        let predictions_identical =
            (predictions_compared > 0).then(|| complete && pairs.iter().all(same_predictions));
        let differences: Vec<f64> = pairs
            .iter()
            .flat_map(|(old, new)| old.log_likelihoods.iter().zip(&new.log_likelihoods))
            .map(|(old, new)| (old - new).abs())
            .collect();
        let largest = differences.iter().copied().fold(0.0, f64::max);
        let other_precision = (expected.precision.zip(measured.precision))
            .filter(|_| other_parts.contains(&Part::Precision))
            .map(|(expected, measured)| OtherPrecision { expected, measured });
        let held =
            other_precision.map_or(String::new(), |OtherPrecision { expected, measured }| {
                let (old, new) = (expected.name(), measured.name());
                format!("; the weights were held in {old}, and are held in {new} here")
            });
        let log_likelihoods_close = (!differences.is_empty() && other_precision.is_none())
            .then_some(largest <= LARGEST_DIFFERENCE);
        let beside: Vec<ReproducedPart> = expected
            .beside
            .iter()
            .map(|part| part.compared(&measured.beside))
            .collect();
        let named = [
            ("mask", mask_identical),
            ("accuracy", accuracy_identical),
            ("predictions", predictions_identical),
        ];
        let verdict = |(name, same): (&str, Option<bool>)| {
            let verdict = if same? { "identical" } else { "different" };
            Some(format!("{name} {verdict}, "))
        };
        let of_part = |ReproducedPart {
                           part,
                           compared,
                           different,
                       }: &ReproducedPart| match different {
            0 => format!("{part} identical, "),
            _ => format!("{part} different in {different} of {compared} numbers, "),
        };
        let verdicts: String = named
            .into_iter()
            .filter_map(verdict)
            .chain(beside.iter().map(of_part))
            .collect();
        let message = if verdicts.is_empty() {
            "no results came with the study: it was run, and there is nothing to compare".to_owned()
        } else {
            let close = match log_likelihoods_close {
                Some(false) => ", more than rounding explains",
                _ => "",
            };
            format!(
                "{verdicts}largest difference of {} log-likelihoods {largest:.1e} nats{close}{held}",
                differences.len(),
            )
        };
        Self {
            message,
            mask_identical,
            accuracy_identical,
            predictions_identical,
            predictions_compared,
            largest_log_likelihood_difference: largest,
            log_likelihoods_compared: differences.len(),
            log_likelihoods_close,
            beside,
            other_precision,
            sets: pairs
                .iter()
                .map(|(old, new)| ReproducedSet {
                    set: old.set.clone(),
                    expected: old.after.unwrap_or(old.before),
                    measured: old.after.and(new.after).unwrap_or(new.before),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(items: usize) -> Expected {
        let set = ExpectedSet {
            set: "test".into(),
            before: Accuracy::wilson(items / 2, items),
            after: None,
            log_likelihoods: (0..items).map(|item| -(item as f64)).collect(),
            predicted: (0..items).map(|item| item % 3).collect(),
            predicted_after: Vec::new(),
        };
        Expected {
            precision: None,
            mask: None,
            sets: vec![set],
            beside: Vec::new(),
        }
    }

    #[test]
    fn a_link_compares_the_first_items_and_a_report_all() {
        let before = found(40);
        let mut now = found(40);
        now.sets[0].predicted[39] += 1;
        let of_link = Reproduction::new(&before.clone().shortened(), &now);
        assert!(of_link.is_identical() && of_link.predictions_compared == 32);
        assert_eq!(of_link.log_likelihoods_compared, 32);
        let of_report = Reproduction::new(&before, &now);
        assert_eq!(of_report.predictions_identical, Some(false));
        assert_eq!(of_report.accuracy_identical, Some(true));
        assert_eq!(of_report.log_likelihoods_compared, 40);
    }

    #[test]
    fn items_that_are_gone_are_a_difference() {
        let mut now = found(40);
        now.sets[0].predicted.truncate(5);
        let found = Reproduction::new(&found(40).shortened(), &now);
        assert_eq!(found.predictions_identical, Some(false));
    }

    #[test]
    fn where_nothing_was_compared_nothing_is_identical() {
        let nothing = Expected::default();
        let found = Reproduction::new(&nothing, &found(4));
        assert_eq!(found.verdicts(), [None; 5]);
        assert!(!found.is_identical() && found.message.contains("nothing to compare"));
        // Accuracies alone say nothing of predictions.
        let mut bare = self::found(4);
        bare.sets[0].predicted.clear();
        bare.sets[0].log_likelihoods.clear();
        let found = Reproduction::new(&bare, &self::found(4));
        assert_eq!(found.verdicts(), [None, Some(true), None, None, None]);
        assert!(found.is_identical() && !found.message.contains("predictions"));
    }

    /// Without the mask all is the same.
    #[test]
    fn another_answer_with_the_mask_is_a_difference() {
        let with_mask = |predicted: usize| {
            let mut all = found(4);
            all.sets[0].after = Some(Accuracy::wilson(1, 4));
            all.sets[0].predicted_after = vec![predicted; 4];
            all
        };
        let found = Reproduction::new(&with_mask(0), &with_mask(1));
        assert_eq!(
            found.verdicts(),
            [None, Some(true), Some(false), Some(true), None]
        );
    }
}
