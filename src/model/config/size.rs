//! How large a model is, by its configuration.

use super::{Config, NormKind};
use crate::model::Precision;

impl Config {
    /// Parameters of the decoder, the tied embedding counted once.
    pub fn n_parameters(&self) -> u64 {
        let (d_model, d_mlp) = (self.d_model as u64, self.d_mlp as u64);
        let d_head = self.d_head as u64;
        let (d_q, d_kv) = (
            self.n_heads as u64 * d_head,
            self.n_kv_heads as u64 * d_head,
        );
        let when = |is: bool, count: u64| if is { count } else { 0 };
        let norm = d_model + when(self.norm == NormKind::Layer, d_model);
        let attention = 2 * d_model * (d_q + d_kv)
            + when(self.qkv_bias, d_q + 2 * d_kv)
            + when(self.attention_output_bias, d_model)
            + when(self.qk_norm, 2 * d_head);
        let projections = if self.gated { 2 } else { 1 };
        let feed_forward = (projections + 1) * d_model * d_mlp
            + when(self.mlp_bias, projections * d_mlp + d_model);
        let norms = norm * if self.sandwich_norms { 4 } else { 2 };
        let tables = if self.tied { 1 } else { 2 };
        self.n_layers as u64 * (attention + feed_forward + norms)
            + norm
            + tables * self.vocabulary as u64 * d_model
            + when(self.rope.is_none(), self.context_length as u64 * d_model)
    }

    /// Bytes of the largest tensor in f32.
    pub fn largest_tensor_bytes(&self) -> u64 {
        let table = 4 * self.vocabulary as u64 * self.d_model as u64;
        table.max(self.largest_projection_bytes())
    }

    /// Bytes in f32 of the largest tensor that cannot be split: queries, keys and values are held side by side, and so are
    /// the first projections of a feed-forward layer.
    pub fn largest_projection_bytes(&self) -> u64 {
        let qkv = (self.n_heads + 2 * self.n_kv_heads) as u64 * self.d_head as u64;
        let first = self.d_mlp as u64 * if self.gated { 2 } else { 1 };
        4 * self.d_model as u64 * first.max(qkv)
    }

    /// Most bytes held while the model is loaded: its parameters, and its largest tensor in f32.
    pub fn load_bytes(&self, precision: Precision) -> u64 {
        precision.bytes_of(self.n_parameters()) + self.largest_tensor_bytes()
    }
}
