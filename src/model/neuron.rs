//! One neuron by its place, and the weights of a layer's.

use std::fmt;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Decoder;
use crate::kernels::plain::unpacked;

/// One unit of a feed-forward layer: one row of its first projection with its activation. Shown as TransformerLens
/// addresses it, `blocks.{layer}.mlp.hook_post[index]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
impl Decoder {
    /// The weights that a layer's neurons read the residual stream with, in f32: of the gate, in a gated layer.
    /// `[d_mlp, d_model]`
    #[must_use]
    pub fn input_weights(&self, layer: usize) -> Tensor<2> {
        let first = unpacked(&self.blocks[layer].first.linear.weight);
        first.narrow(1, 0, self.config.d_mlp).transpose()
    }

    /// The weights that they write to it with, in f32: `[d_mlp, d_model]`.
    #[must_use]
    pub fn output_weights(&self, layer: usize) -> Tensor<2> {
        unpacked(&self.blocks[layer].down.weight)
    }

    /// What directions that a layer's neurons write, `[n, d_model]`, add to the logits straight away, `[n, vocabulary]`: by the gains of
    /// the norms that they pass, whose scale depends on the rest of the residual stream and is left out.
    #[must_use]
    pub fn direct_logits(&self, layer: usize, directions: Tensor<2>) -> Tensor<2> {
        let passed = self.blocks[layer].feed_forward_post_norm.iter();
        let directions = passed
            .chain([&self.final_norm])
            .fold(directions, |directions, norm| norm.linear_part(directions));
        self.lm_head
            .project(directions.unsqueeze::<3>())
            .squeeze_dim::<2>(0)
    }
}
