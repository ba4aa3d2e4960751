//! Grouped-query attention of a run's tail over its own tokens and over the prefix it left from.
//!
//! A run's tokens are laid out `[batch, rows · tail, …]`: `batch` prompts of equal length, `rows` forks of
//! each, `tail` positions a fork. All forks of one prompt share the prefix's keys and values.

use burn::tensor::Tensor;

use super::Config;
use super::layers::{Linear, Norm};
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
    /// `[batch, n_kv_heads, positions, d_head]`
    pub keys: Tensor<4>,
    /// `[batch, n_kv_heads, positions, d_head]`
    pub values: Tensor<4>,
}

impl KeyValues {
    /// These behind those of `before`, whose prompts are spread over the rows that continue them.
    pub fn after(self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let join = |before: &Tensor<4>, own: Tensor<4>| {
            let [prompts, heads, positions, d_head] = before.dims();
            let rows = own.dims()[0];
            let spread = before
                .clone()
                .unsqueeze_dim::<5>(1)
                .expand([prompts, rows / prompts, heads, positions, d_head])
                .reshape([rows, heads, positions, d_head]);
            Tensor::cat(vec![spread, own], 2)
        };
        Self {
            keys: join(&before.keys, self.keys),
            values: join(&before.values, self.values),
        }
    }

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
    /// - `x`: `[batch, rows · tail, d_model]`, normed; returned in the same shape, added to `residual` where there is one
    /// - `prefix`: `[batch, n_kv_heads, prefix, d_head]`
    /// - the tail's own keys and values are returned as `[batch · rows, n_kv_heads, tail, d_head]`
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
        let (heads, kv_heads, d_head) = (config.n_heads, config.n_kv_heads, config.d_head);
        let by_head = |linear: &Linear, heads| {
            linear
                .apply(x.clone())
                .reshape([batch * rows, tail, heads, d_head])
        };
        let rotated = |linear: &Linear, norm: Option<&Norm>, heads| {
            let x = by_head(linear, heads);
            positions.rotate(match norm {
                Some(norm) => norm.apply(x),
                None => x,
            })
        };
        let q = rotated(&self.q, self.q_norm.as_ref(), heads);
        let k = rotated(&self.k, self.k_norm.as_ref(), kv_heads);
        let v = by_head(&self.v, kv_heads);
        let own = KeyValues {
            keys: k.clone().swap_dims(1, 2),
            values: v.clone().swap_dims(1, 2),
        };
        let shape = AttentionShape {
            forks: rows,
            window: positions.window,
            scale: config.attention_scale as f32,
        };
        let prefix = prefix.map(|prefix| (prefix.keys.clone(), prefix.values.clone()));
        let mixed = kernels::attend(
            q,
            k,
            v,
            prefix,
            positions.padding.as_ref(),
            shape,
            &positions.masks,
        )
        .reshape([batch, rows * tail, heads * d_head]);
        let attended = match residual {
            Some(residual) => self.o.apply_onto(residual, mixed),
            None => self.o.apply(mixed),
        };
        (attended, own)
    }
}
