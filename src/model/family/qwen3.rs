//! Qwen3.
//!
//! Reference: `transformers/models/qwen3/modeling_qwen3.py`. As Llama, with an RMS norm on every head's queries and
//! keys before they are rotated.

use super::list::Width::Head;
use super::list::{Slot, Weights, norm};
use super::llama::{self, ATTENTION_NORM, DOWN, FEED_FORWARD_NORM, GATE, K, OUTPUT, Q, UP, V};
use super::qwen2;
use crate::model::config::activation_named_or;
use crate::model::config::raw::RawConfig;
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let bias = raw.attention_bias == Some(true);
    let config = Config {
        qkv_bias: bias,
        attention_output_bias: bias,
        activation: activation_named_or(raw.hidden_act.as_deref(), Activation::Silu)?,
        ..raw.config()?
    };
    qwen2::with_sliding_window(raw, config)
}

pub(super) const WEIGHTS: Weights = Weights {
    block: &[
        ATTENTION_NORM,
        Q,
        K,
        V,
        norm(Slot::QNorm, Head, "self_attn.q_norm", "attn_q_norm"),
        norm(Slot::KNorm, Head, "self_attn.k_norm", "attn_k_norm"),
        OUTPUT,
        FEED_FORWARD_NORM,
        GATE,
        UP,
        DOWN,
    ],
    ..llama::WEIGHTS
};
