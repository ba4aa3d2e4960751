//! GPT-2.
//!
//! Reference: `transformers/models/gpt2/modeling_gpt2.py`. Layer norms, learned positions, one projection for queries,
//! keys and values, a feed-forward layer without a gate, with GELU by tanh, biases everywhere. transformers keeps the
//! blocks' projections as `Conv1D`, `[in, out]`.

use super::names::LLAMA_CPP_UNGATED;
use super::{Fused, Layout, Names};
use crate::model::config::raw::{RawConfig, either};
use crate::model::config::{NormKind, activation_named_or};
use crate::model::{Activation, Config, ModelError};

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let mut raw = raw.clone();
    // transformers reads either name (`attribute_map`).
    for (name, own, common_name, common) in [
        ("n_embd", raw.n_embd, "hidden_size", &mut raw.hidden_size),
        (
            "n_layer",
            raw.n_layer,
            "num_hidden_layers",
            &mut raw.num_hidden_layers,
        ),
        (
            "n_head",
            raw.n_head,
            "num_attention_heads",
            &mut raw.num_attention_heads,
        ),
        (
            "n_positions",
            raw.n_positions,
            "max_position_embeddings",
            &mut raw.max_position_embeddings,
        ),
    ] {
        *common = either((name, own), (common_name, *common))?;
    }
    raw.intermediate_size = raw.n_inner.or_else(|| raw.hidden_size?.checked_mul(4));
    let common = raw.config()?;
    Ok(Config {
        norm: NormKind::Layer,
        norm_eps: raw.layer_norm_epsilon.unwrap_or(1e-5),
        rope: None,
        qkv_bias: true,
        attention_output_bias: true,
        activation: activation_named_or(raw.activation_function.as_deref(), Activation::GeluTanh)?,
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
