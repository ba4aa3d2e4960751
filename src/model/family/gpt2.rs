//! GPT-2.
//!
//! Reference: `transformers/models/gpt2/modeling_gpt2.py`. Layer norms, learned positions, one projection for queries,
//! keys and values, a feed-forward layer without a gate, with GELU by tanh, biases everywhere. transformers keeps the
//! blocks' projections as `Conv1D`, `[in, out]`.

use super::names::LLAMA_CPP_UNGATED;
use super::{Fused, Layout, Names};
use crate::model::config::NormKind;
use crate::model::config::raw::RawConfig;
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let mut raw = raw.clone();
    raw.rms_norm_eps.get_or_insert(1e-5);
    raw.intermediate_size = raw
        .intermediate_size
        .or_else(|| raw.hidden_size?.checked_mul(4));
    let common = raw.config()?;
    Ok(Config {
        norm: NormKind::Layer,
        rope: None,
        qkv_bias: true,
        attention_output_bias: true,
        activation: raw.activation_or(Activation::GeluTanh)?,
        gated: false,
        mlp_bias: true,
        tied: raw.tie_word_embeddings.unwrap_or(true),
        ..common
    })
}

const NAMES: Names = Names {
    embedding: "transformer.wte",
    position_embedding: "transformer.wpe",
    blocks: "transformer.h",
    attention_norm: "ln_1",
    q: "",
    k: "",
    v: "",
    qkv: "attn.c_attn",
    q_norm: "",
    k_norm: "",
    o: "attn.c_proj",
    attention_post_norm: "",
    feed_forward_norm: "ln_2",
    gate: "mlp.c_fc",
    up: "",
    down: "mlp.c_proj",
    feed_forward_post_norm: "",
    final_norm: "transformer.ln_f",
    lm_head: "lm_head",
};

pub(super) const LAYOUTS: (Layout, Layout) = (
    Layout {
        fused: Some(Fused::Concatenated),
        in_out: true,
        ..Layout::plain(&NAMES, "transformer.")
    },
    Layout {
        fused: Some(Fused::Concatenated),
        ..Layout::plain(&LLAMA_CPP_UNGATED, "")
    },
);
