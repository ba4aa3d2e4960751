//! The model families, one file each: what a family's configuration means, and the list of its weights.
//!
//! Everything a family computes is a part of the decoder that others share; a family has the parts whose weights it
//! lists. Its file's header cites the reference implementation.

mod gemma3;
mod gpt2;
mod gpt_neox;
pub(super) mod list;
mod llama;
mod olmo2;
mod qwen2;
mod qwen3;

use serde::{Deserialize, Serialize};

use list::{InFile, Layout, Slot, Weights};

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
    /// OLMo 2.
    #[serde(rename = "olmo2")]
    Olmo2,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 7] = [
        Self::Llama,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma3,
        Self::Gpt2,
        Self::GptNeox,
        Self::Olmo2,
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
            Self::Olmo2 => "olmo2",
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
            Self::Olmo2 => "olmo2",
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
            Self::Olmo2 => olmo2::config(raw),
        }?;
        Ok(Config {
            family: self,
            weights: self.weights(),
            ..config
        })
    }

    /// What weights a model of the family has.
    pub(super) fn weights(self) -> &'static Weights {
        match self {
            Self::Llama => &llama::WEIGHTS,
            Self::Qwen2 => &qwen2::WEIGHTS,
            Self::Qwen3 => &qwen3::WEIGHTS,
            Self::Gemma3 => &gemma3::WEIGHTS,
            Self::Gpt2 => &gpt2::WEIGHTS,
            Self::GptNeox => &gpt_neox::WEIGHTS,
            Self::Olmo2 => &olmo2::WEIGHTS,
        }
    }

    /// Where transformers keeps the projection that neurons write through: the list of blocks and the
    /// projection in one of them, as attributes of the model.
    pub fn output_projection(self) -> (&'static str, &'static str) {
        let down = self.down();
        (self.weights().blocks, down.map_or("", |down| down.name))
    }

    /// Whether that projection's weight is `[d_mlp, d_model]`.
    pub fn is_output_projection_in_out(self) -> bool {
        self.down().is_some_and(|down| down.layout == Layout::InOut)
    }

    fn down(self) -> Option<InFile> {
        let down = self.weights().in_block(Slot::Down)?;
        Some(down.in_file(WeightKind::Safetensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a block is put together from.
    #[test]
    fn every_family_lists_every_projection_of_a_block() {
        for family in Family::ALL {
            let groups: Vec<Slot> = family
                .weights()
                .groups()
                .filter_map(|group| Some(group.first()?.slot.held_in()))
                .collect();
            for slot in [Slot::Qkv, Slot::Output, Slot::Gate, Slot::Down] {
                let count = groups.iter().filter(|&&group| group == slot).count();
                assert_eq!(count, 1, "{family:?} {slot:?}");
            }
        }
    }
}
