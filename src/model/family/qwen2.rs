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

/// Sliding windows where the configuration switches them on; no released model of this size does.
pub(super) fn with_sliding_window(raw: &RawConfig, config: Config) -> Result<Config, ModelError> {
    if raw.use_sliding_window != Some(true) {
        return Ok(config);
    }
    match (raw.local_layers(), raw.sliding_window, &config.rope) {
        (Some(layers), Some(window), Some(rope)) => Ok(Config {
            local: Some(LocalAttention {
                window,
                layers,
                rope: rope.clone(),
            }),
            ..config
        }),
        _ => Err(ModelError::Unsupported(
            "use_sliding_window without layer_types".into(),
        )),
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
