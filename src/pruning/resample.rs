//! Resamples of items, drawn without running anything again.

use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::scoring::RunError;

/// How resamples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Resampling {
    /// How many.
    pub resamples: usize,
    /// Their seed.
    pub seed: u64,
}

/// Most resamples.
pub const MAX_RESAMPLES: usize = 10_000;

impl Resampling {
    /// # Errors
    ///
    /// [`RunError::Settings`] for none or too many.
    pub fn check(self) -> Result<(), RunError> {
        match (1..=MAX_RESAMPLES).contains(&self.resamples) {
            true => Ok(()),
            false => Err(RunError::Settings(format!(
                "1 to {MAX_RESAMPLES} resamples are drawn, not {}",
                self.resamples
            ))),
        }
    }

    /// How often every item is in each resample: numbers of Poisson's distribution of mean 1, the limit of the bootstrap's
    /// (Hanley and MacGibbon, 2006). Of each resample at least one item is in it.
    pub fn weights(self, items: usize) -> impl Iterator<Item = Vec<f64>> {
        (0..self.resamples as u64).map(move |index| {
            let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
            generator.set_stream(index);
            loop {
                let weights: Vec<f64> = (0..items).map(|_| poisson(&mut generator)).collect();
                if items == 0 || weights.iter().any(|&weight| weight > 0.0) {
                    return weights;
                }
            }
        })
    }

    /// Two halves of the items, drawn at random as often as there are resamples: a 1 for each item of the half and else 0. Of an odd number
    /// one item is in neither; of one item there are none.
    pub fn halves(self, items: usize) -> impl Iterator<Item = [Vec<f64>; 2]> {
        let drawn = if items > 1 { self.resamples as u64 } else { 0 };
        (0..drawn).map(move |index| {
            let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
            // Streams that no resample has.
            generator.set_stream(MAX_RESAMPLES as u64 + index);
            let half = items / 2;
            let chosen = sample(&mut generator, items, 2 * half).into_vec();
            let (first, second) = chosen.split_at(half);
            [first, second].map(|half| {
                let mut weights = vec![0.0; items];
                half.iter().for_each(|&item| weights[item] = 1.0);
                weights
            })
        })
    }
}

/// A number of Poisson's distribution of mean 1, by Knuth's product of uniform numbers.
fn poisson(generator: &mut impl Rng) -> f64 {
    let mut product: f64 = generator.random();
    let mut count = 0.0;
    while product > (-1f64).exp() {
        product *= generator.random::<f64>();
        count += 1.0;
    }
    count
}

/// An estimate with its interval over resamples of the items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Estimated {
    /// Of the items as they are.
    pub value: f64,
    /// The 2.5 % quantile over the resamples.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

impl Estimated {
    /// From the value of the items as they are, and those of resamples, at least one.
    pub fn new(value: f64, mut resampled: Vec<f64>) -> Self {
        resampled.sort_by(f64::total_cmp);
        let last = resampled.len().saturating_sub(1) as f64;
        let quantile = |share: f64| {
            let place = (share * last).round() as usize;
            resampled.get(place).copied().unwrap_or(value)
        };
        Self {
            value,
            low: quantile(0.025),
            high: quantile(0.975),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_counts_of_mean_and_variance_one() {
        let drawn = Resampling {
            resamples: 200,
            seed: 3,
        };
        let all: Vec<f64> = drawn.weights(100).flatten().collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let squares = all
            .iter()
            .map(|weight| (weight - mean).powi(2))
            .sum::<f64>();
        let variance = squares / all.len() as f64;
        // 20,000 draws: the mean's standard error is 0.007, the variance's 0.012.
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert!(all.iter().all(|weight| weight.fract() == 0.0));
    }

    #[test]
    fn a_resample_depends_on_seed_and_place_only_and_is_never_empty() {
        let draw = |resamples, seed| Resampling { resamples, seed }.weights(1);
        let (few, many): (Vec<_>, Vec<_>) = (draw(5, 1).collect(), draw(50, 1).collect());
        assert_eq!(few, many[..5]);
        assert!(many.iter().all(|weights| weights[0] >= 1.0));
        assert_ne!(many, draw(50, 2).collect::<Vec<_>>());
    }

    #[test]
    fn halves_share_no_item() {
        let drawn = Resampling {
            resamples: 20,
            seed: 3,
        };
        for [a, b] in drawn.halves(7) {
            assert_eq!([a.iter().sum::<f64>(), b.iter().sum()], [3.0, 3.0]);
            assert!(a.iter().zip(&b).all(|(a, b)| a + b <= 1.0));
        }
        let all: Vec<_> = drawn.halves(7).collect();
        assert!(all.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!((all.len(), drawn.halves(1).count()), (20, 0));
    }

    #[test]
    fn an_interval_leaves_out_the_outermost_fortieths() {
        let resampled = (0..=40).map(f64::from).rev().collect();
        let found = Estimated::new(7.0, resampled);
        assert_eq!((found.value, found.low, found.high), (7.0, 1.0, 39.0));
    }
}
