//! Why a study could not be read or run.

use super::Contradiction;
use crate::items::TemplateError;
use crate::job::Cancelled;
use crate::model::ModelError;
use crate::scoring::RunError;

/// Why a study could not be read or run.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The document is not a study of this version.
    #[error("study: {0}")]
    Document(String),
    /// The document is not a report of this version.
    #[error("report: {0}")]
    Report(String),
    /// The study needs another model than the one loaded.
    #[error("the study needs model `{expected}`, and `{found}` is loaded")]
    OtherModel {
        /// What the study names.
        expected: String,
        /// What is loaded.
        found: String,
    },
    /// An action came before what it needs.
    #[error("{0}")]
    NotYet(String),
    /// A link's fragment cannot be read.
    #[error("link: {0}")]
    Link(String),
    /// A link is of another version than this program reads.
    #[error("link: {0}")]
    LinkVersion(String),
    /// What a link says was found does not follow from what stands beside it.
    #[error("link: it contradicts itself: {0}")]
    LinkContradicts(Contradiction),
    /// The items cannot be put to the model this way.
    #[error(transparent)]
    Prompt(#[from] TemplateError),
    /// Scoring, attribution, pruning or tuning failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl StudyError {
    /// The model's error, where it is one.
    pub fn of_model(&self) -> Option<&ModelError> {
        match self {
            Self::Run(error) => error.of_model(),
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

macro_rules! from_below {
    ($($error:ty),*) => {$(
        impl From<$error> for StudyError {
            fn from(error: $error) -> Self {
                Self::Run(error.into())
            }
        }
    )*};
}
from_below!(ModelError, Cancelled);
