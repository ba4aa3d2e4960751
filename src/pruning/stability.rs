//! Would other items of the same kind have chosen the same neurons? The selection again over resamples of the items: no new run.

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
    /// The share of the mask's neurons that a resample selects too: the mean over the resamples, and where 95 % of them lie.
    pub overlap: Estimated,
    /// The same of neurons drawn at random.
    pub chance: f64,
    /// The share of the resamples that select each neuron of the layer, `[d_mlp]`.
    pub kept: Vec<f32>,
    /// What speaks against the choice.
    pub warning: Option<String>,
}

/// Below this expected overlap, half of the mask is the items' doing.
const LEAST_OVERLAP: f64 = 0.5;

/// Selects again for every resample.
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
    let mean = overlaps.iter().sum::<f64>() / overlaps.len() as f64;
    let share = |count: &f64| (count / resampling.resamples as f64) as f32;
    Ok(Stability {
        selection,
        resampling,
        items,
        neurons,
        overlap: Estimated::new(mean, overlaps),
        chance: neurons as f64 / d_mlp as f64,
        kept: counts.iter().map(share).collect(),
        warning: warning(items, mean),
    })
}

fn warning(items: usize, overlap: f64) -> Option<String> {
    if items < 2 {
        return Some(
            "The attribution used one item, so that nothing can be said of how the choice depends on it; bring more items."
                .into(),
        );
    }
    (overlap < LEAST_OVERLAP).then(|| {
        format!(
            "With other items of this kind, {:.0} % of these neurons would be chosen again: {items} items are too few for this \
             choice. Bring more items, or choose fewer neurons.",
            100.0 * overlap
        )
    })
}
