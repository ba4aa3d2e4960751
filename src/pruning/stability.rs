//! Would other items of the same kind have chosen the same neurons? The selection again over halves and resamples of the items: no new
//! run.

use serde::Serialize;

use super::resample::{Estimated, Resampling};
use super::selection::{TopPercent, chances, strongest};
use crate::attribution::Attribution;
use crate::scoring::RunError;

/// How a selection holds under resamples of the attribution's items.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Stability {
    /// What was selected.
    pub selection: TopPercent,
    /// How the items were drawn again.
    #[serde(flatten)]
    pub resampling: Resampling,
    /// Items that the attribution used.
    pub items: usize,
    /// Neurons selected.
    pub neurons: usize,
    /// The share of the selection that two halves of the items, which share none, have in common: the mean over random halves, and where 95 %
    /// of them lie. That many other items would agree about as much; all items together hold steadier, so it is on the low side. None of
    /// one item.
    pub halves: Option<Estimated>,
    /// The share of the mask's neurons that a resample of the same items selects too: the mean over the resamples, and where 95 % of them
    /// lie. Other items agree less, because resamples are about the same items as the mask.
    pub overlap: Estimated,
    /// The same of neurons drawn at random.
    pub chance: f64,
    /// The share of the resamples that select each neuron of the layer, `[d_mlp]`.
    pub kept: Vec<f32>,
    /// What speaks against the choice.
    pub warning: Option<String>,
}

/// Below this overlap of halves, most of the mask is the items' doing.
const LEAST_OVERLAP: f64 = 0.5;

/// Selects again for every resample, and as often for two halves.
///
/// # Errors
///
/// [`RunError::Settings`] for a layer, percentage or number of resamples out of range.
pub fn stability(
    attribution: &Attribution,
    selection: TopPercent,
    resampling: Resampling,
) -> Result<Stability, RunError> {
    resampling.check()?;
    selection.check(attribution.n_layers)?;
    let (layer, d_mlp) = (selection.layer, attribution.d_mlp);
    let neurons = selection.n_neurons(d_mlp)?;
    let selected = strongest(&attribution.scores[layer], neurons);
    let mut is_selected = vec![false; d_mlp];
    selected
        .iter()
        .for_each(|&neuron| is_selected[neuron] = true);
    let items = attribution.per_item.len();
    let mut counts = vec![0.0; d_mlp];
    let mut overlaps = Vec::with_capacity(resampling.resamples);
    for weights in resampling.weights(items) {
        // Of equals at the edge what chance gives: a fixed order would choose the same ones every time.
        let again = chances(&attribution.weighted_layer(layer, &weights), neurons);
        let (mut both, of_neurons) = (0.0, counts.iter_mut().zip(again).zip(&is_selected));
        for ((count, chance), is_selected) in of_neurons {
            *count += chance;
            both += f64::from(u8::from(*is_selected)) * chance;
        }
        overlaps.push(both / neurons as f64);
    }
    let shared: Vec<f64> = resampling
        .halves(items)
        .map(|halves| {
            let [a, b] =
                halves.map(|half| chances(&attribution.weighted_layer(layer, &half), neurons));
            let both: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            both / neurons as f64
        })
        .collect();
    let halves = (!shared.is_empty()).then(|| over_draws(shared));
    let share = |count: &f64| (count / resampling.resamples as f64) as f32;
    Ok(Stability {
        selection,
        resampling,
        items,
        neurons,
        warning: warning(items, halves),
        halves,
        overlap: over_draws(overlaps),
        chance: neurons as f64 / d_mlp as f64,
        kept: counts.iter().map(share).collect(),
    })
}

/// The mean over draws and where 95 % of them lie.
fn over_draws(values: Vec<f64>) -> Estimated {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Estimated::new(mean, values)
}

fn warning(items: usize, halves: Option<Estimated>) -> Option<String> {
    let Some(halves) = halves else {
        return Some(
            "The attribution used one item, so that nothing can be said of how the choice depends on it; bring more items."
                .into(),
        );
    };
    (halves.value < LEAST_OVERLAP).then(|| {
        format!(
            "Two halves of these items choose {:.0} % of the same neurons, less than half: {items} items are too few for this choice. \
             Bring more items, or choose fewer neurons.",
            100.0 * halves.value
        )
    })
}
