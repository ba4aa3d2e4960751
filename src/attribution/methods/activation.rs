//! What a neuron's activation is.

use burn::tensor::Tensor;

use super::{Estimate, Sweep};
use crate::model::ModelError;

/// `Σ_t a_j(t)` over the positions: how much a neuron fires, whatever follows from it.
pub struct Activation;

impl Estimate for Activation {
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError> {
        Ok(of.activations(layer)?.sum_dim(1).squeeze_dim(1))
    }
}
