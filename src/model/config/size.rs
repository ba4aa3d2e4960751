//! How large a model is, by its configuration.

use super::Config;
use crate::model::Precision;

impl Config {
    /// Parameters of the decoder, the tied embedding counted once.
    pub fn n_parameters(&self) -> u64 {
        self.every_weight()
            .map(|(_, weight)| {
                let dims = weight.dims(self);
                let bias = dims.first().filter(|_| self.has_bias(weight));
                let count = |width: &usize| *width as u64;
                dims.iter().map(count).product::<u64>() + bias.map_or(0, count)
            })
            .sum()
    }

    /// Bytes of the largest tensor in f32.
    pub fn largest_tensor_bytes(&self) -> u64 {
        let table = 4 * self.vocabulary as u64 * self.d_model as u64;
        table.max(self.largest_projection_bytes())
    }

    /// Bytes in f32 of the largest tensor that cannot be split: queries, keys and values are held side by side, and so are
    /// the first projections of a feed-forward layer.
    pub fn largest_projection_bytes(&self) -> u64 {
        4 * self.d_model as u64 * self.widest_projection()
    }

    /// Numbers that a token has in the widest of those.
    pub fn widest_projection(&self) -> u64 {
        let qkv = (self.n_heads + 2 * self.n_kv_heads) as u64 * self.d_head as u64;
        let first = self.d_mlp as u64 * if self.is_gated() { 2 } else { 1 };
        first.max(qkv)
    }

    /// Most bytes held while the model is loaded: its parameters, and its largest tensor in f32.
    pub fn load_bytes(&self, precision: Precision) -> u64 {
        precision.bytes_of(self.n_parameters()) + self.largest_tensor_bytes()
    }
}
