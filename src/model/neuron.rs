//! One neuron by its place.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One unit of a feed-forward layer: one row of its first projection with its activation. Shown as TransformerLens
/// addresses it, `blocks.{layer}.mlp.hook_post[index]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Neuron {
    /// Its layer.
    pub layer: usize,
    /// Its index within the layer.
    #[serde(rename = "neuron")]
    pub index: usize,
}

impl Neuron {
    /// All of a layer of so many neurons.
    pub fn of_layer(layer: usize, d_mlp: usize) -> impl Iterator<Item = Self> {
        (0..d_mlp).map(move |index| Self { layer, index })
    }
}

impl fmt::Display for Neuron {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, index } = self;
        write!(out, "blocks.{layer}.mlp.hook_post[{index}]")
    }
}
