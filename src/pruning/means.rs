//! Each neuron's mean activation, which a mask may put in the activation's place.

use super::Trial;
use super::mask::LayerMask;
use crate::attribution::mean_activations;
use crate::job::Job;
use crate::model::run::read;
use crate::scoring::{RunError, encode};

/// Each neuron's mean activation (`post`) over all positions of the prompts of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Means {
    /// The set's name.
    pub set: String,
    /// By layer and neuron, `[n_layers][d_mlp]`.
    layers: Vec<Vec<f32>>,
}

impl Means {
    /// Runs the prompts of a set.
    ///
    /// # Errors
    ///
    /// [`RunError`] when an item cannot be put to the model, or a run fails or is cancelled.
    pub async fn measure(trial: Trial<'_>, job: Job<'_>) -> Result<Self, RunError> {
        let encoded = encode(trial.model, trial.items, trial.prompts)?;
        let prompts = encoded.iter().map(|item| item.prompt.as_slice());
        let found = mean_activations(&trial.model.decoder, prompts, None, job).await?;
        let mut layers = Vec::with_capacity(found.len());
        for layer in found {
            layers.push(read(layer).await?);
        }
        Ok(Self {
            set: trial.set.to_owned(),
            layers,
        })
    }

    /// Those of a layer's pruned neurons, in their order.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] for a neuron that the model does not have.
    pub fn of(&self, LayerMask { layer, neurons, .. }: &LayerMask) -> Result<Vec<f32>, RunError> {
        let of_layer = self.layers.get(*layer);
        let mean = |&neuron: &usize| of_layer.and_then(|means| means.get(neuron)).copied();
        let means: Option<Vec<f32>> = neurons.iter().map(mean).collect();
        means.ok_or_else(|| RunError::Mask(format!("layer {layer} has a neuron without a mean")))
    }
}
