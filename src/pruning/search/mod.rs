//! The search: masks by every selection rule, each tried on validation items, and beside it random masks of its size: whoever searches
//! many cells on few items finds a good one by luck.
//!
//! - this file: the report, and the search itself
//! - [`spec`]: what is asked for, and what that costs
//! - `validation`: masks on the validation items
//! - `halving`: few items for poor cells; `greedy`: neurons picked one by one

mod greedy;
mod halving;
pub mod spec;
mod validation;

use serde::{Deserialize, Serialize};

pub use spec::SearchSpec;

use super::rules::{Evidence, Picked, Selection};
use super::selection::random_like;
use super::{Change, Mask, Means, Trial};
use crate::job::Job;
use crate::scoring::{Accuracy, RunError, SetScores};
use greedy::Step;
use halving::{best_of, rounds};
use validation::{Tally, Validation};

/// One cell of the surface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SearchCell"))]
pub struct Cell {
    /// Which neurons are pruned, and by which rule.
    #[serde(flatten)]
    pub selection: Selection,
    /// Neurons pruned.
    pub neurons: usize,
    /// Accuracy on the validation items of all sets together; by halving, on the items that the cell was tried on.
    pub accuracy: Accuracy,
}

/// What luck alone gives: random masks of every cell's size in its layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Luck {
    /// Seed of the masks.
    pub seed: u64,
    /// Right answers under each cell's random masks, `[cells][masks]`.
    pub correct: Vec<Vec<usize>>,
    /// On how many items, where that is not on all: by halving every random surface leaves its own poor cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub items: Option<Vec<Vec<usize>>>,
    /// Right answers of the best cell of each random surface, `[masks]`: its mean is the expected best of so many random cells.
    pub best: Vec<usize>,
}

impl Luck {
    /// From the tallies of every random surface, `[masks][cells]`, of whose cells those on all items may be the best.
    fn new(seed: u64, surfaces: &[Vec<Tally>], all: usize) -> Self {
        let cells = surfaces.first().map_or(0, Vec::len);
        let of_cells = |of: fn(&Tally) -> usize| -> Vec<Vec<usize>> {
            let of_cell = |cell: usize| surfaces.iter().map(|s| of(&s[cell])).collect();
            (0..cells).map(of_cell).collect()
        };
        let items = of_cells(|tally| tally.items);
        let luck = Self {
            seed,
            correct: of_cells(|tally| tally.correct),
            items: (items.iter().flatten().any(|&items| items < all)).then_some(items),
            best: Vec::new(),
        };
        Self {
            best: luck.best_of_cells(all),
            ..luck
        }
    }

