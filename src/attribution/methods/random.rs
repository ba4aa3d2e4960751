//! Scores that say nothing.

use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Estimate, Sweep};
use crate::model::{ModelError, upload};

/// A number between −1 and 1 for each neuron, the same in every run: what any other method has to beat.
pub struct Random;

impl Estimate for Random {
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError> {
        let d_mlp = of.decoder.config.d_mlp;
        let mut random = ChaCha8Rng::seed_from_u64(layer as u64);
        let numbers: Vec<f32> = (0..d_mlp).map(|_| random.random_range(-1.0..1.0)).collect();
        Ok(upload::numbers(numbers, [1, d_mlp], of.decoder.device()))
    }
}
