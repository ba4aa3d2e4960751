//! Qwen2 and Qwen2.5.
//!
//! Reference: `transformers/models/qwen2/modeling_qwen2.py`. As Llama, with a bias on queries, keys and values.

use super::list::Weights;
use super::llama::{self, ATTENTION_NORM, DOWN, FEED_FORWARD_NORM, GATE, K, OUTPUT, Q, UP, V};
use crate::model::config::raw::RawConfig;
use crate::model::config::{LocalAttention, activation_named_or};
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let config = Config {
        qkv_bias: true,
        activation: activation_named_or(raw.hidden_act.as_deref(), Activation::Silu)?,
        ..raw.config()?
    };
    with_sliding_window(raw, config)
}

/// The first layer with a window where the file does not say.
const FIRST_LOCAL: usize = 28;

/// Sliding windows where the configuration switches them on; no released model of this size does.
pub(super) fn with_sliding_window(raw: &RawConfig, config: Config) -> Result<Config, ModelError> {
    if raw.use_sliding_window != Some(true) {
        return Ok(config);
    }
    let first_local = raw.max_window_layers.unwrap_or(FIRST_LOCAL);
    let layers = match (&raw.layer_types, raw.sliding_window) {
        (Some(_), _) => raw.local_layers(),
        (None, Some(_)) if first_local < config.n_layers => Some(
            (0..config.n_layers.min(1024))
                .map(|layer| layer >= first_local)
                .collect(),
        ),
        (None, _) => None,
    };
    match (layers, raw.sliding_window, &config.rope) {
        (Some(layers), Some(window), Some(rope)) => Ok(Config {
            local: Some(LocalAttention {
                window,
                layers,
                rope: rope.clone(),
            }),
            ..config
        }),
        (Some(_), None, _) => Err(ModelError::Unsupported(
            "layers of `sliding_attention` without a `sliding_window`".into(),
        )),
        _ => Ok(config),
    }
}

pub(super) const WEIGHTS: Weights = Weights {
    block: &[
        ATTENTION_NORM,
        Q,
        K,
        V,
        OUTPUT,
        FEED_FORWARD_NORM,
        GATE,
        UP,
        DOWN,
    ],
    ..llama::WEIGHTS
};
