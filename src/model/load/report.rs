//! What a load found in the files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::loader::Loader;
use crate::model::{Precision, Tokenizer};
use crate::weights::WeightKind;

/// What a load applied, missed and left over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LoadReport {
    /// "gguf" or "safetensors".
    pub source: String,
    /// Bytes of the weight file.
    pub bytes: u64,
    /// Tensors put into the decoder.
    pub applied: usize,
    /// Tensors of the file that nothing asked for and that are no part of a decoder.
    pub unused: Vec<String>,
    /// What is worth telling of how the files were read: where they contradict themselves or leave something out.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the files bring a chat template. Prompts are scored without it.
    #[serde(default)]
    pub has_chat_template: bool,
    /// How its matrices are held.
    #[serde(default)]
    pub precision: Precision,
    /// How many tensors of each stored type.
    pub tensor_types: BTreeMap<String, usize>,
}

/// Divisors of the rotary frequencies in a GGUF file of Llama 3; they are part of the configuration.
pub(super) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Endings of tensors that a file may hold and that are no weights: buffers which older versions of
/// transformers stored, and what an older converter of llama.cpp made of them.
const BUFFERS: [&str; 7] = [
    ROPE_FACTORS,
    "rotary_emb.inv_freq",
    ".attn_rot_embd.weight",
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
];

/// Whether a tensor is no weight, by its name.
pub(super) fn is_buffer(name: &str) -> bool {
    BUFFERS.iter().any(|suffix| name.ends_with(suffix))
}

impl Loader<'_> {
    /// What was found; `tokenizer` says the rest.
    pub(super) fn report(mut self, tokenizer: &Tokenizer) -> LoadReport {
        let source = match self.file.kind() {
            WeightKind::Safetensors => "safetensors",
            WeightKind::Gguf => "gguf",
        };
        let mut tensor_types = BTreeMap::new();
        for tensor in self.file.tensors() {
            *tensor_types.entry(tensor.kind.to_string()).or_insert(0) += 1;
        }
        self.notes.extend(tokenizer.notes().map(str::to_owned));
        let is_unused = |name: &&String| !self.applied.contains(name) && !is_buffer(name);
        LoadReport {
            source: source.to_owned(),
            bytes: self.file.n_bytes(),
            precision: self.precision,
            has_chat_template: tokenizer.chat_template().is_some(),
            applied: self.applied.len(),
            unused: self
                .file
                .tensors()
                .iter()
                .map(|tensor| &tensor.name)
                .filter(is_unused)
                .cloned()
                .collect(),
            notes: self.notes,
            tensor_types,
        }
    }
}
