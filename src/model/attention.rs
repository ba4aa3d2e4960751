//! Grouped-query attention of a run's tail over its own tokens and over the prefix it left from.
//!
//! A run's tokens are laid out `[batch, rows · tail, …]`: `batch` prompts of equal length, `rows` forks of
//! each, `tail` positions a fork. All forks of one prompt share the prefix's keys and values.

use burn::tensor::Tensor;

use super::Config;
use super::config::NormKind;
use super::edit::LayerEdits;
use super::family::list::Slot;
use super::layers::{Linear, Norm};
use super::positions::LayerPositions;
use crate::kernels::{self, AttentionShape, WayBack};

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

    /// The same forks of fewer positions.
    pub fn of_last(self, positions: usize) -> Self {
        Self {
            tail: positions,
            ..self
        }
    }

    /// The last positions of every fork: `[batch, rows · tail, width]` to `[batch, rows · positions, width]`.
    pub fn last(self, x: &Tensor<3>, positions: usize) -> Tensor<3> {
        let Self { batch, rows, tail } = self;
        if positions == tail {
            return x.clone();
        }
        let width = x.dims()[2];
        x.clone()
            .reshape([batch, rows, tail, width])
            .narrow(2, tail - positions, positions)
            .reshape([batch, rows * positions, width])
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
    pub(super) qk_norm: Option<QkNorm>,
    pub(super) o: Linear,
}

/// Root-mean-square norms of queries and keys, before they are rotated.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a block")]
pub(super) enum QkNorm {
    /// Over each head. Weights of every head of the queries, then of the keys, `[n_heads + n_kv_heads, d_head]`: equal among
    /// the queries, and among the keys.
    OfHeads(Tensor<2>, WayBack),
    /// Over all queries, `[n_heads · d_head]`, and over all keys, `[n_kv_heads · d_head]`.
    Whole([Norm; 2]),
}

impl QkNorm {
    /// Of the queries' norm and the keys'.
    pub(super) fn new(config: &Config, q: Norm, k: Norm) -> Self {
        if q.weight.dims() != [config.d_head] {
            return Self::Whole([q, k]);
        }
        let back = q.back;
        let rows = |norm: Norm, heads| norm.weight.unsqueeze::<2>().repeat_dim(0, heads);
        let parts = vec![rows(q, config.n_heads), rows(k, config.n_kv_heads)];
        Self::OfHeads(Tensor::cat(parts, 0), back)
    }

    /// Those two.
    pub(super) fn parts(&self, config: &Config) -> (Norm, Norm) {
        match self {
            Self::OfHeads(weights, back) => {
                let of_head = |head| Norm {
                    kind: NormKind::Rms,
                    eps: config.norm_eps,
                    weight: weights.clone().narrow(0, head, 1).reshape([-1]),
                    bias: None,
                    back: *back,
                };
                (of_head(0), of_head(config.n_heads))
            }
            Self::Whole([q, k]) => (q.clone(), k.clone()),
        }
    }

    /// The same with another way back.
    pub(super) fn going_back(self, back: WayBack) -> Self {
        match self {
            Self::OfHeads(weights, _) => Self::OfHeads(weights, back),
            Self::Whole(norms) => Self::Whole(norms.map(|norm| Norm { back, ..norm })),
        }
    }

    /// `[forks, tail, n_heads + 2 · n_kv_heads, d_head]` in and out; the values stay as they are.
    fn apply(&self, config: &Config, heads: Tensor<4>) -> Tensor<4> {
        let [q, k] = match self {
            Self::OfHeads(weight, back) => {
                return kernels::norm_heads(heads, weight, false, config.norm_eps, *back);
            }
            Self::Whole(norms) => norms,
        };
        let [forks, tail, _, d_head] = heads.dims();
        let normed = |first, n_heads, norm: &Norm| {
            let heads = heads.clone().narrow(2, first, n_heads);
            let all = norm.apply(heads.reshape([forks, tail, n_heads * d_head]));
            all.reshape([forks, tail, n_heads, d_head])
        };
        let (n_heads, kv_heads) = (config.n_heads, config.n_kv_heads);
        let values = heads.clone().narrow(2, n_heads + kv_heads, kv_heads);
        Tensor::cat(
            vec![normed(0, n_heads, q), normed(n_heads, kv_heads, k), values],
            2,
        )
    }
}

impl Attention {
    /// Attends from every token of a run to its prefix and, causally, to its own tail. What the heads give is returned side by
    /// side, before the output projection.
    ///
    /// # Shapes
    /// - `x`: `[batch, rows · tail, d_model]`, normed
    /// - `prefix`: of `batch` prompts
    /// - returns `[batch, rows · tail, n_heads · d_head]`, and the tail's own keys and values, of `batch · rows` prompts
    pub(super) fn mix(
        &self,
        config: &Config,
        geometry: Geometry,
        positions: &LayerPositions,
        x: Tensor<3>,
        prefix: Option<&KeyValues>,
        edits: &LayerEdits<'_>,
    ) -> (Tensor<3>, KeyValues) {
        let Geometry { batch, rows, tail } = geometry;
        let (n_heads, kv_heads, d_head) = (config.n_heads, config.n_kv_heads, config.d_head);
        let all = n_heads + 2 * kv_heads;
        let projected = self.qkv.apply(x.clone());
        let projected = edits.added(config, Slot::Qkv, &x, projected);
        let mut heads = projected.reshape([batch * rows, tail, all, d_head]);
        if let Some(norm) = &self.qk_norm {
            heads = norm.apply(config, heads);
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
        (mixed, own)
    }

    /// The output projection of what the heads give, added to `residual`, `[batch, tokens, d_model]`, where there is one.
    pub(super) fn output(
        &self,
        config: &Config,
        mixed: Tensor<3>,
        residual: Option<Tensor<3>>,
        edits: &LayerEdits<'_>,
    ) -> Tensor<3> {
        let attended = match residual {
            Some(residual) => self.o.apply_onto(residual, mixed.clone()),
            None => self.o.apply(mixed.clone()),
        };
        edits.added(config, Slot::Output, &mixed, attended)
    }
}
