//! Gains: one factor per neuron on its activation. A pruned neuron has gain 0, a tuned one the trained
//! scalar, all others 1; Integrated Gradients follows the gains from 0 to 1.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Where in a gated feed-forward layer a neuron is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The activation `act(gate) · up`, the input of the output projection
    /// (TransformerLens' `blocks.{l}.mlp.hook_post`).
    Post,
    /// The gate projection's output, before a bias and the activation function: the row of `gate_proj` that the
    /// paper calls a neuron. Without a gate it is the first projection's.
    GatePre,
}

/// Factors on the activations (site `post`) of some layers, in force at every position of a run.
///
/// Zero at `post` and zero at `gate_pre` are the same thing in a model without feed-forward biases, since every
/// activation function here is 0 at 0. With a bias, zero at `gate_pre` would leave the activation of the bias.
#[derive(Clone, Debug, Default)]
pub struct Gains {
    by_layer: BTreeMap<usize, Tensor<1>>,
}

impl Gains {
    /// No change to any layer.
    pub fn none() -> Self {
        Self::default()
    }

    /// These factors, `[d_mlp]`, on one layer.
    pub fn of_layer(layer: usize, gains: Tensor<1>) -> Self {
        Self {
            by_layer: BTreeMap::from([(layer, gains)]),
        }
    }

    /// Adds or replaces the factors, `[d_mlp]`, of one layer.
    pub fn insert(&mut self, layer: usize, gains: Tensor<1>) {
        self.by_layer.insert(layer, gains);
    }

    /// The lowest layer that is changed.
    pub fn first_layer(&self) -> Option<usize> {
        self.by_layer.keys().next().copied()
    }

    /// The factors, `[d_mlp]`, of a layer that has any.
    pub fn of(&self, layer: usize) -> Option<&Tensor<1>> {
        self.by_layer.get(&layer)
    }
}
