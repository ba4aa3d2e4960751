//! Grouped-query attention of a run's tail over its own tokens and over the prefix it left from, and the
//! rotary position embedding.
//!
//! A run's tokens are laid out `[batch, rows · tail, …]`: `batch` prompts of equal length, `rows` forks of
//! each, `tail` positions a fork. All forks of one prompt share the prefix's keys and values, so the scores
//! against them are one matrix product per prompt and head.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::Config;

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

/// Cosines and sines of the rotary embedding for consecutive positions, and the causal mask among them:
/// all that attention needs to know about where a tail stands.
pub struct Positions {
    cos: Tensor<4>,
    sin: Tensor<4>,
    causal: Option<Tensor<3>>,
}

impl Positions {
    /// For `tail` positions from `first` on.
    ///
    /// Rotation in the half-split layout of Hugging Face's Llama (`rotate_half`): dimension `i` is paired
    /// with `i + d_head / 2`, at frequency `theta^(-2i / d_head)`.
    pub fn new(config: &Config, first: usize, tail: usize, device: &Device) -> Self {
        let half = config.d_head / 2;
        let mut cos = Vec::with_capacity(tail * config.d_head);
        let mut sin = Vec::with_capacity(tail * config.d_head);
        for position in first..first + tail {
            for i in (0..half).chain(0..half) {
                let frequency = config
                    .rope_theta
                    .powf(-2.0 * i as f64 / config.d_head as f64);
                let angle = position as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        let table = |values| {
            Tensor::<4>::from_data(TensorData::new(values, [1, tail, 1, config.d_head]), device)
        };
        let group = config.n_heads / config.n_kv_heads;
        let causal = (tail > 1).then(|| {
            // [1, group · tail, tail]: a query sees the keys at or before its own position.
            let values: Vec<f32> = (0..group * tail * tail)
                .map(|index| {
                    let (query, key) = (index / tail % tail, index % tail);
                    if key <= query { 0.0 } else { f32::MIN / 2.0 }
                })
                .collect();
            Tensor::from_data(TensorData::new(values, [1, group * tail, tail]), device)
        });
        Self {
            cos: table(cos),
            sin: table(sin),
            causal,
        }
    }

    /// Rotates queries or keys, `[batch · rows, tail, heads, d_head]`.
    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (low, high) = (
            x.clone().narrow(3, 0, half),
            x.clone().narrow(3, half, half),
        );
        let rotated = Tensor::cat(vec![high.neg(), low], 3);
        x * self.cos.clone() + rotated * self.sin.clone()
    }
}

/// Attends from every token of a run to its prefix and, causally, to its own tail.
///
/// # Shapes
/// - `q`: `[batch, rows · tail, n_heads · d_head]`; `k`, `v`: `[batch, rows · tail, n_kv_heads · d_head]`
/// - `prefix`: `[batch, n_kv_heads, prefix, d_head]`
/// - returns the heads' outputs `[batch, rows · tail, n_heads · d_head]`, and the tail's own keys and values
///   `[batch · rows, n_kv_heads, tail, d_head]`
pub fn attend(
    config: &Config,
    geometry: Geometry,
    positions: &Positions,
    (q, k, v): (Tensor<3>, Tensor<3>, Tensor<3>),
    prefix: Option<&KeyValues>,
) -> (Tensor<3>, KeyValues) {
    let Geometry { batch, rows, tail } = geometry;
    let (heads, kv_heads, d_head) = (config.n_heads, config.n_kv_heads, config.d_head);
    let group = heads / kv_heads;
    let forks = batch * rows;

    let q = positions.rotate(q.reshape([forks, tail, heads, d_head]));
    let k = positions.rotate(k.reshape([forks, tail, kv_heads, d_head]));
    let v = v.reshape([forks, tail, kv_heads, d_head]);
    let own = KeyValues {
        keys: k.swap_dims(1, 2),
        values: v.swap_dims(1, 2),
    };

    // [forks · kv_heads, group · tail, d_head]: one small product per fork and key/value head.
    let q = q
        .mul_scalar(1.0 / (d_head as f32).sqrt())
        .reshape([forks, tail, kv_heads, group, d_head])
        .permute([0, 2, 3, 1, 4]);
    let q_own = q.clone().reshape([forks * kv_heads, group * tail, d_head]);
    let keys = own.keys.clone().reshape([forks * kv_heads, tail, d_head]);
    let values = own.values.clone().reshape([forks * kv_heads, tail, d_head]);
    let mut scores = q_own.matmul(keys.transpose());
    if let Some(mask) = &positions.causal {
        scores = scores + mask.clone();
    }

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
            let shared = |x: &Tensor<4>| x.clone().reshape([batch * kv_heads, n_prefix, d_head]);
            let q_prefix = by_prompt(q.reshape([forks * kv_heads, group * tail, d_head]), d_head);
            let to_prefix = by_fork(q_prefix.matmul(shared(&prefix.keys).transpose()), n_prefix);
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
    (out, own)
}
