//! The model families, one file each: what a family's configuration means, and what its weights are called.
//!
//! Everything a family computes is a part of the decoder that others share; a family's file says which parts it
//! has. Its header cites the reference implementation.

mod gemma3;
mod gpt2;
mod gpt_neox;
mod llama;
mod names;
mod qwen2;
mod qwen3;

use serde::{Deserialize, Serialize};

pub(super) use names::{Fused, Layout, Names};

use super::config::raw::RawConfig;
use super::{Config, ModelError};
use crate::weights::WeightKind;

/// A family of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Llama: SmolLM2, TinyLlama, Llama 2 and 3.
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3.
    Qwen3,
    /// The text models of Gemma 3.
    #[serde(rename = "gemma3")]
    Gemma3,
    /// GPT-2.
    #[serde(rename = "gpt2")]
    Gpt2,
    /// GPT-NeoX: Pythia.
    GptNeox,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma3,
        Self::Gpt2,
        Self::GptNeox,
    ];

    /// Its name in files and on screen: transformers' `model_type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3_text",
            Self::Gpt2 => "gpt2",
            Self::GptNeox => "gpt_neox",
        }
    }

    /// llama.cpp's `general.architecture`.
    fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3",
            Self::Gpt2 => "gpt2",
            Self::GptNeox => "gptneox",
        }
    }

    /// The family of a `model_type`.
    pub(super) fn of_model_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The family of a `general.architecture`.
    pub(super) fn of_architecture(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|family| family.architecture() == name)
    }

    /// What the family makes of a configuration.
    pub(super) fn config(self, raw: &RawConfig) -> Result<Config, ModelError> {
        let config = match self {
            Self::Llama => llama::config(raw),
            Self::Qwen2 => qwen2::config(raw),
            Self::Qwen3 => qwen3::config(raw),
            Self::Gemma3 => gemma3::config(raw),
            Self::Gpt2 => gpt2::config(raw),
            Self::GptNeox => gpt_neox::config(raw),
        }?;
        Ok(Config {
            family: self,
            ..config
        })
    }

    /// How the family's weights are named and laid out in a kind of file.
    pub(super) fn layout(self, kind: WeightKind) -> Layout {
        let (hugging_face, llama_cpp) = match self {
            Self::Llama => llama::LAYOUTS,
            Self::Qwen2 => qwen2::LAYOUTS,
            Self::Qwen3 => qwen3::LAYOUTS,
            Self::Gemma3 => gemma3::LAYOUTS,
            Self::Gpt2 => gpt2::LAYOUTS,
            Self::GptNeox => gpt_neox::LAYOUTS,
        };
        match kind {
            WeightKind::Safetensors => hugging_face,
            WeightKind::Gguf => llama_cpp,
        }
    }

    /// Where transformers keeps the projection that neurons write through: the list of blocks and the
    /// projection in one of them, as attributes of the model.
    pub fn output_projection(self) -> (&'static str, &'static str) {
        let names = self.layout(WeightKind::Safetensors).names;
        (names.blocks, names.down)
    }

    /// Whether that projection's weight is `[d_mlp, d_model]`.
    pub fn is_output_projection_in_out(self) -> bool {
        self.layout(WeightKind::Safetensors).in_out
    }
}
