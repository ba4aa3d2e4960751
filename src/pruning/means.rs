//! Each neuron's mean activation, which a mask may put in the activation's place.

use super::Trial;
use super::mask::{LayerMask, Mask};
use crate::attribution::mean_activations;
use crate::job::Job;
use crate::model::run::read;
use crate::scoring::{RunError, encode};

/// What two means of one neuron over the same items differ by at most, as a share of the layer's largest.
const SAME: f32 = 0.02;

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

    /// Whether a mask's own means are of these items. Precisions and devices differ by less than [`SAME`].
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] where they are of others, or for a neuron that the model does not have.
    pub fn check(&self, mask: &Mask) -> Result<(), RunError> {
        for of_layer in &mask.layers {
            let Some(own) = &of_layer.means else {
                continue;
            };
            let measured = self.of(of_layer)?;
            let all = self.layers.get(of_layer.layer).into_iter().flatten();
            let largest = all.fold(0f32, |most, mean| most.max(mean.abs()));
            let mut pairs = own.iter().zip(&measured);
            if pairs.any(|(own, measured)| (own - measured).abs() > SAME * largest) {
                return Err(RunError::Mask(format!(
                    "its neurons go to means over other items or prompts than those of the set `{}` at hand, so that random masks would be \
                     changed otherwise than it; bring what it was made with under that name (in a study, beside the sets that are reported on), or \
                     choose its neurons anew",
                    self.set
                )));
            }
        }
        Ok(())
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
