//! Log-likelihoods of choices, and what follows from them.
//!
//! - [`encode`]: items to token ids
//! - [`batch`]: those to batches of prompts of one length
//! - [`run`]: a batch's runs on the decoder, its forks, and the log-probabilities of its choices
//! - [`metrics`]: predictions, confidence, accuracy with its interval; pure functions of log-likelihoods
//! - [`calibration`]: confidence against accuracy; [`paired`]: two runs over the same items
//! - [`audit`]: what drives the answers beside the question
//! - [`position`]: the same items with their choices in several orders
//! - [`text`]: how well a plain text is continued
//! - [`unknown`]: words that the model's tokenizer does not know
//! - [`error`]: why a run over items gave no result

pub mod audit;
pub mod batch;
pub mod calibration;
pub mod encode;
pub mod error;
pub mod metrics;
pub mod paired;
pub mod position;
pub mod run;
pub mod text;
pub mod unknown;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use audit::Audit;
pub use batch::{Batch, batches};
pub use calibration::Calibration;
pub use encode::{Encoded, encode, encode_unconditional};
pub use error::RunError;
pub use metrics::{Accuracy, ChoiceScore, ItemScore, Rule};
pub use paired::{Flip, Paired};
pub use position::{Orders, PositionBias};
pub use run::{BatchRun, SharedRun, Top};
pub use text::TextScore;
pub use unknown::UnknownWords;

use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::{Capture, Edit, Model, ModelError};

/// The scores of one item set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SetScores {
    /// The set's name.
    pub set: String,
    /// Accuracy by the sum of log-likelihoods (lm-evaluation-harness' `acc`).
    pub accuracy: Accuracy,
    /// Accuracy by log-likelihood per character (`acc_norm`).
    pub accuracy_per_character: Accuracy,
    /// Accuracy by log-likelihood per byte (`acc_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_per_byte: Option<Accuracy>,
    /// Accuracy by log-likelihood per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_per_token: Option<Accuracy>,
    /// Accuracy by mutual information (`acc_mutual_info`), where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_mutual_information: Option<Accuracy>,
    /// Pairs of mirrored items of which both are answered right, by the rule in use, where the set has such pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_both_of_pair: Option<Accuracy>,
    /// Confidence against accuracy, by the rule in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Words that the model's tokenizer does not know, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_words: Option<UnknownWords>,
    /// What speaks against these scores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// One entry per item, in the set's order.
    pub items: Vec<ItemScore>,
    /// Wall-clock time.
    pub seconds: f64,
}

impl SetScores {
    /// Accuracy by the rule in use.
    pub fn accuracy_by(&self, rule: Rule) -> Accuracy {
        match rule {
            Rule::Sum => self.accuracy,
            Rule::PerCharacter => self.accuracy_per_character,
            _ => accuracy(&self.items, rule),
        }
    }

    /// From the scores of the items, in the set's order.
    pub fn new(set: &str, items: Vec<ItemScore>, seconds: f64) -> Self {
        let has_unconditional = |item: &ItemScore| {
            item.choices
                .iter()
                .all(|choice| choice.unconditional.is_some())
        };
        let is_measured = !items.is_empty() && items.iter().all(has_unconditional);
        Self {
            set: set.to_owned(),
            accuracy: accuracy(&items, Rule::Sum),
            accuracy_per_character: accuracy(&items, Rule::PerCharacter),
            accuracy_per_byte: Some(accuracy(&items, Rule::PerByte)),
            accuracy_per_token: Some(accuracy(&items, Rule::PerToken)),
            accuracy_mutual_information: is_measured
                .then(|| accuracy(&items, Rule::MutualInformation)),
            accuracy_both_of_pair: both_of_pair(&items),
            calibration: Some(Calibration::of(&items)),
            unknown_words: None,
            warnings: Vec::new(),
            items,
            seconds,
        }
    }

    /// The same log-likelihoods with the predictions of another rule; `None` for mutual information that was not
    /// measured.
    pub fn by_rule(&self, rule: Rule) -> Option<Self> {
        if rule == Rule::MutualInformation && self.accuracy_mutual_information.is_none() {
            return None;
        }
        let items = self.items.iter();
        let items =
            items.map(|item| ItemScore::new(&item.id, item.gold, item.choices.clone(), rule));
        let scores = Self::new(&self.set, items.collect(), self.seconds);
        Some(scores.with_unknown_words(self.unknown_words))
    }

