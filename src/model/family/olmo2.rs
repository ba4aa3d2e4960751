//! OLMo 2.
//!
//! Reference: `transformers/models/olmo2/modeling_olmo2.py`. As Llama, but for its norms: none before attention and
//! feed-forward layer, one on what each of them gives, and one over all heads' queries, another over all heads' keys,
//! before they are rotated. llama.cpp's converter leaves the order of rows.

use super::list::Width::{Keys, Model, Neurons, Queries};
use super::list::{Slot, Weights, matrix, norm};
use super::llama;
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
        matrix(Slot::Q, [Queries, Model], "self_attn.q_proj", "attn_q"),
        matrix(Slot::K, [Keys, Model], "self_attn.k_proj", "attn_k"),
        matrix(Slot::V, [Keys, Model], "self_attn.v_proj", "attn_v"),
        norm(Slot::QNorm, Queries, "self_attn.q_norm", "attn_q_norm"),
        norm(Slot::KNorm, Keys, "self_attn.k_norm", "attn_k_norm"),
        matrix(
            Slot::Output,
            [Model, Queries],
            "self_attn.o_proj",
            "attn_output",
        ),
        norm(
            Slot::AttentionPostNorm,
            Model,
            "post_attention_layernorm",
            "post_attention_norm",
        ),
        matrix(Slot::Gate, [Neurons, Model], "mlp.gate_proj", "ffn_gate"),
        matrix(Slot::Up, [Neurons, Model], "mlp.up_proj", "ffn_up"),
        matrix(Slot::Down, [Model, Neurons], "mlp.down_proj", "ffn_down"),
        norm(
            Slot::FeedForwardPostNorm,
            Model,
            "post_feedforward_layernorm",
            "post_ffw_norm",
        ),
    ],
    ..llama::WEIGHTS
};
