//! Masks on the validation items, all of them or some.

use std::ops::{AddAssign, Range};

use super::halving::order;
use super::{Cell, SearchSpec};
use crate::items::Item;
use crate::job::Job;
use crate::pruning::rules::Selection;
use crate::pruning::{Mask, Trial};
use crate::scoring::{Accuracy, ItemScore, Rule, RunError, SetScores};

/// How a mask did on some items.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub correct: usize,
    pub items: usize,
    /// Sum of the items' gold margins, in nats.
    pub margin: f64,
}

impl Tally {
    fn of(scores: &SetScores, rule: Rule) -> Self {
        let accuracy = scores.accuracy_by(rule);
        Self {
            correct: accuracy.correct,
            items: accuracy.total,
            margin: scores.items.iter().map(ItemScore::gold_margin).sum(),
        }
    }

    pub fn accuracy(&self) -> Accuracy {
        Accuracy::wilson(self.correct, self.items)
    }

    pub fn cell(&self, selection: Selection, neurons: usize) -> Cell {
        Cell {
            selection,
            neurons,
            accuracy: self.accuracy(),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.correct += other.correct;
        self.items += other.items;
        self.margin += other.margin;
    }
}

/// The items of all validation sets, in the order in which they are spent.
pub(super) struct Validation<'a> {
    trials: &'a [(Trial<'a>, &'a SetScores)],
    /// Of each item its set and its place there.
    order: Vec<(usize, usize)>,
    baseline: Tally,
    job: Job<'a>,
    /// Runs of an item under a mask: done, and at most.
    done: usize,
    total: usize,
}

impl<'a> Validation<'a> {
    pub fn new(
        trials: &'a [(Trial<'a>, &'a SetScores)],
        spec: &SearchSpec,
        n_layers: usize,
        job: Job<'a>,
    ) -> Self {
        let sets = trials.iter().enumerate();
        let places: Vec<(usize, usize)> = sets
            .flat_map(|(set, (trial, _))| (0..trial.items.len()).map(move |item| (set, item)))
            .collect();
        let mut baseline = Tally::default();
        for (trial, scores) in trials {
            baseline += Tally::of(scores, trial.rule);
        }
        let cost = spec.cost(n_layers, places.len());
        Self {
            trials,
            order: order(places.len(), spec.halving)
                .into_iter()
                .map(|place| places[place])
                .collect(),
            baseline,
            job,
            done: 0,
            total: if spec.halving {
                cost.halving
            } else {
                cost.full
            },
        }
    }

    /// All items without a mask.
    pub fn baseline(&self) -> Tally {
        self.baseline
    }

    /// Tries every mask on those items that come in `range` of the order.
    pub async fn tally(
        &mut self,
        range: Range<usize>,
        masks: &[&Mask],
    ) -> Result<Vec<Tally>, RunError> {
        let spent = &self.order[range];
        let mut tallies = vec![Tally::default(); masks.len()];
        for (set, (trial, _)) in self.trials.iter().enumerate() {
            let mut places: Vec<usize> = spent
                .iter()
                .filter(|(of, _)| *of == set)
                .map(|(_, place)| *place)
                .collect();
            places.sort_unstable();
            if places.is_empty() {
                continue;
            }
            let items: Vec<Item> = places
                .iter()
                .map(|&place| trial.items[place].clone())
                .collect();
            let trial = Trial {
                items: &items,
                ..*trial
            };
            let (config, device) = (trial.model.config(), trial.model.decoder.device());
            let at_once = trial.masks_at_once();
            for (masks, tallies) in masks.chunks(at_once).zip(tallies.chunks_mut(at_once)) {
                let edits: Vec<_> = masks.iter().map(|mask| mask.edit(config, device)).collect();
                let (done, total, job) = (self.done, self.total, self.job);
                let note = |runs| job.progress("search", done + runs, total);
                let found = trial.under_each(&edits, note, job).await?;
                for (tally, scores) in tallies.iter_mut().zip(&found) {
                    *tally += Tally::of(scores, trial.rule);
                }
                self.done += items.len() * masks.len();
            }
        }
        Ok(tallies)
    }
}
