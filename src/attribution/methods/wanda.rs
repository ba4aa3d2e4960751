//! Wanda's score, of whole neurons.

use burn::tensor::Tensor;

use super::{Estimate, Sweep};
use crate::model::ModelError;

/// `‖a_j‖₂ · Σ_i |w_ji|` over the positions and the neuron's output weights: Wanda's `|w_ji| · ‖a_j‖₂` (Sun et al., 2024, Eq. 1) summed
/// over the weights that a neuron takes with it.
pub struct Wanda;

impl Estimate for Wanda {
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError> {
        let activations = of.activations(layer)?;
        let norms = activations
            .powf_scalar(2.0)
            .sum_dim(1)
            .sqrt()
            .squeeze_dim::<2>(1);
        let weights = of.decoder.output_weights(layer);
        Ok(norms * weights.abs().sum_dim(1).transpose())
    }
}
