//! Llama: SmolLM2, TinyLlama, Llama 2 and 3.
//!
//! Reference: `transformers/models/llama/modeling_llama.py`. RMS norms, rotary positions (Llama 3.1 and later
//! scale their frequencies), grouped-query attention, a gated feed-forward layer with SiLU. llama.cpp's converter
//! permutes the rows of queries and keys for an interleaved rotation.

use super::names::LLAMA_CPP;
use super::{Layout, Names};
use crate::model::config::activation_named_or;
use crate::model::config::raw::RawConfig;
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let bias = raw.attention_bias == Some(true);
    Ok(Config {
        qkv_bias: bias,
        attention_output_bias: bias,
        mlp_bias: raw.mlp_bias == Some(true),
        activation: activation_named_or(raw.hidden_act.as_deref(), Activation::Silu)?,
        ..raw.config()?
    })
}

/// transformers' names, which Qwen and Gemma share but for their own parts.
pub(super) const NAMES: Names = Names {
    embedding: "model.embed_tokens",
    position_embedding: "",
    blocks: "model.layers",
    attention_norm: "input_layernorm",
    q: "self_attn.q_proj",
    k: "self_attn.k_proj",
    v: "self_attn.v_proj",
    qkv: "",
    q_norm: "self_attn.q_norm",
    k_norm: "self_attn.k_norm",
    o: "self_attn.o_proj",
    attention_post_norm: "",
    feed_forward_norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
    feed_forward_post_norm: "",
    final_norm: "model.norm",
    lm_head: "lm_head",
};

pub(super) const LAYOUTS: (Layout, Layout) = (
    Layout::plain(&NAMES, "model."),
    Layout {
        interleaved_rotary: true,
        ..Layout::plain(&LLAMA_CPP, "")
    },
);
