//! How the gains are trained.

use serde::{Deserialize, Serialize};

use crate::scoring::RunError;

/// How the gains are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct TuneSettings {
    /// The layer whose neurons get a gain.
    pub layer: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// AdamW's learning rate.
    pub learning_rate: f64,
    /// AdamW's decoupled weight decay; pulls the gains towards 1.
    #[serde(default)]
    pub weight_decay: f64,
    /// Items per step; at least as many as there are gives full batches.
    pub batch_size: usize,
    /// Steps between two evaluations on the validation items.
    pub evaluate_every: usize,
}

/// Most optimiser steps.
pub const MAX_STEPS: usize = 10_000;

impl TuneSettings {
    /// Whether a model of so many layers can be tuned so.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`].
    pub fn check(&self, n_layers: usize) -> Result<(), RunError> {
        let fail = |message: String| Err(refused(message));
        if self.layer >= n_layers {
            return fail(format!(
                "layer {} is outside the model's {n_layers}",
                self.layer
            ));
        }
        if !(1..=MAX_STEPS).contains(&self.steps) {
            return fail(format!(
                "steps must be 1 to {MAX_STEPS}, and is {}",
                self.steps
            ));
        }
        if self.batch_size == 0 || self.evaluate_every == 0 {
            return fail("batch_size and evaluate_every must be at least 1".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            return fail(format!(
                "learning_rate must be above 0 and at most 10, and is {}",
                self.learning_rate
            ));
        }
        if !(0.0..=10.0).contains(&self.weight_decay) {
            return fail(format!(
                "weight_decay must be 0 to 10, and is {}",
                self.weight_decay
            ));
        }
        Ok(())
    }
}

/// The error of a setting that cannot be.
pub(super) fn refused(message: String) -> RunError {
    RunError::Settings(format!("tuning settings: {message}"))
}
