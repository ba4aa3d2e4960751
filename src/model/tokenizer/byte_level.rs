//! Byte-level BPE from GGUF metadata: GPT-2's and its descendants'.
//!
//! A file names its pre-tokenizer by llama.cpp's name (`llama-vocab.cpp`); what is built here is what the
//! `tokenizer.json` of the models of that name says, normaliser included.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;

use super::steps::{Cutter, Normaliser};
use super::{Inner, TokenizerError, file_error, merges};

/// Words of Llama 3's vocabulary.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with single digits.
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How a text is cut into words before its bytes are merged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// GPT-2.
    Gpt2,
    /// GPT-NeoX and Pythia: as GPT-2, normalised.
    Neox,
    /// SmolLM: as GPT-2, single digits.
    SmolLm,
    /// Llama 3.
    Llama3,
    /// DBRX and OLMo 2: as Llama 3, each word merged.
    Dbrx,
    /// Qwen 2, 2.5 and 3.
    Qwen2,
}

impl Kind {
    /// The kind of a name in `tokenizer.ggml.pre`.
    pub(super) fn from_name(name: &str) -> Result<Self, TokenizerError> {
        Ok(match name {
            "gpt-2" | "phi-2" => Self::Gpt2,
            "mpt" | "olmo" => Self::Neox,
            "smollm" => Self::SmolLm,
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "pixtral" | "midm-2.0" | "lfm2" => {
                Self::Llama3
            }
            "dbrx" => Self::Dbrx,
            "qwen2" | "deepseek-r1-qwen" => Self::Qwen2,
            other => return Err(TokenizerError::Unsupported(format!("BPE, {other}"))),
        })
    }

    /// The kind of most models of an architecture, where a file names none. Llama's is of more than one kind: that of
    /// Llama 3 is told by its first token.
    pub(super) fn of_architecture(architecture: &str, tokens: &[String]) -> Self {
        let is_llama_3 = || tokens.iter().any(|token| token == "<|begin_of_text|>");
        match architecture {
            "qwen2" | "qwen3" => Self::Qwen2,
            "gptneox" => Self::Neox,
            "olmo2" => Self::Dbrx,
            "llama" if is_llama_3() => Self::Llama3,
            _ => Self::Gpt2,
        }
    }

    /// Its name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "GPT-2",
            Self::Neox => "GPT-NeoX",
            Self::SmolLm => "SmolLM",
            Self::Llama3 => "Llama 3",
            Self::Dbrx => "DBRX",
            Self::Qwen2 => "Qwen 2",
        }
    }

    /// Whether a prompt begins with the first token where the file does not say.
    pub(super) fn adds_bos(self) -> bool {
        self == Self::Llama3
    }

    fn is_normalised(self) -> bool {
        matches!(self, Self::Neox | Self::Qwen2)
    }

    fn cutter(self) -> Result<Cutter, TokenizerError> {
        // With its own pattern the byte-level step only maps bytes to characters.
        let bytes = |use_regex| Cutter::Other(ByteLevel::new(false, true, use_regex).into());
        let split = |pattern| Cutter::isolating(pattern).map_err(TokenizerError::File);
        Ok(Cutter::Sequence(match self {
            Self::Gpt2 | Self::Neox => vec![bytes(true)],
            Self::SmolLm => vec![Cutter::Other(Digits::new(true).into()), bytes(true)],
            Self::Llama3 | Self::Dbrx => vec![split(LLAMA_3)?, bytes(false)],
            Self::Qwen2 => vec![split(QWEN_2)?, bytes(false)],
        }))
    }
}

/// A tokenizer without its special tokens.
pub(super) fn build<'a>(
    kind: Kind,
    vocabulary: Vocab,
    merges: impl Iterator<Item = impl AsRef<str> + 'a>,
) -> Result<Inner, TokenizerError> {
    let merges = merges::from_lines(merges, &vocabulary)?;
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        // A word of Llama 3's vocabulary is taken whole.
        .ignore_merges(kind == Kind::Llama3)
        .build()
        .map_err(file_error)?;
    let mut inner = Inner::new(model.into());
    if kind.is_normalised() {
        let nfc = Normaliser::Other(NFC.into());
        inner.with_normalizer(Some(nfc)).map_err(file_error)?;
    }
    inner.with_pre_tokenizer(Some(kind.cutter()?));
    inner.with_decoder(Some(ByteLevel::default()));
    Ok(inner)
}
