//! What a mask costs in general ability: a plain text before and after it.

use serde::{Deserialize, Serialize};

use super::{Mask, under_each_entry};
use crate::job::Job;
use crate::model::Model;
use crate::scoring::text::Windows;
use crate::scoring::{RunError, TextScore, batches};

/// A text before and after a mask.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GeneralAbility {
    /// Without the mask.
    pub before: TextScore,
    /// With it.
    pub after: TextScore,
}

/// Scores a text without a mask and with it. The windows are run once; the mask's forks leave that run.
///
/// # Errors
///
/// [`RunError`] for a text that cannot be scored, a mask outside the model, or a failing or cancelled run.
pub async fn general_ability(
    model: &Model,
    text: &str,
    mask: Mask,
    job: Job<'_>,
) -> Result<GeneralAbility, RunError> {
    let config = model.config();
    let windows = Windows::new(model, text)?;
    let mask = mask.checked(config)?;
    // A fork that changes nothing is the run itself.
    let edits = [
        Mask::empty(mask.site).edit(config, model.decoder.device()),
        mask.edit(config, model.decoder.device()),
    ];
    let batches = batches(&windows.encoded, &model.decoder);
    let total = windows.encoded.len() * edits.len();
    let note = |done: usize| job.progress("general ability", done, total);
    let entries = windows.encoded.len();
    let found = under_each_entry(&model.decoder, (&batches, entries), &edits, note, job).await?;
    let mut scores = found.iter().map(|found| windows.score(found));
    match (scores.next(), scores.next()) {
        (Some(before), Some(after)) => Ok(GeneralAbility { before, after }),
        _ => Err(RunError::Settings("no result".into())),
    }
}
