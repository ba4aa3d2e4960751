//! How large a neuron's output weights are.

use burn::tensor::Tensor;

use super::{Estimate, Sweep};
use crate::model::ModelError;

/// `‖w_j‖₂` of the neuron's row of the output projection: pruning by magnitude, of whole neurons (Han et al., 2015, for weights).
pub struct WeightNorm;

impl Estimate for WeightNorm {
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError> {
        let weights = of.decoder.output_weights(layer);
        Ok(weights.powf_scalar(2.0).sum_dim(1).sqrt().transpose())
    }
}
