//! Where a run's tail stands: the rotary embedding of its positions, and which keys each of them sees.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::Rope;
use super::{Config, ModelError};

/// All that attention needs to know about the positions of a tail.
pub struct Positions {
    global: LayerPositions,
    /// For local layers, where the model has any.
    local: Option<LayerPositions>,
}

/// The same for one kind of layer.
pub struct LayerPositions {
    rotation: Option<Rotation>,
    /// Added to the scores against the tail's own keys, `[1, group · tail, tail]`.
    pub(super) own_mask: Option<Tensor<3>>,
    /// Added to the scores against the prefix's keys, `[1, group · tail, prefix]`.
    pub(super) prefix_mask: Option<Tensor<3>>,
}

/// Cosines and sines of some positions, `[1, tail, 1, dimensions]`.
struct Rotation {
    dimensions: usize,
    cos: Tensor<4>,
    sin: Tensor<4>,
}

/// Added to a score that must not count.
const HIDDEN: f32 = f32::MIN / 2.0;

impl Positions {
    /// For `tail` positions after a prefix of `first`.
    pub fn new(config: &Config, first: usize, tail: usize, device: &Device) -> Self {
        let group = config.n_heads / config.n_kv_heads;
        let kind = |rope: Option<&Rope>, window: Option<usize>| {
            let sees = |query: usize, key: usize| {
                key <= query && window.is_none_or(|window| query - key < window)
            };
            let mask = |keys: std::ops::Range<usize>| {
                let n_keys = keys.len();
                let hides = (first..first + tail).any(|q| keys.clone().any(|k| !sees(q, k)));
                hides.then(|| {
                    let values: Vec<f32> = (0..group * tail * n_keys)
                        .map(|index| {
                            let query = first + index / n_keys % tail;
                            let key = keys.start + index % n_keys;
                            if sees(query, key) { 0.0 } else { HIDDEN }
                        })
                        .collect();
                    let shape = [1, group * tail, n_keys];
                    Tensor::from_data(TensorData::new(values, shape), device)
                })
            };
            LayerPositions {
                rotation: rope.map(|rope| Rotation::new(rope, first, tail, device)),
                own_mask: mask(first..first + tail),
                // Without a window every key of the prefix is seen.
                prefix_mask: window.and_then(|_| mask(0..first)),
            }
        };
        Self {
            global: kind(config.rope.as_ref(), None),
            local: config
                .local
                .as_ref()
                .map(|local| kind(Some(&local.rope), Some(local.window))),
        }
    }

    /// Those that a layer of `config` goes by.
    pub(super) fn of_layer(&self, config: &Config, layer: usize) -> &LayerPositions {
        match &self.local {
            Some(local) if config.is_local(layer) => local,
            _ => &self.global,
        }
    }
}

impl LayerPositions {
    /// Rotates queries or keys, `[batch · rows, tail, heads, d_head]`.
    pub(super) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.rotation {
            Some(rotation) => rotation.apply(x),
            None => x,
        }
    }
}

impl Rotation {
    /// In the half-split layout of transformers' `rotate_half`: dimension `i` is paired with
    /// `i + dimensions / 2`.
    fn new(rope: &Rope, first: usize, tail: usize, device: &Device) -> Self {
        let frequencies = rope.frequencies();
        let dimensions = rope.dimensions;
        let mut cos = Vec::with_capacity(tail * dimensions);
        let mut sin = Vec::with_capacity(tail * dimensions);
        for position in first..first + tail {
            for frequency in frequencies.iter().chain(&frequencies) {
                let angle = position as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        let table = |values| {
            Tensor::<4>::from_data(TensorData::new(values, [1, tail, 1, dimensions]), device)
        };
        Self {
            dimensions,
            cos: table(cos),
            sin: table(sin),
        }
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let (d_head, half) = (x.dims()[3], self.dimensions / 2);
        let part = |from, width| x.clone().narrow(3, from, width);
        let turned = Tensor::cat(vec![part(half, half).neg(), part(0, half)], 3);
        let rest = d_head - self.dimensions;
        if rest == 0 {
            return x * self.cos.clone() + turned * self.sin.clone();
        }
        let rotated = part(0, self.dimensions) * self.cos.clone() + turned * self.sin.clone();
        Tensor::cat(vec![rotated, part(self.dimensions, rest)], 3)
    }
}

/// Ids of consecutive positions, for a learned position embedding.
///
/// # Errors
///
/// [`ModelError::TooLong`] past the embedding's end.
pub(super) fn position_ids(
    config: &Config,
    first: usize,
    tail: usize,
) -> Result<Vec<u32>, ModelError> {
    let tokens = first + tail;
    if tokens > config.context_length {
        return Err(ModelError::TooLong {
            tokens,
            context_length: config.context_length,
        });
    }
    Ok((first..tokens).map(|position| position as u32).collect())
}
