//! GPT-NeoX: Pythia.
//!
//! Reference: `transformers/models/gpt_neox/modeling_gpt_neox.py`. Layer norms, a rotation of the first quarter of each
//! head, attention and feed-forward layer side by side on the same residual stream, one projection for queries, keys
//! and values (head by head; llama.cpp's converter sorts them), a feed-forward layer without a gate, with GELU, biases
//! everywhere.

use super::list::Layout::HeadByHead;
use super::list::Width::{Model, Neurons, Queries, QueriesKeysValues, Vocabulary};
use super::list::{Slot, Weights, matrix, norm};
use crate::model::config::raw::RawConfig;
use crate::model::config::{NormKind, activation_named_or};
use crate::model::{Activation, Config, ModelError};

/// Share of a head that is rotated where the file does not say.
const ROTARY_SHARE: f64 = 0.25;

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let mut raw = raw.clone();
    // transformers does not read `rope_theta` here.
    raw.rope_theta = raw.rotary_emb_base;
    let share = raw.rope_number("full_attention", "partial_rotary_factor")?;
    raw.rotary_share = share.or(raw.rotary_pct).or(Some(ROTARY_SHARE));
    let bias = raw.attention_bias != Some(false);
    Ok(Config {
        norm: NormKind::Layer,
        norm_eps: raw.layer_norm_eps.unwrap_or(1e-5),
        qkv_bias: bias,
        attention_output_bias: bias,
        parallel_residual: raw.use_parallel_residual != Some(false),
        activation: activation_named_or(raw.hidden_act.as_deref(), Activation::Gelu)?,
        mlp_bias: true,
        ..raw.config()?
    })
}

pub(super) const WEIGHTS: Weights = Weights {
    base: "gpt_neox.",
    blocks: "gpt_neox.layers",
    embedding: matrix(
        Slot::Embedding,
        [Vocabulary, Model],
        "gpt_neox.embed_in",
        "token_embd",
    ),
    position_embedding: None,
    block: &[
        norm(Slot::AttentionNorm, Model, "input_layernorm", "attn_norm"),
        matrix(
            Slot::Qkv,
            [QueriesKeysValues, Model],
            "attention.query_key_value",
            "attn_qkv",
        )
        .in_transformers(HeadByHead),
        matrix(
            Slot::Output,
            [Model, Queries],
            "attention.dense",
            "attn_output",
        ),
        norm(
            Slot::FeedForwardNorm,
            Model,
            "post_attention_layernorm",
            "ffn_norm",
        ),
        matrix(Slot::Gate, [Neurons, Model], "mlp.dense_h_to_4h", "ffn_up"),
        matrix(
            Slot::Down,
            [Model, Neurons],
            "mlp.dense_4h_to_h",
            "ffn_down",
        ),
    ],
    final_norm: norm(
        Slot::FinalNorm,
        Model,
        "gpt_neox.final_layer_norm",
        "output_norm",
    ),
    lm_head: matrix(Slot::LmHead, [Vocabulary, Model], "embed_out", "output"),
};
