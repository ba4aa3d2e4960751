//! GPT-NeoX: Pythia.
//!
//! Reference: `transformers/models/gpt_neox/modeling_gpt_neox.py`. Layer norms, a rotation of the first quarter of each
//! head, attention and feed-forward layer side by side on the same residual stream, one projection for queries, keys
//! and values (head by head; llama.cpp's converter sorts them), a feed-forward layer without a gate, with GELU, biases
//! everywhere.

use super::names::LLAMA_CPP_UNGATED;
use super::{Fused, Layout, Names};
use crate::model::config::raw::RawConfig;
use crate::model::config::{NormKind, activation_named_or};
use crate::model::{Activation, Config, ModelError};

/// Share of a head that is rotated where the file does not say.
const ROTARY_SHARE: f64 = 0.25;

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let mut raw = raw.clone();
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
        gated: false,
        mlp_bias: true,
        ..raw.config()?
    })
}

const NAMES: Names = Names {
    embedding: "gpt_neox.embed_in",
    position_embedding: "",
    blocks: "gpt_neox.layers",
    attention_norm: "input_layernorm",
    q: "",
    k: "",
    v: "",
    qkv: "attention.query_key_value",
    q_norm: "",
    k_norm: "",
    o: "attention.dense",
    attention_post_norm: "",
    feed_forward_norm: "post_attention_layernorm",
    gate: "mlp.dense_h_to_4h",
    up: "",
    down: "mlp.dense_4h_to_h",
    feed_forward_post_norm: "",
    final_norm: "gpt_neox.final_layer_norm",
    lm_head: "embed_out",
};

pub(super) const LAYOUTS: (Layout, Layout) = (
    Layout {
        fused: Some(Fused::HeadByHead),
        ..Layout::plain(&NAMES, "gpt_neox.")
    },
    Layout {
        fused: Some(Fused::Concatenated),
        ..Layout::plain(&LLAMA_CPP_UNGATED, "")
    },
);
