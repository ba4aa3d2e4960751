//! Grouped-query attention of a run's tail over its own tokens and over the prefix it left from.
//!
//! A run's tokens are laid out `[batch, rows · tail, …]`: `batch` prompts of equal length, `rows` forks of
//! each, `tail` positions a fork. All forks of one prompt share the prefix's keys and values, so the scores
//! against them are one matrix product per prompt and head.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::Config;
use super::layers::{Linear, Norm};
use super::positions::LayerPositions;

/// Number of prompts, forks and positions in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Prompts of equal length run side by side.
    pub batch: usize,
    /// Forks of each prompt.
    pub rows: usize,
    /// Positions of each fork.
    pub tail: usize,
}

/// Keys and values of one layer, rotated and ready to be attended to.
#[derive(Clone, Debug)]
pub struct KeyValues {
    /// `[batch, n_kv_heads, positions, d_head]`
    pub keys: Tensor<4>,
    /// `[batch, n_kv_heads, positions, d_head]`
    pub values: Tensor<4>,
}

impl KeyValues {
    /// Those of the first `positions` positions.
    pub fn first(&self, positions: usize) -> Self {
        Self {
            keys: self.keys.clone().narrow(2, 0, positions),
            values: self.values.clone().narrow(2, 0, positions),
        }
    }
}

/// The weights of a block's attention.
pub(super) struct Attention {
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    /// Over each head's queries, `[d_head]`.
    pub(super) q_norm: Option<Norm>,
    /// Over each head's keys, `[d_head]`.
    pub(super) k_norm: Option<Norm>,
    pub(super) o: Linear,
}

impl Attention {
    /// Attends from every token of a run to its prefix and, causally, to its own tail.
    ///
    /// # Shapes
    /// - `x`: `[batch, rows · tail, d_model]`, normed; returned in the same shape
    /// - `prefix`: `[batch, n_kv_heads, prefix, d_head]`
    /// - the tail's own keys and values are returned as `[batch · rows, n_kv_heads, tail, d_head]`
    pub(super) fn apply(
        &self,
        config: &Config,
        geometry: Geometry,
        positions: &LayerPositions,
        x: Tensor<3>,
        prefix: Option<&KeyValues>,
    ) -> (Tensor<3>, KeyValues) {
        let Geometry { batch, rows, tail } = geometry;
        let (heads, kv_heads, d_head) = (config.n_heads, config.n_kv_heads, config.d_head);
        let group = heads / kv_heads;
        let forks = batch * rows;

        let rotated = |linear: &Linear, norm: Option<&Norm>, heads| {
            let x = linear
                .apply(x.clone())
                .reshape([forks, tail, heads, d_head]);
            positions.rotate(match norm {
                Some(norm) => norm.apply(x),
                None => x,
            })
        };
        let q = rotated(&self.q, self.q_norm.as_ref(), heads);
        let k = rotated(&self.k, self.k_norm.as_ref(), kv_heads);
        let v = self
            .v
            .apply(x.clone())
            .reshape([forks, tail, kv_heads, d_head]);
        let own = KeyValues {
            keys: k.swap_dims(1, 2),
            values: v.swap_dims(1, 2),
        };

        // [forks · kv_heads, group · tail, d_head]: one small product per fork and key/value head.
        let q = q
            .mul_scalar(config.attention_scale as f32)
            .reshape([forks, tail, kv_heads, group, d_head])
            .permute([0, 2, 3, 1, 4]);
        let q_own = q.clone().reshape([forks * kv_heads, group * tail, d_head]);
        let keys = own.keys.clone().reshape([forks * kv_heads, tail, d_head]);
        let values = own.values.clone().reshape([forks * kv_heads, tail, d_head]);
        let masked = |scores: Tensor<3>, mask: &Option<Tensor<3>>| match mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let scores = masked(q_own.matmul(keys.transpose()), &positions.own_mask);

        let mixed = match prefix {
            None => softmax(scores, 2).matmul(values),
            Some(prefix) => {
                let n_prefix = prefix.keys.dims()[2];
                // All forks of a prompt against the shared prefix: [batch · kv_heads, rows · group · tail, ·].
                let by_prompt = |x: Tensor<3>, width: usize| {
                    x.reshape([batch, rows, kv_heads, group * tail, width])
                        .swap_dims(1, 2)
                        .reshape([batch * kv_heads, rows * group * tail, width])
                };
                let by_fork = |x: Tensor<3>, width: usize| {
                    x.reshape([batch, kv_heads, rows, group * tail, width])
                        .swap_dims(1, 2)
                        .reshape([forks * kv_heads, group * tail, width])
                };
                let shared =
                    |x: &Tensor<4>| x.clone().reshape([batch * kv_heads, n_prefix, d_head]);
                let q_prefix =
                    by_prompt(q.reshape([forks * kv_heads, group * tail, d_head]), d_head);
                let to_prefix =
                    by_fork(q_prefix.matmul(shared(&prefix.keys).transpose()), n_prefix);
                let to_prefix = masked(to_prefix, &positions.prefix_mask);
                let weights = softmax(Tensor::cat(vec![to_prefix, scores], 2), 2);
                let from_prefix = by_fork(
                    by_prompt(weights.clone().narrow(2, 0, n_prefix), n_prefix)
                        .matmul(shared(&prefix.values)),
                    d_head,
                );
                from_prefix + weights.narrow(2, n_prefix, tail).matmul(values)
            }
        };
        let out = mixed
            .reshape([forks, kv_heads, group, tail, d_head])
            .permute([0, 3, 1, 2, 4])
            .reshape([batch, rows * tail, heads * d_head]);
        (self.o.apply(out), own)
    }
}
