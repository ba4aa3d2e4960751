//! Whether a neuron writes what it reads.

use burn::tensor::Tensor;

use super::{Estimate, Sweep};
use crate::model::ModelError;

/// Keeps a weight vector of zeros from a division by zero.
const TINY: f32 = 1e-12;

/// The cosine of the neuron's input weights (those of the gate, in a gated layer) and its output weights (Gurnee et al., 2024, section 4,
/// for neurons that strengthen or weaken a direction).
pub struct Cosine;

impl Estimate for Cosine {
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError> {
        let input = of.decoder.input_weights(layer);
        let output = of.decoder.output_weights(layer);
        let norm = |x: &Tensor<2>| x.clone().powf_scalar(2.0).sum_dim(1).sqrt();
        let norms = (norm(&input) * norm(&output)).clamp_min(TINY);
        Ok(((input * output).sum_dim(1) / norms).transpose())
    }
}
