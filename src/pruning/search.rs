//! The search: layer × percentage, each cell's mask tried on validation items.

use serde::{Deserialize, Serialize};

use super::selection::TopPercent;
use super::{PruningError, Trial};
use crate::attribution::Attribution;
use crate::job::Job;
use crate::scoring::{Accuracy, SetScores};

/// One cell of the surface.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SearchCell"))]
pub struct Cell {
    /// The layer.
    pub layer: usize,
    /// Percentage of its neurons.
    pub percent: f64,
    /// Neurons pruned.
    pub neurons: usize,
    /// Accuracy on the validation items of all sets together.
    pub accuracy: Accuracy,
}

/// The surface and its best cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SearchReport {
    /// Names of the validation sets.
    pub sets: Vec<String>,
    /// Accuracy without pruning.
    pub baseline: Accuracy,
    /// The cells, layer by layer.
    pub cells: Vec<Cell>,
    /// The cell of highest accuracy; of equals the one that prunes fewest, then the lower layer.
    pub best: TopPercent,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The cells of a search: every percentage of every layer.
///
/// # Errors
///
/// [`PruningError::Settings`] for an empty grid, and a layer or percentage out of range.
pub fn grid(
    layers: Option<&[usize]>,
    percents: &[f64],
    n_layers: usize,
) -> Result<Vec<TopPercent>, PruningError> {
    let all: Vec<usize> = (0..n_layers).collect();
    let of_layer = |&layer: &usize| {
        let percents = percents.iter();
        percents.map(move |&percent| TopPercent { layer, percent })
    };
    let grid: Vec<TopPercent> = layers.unwrap_or(&all).iter().flat_map(of_layer).collect();
    if grid.is_empty() {
        return Err(PruningError::Settings(
            "a search needs at least one layer and one percentage".into(),
        ));
    }
    grid.iter().try_for_each(|cell| cell.check(n_layers))?;
    Ok(grid)
}

/// The cell of highest accuracy; of equals the one that prunes fewest, then the lower layer. None of no cells.
pub fn best(cells: &[Cell]) -> Option<TopPercent> {
    let best = cells
        .iter()
        .min_by_key(|cell| (usize::MAX - cell.accuracy.correct, cell.neurons, cell.layer))?;
    Some(TopPercent {
        layer: best.layer,
        percent: best.percent,
    })
}

/// Tries the top p % of every layer in `layers`, or of all, for every percentage.
///
/// # Errors
///
/// [`PruningError`] for an empty grid, a layer or percentage out of range, or a failing or cancelled run.
pub async fn search(
    trials: &[(Trial<'_>, &SetScores)],
    attribution: &Attribution,
    layers: Option<&[usize]>,
    percents: &[f64],
    job: Job<'_>,
) -> Result<SearchReport, PruningError> {
    let start = job.now_secs();
    let grid = grid(layers, percents, attribution.n_layers)?;
    if trials.is_empty() {
        return Err(PruningError::Settings(
            "a search needs at least one validation set".into(),
        ));
    }
    let masks = grid
        .iter()
        .map(|cell| cell.mask(attribution))
        .collect::<Result<Vec<_>, _>>()?;
    let items: usize = trials.iter().map(|(trial, _)| trial.items.len()).sum();
    let total = items * grid.len();
    let mut done = 0;
    let mut parts: Vec<Vec<Accuracy>> = vec![Vec::new(); grid.len()];
    for (trial, _) in trials {
        let device = trial.model.decoder.device();
        let candidates: Vec<_> = masks
            .iter()
            .map(|mask| mask.edit(trial.model.config(), device))
            .collect();
        let note = |scores| job.progress("search", done + scores, total);
        let scores = trial.under_each(&candidates, note, job).await?;
        done += trial.items.len() * grid.len();
        for (part, scores) in parts.iter_mut().zip(scores) {
            part.push(scores.accuracy_by(trial.rule));
        }
    }
    let cells: Vec<Cell> = grid
        .iter()
        .zip(&masks)
        .zip(&parts)
        .map(|((cell, mask), parts)| Cell {
            layer: cell.layer,
            percent: cell.percent,
            neurons: mask.n_neurons(),
            accuracy: Accuracy::pooled(parts.iter()),
        })
        .collect();
    let best = best(&cells).ok_or_else(|| PruningError::Settings("the grid is empty".into()))?;
    let baseline: Vec<Accuracy> = trials
        .iter()
        .map(|(trial, scores)| scores.accuracy_by(trial.rule))
        .collect();
    Ok(SearchReport {
        sets: trials
            .iter()
            .map(|(trial, _)| trial.set.to_owned())
            .collect(),
        baseline: Accuracy::pooled(baseline.iter()),
        cells,
        best,
        seconds: job.now_secs() - start,
    })
}
