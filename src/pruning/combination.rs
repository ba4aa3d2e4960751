//! What two masks make together.

use serde::{Deserialize, Serialize};

use super::Mask;
use crate::scoring::RunError;

/// Which of the neurons of two masks are those of a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Those of either.
    Union,
    /// Those of both.
    Intersection,
    /// Those of the first that are not of the second.
    Difference,
}

impl Combination {
    /// The third mask.
    ///
    /// # Errors
    ///
    /// As [`Mask::union`].
    pub fn of(self, first: &Mask, second: &Mask) -> Result<Mask, RunError> {
        match self {
            Self::Union => first.union(second),
            Self::Intersection => first.intersection(second),
            Self::Difference => first.difference(second),
        }
    }
}