    /// Right answers of the best cell of each random surface, of those that were tried on `all` items.
    pub fn best_of_cells(&self, all: usize) -> Vec<usize> {
        let whole = |cell: usize, mask: usize| {
            let items = match &self.items {
                Some(items) => *items.get(cell)?.get(mask)?,
                None => all,
            };
            (items == all).then_some(*self.correct.get(cell)?.get(mask)?)
        };
        let cells = self.correct.len();
        let best = |mask: usize| (0..cells).filter_map(|cell| whole(cell, mask)).max();
        let masks = self.correct.first().map_or(0, Vec::len);
        (0..masks).filter_map(best).collect()
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
    /// What was asked for; older reports do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub spec: Option<SearchSpec>,
    /// Accuracy without pruning.
    pub baseline: Accuracy,
    /// The cells, rule by rule and layer by layer; after them those of neurons picked one by one, one for each neuron.
    pub cells: Vec<Cell>,
    /// The cell of highest accuracy among those that were tried on all items; of equals the one that prunes fewest, then the one whose
    /// layers begin lower.
    pub best: Selection,
    /// What random masks of the same sizes give, where they were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub luck: Option<Luck>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The cell of highest accuracy among those that were tried on most items; of equals the one that prunes fewest, then the one whose
/// layers begin lower. None of no cells.
pub fn best(cells: &[Cell]) -> Option<&Cell> {
    let most = cells.iter().map(|cell| cell.accuracy.total).max()?;
    let whole = cells.iter().filter(|cell| cell.accuracy.total == most);
    whole.min_by_key(|cell| {
        (
            usize::MAX - cell.accuracy.correct,
            cell.neurons,
            cell.selection.lowest_layer(),
        )
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

/// Tries every cell that is asked for. `means` are what masks put in the place of activations, where that is asked for.
///
/// # Errors
///
/// [`RunError`] where nothing can be searched so ([`SearchSpec::check`]), without a validation set, or for a failing or cancelled
/// run.
pub async fn search(
    trials: &[(Trial<'_>, &SetScores)],
    of: Evidence<'_>,
    spec: &SearchSpec,
    means: Option<&Means>,
    job: Job<'_>,
) -> Result<SearchReport, RunError> {
    let start = job.now_secs();
    let n_layers = of.attribution.n_layers;
    spec.check(n_layers)?;
    if trials.is_empty() {
        return Err(RunError::Settings(
            "a search needs at least one validation set".into(),
        ));
    }
    let change = spec.like(&of.attribution.set).change(means)?;
    let selections = spec.selections(n_layers);
    let masks: Vec<Mask> = selections
        .iter()
        .map(|selection| selection.mask(of)?.by(change))
        .collect::<Result<_, _>>()?;
    let mut validation = Validation::new(trials, spec, n_layers, job);
    let surfaces = beside(masks, spec.control, |mask, control, index| {
        random_like(mask, of.attribution.d_mlp, control.seed, index).by(change)
    })?;
    let mut tallies = surface(&surfaces, spec.halving, &mut validation).await?;
    let mut cells: Vec<Cell> = selections
        .into_iter()
        .zip(&surfaces[0])
        .zip(&tallies[0])
        .map(|((selection, mask), tally)| tally.cell(selection, mask.n_neurons()))
        .collect();
    if let Some(asked) = spec.greedy {
        let paths = picked(of, (asked, spec), change, &mut validation).await?;
        let own = paths.first().map_or(0, Vec::len);
        for (tallies, path) in tallies.iter_mut().zip(&paths) {
            // One that found nothing more stays where it is.
            let stays = path.last().map_or(validation.baseline(), |step| step.tally);
            let steps = path.iter().map(|step| step.tally);
            tallies.extend(steps.chain(std::iter::repeat(stays)).take(own));
        }
        let steps = paths.into_iter().next().into_iter().flatten();
        cells.extend(steps.map(|Step { picked, tally }| {
            let neurons = picked.len();
            tally.cell(Selection::Picked(Picked { picked }), neurons)
        }));
    }
    let all = validation.baseline().items;
    let best = best(&cells).ok_or_else(|| {
        RunError::Settings("no neuron that was tried makes the validation items any better".into())
    })?;
    Ok(SearchReport {
        sets: trials
            .iter()
            .map(|(trial, _)| trial.set.to_owned())
            .collect(),
        baseline: validation.baseline().accuracy(),
        best: best.selection.clone(),
        cells,
        luck: spec
            .control
            .map(|control| Luck::new(control.seed, &tallies[1..], all)),
        spec: Some(spec.clone()),
        seconds: job.now_secs() - start,
    })
}

/// The masks that are tried, and as often as the control says what `random` makes in their place.
fn beside(
    own: Vec<Mask>,
    control: Option<SearchControl>,
    random: impl Fn(&Mask, SearchControl, u64) -> Result<Mask, RunError>,
) -> Result<Vec<Vec<Mask>>, RunError> {
    let mut surfaces = vec![own];
    if let Some(control) = control {
        for index in 0..control.masks as u64 {
            let surface = surfaces[0].iter().map(|own| random(own, control, index));
            let surface = surface.collect::<Result<_, _>>()?;
            surfaces.push(surface);
        }
    }
    Ok(surfaces)
}

/// Every mask of some surfaces on the validation items, `[surfaces][cells]`; by halving each surface leaves its poor cells.
async fn surface(
    surfaces: &[Vec<Mask>],
    halving: bool,
    validation: &mut Validation<'_>,
) -> Result<Vec<Vec<Tally>>, RunError> {
    let cells = surfaces.first().map_or(0, Vec::len);
    let mut tallies = vec![vec![Tally::default(); cells]; surfaces.len()];
    let mut left = vec![(0..cells).collect::<Vec<usize>>(); surfaces.len()];
    let mut spent = 0;
    for round in rounds(cells, validation.baseline().items, halving) {
        for ((left, tallies), masks) in left.iter_mut().zip(&tallies).zip(surfaces) {
            let known = |cell: usize| (tallies[cell].correct, masks[cell].n_neurons());
            *left = best_of(std::mem::take(left), round.cells, known);
        }
        let together: Vec<(usize, usize)> = left
            .iter()
            .enumerate()
            .flat_map(|(surface, left)| left.iter().map(move |&cell| (surface, cell)))
            .collect();
        let masks: Vec<&Mask> = together
            .iter()
            .map(|&(surface, cell)| &surfaces[surface][cell])
            .collect();
        let found = validation.tally(spent..round.items, &masks).await?;
        for ((surface, cell), found) in together.into_iter().zip(found) {
            tallies[surface][cell] += found;
        }
        spent = round.items;
    }
    Ok(tallies)
}

/// Neurons picked one by one among the strongest, and as often as the control says among as many random ones of the same layers: what
/// picking gives whoever knows nothing.
async fn picked(
    of: Evidence<'_>,
    (asked, spec): (spec::Greedy, &SearchSpec),
    change: Change<'_>,
    validation: &mut Validation<'_>,
) -> Result<Vec<Vec<Step>>, RunError> {
    let strongest = greedy::candidates(of.attribution, spec.layers.as_deref(), asked.candidates);
    let own = Mask::of_neurons(of.attribution.settings.site, strongest.iter().copied());
    let among = beside(vec![own], spec.control, |own, control, index| {
        Ok(random_like(own, of.attribution.d_mlp, control.seed, index))
    })?;
    let mut paths: Vec<Vec<Step>> = Vec::with_capacity(among.len());
    for (surface, mask) in among.into_iter().flatten().enumerate() {
        let candidates = match surface {
            0 => strongest.clone(),
            _ => mask.neurons().collect(),
        };
        // A random path is looked at as far as the own one goes, which comes first.
        let rounds = paths.first().map_or(asked.rounds, Vec::len);
        paths.push(greedy::pick(candidates, mask.site, rounds, change, validation).await?);
    }
    Ok(paths)
}
