//! Which neurons to prune: by rank of their score, or at random as a control.

use std::cmp::Ordering;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mask::{LayerMask, Mask};
use crate::attribution::Attribution;
use crate::attribution::layers::check_layer;
use crate::model::Neuron;
use crate::scoring::RunError;

/// The top p % of one layer, the paper's selection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TopPercent {
    /// The layer.
    pub layer: usize,
    /// Percentage of its neurons, above 0 and at most 100.
    pub percent: f64,
}

impl TopPercent {
    /// Number of neurons selected of `d_mlp`: rounded, and at least one.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for a percentage out of range, and for a layer without neurons.
    pub fn n_neurons(&self, d_mlp: usize) -> Result<usize, RunError> {
        count_of(self.percent, d_mlp)
    }

    /// Whether a model has such a layer, and there is such a percentage.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`].
    pub fn check(&self, n_layers: usize) -> Result<(), RunError> {
        check_layer(self.layer, n_layers)?;
        self.n_neurons(1).map(|_| ())
    }

    /// The neurons of largest absolute aggregated score; of equals, the lower index.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for a layer or percentage out of range.
    pub fn mask(&self, attribution: &Attribution) -> Result<Mask, RunError> {
        self.check(attribution.scores.len())?;
        let scores = &attribution.scores[self.layer];
        let strongest = strongest(scores, self.n_neurons(scores.len())?);
        let site = attribution.settings.site;
        Ok(Mask::of_layer(site, self.layer, strongest))
    }
}

/// A percentage of so many neurons: rounded, and at least one.
///
/// # Errors
///
/// [`RunError::Settings`] for a percentage out of range, and for no neurons.
pub(super) fn count_of(percent: f64, neurons: usize) -> Result<usize, RunError> {
    if !(percent > 0.0 && percent <= 100.0) {
        return Err(RunError::Settings(format!(
            "the percentage must be above 0 and at most 100, and is {percent}"
        )));
    }
    if neurons == 0 {
        return Err(RunError::Settings(
            "a layer of no neurons has none to select".to_owned(),
        ));
    }
    Ok(((percent * neurons as f64 / 100.0).round() as usize).clamp(1, neurons))
}

/// The places of the `count` largest absolute values, the largest first; of equals, the lower place.
pub fn strongest(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<(f32, usize)> = scores.iter().map(|score| score.abs()).zip(0..).collect();
    let stronger = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if (1..order.len()).contains(&count) {
        order.select_nth_unstable_by(count - 1, stronger);
    }
    order.truncate(count);
    order.sort_unstable_by(stronger);
    order.into_iter().map(|(_, place)| place).collect()
}

/// How likely each place is among the `count` largest absolute values, where equals are taken by chance: 1 above those at the edge, 0
/// below, and their share of what is left at it.
pub fn chances(scores: &[f32], count: usize) -> Vec<f64> {
    let mut absolute: Vec<f32> = scores.iter().map(|score| score.abs()).collect();
    let edge = match (1..=absolute.len()).contains(&count) {
        true => {
            *absolute
                .select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a))
                .1
        }
        false => return vec![if count == 0 { 0.0 } else { 1.0 }; scores.len()],
    };
    let above = |score: &f32| score.abs().total_cmp(&edge);
    let number = |order| scores.iter().filter(|score| above(score) == order).count();
    let (larger, equal) = (number(Ordering::Greater), number(Ordering::Equal));
    let at_edge = (count - larger) as f64 / equal as f64;
    let chance = |score| match above(score) {
        Ordering::Greater => 1.0,
        Ordering::Equal => at_edge,
        Ordering::Less => 0.0,
    };
    scores.iter().map(chance).collect()
}

/// A mask of the same number of neurons in the same layers, drawn uniformly without replacement; it sets them to zero.
///
/// ChaCha8 with the seed and `index` as its stream, so that control masks do not depend on how many are
/// drawn.
pub fn random_like(mask: &Mask, d_mlp: usize, seed: u64, index: u64) -> Mask {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index);
    Mask {
        layers: mask
            .layers
            .iter()
            .map(|LayerMask { layer, neurons, .. }| {
                let mut drawn = sample(&mut generator, d_mlp, neurons.len().min(d_mlp)).into_vec();
                drawn.sort_unstable();
                LayerMask::new(*layer, drawn)
            })
            .collect(),
        ..Mask::empty(mask.site)
    }
}

