//! Byte-level BPE from GGUF metadata: GPT-2's and its descendants'.
//!
//! A file names its pre-tokenizer by llama.cpp's name (`llama-vocab.cpp`); what is built here is what the
//! `tokenizer.json` of the models of that name says, normaliser included.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use super::{TokenizerError, file_error, merges};

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
    /// Qwen 2, 2.5 and 3.
    Qwen2,
}

impl Kind {
    /// The kind of a name in `tokenizer.ggml.pre`; a file without one is of the oldest kind.
    pub(super) fn from_name(name: Option<&str>) -> Result<Self, TokenizerError> {
        Ok(match name {
            None | Some("default" | "gpt-2" | "phi-2") => Self::Gpt2,
            Some("mpt" | "olmo") => Self::Neox,
            Some("smollm") => Self::SmolLm,
            Some("llama-bpe" | "llama3" | "llama-v3") => Self::Llama3,
            Some("qwen2" | "deepseek-r1-qwen") => Self::Qwen2,
            Some(other) => return Err(TokenizerError::Unsupported(format!("BPE, {other}"))),
        })
    }

    /// Whether a prompt begins with the first token where the file does not say.
    pub(super) fn adds_bos(self) -> bool {
        self == Self::Llama3
    }

    fn is_normalised(self) -> bool {
        matches!(self, Self::Neox | Self::Qwen2)
    }

    fn pre_tokenizer(self) -> Result<PreTokenizerWrapper, TokenizerError> {
        // With its own pattern the byte-level step only maps bytes to characters.
        let bytes = |use_regex| ByteLevel::new(false, true, use_regex).into();
        let split = |pattern: &str| {
            let pattern = SplitPattern::Regex(pattern.to_owned());
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
                .map(PreTokenizerWrapper::from)
                .map_err(file_error)
        };
        let steps: Vec<PreTokenizerWrapper> = match self {
            Self::Gpt2 | Self::Neox => vec![bytes(true)],
            Self::SmolLm => vec![Digits::new(true).into(), bytes(true)],
            Self::Llama3 => vec![split(LLAMA_3)?, bytes(false)],
            Self::Qwen2 => vec![split(QWEN_2)?, bytes(false)],
        };
        Ok(Sequence::new(steps).into())
    }
}

/// A tokenizer without its special tokens.
pub(super) fn build<'a>(
    kind: Kind,
    vocabulary: Vocab,
    merges: impl Iterator<Item = impl AsRef<str> + 'a>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let merges = merges::from_lines(merges, &vocabulary)?;
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        // A word of Llama 3's vocabulary is taken whole.
        .ignore_merges(kind == Kind::Llama3)
        .build()
        .map_err(file_error)?;
    let mut inner = tokenizers::Tokenizer::new(model);
    if kind.is_normalised() {
        inner.with_normalizer(Some(NFC)).map_err(file_error)?;
    }
    inner.with_pre_tokenizer(Some(kind.pre_tokenizer()?));
    inner.with_decoder(Some(ByteLevel::default()));
    Ok(inner)
}
