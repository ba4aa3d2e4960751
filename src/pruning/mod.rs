//! Pruning: masks, how they are chosen, and what they do to the answers.
//!
//! - [`mask`]: a mask, its check against a model, what it does to a run
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
use crate::model::{Capture, Edit, Model, ModelError};
use crate::scoring::{Batch, BatchRun, Plan, Rule, ScoringError, SetScores, SharedRun};

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

impl PruningError {
    /// The model's error, where it is one.
    pub fn of_model(&self) -> Option<&ModelError> {
        match self {
            Self::Scoring(error) => error.of_model(),
            _ => None,
        }
    }

    /// Whether the user stopped the job.
    pub fn is_cancelled(&self) -> bool {
        self.of_model().is_some_and(ModelError::is_cancelled)
    }

    /// Whether the device failed, which no other input mends.
    pub fn is_device_fault(&self) -> bool {
        self.of_model().is_some_and(ModelError::is_device_fault)
    }
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
    pub prompts: &'a Prompts,
    /// How predictions are made.
    pub rule: Rule,
}

impl Trial<'_> {
    /// Scores the set under each of several edits. The items are run once; as many candidates as fit a pass leave that run
    /// together, each at the lowest layer it changes.
    ///
    /// `note` is told how many item × candidate scores are done.
    pub(crate) async fn under_each(
        self,
        candidates: &[Edit],
        note: impl Fn(usize),
        job: Job<'_>,
    ) -> Result<Vec<SetScores>, ScoringError> {
        let start = job.now_secs();
        let plan = Plan::new(self.model, (self.set, self.items), self.prompts, self.rule)?;
        let decoder = &self.model.decoder;
        let (none, capture) = (Edit::none(), Capture::of(candidates));
        let mut found = vec![vec![Vec::new(); plan.entries()]; candidates.len()];
        let mut done = 0;
        let mut shared = SharedRun::default();
        for batches in with_one_beginning(plan.batches(), decoder.tokens_at_once()) {
            let mut runs = Vec::with_capacity(batches.len());
            for batch in batches {
                runs.push(BatchRun::new(decoder, batch, &none, capture, &mut shared, job).await?);
            }
            let tokens = runs.iter().map(BatchRun::tokens).sum();
            let at_once = decoder.forks_at_once(tokens);
            for (candidates, found) in candidates.chunks(at_once).zip(found.chunks_mut(at_once)) {
                let tops = BatchRun::fork(&runs, decoder, candidates, job).await?;
                for (batch, top) in batches.iter().zip(tops) {
                    let values = top.read_log_probabilities(decoder, batch, job).await?;
                    for (found, values) in found.iter_mut().zip(values) {
                        for (&index, values) in batch.items.iter().zip(values) {
                            found[index] = values;
                        }
                    }
                    // Entries without a context are no items of their own.
                    let indices = batch.items.iter();
                    let items = indices.filter(|index| **index < self.items.len());
                    done += items.count() * candidates.len();
                    note(done);
                }
            }
        }
        let seconds = job.now_secs() - start;
        let scores = |found: Vec<_>| plan.scores(self.set, &found, seconds).without_tokens();
        Ok(found.into_iter().map(scores).collect())
    }
}

/// Batches that follow each other in groups that share a beginning, of at most so many tokens; those that share none are
/// alone.
fn with_one_beginning(batches: &[Batch], tokens: usize) -> Vec<&[Batch]> {
    let mut groups = Vec::new();
    let mut rest = batches;
    while let Some(first) = rest.first() {
        let mut held = first.shared.len();
        let fits = |batch: &Batch| {
            held += batch.tokens();
            held <= tokens && !batch.shared.is_empty() && batch.shared == first.shared
        };
        let count = rest.iter().map(fits).take_while(|fits| *fits).count();
        let (group, others) = rest.split_at(count.max(1));
        groups.push(group);
        rest = others;
    }
    groups
}