    /// The same scores of a set that is called otherwise.
    #[must_use]
    pub fn named(self, set: &str) -> Self {
        let unknown_words = self.unknown_words;
        let scores = Self {
            set: set.to_owned(),
            ..self
        };
        scores.with_unknown_words(unknown_words)
    }

    fn with_unknown_words(self, unknown_words: Option<UnknownWords>) -> Self {
        let warning = unknown_words.and_then(|unknown| unknown.warning(&self.set));
        Self {
            unknown_words,
            warnings: Vec::from_iter(warning),
            ..self
        }
    }

    /// The same without the log-probabilities of single tokens.
    pub fn without_tokens(mut self) -> Self {
        for item in &mut self.items {
            for choice in &mut item.choices {
                choice.token_log_probabilities = Vec::new();
            }
        }
        self
    }
}

fn accuracy(items: &[ItemScore], rule: Rule) -> Accuracy {
    let correct = items
        .iter()
        .filter(|item| item.predicted_by(rule) == item.gold);
    Accuracy::wilson(correct.count(), items.len())
}

/// Distance of the ids of two mirrored items in Balanced COPA (Kavumba et al., 2019).
const MIRRORED: u64 = 1000;

/// Pairs of mirrored items, and how many are right in both. Their ids are a number below 1000 and the same plus 1000;
/// they alone have their two choices, and the right one of each is the wrong one of the other.
fn both_of_pair(items: &[ItemScore]) -> Option<Accuracy> {
    let numbered = items
        .iter()
        .filter_map(|item| Some((item.id.parse().ok()?, item)));
    let by_id: HashMap<u64, &ItemScore> = numbered.collect();
    let mut alike: HashMap<[&str; 2], usize> = HashMap::new();
    for texts in items.iter().filter_map(two_choices) {
        *alike.entry(texts).or_default() += 1;
    }
    let right_text = |item: &ItemScore| item.choices.get(item.gold).map(|gold| gold.text.clone());
    let (mut right, mut pairs) = (0, 0);
    for (id, &first) in by_id.iter().filter(|(id, _)| **id < MIRRORED) {
        let Some(&second) = by_id.get(&(id + MIRRORED)) else {
            continue;
        };
        let texts = two_choices(first);
        let is_alone = texts.is_some_and(|texts| alike.get(&texts) == Some(&2));
        let is_mirrored = texts == two_choices(second) && right_text(first) != right_text(second);
        if is_alone && is_mirrored {
            pairs += 1;
            right += usize::from(first.correct && second.correct);
        }
    }
    (pairs > 0).then(|| Accuracy::wilson(right, pairs))
}

/// The texts of an item's choices in alphabetical order, where there are two.
fn two_choices(item: &ItemScore) -> Option<[&str; 2]> {
    let [first, second] = item.choices.as_slice() else {
        return None;
    };
    let mut texts = [first.text.as_str(), second.text.as_str()];
    texts.sort_unstable();
    Some(texts)
}

/// A set made ready to be run: once, or under many edits.
pub struct Plan<'a> {
    items: &'a [Item],
    rule: Rule,
    /// The items, and after them, where the rule needs it, the same without their contexts.
    encoded: Vec<Encoded>,
    batches: Vec<Batch>,
}

