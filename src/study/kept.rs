//! Masks that a study keeps beside what it prunes.

use serde::{Deserialize, Serialize};

use super::{MadeOf, ModelSpec, StudyError};
use crate::model::Model;
use crate::pruning::Mask;
use crate::scoring::RunError;

/// Most kept masks of one study.
pub const MAX_KEPT_MASKS: usize = 64;
/// Longest name, in characters.
pub const MAX_MASK_NAME: usize = 80;

/// A mask under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct KeptMask {
    /// Its name, which no other mask of the study has.
    pub name: String,
    /// The model that it is of.
    pub model: ModelSpec,
    /// The mask.
    pub mask: Mask,
}

impl KeptMask {
    /// Whether it is of a model, as far as it says.
    pub fn is_of(&self, model: &Model) -> bool {
        MadeOf::of_model(&self.model.sha256).is_same(&MadeOf::of_model(&model.sha256))
    }

    /// The mask, for the model that it is of.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] for another model, and for neurons that the model does not have.
    pub fn on(&self, model: &Model) -> Result<Mask, RunError> {
        let Self { name, .. } = self;
        if !self.is_of(model) {
            return Err(RunError::Mask(format!(
                "`{name}` is of the model `{}`, whose weights are others than those of the loaded `{}`",
                self.model.id, model.id
            )));
        }
        self.mask
            .clone()
            .checked(model.config())
            .map_err(|error| match error {
                RunError::Mask(message) => RunError::Mask(format!("`{name}`: {message}")),
                other => other,
            })
    }
}

/// Whether a study may keep these masks.
///
/// # Errors
///
/// [`StudyError::Document`] for too many, for a name that is empty, too long or given twice, and for a mask that
/// contradicts itself.
pub(super) fn check(masks: &[KeptMask]) -> Result<(), StudyError> {
    let fail = |message: String| Err(StudyError::Document(message));
    if masks.len() > MAX_KEPT_MASKS {
        return fail(format!(
            "a study keeps at most {MAX_KEPT_MASKS} masks, not {}",
            masks.len()
        ));
    }
    for (index, KeptMask { name, mask, .. }) in masks.iter().enumerate() {
        if name.trim().is_empty() || name.chars().count() > MAX_MASK_NAME {
            return fail(format!(
                "the name of kept mask {} is empty or longer than {MAX_MASK_NAME} characters",
                index + 1
            ));
        }
        if masks.iter().take(index).any(|other| other.name == *name) {
            return fail(format!("two kept masks are called `{name}`"));
        }
        mask.check()
            .or_else(|error| fail(format!("kept mask `{name}`: {error}")))?;
    }
    Ok(())
}
