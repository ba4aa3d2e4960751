//! Log-likelihoods of choices, and what follows from them.
//!
//! - [`batch`]: items to batches of prompts of one length, and their runs on the decoder
//! - [`metrics`]: predictions, confidence, accuracy with its interval; pure functions of log-likelihoods

pub mod batch;
pub mod metrics;

use serde::{Deserialize, Serialize};

pub use batch::{Batch, BatchRun, Encoded, batches, encode};
pub use metrics::{Accuracy, ChoiceScore, ItemScore, Rule};

use crate::items::{Item, Template};
use crate::job::{Cancelled, Job};
use crate::model::{Capture, Gains, Model, ModelError};

/// Why items could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    /// An item and what is wrong with it for this model.
    #[error("item `{id}`: {message}")]
    Item {
        /// The item's id.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// There is nothing to score.
    #[error("the item set `{0}` is empty")]
    Empty(String),
    /// The model could not run.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<Cancelled> for ScoringError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Model(cancelled.into())
    }
}

/// The scores of one item set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetScores {
    /// The set's name.
    pub set: String,
    /// Accuracy by the sum of log-likelihoods (lm-evaluation-harness' `acc`).
    pub accuracy: Accuracy,
    /// Accuracy by log-likelihood per character (`acc_norm`).
    pub accuracy_per_character: Accuracy,
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
        }
    }

    /// From each item's log-likelihoods, in the set's order.
    pub fn new(
        set: &str,
        items: &[Item],
        log_likelihoods: &[Vec<f64>],
        encoded: &[Encoded],
        rule: Rule,
        seconds: f64,
    ) -> Self {
        let scores: Vec<ItemScore> = items
            .iter()
            .zip(log_likelihoods)
            .zip(encoded)
            .map(|((item, sums), encoded)| {
                let tokens = encoded.choices.iter().map(Vec::len);
                ItemScore::new(item, sums, tokens, rule)
            })
            .collect();
        let accuracy = |rule| {
            let correct = scores
                .iter()
                .filter(|item| item.predicted_by(rule) == item.gold);
            Accuracy::wilson(correct.count(), scores.len())
        };
        Self {
            set: set.to_owned(),
            accuracy: accuracy(Rule::Sum),
            accuracy_per_character: accuracy(Rule::PerCharacter),
            items: scores,
            seconds,
        }
    }
}

/// Scores a set under `gains`.
///
/// # Errors
///
/// [`ScoringError`] for an empty set, an item this model cannot take, or a failing or cancelled run.
pub async fn score(
    model: &Model,
    (set, items): (&str, &[Item]),
    template: &Template,
    rule: Rule,
    gains: &Gains,
    job: Job<'_>,
) -> Result<SetScores, ScoringError> {
    let start = job.now_secs();
    if items.is_empty() {
        return Err(ScoringError::Empty(set.to_owned()));
    }
    let encoded = encode(model, items, template)?;
    let mut sums = vec![Vec::new(); items.len()];
    let mut done = 0;
    for batch in batches(&encoded, model.config()) {
        let run = BatchRun::new(&model.decoder, &batch, gains, Capture::KeyValues, job).await?;
        let values = run
            .read_log_likelihoods(&model.decoder, &batch, job)
            .await?;
        done += batch.items.len();
        for (&index, values) in batch.items.iter().zip(values) {
            sums[index] = values;
        }
        job.progress("scoring", done, items.len());
    }
    let seconds = job.now_secs() - start;
    Ok(SetScores::new(set, items, &sums, &encoded, rule, seconds))
}
