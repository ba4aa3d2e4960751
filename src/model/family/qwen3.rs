//! Qwen3.
//!
//! Reference: `transformers/models/qwen3/modeling_qwen3.py`. As Llama, with an RMS norm on every head's queries and
//! keys before they are rotated.

use super::Layout;
use super::qwen2;
use crate::model::config::activation_named_or;
use crate::model::config::raw::RawConfig;
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let bias = raw.attention_bias == Some(true);
    let config = Config {
        qkv_bias: bias,
        attention_output_bias: bias,
        qk_norm: true,
        activation: activation_named_or(raw.hidden_act.as_deref(), Activation::Silu)?,
        ..raw.config()?
    };
    qwen2::with_sliding_window(raw, config)
}

pub(super) const LAYOUTS: (Layout, Layout) = qwen2::LAYOUTS;
