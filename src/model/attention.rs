//! Grouped-query attention of a run's tail over its own tokens and over the prefix it left from.
//!
//! A run's tokens are laid out `[batch, rows · tail, …]`: `batch` prompts of equal length, `rows` forks of
//! each, `tail` positions a fork. All forks of one prompt share the prefix's keys and values.

use burn::tensor::Tensor;

use super::Config;
use super::layers::Linear;
use super::positions::LayerPositions;
use crate::kernels::{self, AttentionShape};

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

impl Geometry {
    /// Of so many forks of a run, one after another.
    pub fn times(self, forks: usize) -> Self {
        Self {
            batch: forks * self.batch,
            ..self
        }
    }

    /// Tokens in all.
    pub fn tokens(self) -> usize {
        self.batch * self.rows * self.tail
    }
}

/// Keys and values of one layer, rotated and ready to be attended to.
#[derive(Clone, Debug)]
pub struct KeyValues {
    /// Of every position its keys and then its values, `[batch, positions, 2 · n_kv_heads, d_head]`.
    pub heads: Tensor<4>,
}

impl KeyValues {
    /// These behind those of `before`, whose prompts are spread over the rows that continue them.
    pub fn after(self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let [prompts, positions, heads, d_head] = before.heads.dims();
        let rows = self.heads.dims()[0];
        let spread = (before.heads.clone().unsqueeze_dim::<5>(1))
            .expand([prompts, rows / prompts, positions, heads, d_head])
            .reshape([rows, positions, heads, d_head]);
        Self {
            heads: Tensor::cat(vec![spread, self.heads], 1),
        }
    }

    /// Those of the first `positions` positions.
    pub fn first(&self, positions: usize) -> Self {
        Self {
            heads: self.heads.clone().narrow(1, 0, positions),
        }
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.heads.dims()[1]
    }
}

/// The weights of a block's attention.
#[derive(Clone)]
pub(super) struct Attention {
    /// Queries, keys and values side by side.
    pub(super) qkv: Linear,
    /// Over each head's queries and keys, where there is such a norm.
    pub(super) qk_norm: Option<HeadNorm>,
    pub(super) o: Linear,
}

/// A root-mean-square norm over each head.
#[derive(Clone, Debug)]
pub(super) struct HeadNorm {
    /// Of every head of the queries, then of the keys, `[n_heads + n_kv_heads, d_head]`: equal among the queries, and
    /// among the keys.
    pub(super) weight: Tensor<2>,
}

impl HeadNorm {
    /// Of one weight for the queries and one for the keys, `[d_head]`.
    pub(super) fn new(config: &Config, q: Tensor<1>, k: Tensor<1>) -> Self {
        let rows = |weight: Tensor<1>, heads| weight.unsqueeze::<2>().repeat_dim(0, heads);
        let parts = vec![rows(q, config.n_heads), rows(k, config.n_kv_heads)];
        Self {
            weight: Tensor::cat(parts, 0),
        }
    }

    /// Those weights.
    pub(super) fn weights(&self, config: &Config) -> [Tensor<1>; 2] {
        [0, config.n_heads].map(|head| self.weight.clone().narrow(0, head, 1).reshape([-1]))
    }
}

impl Attention {
    /// Attends from every token of a run to its prefix and, causally, to its own tail.
    ///
    /// # Shapes
    /// - `x`: `[batch, rows · tail, d_model]`, normed; returned in the same shape, added to `residual` where there is one
    /// - `prefix`: of `batch` prompts
    /// - the tail's own keys and values are returned, of `batch · rows` prompts
    pub(super) fn apply(
        &self,
        config: &Config,
        geometry: Geometry,
        positions: &LayerPositions,
        x: Tensor<3>,
        residual: Option<Tensor<3>>,
        prefix: Option<&KeyValues>,
    ) -> (Tensor<3>, KeyValues) {
        let Geometry { batch, rows, tail } = geometry;
        let (n_heads, kv_heads, d_head) = (config.n_heads, config.n_kv_heads, config.d_head);
        let all = n_heads + 2 * kv_heads;
        let mut heads = (self.qkv.apply(x)).reshape([batch * rows, tail, all, d_head]);
        if let Some(HeadNorm { weight }) = &self.qk_norm {
            heads = kernels::norm_heads(heads, weight, false, config.norm_eps);
        }
        let heads = positions.rotate(heads, n_heads + kv_heads);
        let own = KeyValues {
            heads: heads.clone().narrow(2, n_heads, 2 * kv_heads),
        };
        let shape = AttentionShape {
            heads: n_heads,
            kv_heads,
            forks: rows,
            window: positions.window,
            scale: config.attention_scale as f32,
        };
        let prefix = prefix.map(|prefix| prefix.heads.clone());
        let padding = positions.padding.as_ref();
        let mixed = kernels::attend(heads, prefix, padding, shape).reshape([
            batch,
            rows * tail,
            n_heads * d_head,
        ]);
        let attended = match residual {
            Some(residual) => self.o.apply_onto(residual, mixed),
            None => self.o.apply(mixed),
        };
        (attended, own)
    }
}