/// A neuron with its place among the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RankedNeuron {
    /// 1 for the largest absolute score.
    pub rank: usize,
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// How it is shown.
    pub address: String,
    /// Aggregated score.
    pub score: f32,
    /// Share of the items with a positive score.
    pub share_positive: f64,
    /// Lowest item score.
    pub item_min: f32,
    /// Highest item score.
    pub item_max: f32,
    /// Whether the mask at hand prunes it.
    pub pruned: bool,
}

/// The `top` neurons of largest absolute score, of one layer or of all.
pub fn ranked(
    attribution: &Attribution,
    layer: Option<usize>,
    top: usize,
    mask: Option<&Mask>,
) -> Vec<RankedNeuron> {
    order(attribution, |of| layer.is_none_or(|layer| layer == of))
        .into_iter()
        .take(top)
        .enumerate()
        .map(|(place, (neuron, score))| {
            let items = attribution.item_scores(neuron);
            let positive = items.iter().filter(|score| **score > 0.0).count();
            RankedNeuron {
                rank: place + 1,
                neuron,
                address: neuron.to_string(),
                score,
                share_positive: positive as f64 / items.len().max(1) as f64,
                item_min: items.iter().copied().fold(f32::INFINITY, f32::min),
                item_max: items.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                pruned: mask.is_some_and(|mask| mask.contains(neuron)),
            }
        })
        .collect()
}

/// Rank of a neuron among all, 1 for the largest absolute score.
pub fn rank_of(attribution: &Attribution, neuron: Neuron) -> Option<usize> {
    order(attribution, |_| true)
        .iter()
        .position(|(other, _)| *other == neuron)
        .map(|place| place + 1)
}

/// The neurons of some layers, by absolute score; of equals, the lower layer and index first.
pub(super) fn order(
    attribution: &Attribution,
    is_asked: impl Fn(usize) -> bool,
) -> Vec<(Neuron, f32)> {
    let mut all: Vec<(Neuron, f32)> = attribution
        .neurons()
        .filter(|(neuron, _)| is_asked(neuron.layer))
        .collect();
    all.sort_by(|(a, of_a), (b, of_b)| of_b.abs().total_cmp(&of_a.abs()).then(a.cmp(b)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Site;

    #[test]
    fn equals_at_the_edge_share_what_is_left_by_chance() {
        let third = 1.0 / 3.0;
        assert_eq!(
            chances(&[0.0, -5.0, 0.0, 0.0], 2),
            [third, 1.0, third, third]
        );
        assert_eq!(chances(&[1.0, -3.0, 2.0], 2), [0.0, 1.0, 1.0]);
        assert_eq!(chances(&[1.0, 1.0], 2), [1.0, 1.0]);
        assert_eq!(chances(&[1.0, 2.0], 0), [0.0, 0.0]);
        assert_eq!(chances(&[], 0), [0.0; 0]);
    }

    #[test]
    fn a_percentage_selects_at_least_one_neuron_and_rounds() {
        let count = |percent| TopPercent { layer: 0, percent }.n_neurons(30);
        assert_eq!(count(0.1).unwrap(), 1);
        assert_eq!(count(5.0).unwrap(), 2);
        assert_eq!(count(100.0).unwrap(), 30);
        // Half a neuron is rounded up, also where the percentage has no exact half in binary.
        let of_100 = |percent| TopPercent { layer: 0, percent }.n_neurons(100).unwrap();
        assert_eq!([12.5, 14.5, 28.5, 56.5].map(of_100), [13, 15, 29, 57]);
        assert!(count(0.0).is_err() && count(100.5).is_err() && count(f64::NAN).is_err());
    }

    #[test]
    fn a_random_mask_has_the_size_of_the_mask_and_depends_on_seed_and_index_only() {
        let mask = Mask::of_layer(Site::Post, 2, [1, 5, 9]);
        let draw = |seed, index| random_like(&mask, 50, seed, index);
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
        assert_ne!(draw(7, 3), draw(8, 3));
        assert_eq!(draw(7, 3).layers[0].layer, 2);
        assert_eq!(draw(7, 3).n_neurons(), 3);
    }
}
