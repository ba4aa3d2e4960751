//! What drives the answers, before any neuron: the same items without their questions, with their choices in other places, and by the
//! lengths of their choices.

use serde::{Deserialize, Serialize};

use super::{
    Accuracy, Orders, Paired, PositionBias, Rule, RunError, SetScores, position::position_bias,
    score,
};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::{Edit, Model};

/// What stands where the question was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Nothing.
    Removed,
    /// [`MEANINGLESS`].
    Meaningless,
}

/// A question without content (Zhao et al., 2021, who calibrate with it).
pub const MEANINGLESS: &str = "N/A";

impl Question {
    /// What is asked.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Removed => "",
            Self::Meaningless => MEANINGLESS,
        }
    }
}

/// The items asked in another way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Asked {
    /// What stood where the question was.
    pub question: Question,
    /// How many were right all the same; none where they could not be asked so.
    pub accuracy: Option<Accuracy>,
    /// How many got the answer that they get with their question.
    pub same_answer: Option<Accuracy>,
    /// Right and wrong with the question and without.
    pub paired: Option<Paired>,
    /// Why they could not be asked so.
    pub refused: Option<String>,
}

/// What a choice's length says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Lengths {
    /// How many items are right for who takes the longest choice, in characters; of equals the first.
    pub longest_right: Accuracy,
    /// For how many the model does.
    pub longest_predicted: Accuracy,
    /// The same of the shortest.
    pub shortest_right: Accuracy,
    /// The same of the shortest.
    pub shortest_predicted: Accuracy,
}

/// What drives the answers to a set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Audit {
    /// The set's name.
    pub set: String,
    /// Accuracy as the items are.
    pub accuracy: Accuracy,
    /// The accuracy that guessing has: the mean over the items of one in the number of choices.
    pub chance: f64,
    /// The same items asked in other ways.
    pub asked: Vec<Asked>,
    /// The same items with their choices in every rotation.
    pub position: PositionBias,
    /// By the lengths of the choices.
    pub lengths: Lengths,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Audits a set whose scores are known.
///
/// # Errors
///
/// [`RunError`] as in [`score`]; where items cannot be asked in another way, the audit says so and goes on.
pub async fn audit(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    rule: Rule,
    scores: &SetScores,
    job: Job<'_>,
) -> Result<Audit, RunError> {
    let start = job.now_secs();
    let mut asked = Vec::new();
    for question in [Question::Removed, Question::Meaningless] {
        let prompts = prompts.asking(question.text());
        let found = score(model, (set, items), &prompts, rule, &Edit::none(), job).await;
        asked.push(match found {
            Ok(found) => Asked::of(question, scores, &found, rule),
            Err(error @ RunError::Item { .. }) => Asked {
                question,
                accuracy: None,
                same_answer: None,
                paired: None,
                refused: Some(error.to_string()),
            },
            Err(error) => return Err(error),
        });
    }
    let orders = Orders::Cyclic;
    let position = position_bias(model, (set, items), prompts, rule, orders, job).await?;
    let chances = items.iter().map(|item| 1.0 / item.choices.len() as f64);
    Ok(Audit {
        set: set.to_owned(),
        accuracy: scores.accuracy_by(rule),
        chance: chances.sum::<f64>() / items.len() as f64,
        asked,
        position,
        lengths: Lengths::of(items, scores),
        seconds: job.now_secs() - start,
    })
}

impl Asked {
    fn of(question: Question, with: &SetScores, without: &SetScores, rule: Rule) -> Self {
        let pairs = with.items.iter().zip(&without.items);
        let same = pairs.filter(|(with, without)| with.predicted == without.predicted);
        Self {
            question,
            accuracy: Some(without.accuracy_by(rule)),
            same_answer: Some(Accuracy::wilson(same.count(), with.items.len())),
            paired: Some(Paired::of(&with.items, &without.items)),
            refused: None,
        }
    }
}

impl Lengths {
    fn of(items: &[Item], scores: &SetScores) -> Self {
        let lengths = |item: &Item| -> Vec<usize> {
            let choices = item.choices.iter();
            choices.map(|choice| choice.chars().count()).collect()
        };
        let first = |lengths: &[usize], wanted: Option<&usize>| {
            lengths.iter().position(|length| Some(length) == wanted)
        };
        let longest = |item: &Item| {
            let lengths = lengths(item);
            first(&lengths, lengths.iter().max())
        };
        let shortest = |item: &Item| {
            let lengths = lengths(item);
            first(&lengths, lengths.iter().min())
        };
        let right = |of: &dyn Fn(&Item) -> Option<usize>| {
            let right = items.iter().filter(|item| of(item) == Some(item.gold));
            Accuracy::wilson(right.count(), items.len())
        };
        let predicted = |of: &dyn Fn(&Item) -> Option<usize>| {
            let pairs = items.iter().zip(&scores.items);
            let so = pairs.filter(|(item, score)| of(item) == Some(score.predicted));
            Accuracy::wilson(so.count(), items.len())
        };
        Self {
            longest_right: right(&longest),
            longest_predicted: predicted(&longest),
            shortest_right: right(&shortest),
            shortest_predicted: predicted(&shortest),
        }
    }
}
