//! The text models of Gemma 3.
//!
//! Reference: `transformers/models/gemma3/modeling_gemma3.py`. Norms around attention and feed-forward layer on both
//! sides, of weight `1 + w` (llama.cpp's converter stores the sum); an RMS norm on every head's queries and keys;
//! five local layers for each global one, with their own rotary base; embeddings times `sqrt(d_model)`; a gated
//! feed-forward layer with GELU; logits that may be bounded.

use super::list::Layout::LessOne;
use super::list::Width::{self, Head, Model};
use super::list::{Slot, Weight, Weights, norm};
use super::llama::{self, DOWN, GATE, K, OUTPUT, Q, UP, V};
use crate::model::config::raw::RawConfig;
use crate::model::config::{LocalAttention, Rope, activation_named_or};
use crate::model::{Activation, Config, ModelError};

/// Every so many-th layer is global where the file does not list them.
const PATTERN: usize = 6;
/// Base of the local layers' rotary embedding where the file does not say.
const LOCAL_THETA: f64 = 10_000.0;
/// Base of the global layers' rotary embedding where the file does not say.
const GLOBAL_THETA: f64 = 1_000_000.0;
/// Positions that a local layer sees where the file does not say.
const WINDOW: usize = 4096;
/// Attention's products are divided by the root of this where the file does not say.
const QUERY_SCALAR: f64 = 256.0;

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    let mut raw = raw.clone();
    raw.head_dim.get_or_insert(256);
    raw.rope_theta.get_or_insert(GLOBAL_THETA);
    if raw.has_rope_of_no_kind() {
        return Err(ModelError::Unsupported(
            "`rope_parameters` without `full_attention` and `sliding_attention`, which transformers does not read for this \
             family"
                .into(),
        ));
    }
    let logit_softcap = raw.final_logit_softcapping.take();
    let common = raw.config()?;
    let pattern = raw.sliding_window_pattern.unwrap_or(PATTERN);
    let layers = match &raw.layer_types {
        _ if raw.has_no_window => None,
        Some(_) => raw.local_layers(),
        None => Some(
            (1..=common.n_layers.min(1024))
                .map(|layer| !layer.is_multiple_of(pattern))
                .collect(),
        ),
    };
    let bias = raw.attention_bias == Some(true);
    let scalar = raw.query_pre_attn_scalar.unwrap_or(QUERY_SCALAR);
    let attention_scale = raw.attention_scale.unwrap_or(scalar.powf(-0.5));
    let local = match layers {
        Some(layers) => Some(LocalAttention {
            window: raw.sliding_window.unwrap_or(WINDOW),
            layers,
            rope: local_rope(&raw, common.d_head)?,
        }),
        None => None,
    };
    Ok(Config {
        attention_scale,
        qkv_bias: bias,
        attention_output_bias: bias,
        activation: activation_named_or(raw.hidden_activation.as_deref(), Activation::GeluTanh)?,
        embedding_scale: (common.d_model as f64).sqrt(),
        tied: raw.tie_word_embeddings.unwrap_or(true),
        local,
        logit_softcap,
        ..common
    })
}

/// What is said of all layers is of the global ones; before transformers 5 the local ones' base had a field of its own.
fn local_rope(raw: &RawConfig, d_head: usize) -> Result<Rope, ModelError> {
    let mut local = raw.clone();
    local.rope_theta = raw.rope_local_base_freq.or(Some(LOCAL_THETA));
    local.rope_scaling = None;
    local.rope_factors = None;
    local.rope("sliding_attention", d_head)
}

/// Stored weights are added to one.
const fn one_more(
    slot: Slot,
    width: Width,
    transformers: &'static str,
    llama_cpp: &'static str,
) -> Weight {
    norm(slot, width, transformers, llama_cpp).in_transformers(LessOne)
}

pub(super) const WEIGHTS: Weights = Weights {
    block: &[
        one_more(Slot::AttentionNorm, Model, "input_layernorm", "attn_norm"),
        Q,
        K,
        V,
        one_more(Slot::QNorm, Head, "self_attn.q_norm", "attn_q_norm"),
        one_more(Slot::KNorm, Head, "self_attn.k_norm", "attn_k_norm"),
        OUTPUT,
        one_more(
            Slot::AttentionPostNorm,
            Model,
            "post_attention_layernorm",
            "post_attention_norm",
        ),
        one_more(
            Slot::FeedForwardNorm,
            Model,
            "pre_feedforward_layernorm",
            "ffn_norm",
        ),
        GATE,
        UP,
        DOWN,
        one_more(
            Slot::FeedForwardPostNorm,
            Model,
            "post_feedforward_layernorm",
            "post_ffw_norm",
        ),
    ],
    final_norm: one_more(Slot::FinalNorm, Model, "model.norm", "output_norm"),
    ..llama::WEIGHTS
};
