//! A decoder: embedding, blocks of attention and feed-forward layer around a residual stream, output projection.
//!
//! Which parts a model has is said by its [`Config`] and by its family's list of weights. The parts of a block are separate functions, because a fork
//! enters a block in its middle.

use burn::tensor::{Device, Tensor};

use super::attention::{Geometry, KeyValues};
use super::block::Block;
use super::edit::LayerEdits;
use super::family::list::Slot;
use super::feed_forward::{PreActivation, last};
use super::layers::{Norm, Table};
use super::positions::{Padding, TailPositions, position_ids};
use super::{Config, ModelError, Pace};
use crate::kernels::{self, WayBack};

/// A decoder on a device.
#[derive(Clone)]
pub struct Decoder {
    /// Shapes and constants.
    pub config: Config,
    pub(super) device: Device,
    /// How much the device does in one pass.
    pub pace: Pace,
    /// `vocabulary` rows.
    pub(super) embedding: Table,
    /// `context_length` rows, where positions are learned.
    pub(super) position_embedding: Option<Table>,
    pub(super) blocks: Vec<Block>,
    pub(super) final_norm: Norm,
    /// `vocabulary` rows; the embedding where they are tied.
    pub(super) lm_head: Table,
}

/// The state from which a fork leaves: a layer's residual stream after attention and its feed-forward
/// projections, before any factor.
#[derive(Clone, Debug)]
pub struct State {
    /// Residual stream with attention's output added, `[batch, rows · tail, d_model]`.
    pub resid_mid: Tensor<3>,
    /// The feed-forward layer's first projections.
    pub pre: PreActivation,
}

impl State {
    /// The same over the last `tail` positions of a run with one row.
    pub fn last(&self, tail: usize) -> Self {
        self.map(|x| last(x, tail))
    }

    /// The same of every tensor.
    pub(super) fn map(&self, part: impl Fn(&Tensor<3>) -> Tensor<3>) -> Self {
        Self {
            resid_mid: part(&self.resid_mid),
            pre: PreActivation {
                projected: part(&self.pre.projected),
                ..self.pre.clone()
            },
        }
    }
}

impl Decoder {
    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The lowest blocks, two at least and with a local and a global one among them where there are both, as a decoder that
    /// shares the weights: what any block's kernels do can be run on it.
    #[must_use]
    pub fn excerpt(&self) -> Self {
        let is_local = |layer: usize| {
            let local = self.config.local.as_ref();
            local.is_some_and(|local| local.layers.get(layer).copied().unwrap_or(false))
        };
        let other = (0..self.config.n_layers).find(|&layer| is_local(layer) != is_local(0));
        let n_layers = other.map_or(2, |layer| layer + 1).min(self.config.n_layers);
        Self {
            config: Config {
                n_layers,
                ..self.config.clone()
            },
            blocks: self.blocks.iter().take(n_layers).cloned().collect(),
            ..self.clone()
        }
    }

    /// A decoder that shares the weights and gives the same values, with another way back through what is not linear.
    #[must_use]
    pub fn going_back(&self, back: WayBack) -> Self {
        let decoder = self.clone();
        let blocks = decoder.blocks.into_iter();
        Self {
            blocks: blocks.map(|block| block.going_back(back)).collect(),
            final_norm: Norm {
                back,
                ..decoder.final_norm
            },
            ..decoder
        }
    }

    /// What enters the first block for token ids `[batch][tokens]`, all of one length, the first of them at a
    /// position of the whole sequence: `[batch, tokens, d_model]`. Where prompts are padded, `batch` is a multiple of
    /// theirs.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`] for an id outside the vocabulary, [`ModelError::Config`] for unequal lengths,
    /// [`ModelError::TooLong`] for a position that was never learned.
    pub fn embed(
        &self,
        ids: &[&[u32]],
        first_position: usize,
        padding: Option<&Padding>,
    ) -> Result<Tensor<3>, ModelError> {
        let tokens = ids.first().map_or(0, |ids| ids.len());
        if tokens == 0 || ids.iter().any(|sequence| sequence.len() != tokens) {
            return Err(ModelError::Config(
                "sequences of one batch must be of one length, and not empty".into(),
            ));
        }
        let flat = ids.concat();
        let shape = [ids.len(), tokens, self.config.d_model];
        let mut x = self.embedding.rows(&flat, &self.device)?.reshape(shape);
        if self.config.embedding_scale != 1.0 {
            x = x.mul_scalar(self.config.embedding_scale as f32);
        }
        if let Some(table) = &self.position_embedding {
            let places = position_ids(&self.config, first_position, tokens, ids.len(), padding)?;
            let places = table.rows(&places, &self.device)?;
            x = x + places.reshape([-1, tokens as i32, self.config.d_model as i32]);
        }
        Ok(x)
    }

    /// The residual stream after the final norm: `[batch, tokens, d_model]` in and out.
    pub fn final_norm(&self, resid: Tensor<3>) -> Tensor<3> {
        self.final_norm.apply(resid)
    }

    /// Logits `[batch, tokens, vocabulary]` of a normed residual stream. Gather the positions you need
    /// first: the vocabulary is the model's widest dimension.
    pub fn unembed(&self, normed: Tensor<3>) -> Tensor<3> {
        self.bounded(self.lm_head.project(normed))
    }

    /// Products with rows of the output projection as the model's logits: bounded, where it bounds them.
    pub fn bounded<const D: usize>(&self, logits: Tensor<D>) -> Tensor<D> {
        kernels::plain::bounded(logits, self.config.logit_softcap)
    }

