//! What documents say was found, held to what stands beside it: numbers that follow from others are counted again.
//!
//! - this file: accuracies and scores
//! - `of_report`: a report's parts and its study; `of_questions`: what was asked of it beside
//! - `of_link`: what a link says, and its study
//! - `of_mask`: what a mask's file says of its effect; `of_control`: of random masks

#![warn(clippy::indexing_slicing, reason = "documents come from anyone")]

mod of_control;
mod of_link;
mod of_mask;
mod of_questions;
mod of_report;

pub use of_mask::Measured;
pub(super) use of_report::check as check_report;

use super::Study;
use super::made_of::{MadeOf, Part};
use crate::items::{Item, items_sha256};
use crate::pruning::Selection;
use crate::pruning::mask::LayerMask;
use crate::scoring::metrics::softmax;
use crate::scoring::{Accuracy, Calibration, ItemScore, Rule, SetScores};

/// What a document says that does not follow from what stands beside it, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(String);

/// Nothing, or what contradicts what stands beside it.
type Claim = Result<(), String>;

/// A claim about one item set.
fn in_set(set: &str, claim: Claim) -> Claim {
    claim.map_err(|what| format!("{what} (item set `{set}`)"))
}

/// How far a number may be from the one it follows from: both have been through JSON. Relative where they are above 1.
const CLOSE: f64 = 1e-9;

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= CLOSE * a.abs().max(b.abs()).max(1.0)
}

fn same_number(what: &str, stated: f64, counted: f64) -> Claim {
    match is_close(stated, counted) {
        true => Ok(()),
        false => Err(format!("{what} is said to be {stated}, and is {counted}")),
    }
}

fn same_count(what: &str, stated: usize, counted: usize) -> Claim {
    match stated == counted {
        true => Ok(()),
        false => Err(format!("{what} is said to be {stated}, and is {counted}")),
    }
}

fn same_accuracy(what: &str, stated: &Accuracy, counted: &Accuracy) -> Claim {
    let parts = |accuracy: &Accuracy| [accuracy.value, accuracy.low, accuracy.high];
    let mut pairs = parts(stated).into_iter().zip(parts(counted));
    let is_same = (stated.correct, stated.total) == (counted.correct, counted.total);
    if is_same && pairs.all(|(a, b)| is_close(a, b)) {
        return Ok(());
    }
    Err(format!(
        "{what} is said to be {} of {}, {:.4} ({:.4} to {:.4}), and is {} of {}, {:.4}",
        stated.correct,
        stated.total,
        stated.value,
        stated.low,
        stated.high,
        counted.correct,
        counted.total,
        counted.value
    ))
}

/// A share and its interval follow from the two numbers beside them.
fn accuracy(what: &str, stated: &Accuracy) -> Claim {
    let Accuracy { correct, total, .. } = *stated;
    if correct > total {
        return Err(format!("{what} is said to be {correct} of {total}"));
    }
    same_accuracy(what, stated, &Accuracy::wilson(correct, total))
}

/// What was found was made of what its study names.
fn of_study(found: &MadeOf, study: &Study) -> Claim {
    let of_other = match found.differences(&study.made_of()).first() {
        None => return Ok(()),
        Some(Part::Settings) => "the attribution has other settings than the study",
        Some(Part::Mask) => "the mask is not the study's",
        // Of what is said beside a study there is no more that it says as well.
        Some(_) => "its study is of another model",
    };
    Err(of_other.to_owned())
}

/// A selection's mask prunes its layers alone.
fn of_layers<'a>(selection: &Selection, layers: impl IntoIterator<Item = &'a LayerMask>) -> Claim {
    let is_other = |mask: &&LayerMask| !selection.may_prune(mask.layer) && !mask.neurons.is_empty();
    match layers.into_iter().find(is_other) {
        Some(other) => Err(format!(
            "the selection is {selection}, and its mask prunes layer {}",
            other.layer
        )),
        None => Ok(()),
    }
}

/// The items of a study's set in the order of choices that the model sees, where the study holds them.
fn items_of(study: &Study, set: &str) -> Result<Option<Vec<Item>>, String> {
    let spec = study.item_sets.iter().find(|spec| spec.name == set);
    let spec = spec.ok_or_else(|| format!("the study has no item set `{set}`"))?;
    let Some(all) = spec.items.clone() else {
        return Ok(None);
    };
    let items = spec.select(all).map_err(|error| error.to_string())?;
    if !spec.sha256.is_empty() && items_sha256(&items) != spec.sha256 {
        return Err(format!(
            "the items of `{set}` are not those of their sha256"
        ));
    }
    let prompting = study.prompting().map_err(|error| error.to_string())?;
    Ok(Some(prompting.ordered(&items).into_owned()))
}

