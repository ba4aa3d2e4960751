//! Why a run over items gave no result.

use crate::job::Cancelled;
use crate::model::ModelError;

/// Why a run over items gave no result: its scoring, or what is built upon that, from the attribution to the tuning.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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
    /// No item is above the confidence threshold.
    #[error(
        "no item's predicted choice reaches the confidence threshold {threshold} (highest: {highest:.3})"
    )]
    NoConfidentItem {
        /// The threshold.
        threshold: f64,
        /// The most confident item's confidence.
        highest: f64,
    },
    /// A setting is out of range, or settings contradict each other.
    #[error("{0}")]
    Settings(String),
    /// A mask does not fit the model or itself.
    #[error("mask: {0}")]
    Mask(String),
    /// The model could not run.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl RunError {
    /// The model's error, where it is one.
    pub fn of_model(&self) -> Option<&ModelError> {
        match self {
            Self::Model(error) => Some(error),
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

impl From<Cancelled> for RunError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Model(cancelled.into())
    }
}
