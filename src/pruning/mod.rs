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

use crate::items::{Item, Prompts};
use crate::job::{Cancelled, Job};
use crate::model::{Capture, Gains, Model, ModelError};
use crate::scoring::{BatchRun, Plan, Rule, ScoringError, SetScores, SharedRun};

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

/// Most candidates whose runs of the prompts' shared beginning are held at once.
const CANDIDATES_AT_ONCE: usize = 32;

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
    pub prompts: &'a Prompts,
    /// How predictions are made.
    pub rule: Rule,
}

impl Trial<'_> {
    /// Scores the set under each of several gains. The items are run once for every [`CANDIDATES_AT_ONCE`] of them, up to the
    /// top; each candidate leaves that run at the lowest layer it changes.
    ///
    /// `note` is told how many item × candidate scores are done.
    pub(crate) async fn under_each(
        self,
        candidates: &[Gains],
        note: impl Fn(usize),
        job: Job<'_>,
    ) -> Result<Vec<SetScores>, ScoringError> {
        let start = job.now_secs();
        let plan = Plan::new(self.model, (self.set, self.items), self.prompts, self.rule)?;
        let decoder = &self.model.decoder;
        let mut found = vec![vec![Vec::new(); plan.entries()]; candidates.len()];
        let mut done = 0;
        let groups = candidates.chunks(CANDIDATES_AT_ONCE);
        for (candidates, found) in groups.zip(found.chunks_mut(CANDIDATES_AT_ONCE)) {
            let mut shared = SharedRun::default();
            let mut forked: Vec<_> = candidates.iter().map(|_| SharedRun::default()).collect();
            for batch in plan.batches() {
                let (none, capture) = (Gains::none(), Capture::All);
                let run = BatchRun::new(decoder, batch, &none, capture, &mut shared, job).await?;
                let each = candidates.iter().zip(&mut *found).zip(&mut forked);
                for ((gains, found), forked) in each {
                    let fork = run.fork(decoder, batch, gains, forked, job).await?;
                    let values = fork.read_log_probabilities(decoder, batch, job).await?;
                    for (&index, values) in batch.items.iter().zip(values) {
                        found[index] = values;
                    }
                    // Entries without a context are no items of their own.
                    let items = batch
                        .items
                        .iter()
                        .filter(|index| **index < self.items.len());
                    done += items.count();
                    note(done);
                }
            }
        }
        let seconds = job.now_secs() - start;
        let scores = |found: Vec<_>| plan.scores(self.set, &found, seconds).without_tokens();
        Ok(found.into_iter().map(scores).collect())
    }
}
