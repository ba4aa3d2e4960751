//! OLMo 2.
//!
//! Reference: `transformers/models/olmo2/modeling_olmo2.py`. As Llama, but for its norms: none before attention and
//! feed-forward layer, one on what each of them gives, and one over all heads' queries, another over all heads' keys,
//! before they are rotated. llama.cpp's converter leaves the order of rows.

use super::list::Width::{Keys, Model, Queries};
use super::list::{Slot, Weights, norm};
use super::llama::{self, DOWN, GATE, K, OUTPUT, Q, UP, V};
use crate::model::config::raw::RawConfig;
use crate::model::{Config, ModelError};

/// Epsilon of the norms where the file does not say.
const NORM_EPS: f64 = 1e-5;

pub(super) fn config(raw: &RawConfig) -> Result<Config, ModelError> {
    Ok(Config {
        norm_eps: raw.rms_norm_eps.unwrap_or(NORM_EPS),
        mlp_bias: false,
        ..llama::config(raw)?
    })
}

pub(super) const WEIGHTS: Weights = Weights {
    block: &[
        Q,
        K,
        V,
        norm(Slot::QNorm, Queries, "self_attn.q_norm", "attn_q_norm"),
        norm(Slot::KNorm, Keys, "self_attn.k_norm", "attn_k_norm"),
        OUTPUT,
        norm(
            Slot::AttentionPostNorm,
            Model,
            "post_attention_layernorm",
            "post_attention_norm",
        ),
        GATE,
        UP,
        DOWN,
        norm(
            Slot::FeedForwardPostNorm,
            Model,
            "post_feedforward_layernorm",
            "post_ffw_norm",
        ),
    ],
    ..llama::WEIGHTS
};
