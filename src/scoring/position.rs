//! Whether a model prefers a place in the list to what stands there: the same items with their choices in several
//! orders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metrics::Accuracy;
use super::{Rule, RunError, UnknownWords, score};
use crate::items::order::{reordered, rotated_order, shuffled_order};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::{Edit, Model, ModelError};

/// Most orders that are tried.
pub const MAX_ORDERS: usize = 64;

/// Which orders of the choices are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Orders {
    /// Every rotation: each choice stands once in each place.
    Cyclic,
    /// Seeded orders.
    Seeded {
        /// How many.
        orders: usize,
        /// Their seed.
        seed: u64,
    },
}

/// How often a place is right and is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Place {
    /// The place, from 0.
    pub position: usize,
    /// Answers whose right choice stands there.
    pub gold: usize,
    /// Answers that predict it.
    pub predicted: usize,
    /// Accuracy where the right choice stands there.
    pub accuracy: Accuracy,
}

/// The same items in several orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PositionBias {
    /// The set's name.
    pub set: String,
    /// Which orders.
    pub orders: Orders,
    /// Whether the template shows the model an order at all; if not, each choice scores the same in every order, and
    /// one run says it all.
    pub depends_on_order: bool,
    /// Of all answers, every item in every order.
    pub accuracy: Accuracy,
    /// Items answered with the same choice in every order, wherever it stands.
    pub consistent: Accuracy,
    /// Place by place.
    pub places: Vec<Place>,
    /// What speaks against these numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// One answer to an item in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    item: usize,
    gold: usize,
    predicted: usize,
    /// The predicted choice's index in the item's own order.
    choice: usize,
}

/// Scores a set in several orders of its choices.
///
/// # Errors
///
/// [`RunError`] as in [`score`], and for a number of orders out of range.
pub async fn position_bias(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    rule: Rule,
    orders: Orders,
    job: Job<'_>,
) -> Result<PositionBias, RunError> {
    let start = job.now_secs();
    let widest = items
        .iter()
        .map(|item| item.choices.len())
        .max()
        .unwrap_or(0);
    let count = match orders {
        Orders::Cyclic => widest,
        Orders::Seeded { orders, .. } => orders,
    };
    if items.is_empty() {
        return Err(RunError::Empty(set.to_owned()));
    }
    if !(1..=MAX_ORDERS).contains(&count) {
        return Err(RunError::Settings(format!(
            "a position bias is measured with 1 to {MAX_ORDERS} orders, not {count}"
        )));
    }
    let order = |item: usize, round: usize, choices: usize| match orders {
        Orders::Cyclic => rotated_order(choices, round),
        Orders::Seeded { seed, .. } => shuffled_order(choices, seed, item * MAX_ORDERS + round),
    };
    let depends_on_order = prompts.template().depends_on_order();
    let mut answers = Vec::new();
    let mut own = None;
    for round in 0..count {
        // An item is rotated as often as it has choices.
        let is_tried = |choices: usize| orders != Orders::Cyclic || round < choices;
        let tried: Vec<(usize, Vec<usize>)> = (0..)
            .zip(items)
            .filter(|(_, item)| is_tried(item.choices.len()))
            .map(|(index, item)| (index, order(index, round, item.choices.len())))
            .collect();
        let predicted: Vec<usize> = if depends_on_order {
            let turned: Vec<Item> = tried
                .iter()
                .filter_map(|(index, order)| Some(reordered(items.get(*index)?, order)))
                .collect();
            let scores = score(model, (set, &turned), prompts, rule, &Edit::none(), job).await?;
            scores.items.iter().map(|item| item.predicted).collect()
        } else {
            if own.is_none() {
                let scores = score(model, (set, items), prompts, rule, &Edit::none(), job).await?;
                own = Some(
                    scores
                        .items
                        .iter()
                        .map(|item| item.predicted)
                        .collect::<Vec<_>>(),
                );
            }
            let own: &[usize] = own.as_deref().unwrap_or_default();
            let place = |(index, order): &(usize, Vec<usize>)| {
                let choice = own.get(*index)?;
                order.iter().position(|other| other == choice)
            };
            tried
                .iter()
                .map(|tried| place(tried).unwrap_or(0))
                .collect()
        };
        for ((item, order), predicted) in tried.into_iter().zip(predicted) {
            let gold = items.get(item).map_or(0, |item| item.gold);
            answers.push(Answer {
                item,
                gold: order.iter().position(|choice| *choice == gold).unwrap_or(0),
                predicted,
                choice: order.get(predicted).copied().unwrap_or(predicted),
            });
        }
    }
    let places = (0..widest)
        .map(|position| place(&answers, position))
        .collect();
    let unknown = UnknownWords::of(&model.tokenizer, items).map_err(ModelError::from)?;
    Ok(PositionBias {
        warnings: Vec::from_iter(unknown.and_then(|unknown| unknown.warning(set))),
        set: set.to_owned(),
        orders,
        depends_on_order,
        accuracy: accuracy(answers.iter()),
        consistent: consistent(&answers),
        places,
        seconds: job.now_secs() - start,
    })
}

fn accuracy<'a>(answers: impl Iterator<Item = &'a Answer>) -> Accuracy {
    let (right, total) = answers.fold((0, 0), |(right, total), answer| {
        (
            right + usize::from(answer.gold == answer.predicted),
            total + 1,
        )
    });
    Accuracy::wilson(right, total)
}

fn place(answers: &[Answer], position: usize) -> Place {
    let here = || answers.iter().filter(move |answer| answer.gold == position);
    Place {
        position,
        gold: here().count(),
        predicted: answers
            .iter()
            .filter(|answer| answer.predicted == position)
            .count(),
        accuracy: accuracy(here()),
    }
}

fn consistent(answers: &[Answer]) -> Accuracy {
    let mut chosen: BTreeMap<usize, Option<usize>> = BTreeMap::new();
    for answer in answers {
        chosen
            .entry(answer.item)
            .and_modify(|choice| *choice = choice.filter(|choice| *choice == answer.choice))
            .or_insert(Some(answer.choice));
    }
    let same = chosen.values().filter(|choice| choice.is_some()).count();
    Accuracy::wilson(same, chosen.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(item: usize, gold: usize, predicted: usize, choice: usize) -> Answer {
        Answer {
            item,
            gold,
            predicted,
            choice,
        }
    }

    /// Two items of two choices in both orders: the first is always answered with its right choice, the second always
    /// with the first place.
    #[test]
    fn places_and_consistency_are_counted() {
        let answers = [
            answer(0, 0, 0, 0),
            answer(0, 1, 1, 0),
            answer(1, 0, 0, 0),
            answer(1, 1, 0, 1),
        ];
        let first = place(&answers, 0);
        assert_eq!(
            (first.gold, first.predicted, first.accuracy.correct),
            (2, 3, 2)
        );
        let second = place(&answers, 1);
        assert_eq!(
            (second.gold, second.predicted, second.accuracy.correct),
            (2, 1, 1)
        );
        let consistent = consistent(&answers);
        assert_eq!((consistent.correct, consistent.total), (1, 2));
        assert_eq!(accuracy(answers.iter()).correct, 3);
    }
}
