//! Pruning: masks, how they are chosen, and what they do to the answers.
//!
//! - [`mask`]: a mask, its check against a model, what it does to a run; [`combination`]: what two of them make;
//!   [`means`]: what may stand in for activations
//! - [`selection`]: the top p % of a layer, random masks of the same size, neurons by rank; [`rules`]: every rule of selection
//! - [`effect`]: item sets before and after, flipped items, the random control, one neuron's card
//! - [`general`]: what a mask costs on a plain text
//! - [`search`]: masks by every rule on validation items
//! - [`stability`]: would other items have chosen the same? [`resample`]: other items, drawn from those at hand
//! - [`race`]: every method against exact ablation

pub mod combination;
pub mod effect;
pub mod general;
pub mod mask;
pub mod means;
pub mod race;
pub mod resample;
pub mod rules;
pub mod search;
pub mod selection;
pub mod stability;

pub use combination::Combination;
pub use effect::{ControlReport, PruneReport};
pub use general::GeneralAbility;
pub use mask::{Change, Mask, Operation};
pub use means::Means;
pub use race::Race;
pub use resample::Resampling;
pub use rules::Selection;
pub use search::{SearchReport, SearchSpec};
pub use stability::Stability;

use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::{Capture, Decoder, Edit, Model};
use crate::scoring::{Batch, BatchRun, Plan, Rule, RunError, SetScores, SharedRun};

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

/// Scores of an item under a mask that are in memory together, at most: some 100 MB.
const SCORES_AT_ONCE: usize = 1 << 17;

impl Trial<'_> {
    /// How many masks are tried at once. Each round runs the items once more without one, which few masks would not be worth.
    pub(crate) fn masks_at_once(self) -> usize {
        (SCORES_AT_ONCE / self.items.len().max(1)).clamp(16, 512)
    }

    /// Scores the set under each of several edits. The items are run once; as many candidates as fit a pass leave that run
    /// together, each at the lowest layer it changes.
    ///
    /// `note` is told how many item × candidate scores are done.
    pub(crate) async fn under_each(
        self,
        candidates: &[Edit],
        note: impl Fn(usize),
        job: Job<'_>,
    ) -> Result<Vec<SetScores>, RunError> {
        let start = job.now_secs();
        let plan = Plan::new(self.model, (self.set, self.items), self.prompts, self.rule)?;
        // Entries without a context are no items of their own.
        let of_item = plan.entries() / self.items.len().max(1);
        let note = |done: usize| note(done / of_item.max(1));
        let entries = (plan.batches(), plan.entries());
        let decoder = &self.model.decoder;
        let found = under_each_entry(decoder, entries, candidates, note, job).await?;
        let seconds = job.now_secs() - start;
        let scores = |found: Vec<_>| plan.scores(self.set, &found, seconds).without_tokens();
        Ok(found.into_iter().map(scores).collect())
    }
}

/// The log-probabilities of every entry of some batches under each of several edits, `[edits][entries][choices][tokens]`: the entries
/// are run once, and as many edits as fit a pass leave that run together, each at the lowest layer it changes.
///
/// `note` is told how many entries × edits are done.
async fn under_each_entry(
    decoder: &Decoder,
    (batches, entries): (&[Batch], usize),
    edits: &[Edit],
    note: impl Fn(usize),
    job: Job<'_>,
) -> Result<Vec<Vec<Vec<Vec<f32>>>>, RunError> {
    let (none, capture) = (Edit::none(), Capture::of(edits));
    let mut found = vec![vec![Vec::new(); entries]; edits.len()];
    let mut done = 0;
    let mut shared = SharedRun::default();
    for batches in with_one_beginning(batches, decoder.tokens_at_once()) {
        let mut runs = Vec::with_capacity(batches.len());
        for batch in batches {
            runs.push(BatchRun::new(decoder, batch, &none, capture, &mut shared, job).await?);
        }
        let tokens = runs.iter().map(BatchRun::tokens).sum();
        let at_once = decoder.forks_at_once(tokens);
        for (edits, found) in edits.chunks(at_once).zip(found.chunks_mut(at_once)) {
            let tops = BatchRun::fork(&runs, decoder, edits, job).await?;
            for (batch, top) in batches.iter().zip(tops) {
                let values = top.read_log_probabilities(decoder, batch, job).await?;
                for (found, values) in found.iter_mut().zip(values) {
                    for (&index, values) in batch.items.iter().zip(values) {
                        found[index] = values;
                    }
                }
                done += batch.items.len() * edits.len();
                note(done);
            }
        }
    }
    Ok(found)
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
