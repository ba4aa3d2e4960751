//! A mask: which neurons of which layers are pruned, and how.

use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::model::{Config, Edit, Neuron, Site};
use crate::scoring::RunError;

/// What pruning does to a neuron.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Its activation becomes zero (the paper).
    #[default]
    Zero,
}

/// The pruned neurons of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerMask {
    /// The layer.
    pub layer: usize,
    /// Neuron indices, ascending.
    pub neurons: Vec<usize>,
}

/// Which neurons are pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Mask {
    /// What pruning does to a neuron.
    #[serde(default)]
    pub operation: Operation,
    /// Where.
    pub site: Site,
    /// Layers ascending, each at most once.
    pub layers: Vec<LayerMask>,
}

impl Mask {
    /// The mask that prunes nothing.
    pub fn empty(site: Site) -> Self {
        Self {
            operation: Operation::Zero,
            site,
            layers: Vec::new(),
        }
    }

    /// The mask of one layer's neurons, in any order.
    pub fn of_layer(site: Site, layer: usize, neurons: impl IntoIterator<Item = usize>) -> Self {
        let neurons: BTreeSet<usize> = neurons.into_iter().collect();
        let mut mask = Self::empty(site);
        if !neurons.is_empty() {
            mask.layers.push(LayerMask {
                layer,
                neurons: neurons.into_iter().collect(),
            });
        }
        mask
    }

    /// Neurons pruned in all layers.
    pub fn n_neurons(&self) -> usize {
        self.layers.iter().map(|layer| layer.neurons.len()).sum()
    }

    /// The pruned neurons.
    pub fn neurons(&self) -> impl Iterator<Item = Neuron> {
        self.layers.iter().flat_map(|mask| {
            let layer = mask.layer;
            mask.neurons
                .iter()
                .map(move |&index| Neuron { layer, index })
        })
    }

    /// Whether a neuron is pruned.
    pub fn contains(&self, neuron: Neuron) -> bool {
        self.neurons().any(|pruned| pruned == neuron)
    }

    /// Whether another mask prunes the same neurons the same way, however it is written.
    pub fn is_same(&self, other: &Self) -> bool {
        let neurons = |mask: &Self| mask.neurons().collect::<BTreeSet<Neuron>>();
        self.operation == other.operation && neurons(self) == neurons(other)
    }

    /// The same mask with layers and neurons in order and nothing twice.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] when a layer or neuron is outside the model or given twice.
    pub fn checked(mut self, config: &Config) -> Result<Self, RunError> {
        self.layers.retain(|layer| !layer.neurons.is_empty());
        self.layers.sort_by_key(|layer| layer.layer);
        for pair in self.layers.windows(2) {
            if pair[0].layer == pair[1].layer {
                let twice = format!("layer {} is given twice", pair[0].layer);
                return Err(RunError::Mask(twice));
            }
        }
        for LayerMask { layer, neurons } in &mut self.layers {
            if *layer >= config.n_layers {
                return Err(RunError::Mask(format!(
                    "layer {layer} is outside the model's {} layers",
                    config.n_layers
                )));
            }
            let given = neurons.len();
            neurons.sort_unstable();
            neurons.dedup();
            if neurons.len() != given {
                return Err(RunError::Mask(format!(
                    "layer {layer} names a neuron twice"
                )));
            }
            if let Some(outside) = neurons.iter().find(|&&neuron| neuron >= config.d_mlp) {
                return Err(RunError::Mask(format!(
                    "neuron {outside} of layer {layer} is outside the layer's {} neurons",
                    config.d_mlp
                )));
            }
        }
        Ok(self)
    }

    /// What the mask does to a run: factors of 0 for the pruned neurons and 1 for the others, on the masked layers.
    ///
    /// The mask must have been [`checked`](Self::checked) against `config`.
    pub fn edit(&self, config: &Config, device: &Device) -> Edit {
        let mut edit = Edit::none();
        for layer in &self.layers {
            let values = TensorData::new(self.factors(layer.layer, config.d_mlp), [config.d_mlp]);
            edit = edit.scale(layer.layer, Tensor::from_data(values, device));
        }
        edit
    }

    /// 0 for every pruned neuron of a layer and 1 for the others, `[d_mlp]`.
    pub fn factors(&self, layer: usize, d_mlp: usize) -> Vec<f32> {
        let pruned = match self.operation {
            Operation::Zero => 0.0,
        };
        let mut factors = vec![1.0; d_mlp];
        for neuron in self.neurons().filter(|neuron| neuron.layer == layer) {
            if let Some(factor) = factors.get_mut(neuron.index) {
                *factor = pruned;
            }
        }
        factors
    }
}
