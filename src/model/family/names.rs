//! What weights are called in files, and how files lay them out.

/// A weight's name: the part between `{blocks}.{layer}.` and `.weight` or `.bias`, or, outside the blocks, all
/// but that ending. Empty where a family has no such weight.
pub(in crate::model) struct Names {
    pub(in crate::model) embedding: &'static str,
    pub(in crate::model) position_embedding: &'static str,
    pub(in crate::model) blocks: &'static str,
    pub(in crate::model) attention_norm: &'static str,
    pub(in crate::model) q: &'static str,
    pub(in crate::model) k: &'static str,
    pub(in crate::model) v: &'static str,
    pub(in crate::model) qkv: &'static str,
    pub(in crate::model) q_norm: &'static str,
    pub(in crate::model) k_norm: &'static str,
    pub(in crate::model) o: &'static str,
    pub(in crate::model) attention_post_norm: &'static str,
    pub(in crate::model) feed_forward_norm: &'static str,
    /// The gate, or the first projection of a feed-forward layer without one.
    pub(in crate::model) gate: &'static str,
    pub(in crate::model) up: &'static str,
    pub(in crate::model) down: &'static str,
    pub(in crate::model) feed_forward_post_norm: &'static str,
    pub(in crate::model) final_norm: &'static str,
    pub(in crate::model) lm_head: &'static str,
}

/// How a fused projection holds queries, keys and values.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::model) enum Fused {
    /// All queries, then all keys, then all values.
    Concatenated,
    /// Head after head: its queries, keys and values.
    HeadByHead,
}

/// How a kind of file names and lays out a family's weights.
#[derive(Clone, Copy)]
pub(in crate::model) struct Layout {
    pub(in crate::model) names: &'static Names,
    /// First part of the names, which a file of the bare decoder lacks.
    pub(in crate::model) base: &'static str,
    /// Queries, keys and values in one weight.
    pub(in crate::model) fused: Option<Fused>,
    /// Rows of the query and key projections in the order of an interleaved rotation.
    pub(in crate::model) interleaved_rotary: bool,
    /// The blocks' projections as `[in, out]` (transformers' `Conv1D`) instead of `[out, in]`.
    pub(in crate::model) in_out: bool,
    /// What is added to the stored weights of the norms.
    pub(in crate::model) norm_offset: f32,
}

impl Layout {
    /// Names, and nothing out of the ordinary.
    pub(super) const fn plain(names: &'static Names, base: &'static str) -> Self {
        Self {
            names,
            base,
            fused: None,
            interleaved_rotary: false,
            in_out: false,
            norm_offset: 0.0,
        }
    }

    /// The name of a block's weight, without `.weight` or `.bias`.
    pub(in crate::model) fn in_block(&self, layer: usize, part: &str) -> String {
        format!("{}.{layer}.{part}", self.names.blocks)
    }
}

/// llama.cpp's names, the same for every family (`gguf-py/gguf/constants.py`, `TENSOR_NAMES`).
pub(super) const LLAMA_CPP: Names = Names {
    embedding: "token_embd",
    position_embedding: "position_embd",
    blocks: "blk",
    attention_norm: "attn_norm",
    q: "attn_q",
    k: "attn_k",
    v: "attn_v",
    qkv: "attn_qkv",
    q_norm: "attn_q_norm",
    k_norm: "attn_k_norm",
    o: "attn_output",
    attention_post_norm: "post_attention_norm",
    feed_forward_norm: "ffn_norm",
    gate: "ffn_gate",
    up: "ffn_up",
    down: "ffn_down",
    feed_forward_post_norm: "post_ffw_norm",
    final_norm: "output_norm",
    lm_head: "output",
};

/// The same for a feed-forward layer without a gate, whose first projection llama.cpp calls `ffn_up`.
pub(super) const LLAMA_CPP_UNGATED: Names = Names {
    gate: "ffn_up",
    up: "",
    ..LLAMA_CPP
};