impl<'a> Plan<'a> {
    /// Encodes a set's items.
    ///
    /// # Errors
    ///
    /// As [`encode`], and [`RunError::Empty`].
    pub fn new(
        model: &Model,
        (set, items): (&str, &'a [Item]),
        prompts: &Prompts,
        rule: Rule,
    ) -> Result<Self, RunError> {
        if items.is_empty() {
            return Err(RunError::Empty(set.to_owned()));
        }
        let mut encoded = encode(model, items, prompts)?;
        if rule == Rule::MutualInformation {
            encoded.extend(encode_unconditional(model, items, prompts)?);
        }
        Ok(Self {
            items,
            rule,
            batches: batches(&encoded, &model.decoder),
            encoded,
        })
    }

    /// The batches, which together hold every item, and those without contexts as further ones.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// How many entries the batches hold.
    pub fn entries(&self) -> usize {
        self.encoded.len()
    }

    /// The scores that follow from every entry's log-probabilities, `[entries][choices][tokens]`.
    pub fn scores(&self, set: &str, found: &[Vec<Vec<f32>>], seconds: f64) -> SetScores {
        let (conditional, unconditional) = found.split_at(self.items.len().min(found.len()));
        let sum = |tokens: &Vec<f32>| tokens.iter().map(|&value| f64::from(value)).sum::<f64>();
        let of_item = |(index, item): (usize, &Item)| {
            let encoded = self.encoded.get(index);
            let found = conditional
                .get(index)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let without = unconditional.get(index);
            let choice = |(choice, text): (usize, &String)| {
                let tokens = found.get(choice).cloned().unwrap_or_default();
                let extent = encoded.and_then(|encoded| encoded.extents.get(choice));
                let (characters, bytes) = extent.map_or((0, 0), |e| (e.characters, e.bytes));
                let log_likelihood = sum(&tokens);
                ChoiceScore {
                    text: text.clone(),
                    log_likelihood,
                    tokens: tokens.len(),
                    characters,
                    per_character: log_likelihood / characters.max(1) as f64,
                    bytes,
                    unconditional: without.and_then(|tokens| tokens.get(choice)).map(sum),
                    token_log_probabilities: tokens,
                }
            };
            let choices = item.choices.iter().enumerate().map(choice).collect();
            ItemScore::new(&item.id, item.gold, choices, self.rule)
        };
        let items = self.items.iter().enumerate().map(of_item).collect();
        SetScores::new(set, items, seconds)
    }
}

/// Scores a set under an edit.
///
/// # Errors
///
/// [`RunError`] for an empty set, an item this model cannot take, or a failing or cancelled run.
pub async fn score(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    rule: Rule,
    edit: &Edit,
    job: Job<'_>,
) -> Result<SetScores, RunError> {
    let start = job.now_secs();
    let plan = Plan::new(model, (set, items), prompts, rule)?;
    let decoder = &model.decoder;
    let mut found = vec![Vec::new(); plan.entries()];
    let mut done = 0;
    let mut shared = SharedRun::default();
    for batch in plan.batches() {
        let capture = Capture::KeyValues;
        let run = BatchRun::new(decoder, batch, edit, capture, &mut shared, job).await?;
        let top = run.top();
        let values = top.read_log_probabilities(decoder, batch, job).await?;
        done += batch.items.len();
        for (&index, values) in batch.items.iter().zip(values.into_iter().flatten()) {
            found[index] = values;
        }
        job.progress("scoring", done, plan.entries());
    }
    let unknown = UnknownWords::of(&model.tokenizer, items).map_err(ModelError::from)?;
    let scores = plan.scores(set, &found, job.now_secs() - start);
    Ok(scores.with_unknown_words(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_counts_when_both_of_its_items_are_right() {
        let items = [
            item("1", true, &["a", "b"]),
            item("1001", true, &["b", "a"]),
            item("2", true, &["c", "d"]),
            item("1002", false, &["d", "c"]),
            item("3", true, &["e", "f"]),
            item("x", true, &["g", "h"]),
        ];
        let pairs = both_of_pair(&items).unwrap();
        assert_eq!((pairs.correct, pairs.total), (1, 2));
        assert!(both_of_pair(&items[4..]).is_none());
    }

    #[test]
    fn items_that_are_not_mirrored_are_no_pair() {
        let pair =
            |first: &[&str], second: &[&str]| [item("1", true, first), item("1001", true, second)];
        for items in [
            // More than two choices, the same right one, other choices.
            pair(&["a", "b", "c"], &["b", "a", "c"]),
            pair(&["a", "b"], &["a", "b"]),
            pair(&["a", "b"], &["b", "c"]),
        ] {
            assert!(both_of_pair(&items).is_none());
        }
        // As in a set whose items all have the choices yes and no.
        let mut items = pair(&["yes", "no"], &["no", "yes"]).to_vec();
        assert!(both_of_pair(&items).is_some());
        items.push(item("2", true, &["yes", "no"]));
        assert!(both_of_pair(&items).is_none());
    }

    /// A choice of some text, with a score like any other.
    pub(super) fn choice(text: &str) -> ChoiceScore {
        ChoiceScore {
            text: text.into(),
            log_likelihood: -1.0,
            tokens: 1,
            characters: 1,
            per_character: -1.0,
            bytes: 1,
            unconditional: None,
            token_log_probabilities: Vec::new(),
        }
    }

    /// An item whose first choice is the right one.
    fn item(id: &str, correct: bool, choices: &[&str]) -> ItemScore {
        ItemScore {
            id: id.into(),
            gold: 0,
            predicted: usize::from(!correct),
            correct,
            confidence: 1.0,
            choices: choices.iter().map(|text| choice(text)).collect(),
        }
    }
}
