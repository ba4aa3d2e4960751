//! What the weights of this family are called in files.

/// How a file names and lays out the tensors of this family.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Naming {
    /// `transformers`' names and row order.
    HuggingFace,
    /// llama.cpp's names; the rows of `q_proj` and `k_proj` are permuted for interleaved rotation.
    LlamaCpp,
}

impl Naming {
    pub(super) fn embed_tokens(self) -> &'static str {
        match self {
            Self::HuggingFace => "model.embed_tokens.weight",
            Self::LlamaCpp => "token_embd.weight",
        }
    }

    pub(super) fn norm(self) -> &'static str {
        match self {
            Self::HuggingFace => "model.norm.weight",
            Self::LlamaCpp => "output_norm.weight",
        }
    }

    pub(super) fn lm_head(self) -> &'static str {
        match self {
            Self::HuggingFace => "lm_head.weight",
            Self::LlamaCpp => "output.weight",
        }
    }

    pub(super) fn in_block(self, layer: usize, (hugging_face, llama_cpp): Part) -> String {
        match self {
            Self::HuggingFace => format!("model.layers.{layer}.{hugging_face}.weight"),
            Self::LlamaCpp => format!("blk.{layer}.{llama_cpp}.weight"),
        }
    }
}

/// A block's weight, in transformers and in llama.cpp.
pub(super) type Part = (&'static str, &'static str);

pub(super) const INPUT_LAYERNORM: Part = ("input_layernorm", "attn_norm");
pub(super) const Q_PROJ: Part = ("self_attn.q_proj", "attn_q");
pub(super) const K_PROJ: Part = ("self_attn.k_proj", "attn_k");
pub(super) const V_PROJ: Part = ("self_attn.v_proj", "attn_v");
pub(super) const O_PROJ: Part = ("self_attn.o_proj", "attn_output");
pub(super) const POST_ATTENTION_LAYERNORM: Part = ("post_attention_layernorm", "ffn_norm");
pub(super) const GATE_PROJ: Part = ("mlp.gate_proj", "ffn_gate");
pub(super) const UP_PROJ: Part = ("mlp.up_proj", "ffn_up");
pub(super) const DOWN_PROJ: Part = ("mlp.down_proj", "ffn_down");