    /// `log Σ exp` of the logits of a normed residual stream: `[batch, tokens, d_model]` to `[batch, tokens, 1]`. Of
    /// [`Self::logits_at_once`] rows at most.
    pub fn log_normaliser(&self, normed: Tensor<3>) -> Tensor<3> {
        kernels::log_normaliser(normed, &self.lm_head.pieces, self.config.logit_softcap)
    }

    /// Log-probabilities of `k` tokens at every position of a normed residual stream: `[batch, positions, d_model]` and
    /// ids `[batch · positions · k]` give `[batch, positions, k]`. Of [`Self::logits_at_once`] positions at most.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`].
    pub fn log_probabilities(
        &self,
        normed: Tensor<3>,
        ids: &[u32],
    ) -> Result<Tensor<3>, ModelError> {
        let [batch, positions, d_model] = normed.dims();
        let k = ids.len() / (batch * positions).max(1);
        let columns = self.unembedding_of(ids)?;
        let columns = columns.reshape([batch, positions, k, d_model]);
        let products = (normed.clone().unsqueeze_dim::<4>(2) * columns).sum_dim(3);
        let logits = self.bounded(products.reshape([batch, positions, k]));
        Ok(logits - self.log_normaliser(normed))
    }

    /// The output projection's row of each token, `[tokens, d_model]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`].
    pub fn unembedding_of(&self, ids: &[u32]) -> Result<Tensor<2>, ModelError> {
        self.lm_head.rows(ids, &self.device)
    }

    /// The lower half of a block over `[batch, rows · tail, d_model]`: attention, then the feed-forward
    /// layer's first projections, at the positions that leave the block ([`TailPositions::leaving`]). What `edits` add is added.
    pub fn to_feed_forward(
        &self,
        layer: usize,
        geometry: Geometry,
        positions: &TailPositions,
        x: Tensor<3>,
        prefix: Option<&KeyValues>,
        edits: &LayerEdits<'_>,
    ) -> (State, KeyValues) {
        let block = &self.blocks[layer];
        let config = &self.config;
        let normed = normed_by(&block.attention_norm, x.clone());
        let of_layer = positions.of_layer(config, layer);
        let attention = &block.attention;
        let (mixed, own) = attention.mix(config, geometry, of_layer, normed, prefix, edits);
        let leaving = positions.leaving(config, layer);
        let (mixed, x) = (geometry.last(&mixed, leaving), geometry.last(&x, leaving));
        let post_norm = block.attention_post_norm.as_ref();
        // Without a norm after it, what attention gives is added to the residual stream in the same product.
        let residual = post_norm.is_none().then(|| x.clone());
        let attended = attention.output(config, mixed, residual, edits);
        let resid_mid = match post_norm {
            Some(norm) => x.clone() + norm.apply(attended),
            None => attended,
        };
        let read = if config.parallel_residual {
            x
        } else {
            resid_mid.clone()
        };
        let normed = normed_by(&block.feed_forward_norm, read);
        let pre = PreActivation::new(config, &block.first, normed, edits);
        (State { resid_mid, pre }, own)
    }

    /// The upper half: the feed-forward layer's output for an activation, added to the residual stream. What `edits` add to it is
    /// added.
    pub fn from_feed_forward(
        &self,
        layer: usize,
        resid_mid: Tensor<3>,
        activation: Tensor<3>,
        edits: &LayerEdits<'_>,
    ) -> Tensor<3> {
        let (block, config) = (&self.blocks[layer], &self.config);
        let added = |out| edits.added(config, Slot::Down, &activation, out);
        match &block.feed_forward_post_norm {
            Some(norm) => resid_mid + norm.apply(added(block.down.apply(activation.clone()))),
            None => added(block.down.apply_onto(resid_mid, activation.clone())),
        }
    }

    /// The same of rows that change the activation of one neuron each: what is written is that without any change and, times the
    /// change, the neuron's output weights.
    ///
    /// # Shapes
    /// - `resid_mid`, `[batch, tail, d_model]`, and `activation`, `[batch, tail, d_mlp]`, without any change
    /// - `change`: of the neurons from `first`, `[batch, tail, neurons]`
    /// - returns `[batch, neurons · tail, d_model]`
    pub fn from_single_neurons(
        &self,
        layer: usize,
        resid_mid: Tensor<3>,
        activation: Tensor<3>,
        change: Tensor<3>,
        first: usize,
    ) -> Tensor<3> {
        let block = &self.blocks[layer];
        let [batch, tail, neurons] = change.dims();
        let d_model = self.config.d_model;
        let weights = self.output_weights(layer).narrow(0, first, neurons);
        let weights = weights.reshape([1, neurons, 1, d_model]);
        let change = change.swap_dims(1, 2).reshape([batch, neurons, tail, 1]);
        let each = |written: Tensor<3>| {
            let each = written.unsqueeze_dim::<4>(1) + change.clone() * weights.clone();
            each.reshape([batch, neurons * tail, d_model])
        };
        match &block.feed_forward_post_norm {
            None => each(block.down.apply_onto(resid_mid, activation)),
            Some(norm) => {
                let written = norm.apply(each(block.down.apply(activation)));
                let written = written.reshape([batch, neurons, tail, d_model]);
                let each = resid_mid.unsqueeze_dim::<4>(1) + written;
                each.reshape([batch, neurons * tail, d_model])
            }
        }
    }
}

/// A residual stream through a norm, where there is one.
fn normed_by(norm: &Option<Norm>, x: Tensor<3>) -> Tensor<3> {
    match norm {
        Some(norm) => norm.apply(x),
        None => x,
    }
}
