//! GPT-2.
//!
//! Reference: `transformers/models/gpt2/modeling_gpt2.py`. Layer norms, learned positions, one projection for queries,
//! keys and values, a feed-forward layer without a gate, with GELU by tanh, biases everywhere. transformers keeps the
//! blocks' projections as `Conv1D`, `[in, out]`.

use super::list::Layout::InOut;
use super::list::Width::{Context, Model, Neurons, Queries, QueriesKeysValues, Vocabulary};
use super::list::{Slot, Weights, matrix, norm};
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
        mlp_bias: true,
        tied: raw.tie_word_embeddings.unwrap_or(true),
        ..common
    })
}

pub(super) const WEIGHTS: Weights = Weights {
    base: "transformer.",
    blocks: "transformer.h",
    embedding: matrix(
        Slot::Embedding,
        [Vocabulary, Model],
        "transformer.wte",
        "token_embd",
    ),
    position_embedding: Some(matrix(
        Slot::PositionEmbedding,
        [Context, Model],
        "transformer.wpe",
        "position_embd",
    )),
    block: &[
        norm(Slot::AttentionNorm, Model, "ln_1", "attn_norm"),
        matrix(
            Slot::Qkv,
            [QueriesKeysValues, Model],
            "attn.c_attn",
            "attn_qkv",
        )
        .in_transformers(InOut),
        matrix(Slot::Output, [Model, Queries], "attn.c_proj", "attn_output").in_transformers(InOut),
        norm(Slot::FeedForwardNorm, Model, "ln_2", "ffn_norm"),
        matrix(Slot::Gate, [Neurons, Model], "mlp.c_fc", "ffn_up").in_transformers(InOut),
        matrix(Slot::Down, [Model, Neurons], "mlp.c_proj", "ffn_down").in_transformers(InOut),
    ],
    final_norm: norm(Slot::FinalNorm, Model, "transformer.ln_f", "output_norm"),
    lm_head: matrix(Slot::LmHead, [Vocabulary, Model], "lm_head", "output"),
};
