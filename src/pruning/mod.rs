//! Pruning: masks, how they are chosen, and what they do to the answers.
//!
//! - [`mask`]: a mask, its check against a model, its gains
//! - [`selection`]: the top p % of a layer, random masks of the same size, neurons by rank
//! - [`effect`]: item sets before and after, flipped items, the random control, one neuron's card
//! - [`search`]: layer × percentage on validation items

pub mod effect;
pub mod mask;
pub mod search;
pub mod selection;

pub use effect::{ControlReport, PruneReport};
pub use mask::Mask;
pub use search::SearchReport;

use crate::items::{Item, Template};
use crate::job::{Cancelled, Job};
use crate::model::{Capture, Gains, Model, ModelError};
use crate::scoring::{BatchRun, Encoded, Rule, ScoringError, SetScores, batches, encode};

/// Why a mask could not be made or tried.
#[derive(Debug, thiserror::Error)]
pub enum PruningError {
    /// The mask does not fit the model or itself.
    #[error("mask: {0}")]
    Mask(String),
    /// A setting is out of range.
    #[error("{0}")]
    Settings(String),
    /// The items could not be run.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
}

impl From<ModelError> for PruningError {
    fn from(error: ModelError) -> Self {
        Self::Scoring(error.into())
    }
}

impl From<Cancelled> for PruningError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Scoring(cancelled.into())
    }
}

/// A set of items to try masks on.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// The model.
    pub model: &'a Model,
    /// The set's name.
    pub set: &'a str,
    /// Its items.
    pub items: &'a [Item],
    /// How they are put to the model.
    pub template: &'a Template,
    /// How predictions are made.
    pub rule: Rule,
}

impl Trial<'_> {
    /// Scores the set under each of several gains. The items are run once, up to the top; each candidate
    /// leaves that run at the lowest layer it changes.
    ///
    /// `note` is told how many item × candidate scores are done.
    pub(crate) async fn under_each(
        self,
        candidates: &[Gains],
        note: impl Fn(usize),
        job: Job<'_>,
    ) -> Result<Vec<SetScores>, ScoringError> {
        let start = job.now_secs();
        let encoded: Vec<Encoded> = encode(self.model, self.items, self.template)?;
        let decoder = &self.model.decoder;
        let mut sums = vec![vec![Vec::new(); self.items.len()]; candidates.len()];
        let mut done = 0;
        for batch in batches(&encoded, self.model.config()) {
            let run = BatchRun::new(decoder, &batch, &Gains::none(), Capture::All, job).await?;
            for (gains, sums) in candidates.iter().zip(&mut sums) {
                let fork = run.fork(decoder, gains, job).await?;
                let values = fork.read_log_likelihoods(decoder, &batch, job).await?;
                for (&index, values) in batch.items.iter().zip(values) {
                    sums[index] = values;
                }
                done += batch.items.len();
                note(done);
            }
        }
        let seconds = job.now_secs() - start;
        let scores = |sums: &Vec<Vec<f64>>| {
            SetScores::new(self.set, self.items, sums, &encoded, self.rule, seconds)
        };
        Ok(sums.iter().map(scores).collect())
    }
}
