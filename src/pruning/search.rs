//! The search: layer × percentage, each cell's mask tried on validation items, and beside it random masks of its size: whoever searches
//! many cells on few items finds a good one by luck.

use serde::{Deserialize, Serialize};

use super::selection::{TopPercent, random_like};
use super::{Mask, Trial};
use crate::attribution::Attribution;
use crate::job::Job;
use crate::scoring::{Accuracy, RunError, SetScores};

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

/// What luck alone gives: random masks of every cell's size in its layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Luck {
    /// Seed of the masks.
    pub seed: u64,
    /// Right answers under each cell's random masks, `[cells][masks]`.
    pub correct: Vec<Vec<usize>>,
    /// Right answers of the best cell of each random surface, `[masks]`: its mean is the expected best of so many random cells.
    pub best: Vec<usize>,
}

impl Luck {
    fn new(seed: u64, correct: Vec<Vec<usize>>) -> Self {
        let masks = correct.first().map_or(0, Vec::len);
        let best_of = |mask: usize| correct.iter().filter_map(|cell| cell.get(mask)).max();
        Self {
            seed,
            best: (0..masks)
                .filter_map(|mask| best_of(mask).copied())
                .collect(),
            correct,
        }
    }
}

/// How many random masks go with every cell, and their seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct SearchControl {
    /// Random masks of each cell.
    pub masks: usize,
    /// Their seed.
    pub seed: u64,
}

impl SearchControl {
    /// So many masks of each cell; none where there are to be none.
    #[must_use]
    pub fn of(masks: usize, seed: u64) -> Option<Self> {
        (masks > 0).then_some(Self { masks, seed })
    }
}

/// Most random masks of a cell.
pub const MAX_CELL_MASKS: usize = 100;

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
    /// What random masks of the same sizes give, where they were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub luck: Option<Luck>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The cells of a search: every percentage of every layer.
///
/// # Errors
///
/// [`RunError::Settings`] for an empty grid, and a layer or percentage out of range.
pub fn grid(
    layers: Option<&[usize]>,
    percents: &[f64],
    n_layers: usize,
) -> Result<Vec<TopPercent>, RunError> {
    let all: Vec<usize> = (0..n_layers).collect();
    let of_layer = |&layer: &usize| {
        let percents = percents.iter();
        percents.map(move |&percent| TopPercent { layer, percent })
    };
    let grid: Vec<TopPercent> = layers.unwrap_or(&all).iter().flat_map(of_layer).collect();
    if grid.is_empty() {
        return Err(RunError::Settings(
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

/// Whether every cell may have so many random masks.
///
/// # Errors
///
/// [`RunError::Settings`].
pub fn check_cell_masks(control: SearchControl) -> Result<(), RunError> {
    match (1..=MAX_CELL_MASKS).contains(&control.masks) {
        true => Ok(()),
        false => Err(RunError::Settings(format!(
            "a cell takes 1 to {MAX_CELL_MASKS} random masks, not {}",
            control.masks
        ))),
    }
}

/// Tries the top p % of every layer in `layers`, or of all, for every percentage.
///
/// # Errors
///
/// [`RunError`] for an empty grid, a layer or percentage out of range, or a failing or cancelled run.
pub async fn search(
    trials: &[(Trial<'_>, &SetScores)],
    attribution: &Attribution,
    layers: Option<&[usize]>,
    percents: &[f64],
    control: Option<SearchControl>,
    job: Job<'_>,
) -> Result<SearchReport, RunError> {
    let start = job.now_secs();
    control.map_or(Ok(()), check_cell_masks)?;
    let grid = grid(layers, percents, attribution.n_layers)?;
    if trials.is_empty() {
        return Err(RunError::Settings(
            "a search needs at least one validation set".into(),
        ));
    }
    let masks = grid
        .iter()
        .map(|cell| cell.mask(attribution))
        .collect::<Result<Vec<_>, _>>()?;
    // The cells' own masks, then the random ones of each.
    let d_mlp = attribution.d_mlp;
    let random = |mask| {
        let SearchControl { masks, seed } = control.unwrap_or(SearchControl { masks: 0, seed: 0 });
        (0..masks as u64).map(move |index| random_like(mask, d_mlp, seed, index))
    };
    let random: Vec<Mask> = masks.iter().flat_map(random).collect();
    let tried = masks.len() + random.len();
    let items: usize = trials.iter().map(|(trial, _)| trial.items.len()).sum();
    let total = items * tried;
    let mut done = 0;
    let mut parts: Vec<Vec<Accuracy>> = vec![Vec::new(); tried];
    for (trial, _) in trials {
        let device = trial.model.decoder.device();
        let candidates: Vec<_> = masks
            .iter()
            .chain(&random)
            .map(|mask| mask.edit(trial.model.config(), device))
            .collect();
        let note = |scores| job.progress("search", done + scores, total);
        let scores = trial.under_each(&candidates, note, job).await?;
        done += trial.items.len() * tried;
        for (part, scores) in parts.iter_mut().zip(scores) {
            part.push(scores.accuracy_by(trial.rule));
        }
    }
    let mut accuracies = parts.iter().map(|parts| Accuracy::pooled(parts.iter()));
    let cells: Vec<Cell> = grid
        .iter()
        .zip(&masks)
        .zip(accuracies.by_ref())
        .map(|((cell, mask), accuracy)| Cell {
            layer: cell.layer,
            percent: cell.percent,
            neurons: mask.n_neurons(),
            accuracy,
        })
        .collect();
    let of_random: Vec<usize> = accuracies.map(|accuracy| accuracy.correct).collect();
    let luck = control.map(|SearchControl { masks, seed }| {
        let of_cells = of_random.chunks(masks).map(<[usize]>::to_vec);
        Luck::new(seed, of_cells.collect())
    });
    let best = best(&cells).ok_or_else(|| RunError::Settings("the grid is empty".into()))?;
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
        luck,
        seconds: job.now_secs() - start,
    })
}
