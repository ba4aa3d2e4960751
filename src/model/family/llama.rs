//! Llama: SmolLM2, TinyLlama, Llama 2 and 3.
//!
//! Reference: `transformers/models/llama/modeling_llama.py`. RMS norms, rotary positions (Llama 3.1 and later
//! scale their frequencies), grouped-query attention, a gated feed-forward layer with SiLU. llama.cpp's converter
//! permutes the rows of queries and keys for an interleaved rotation.

use super::list::Layout::Interleaved;
use super::list::Width::{Keys, Model, Neurons, Queries, Vocabulary};
use super::list::{Slot, Weight, Weights, matrix, norm};
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

// What most families have in common with this one.
pub(super) const ATTENTION_NORM: Weight =
    norm(Slot::AttentionNorm, Model, "input_layernorm", "attn_norm");
pub(super) const Q: Weight = matrix(Slot::Q, [Queries, Model], "self_attn.q_proj", "attn_q");
pub(super) const K: Weight = matrix(Slot::K, [Keys, Model], "self_attn.k_proj", "attn_k");
pub(super) const V: Weight = matrix(Slot::V, [Keys, Model], "self_attn.v_proj", "attn_v");
pub(super) const OUTPUT: Weight = matrix(
    Slot::Output,
    [Model, Queries],
    "self_attn.o_proj",
    "attn_output",
);
pub(super) const FEED_FORWARD_NORM: Weight = norm(
    Slot::FeedForwardNorm,
    Model,
    "post_attention_layernorm",
    "ffn_norm",
);
pub(super) const GATE: Weight = matrix(Slot::Gate, [Neurons, Model], "mlp.gate_proj", "ffn_gate");
pub(super) const UP: Weight = matrix(Slot::Up, [Neurons, Model], "mlp.up_proj", "ffn_up");
pub(super) const DOWN: Weight = matrix(Slot::Down, [Model, Neurons], "mlp.down_proj", "ffn_down");

pub(super) const WEIGHTS: Weights = Weights {
    base: "model.",
    blocks: "model.layers",
    embedding: matrix(
        Slot::Embedding,
        [Vocabulary, Model],
        "model.embed_tokens",
        "token_embd",
    ),
    position_embedding: None,
    block: &[
        ATTENTION_NORM,
        Q.in_llama_cpp(Interleaved),
        K.in_llama_cpp(Interleaved),
        V,
        OUTPUT,
        FEED_FORWARD_NORM,
        GATE,
        UP,
        DOWN,
    ],
    final_norm: norm(Slot::FinalNorm, Model, "model.norm", "output_norm"),
    lm_head: matrix(Slot::LmHead, [Vocabulary, Model], "lm_head", "output"),
};
