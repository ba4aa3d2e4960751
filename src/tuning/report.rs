//! What a tuning found: losses, evaluations, the best gains.

use serde::{Deserialize, Serialize};

use crate::scoring::Accuracy;

/// Training loss of one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StepLoss {
    /// Step, from 1.
    pub step: usize,
    /// Mean over its items of the cross-entropy over the choices' log-likelihoods, in nats.
    pub loss: f64,
}

/// One evaluation on the validation items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Validation {
    /// After how many steps; 0 is before training.
    pub step: usize,
    /// Accuracy by the sum of log-likelihoods.
    pub accuracy: Accuracy,
    /// Cross-entropy, in nats.
    pub loss: f64,
}

impl Validation {
    /// Whether this one beats an earlier one.
    pub fn beats(&self, earlier: &Self) -> bool {
        let (new, old) = (self.accuracy.correct, earlier.accuracy.correct);
        new > old || (new == old && self.loss < earlier.loss)
    }
}

/// Step of the best of some evaluations: highest accuracy, then lowest loss, then earliest. None of none.
pub fn best_step(validation: &[Validation]) -> Option<usize> {
    let best = validation
        .iter()
        .reduce(|best, next| match next.beats(best) {
            true => next,
            false => best,
        });
    best.map(|best| best.step)
}

/// What a tuning tells while it runs, beside its progress.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TuneDetail {
    /// 0 for the pruned run, 1 for the one without pruning.
    pub curve: usize,
    /// After how many steps.
    pub step: usize,
    /// Training loss of this step, in nats. Losses are read when they are evaluated.
    pub loss: Option<f64>,
    /// Accuracy on the validation items, where it was evaluated after this step.
    pub validation: Option<Accuracy>,
    /// Cross-entropy on them, in nats.
    pub validation_loss: Option<f64>,
}

/// One set in the model as it was, and with mask and gains.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TunedSet {
    /// The set's name.
    pub set: String,
    /// Accuracy of the model as it was: no mask, no gains.
    pub before: Accuracy,
    /// Accuracy with mask and the best gains.
    pub after: Accuracy,
}

/// One training run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TuneCurve {
    /// With the mask, or without any pruning for comparison.
    pub pruned: bool,
    /// Loss of every step.
    pub steps: Vec<StepLoss>,
    /// The evaluations.
    pub validation: Vec<Validation>,
    /// Step of the best state: highest validation accuracy, then lowest validation loss, then earliest.
    pub best_step: usize,
    /// Whether the user stopped it; the best state until then is kept.
    pub cancelled: bool,
    /// Factor of every neuron of the layer at the best state, `[d_mlp]`; the mask's for the pruned.
    pub gains: Vec<f32>,
    /// The test sets at the best state; empty when cancelled.
    pub sets: Vec<TunedSet>,
}

impl TuneCurve {
    /// Adds the losses of the next steps.
    pub(super) fn extend(&mut self, losses: Vec<f64>) {
        let first = self.steps.len() + 1;
        let steps = losses.into_iter().zip(first..);
        self.steps
            .extend(steps.map(|(loss, step)| StepLoss { step, loss }));
    }
}

/// A tuning and the same without pruning.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TuneReport {
    /// The tuned layer.
    pub layer: usize,
    /// Gains that were free to change, in the pruned run.
    pub trained_gains: usize,
    /// The pruned run, then the one without pruning where asked for.
    pub curves: Vec<TuneCurve>,
    /// Wall-clock time.
    pub seconds: f64,
}
