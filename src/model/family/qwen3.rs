//! Qwen3.
//!
//! Reference: `transformers/models/qwen3/modeling_qwen3.py`. As Llama, with an RMS norm on every head's queries and
//! keys before they are rotated.

use super::list::Width::{Head, Keys, Model, Neurons, Queries};
use super::list::{Slot, Weights, matrix, norm};
use super::{llama, qwen2};
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
        norm(Slot::AttentionNorm, Model, "input_layernorm", "attn_norm"),
        matrix(Slot::Q, [Queries, Model], "self_attn.q_proj", "attn_q"),
        matrix(Slot::K, [Keys, Model], "self_attn.k_proj", "attn_k"),
        matrix(Slot::V, [Keys, Model], "self_attn.v_proj", "attn_v"),
        norm(Slot::QNorm, Head, "self_attn.q_norm", "attn_q_norm"),
        norm(Slot::KNorm, Head, "self_attn.k_norm", "attn_k_norm"),
        matrix(
            Slot::Output,
            [Model, Queries],
            "self_attn.o_proj",
            "attn_output",
        ),
        norm(
            Slot::FeedForwardNorm,
            Model,
            "post_attention_layernorm",
            "ffn_norm",
        ),
        matrix(Slot::Gate, [Neurons, Model], "mlp.gate_proj", "ffn_gate"),
        matrix(Slot::Up, [Neurons, Model], "mlp.up_proj", "ffn_up"),
        matrix(Slot::Down, [Model, Neurons], "mlp.down_proj", "ffn_down"),
    ],
    ..llama::WEIGHTS
};
