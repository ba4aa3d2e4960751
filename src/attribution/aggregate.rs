//! Item scores as one score a neuron.

use std::ops::Range;

use super::Settings;
use super::settings::Aggregate;

/// One score of each of some neurons over weighted items: of every item the scores of all neurons, and its weight. An item of weight
/// 2 counts as two like it, which is how a resample of the items is said.
///
/// The signed mean is the paper's Eq. 5.
pub fn aggregated<'a>(
    items: impl Iterator<Item = (&'a [f32], f64)>,
    neurons: Range<usize>,
    settings: &Settings,
) -> Vec<f32> {
    let mut sums = vec![0f64; neurons.len()];
    let mut total = 0.0;
    for (scores, weight) in items {
        total += weight;
        // The item's largest score is that of all neurons, and one aggregate needs it.
        let largest = match settings.aggregate {
            Aggregate::ConsensusShare => scores.iter().copied().fold(0f32, f32::max),
            _ => 0.0,
        };
        let enough = settings.consensus_threshold() as f32 * largest;
        let counted = |score: f32| match settings.aggregate {
            Aggregate::SignedMean => f64::from(score),
            Aggregate::MeanAbsolute => f64::from(score.abs()),
            Aggregate::ConsensusShare => f64::from(largest > 0.0 && score >= enough),
        };
        for (sum, &score) in sums.iter_mut().zip(&scores[neurons.clone()]) {
            *sum += weight * counted(score);
        }
    }
    let mean = |sum: f64| if total > 0.0 { sum / total } else { 0.0 };
    sums.into_iter().map(|sum| mean(sum) as f32).collect()
}

/// A layer's scores divided by the largest absolute one of them, where there is one.
pub fn by_maximum(scores: Vec<f32>) -> Vec<f32> {
    let largest = scores
        .iter()
        .fold(0f32, |largest, score| largest.max(score.abs()));
    match largest > 0.0 {
        true => scores.into_iter().map(|score| score / largest).collect(),
        false => scores,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: [[f32; 4]; 3] = [
        [1.0, -4.0, 0.25, 5.0],
        [2.0, 4.0, 0.5, -5.0],
        [0.0, -3.0, 0.0, 0.0],
    ];

    fn of(aggregate: Aggregate, weights: [f64; 3]) -> Vec<f32> {
        let settings = Settings {
            aggregate,
            ..Settings::preset("fast").unwrap()
        };
        let items = ITEMS.iter().map(<[f32; 4]>::as_slice).zip(weights);
        aggregated(items, 0..4, &settings)
    }

    #[test]
    fn scores_of_either_sign_cancel_in_the_mean_and_not_in_that_of_absolute_values() {
        assert_eq!(of(Aggregate::SignedMean, [1.0; 3]), [1.0, -1.0, 0.25, 0.0]);
        assert_eq!(
            of(Aggregate::MeanAbsolute, [1.0; 3]),
            [1.0, 11.0 / 3.0, 0.25, 10.0 / 3.0]
        );
    }

    #[test]
    fn the_consensus_counts_items_in_which_a_neuron_has_a_share_of_the_largest_score() {
        // The largest are 5, 4 and 0: a fifth of them is 1, 0.8, and nothing counts where no score is above zero.
        let thirds = of(Aggregate::ConsensusShare, [1.0; 3]);
        assert_eq!(thirds, [2.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]);
    }

    #[test]
    fn a_layer_by_its_own_maximum_keeps_signs_and_order() {
        assert_eq!(by_maximum(vec![1.0, -4.0, 2.0]), [0.25, -1.0, 0.5]);
        assert_eq!(by_maximum(vec![0.0, 0.0]), [0.0, 0.0]);
    }

    #[test]
    fn an_item_of_weight_two_counts_as_two_of_it() {
        assert_eq!(of(Aggregate::SignedMean, [2.0, 0.0, 1.0])[0], 2.0 / 3.0);
        assert_eq!(of(Aggregate::ConsensusShare, [2.0, 0.0, 1.0])[0], 2.0 / 3.0);
        assert_eq!(of(Aggregate::SignedMean, [0.0; 3]), [0.0; 4]);
    }
}