/// Whether everything that is said of a set's items follows from their log-likelihoods.
fn scores(stated: &SetScores, rule: Rule) -> Claim {
    for item in &stated.items {
        item_score(item, rule).map_err(|what| format!("{what} for item `{}`", item.id))?;
    }
    let counted = SetScores::new(&stated.set, stated.items.clone(), stated.seconds);
    let all = |scores: &SetScores| {
        [
            ("accuracy", Some(scores.accuracy)),
            (
                "accuracy_per_character",
                Some(scores.accuracy_per_character),
            ),
            ("accuracy_per_byte", scores.accuracy_per_byte),
            ("accuracy_per_token", scores.accuracy_per_token),
            (
                "accuracy_mutual_information",
                scores.accuracy_mutual_information,
            ),
        ]
    };
    for ((name, stated), (_, counted)) in all(stated).into_iter().zip(all(&counted)) {
        match (stated, counted) {
            (Some(stated), Some(counted)) => same_accuracy(name, &stated, &counted)?,
            (Some(_), None) => {
                return Err(format!("there is `{name}` without its log-likelihoods"));
            }
            (None, _) => {}
        }
    }
    // Earlier versions took more items for pairs.
    if let Some(of_pairs) = &stated.accuracy_both_of_pair {
        accuracy("`accuracy_both_of_pair`", of_pairs)?;
    }
    match &stated.calibration {
        Some(found) => calibration(found, &stated.items),
        None => Ok(()),
    }
}

fn item_score(item: &ItemScore, rule: Rule) -> Claim {
    for choice in &item.choices {
        let per_character = choice.log_likelihood / choice.characters.max(1) as f64;
        same_number("`per_character`", choice.per_character, per_character)?;
        let tokens = &choice.token_log_probabilities;
        let sum: f64 = tokens.iter().map(|&value| f64::from(value)).sum();
        // Single tokens are held in 32 bits.
        if !tokens.is_empty() && (sum - choice.log_likelihood).abs() > 1e-4 * (1.0 + sum.abs()) {
            return Err("`log_likelihood` is not the sum of its tokens".into());
        }
    }
    let best = item.choices.get(item.predicted_by(rule));
    let predicted = item.choices.get(item.predicted).zip(best);
    // Of two choices that are nearly equal, the other one may have been ahead before the way through JSON.
    if !predicted.is_some_and(|(own, best)| is_close(own.by(rule), best.by(rule))) {
        return Err("another choice than the predicted one is the likeliest".into());
    }
    if item.gold >= item.choices.len() || item.correct != (item.predicted == item.gold) {
        return Err("`correct` does not follow from the prediction".into());
    }
    let sums: Vec<f64> = item
        .choices
        .iter()
        .map(|choice| choice.log_likelihood)
        .collect();
    let confidence = softmax(&sums).get(item.predicted).copied().unwrap_or(0.0);
    same_number("`confidence`", item.confidence, confidence)
}

fn calibration(stated: &Calibration, items: &[ItemScore]) -> Claim {
    let is_same = |counted: &Calibration| {
        let mut bins = stated.bins.iter().zip(&counted.bins);
        stated.bins.len() == counted.bins.len()
            && is_close(stated.expected_error, counted.expected_error)
            && is_close(stated.confidence, counted.confidence)
            && bins.all(|(a, b)| {
                a.items == b.items
                    && is_close(a.low, b.low)
                    && is_close(a.high, b.high)
                    && is_close(a.confidence, b.confidence)
                    && is_close(a.accuracy, b.accuracy)
            })
    };
    // A confidence on the edge of a bin may have come back from JSON beyond it.
    let moved = |by: f64| {
        let mut items = items.to_vec();
        items.iter_mut().for_each(|item| item.confidence += by);
        Calibration::of(&items)
    };
    let mut ways = [0.0, -1e-12, 1e-12].into_iter();
    match ways.any(|by| is_same(&moved(by))) {
        true => Ok(()),
        false => Err("`calibration` does not follow from the confidences".into()),
    }
}
