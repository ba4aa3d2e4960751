//! Text to token ids and back, with the `tokenizers` crate, from `tokenizer.json` or GGUF metadata.

use serde_json::Value as Json;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::weights::gguf::{Metadata, Value};

/// Why a tokenizer could not be read or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is no tokenizer.
    #[error("tokenizer: {0}")]
    File(String),
    /// A kind of tokenizer this engine does not read.
    #[error("tokenizer of the kind `{0}` is not supported")]
    Unsupported(String),
    /// The text could not be encoded or decoded.
    #[error("tokenizer: {0}")]
    Text(String),
}

/// A model's tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What an empty prompt is replaced with.
    start: Option<u32>,
}

/// The pre-tokenizer of llama.cpp's kind `llama-bpe`, and with single digits `qwen2`.
const LLAMA_BPE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// ggml's token type of a control token.
const CONTROL: i64 = 3;
/// ggml's token type of a token added by the user.
const USER_DEFINED: i64 = 4;

impl Tokenizer {
    /// From Hugging Face's `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it cannot be read.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let fail = |error: serde_json::Error| TokenizerError::File(error.to_string());
        let file: Json = serde_json::from_slice(bytes).map_err(fail)?;
        check_json_merges(&file["model"])?;
        let mut inner: tokenizers::Tokenizer = serde_json::from_value(file).map_err(fail)?;
        // Prompts are encoded as they are: nothing is cut and nothing padded.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| TokenizerError::File(error.to_string()))?;
        let start = [
            "<s>",
            "<|begin_of_text|>",
            "<|im_start|>",
            "<|endoftext|>",
            "</s>",
        ]
        .iter()
        .find_map(|name| inner.token_to_id(name));
        Ok(Self { inner, start })
    }

    /// From the metadata of a GGUF file: byte-level BPE of the pre-tokenizer kinds `smollm`, `gpt-2`,
    /// `default`, `llama-bpe` and `qwen2`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Unsupported`] names another kind; [`TokenizerError::File`] when the vocabulary is
    /// damaged.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let text = |key| metadata.get(key).and_then(Value::as_str);
        match text("tokenizer.ggml.model") {
            Some("gpt2") => {}
            Some(other) => return Err(TokenizerError::Unsupported(other.to_owned())),
            None => return Err(TokenizerError::File("the file has none".into())),
        }
        let tokens = strings(metadata, "tokenizer.ggml.tokens")?;
        let merges = strings(metadata, "tokenizer.ggml.merges")?
            .into_iter()
            .map(|merge| {
                merge
                    .split_once(' ')
                    .map(|(left, right)| (left.to_owned(), right.to_owned()))
                    .ok_or_else(|| TokenizerError::File(format!("the merge `{merge}`")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let vocabulary = tokens
            .iter()
            .enumerate()
            .map(|(id, token)| ((*token).to_owned(), id as u32))
            .collect::<Vocab>();
        for (left, right) in &merges {
            check_merge(left, right, "", |token| vocabulary.contains_key(token))?;
        }
        let pre = text("tokenizer.ggml.pre");
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            // llama.cpp takes a word of Llama 3's vocabulary whole.
            .ignore_merges(pre == Some("llama-bpe"))
            .build()
            .map_err(|error| TokenizerError::File(error.to_string()))?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_pre_tokenizer(Some(pre_tokenizer(pre)?));
        inner.with_decoder(Some(ByteLevel::default()));
        let types = metadata
            .get("tokenizer.ggml.token_type")
            .and_then(Value::as_array)
            .unwrap_or_default();
        let kind_of = |value: &Value| match value {
            Value::Signed(kind) => *kind,
            other => other.as_u64().map_or(0, |kind| kind as i64),
        };
        for (token, kind) in tokens.iter().zip(types.iter().map(kind_of)) {
            let added = match kind {
                CONTROL => AddedToken::from(*token, true),
                USER_DEFINED => AddedToken::from(*token, false).normalized(false),
                _ => continue,
            };
            inner
                .add_tokens([added])
                .map_err(|error| TokenizerError::File(error.to_string()))?;
        }
        let id = |key| {
            metadata
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|id| u32::try_from(id).ok())
                .filter(|&id| (id as usize) < tokens.len())
        };
        let start = id("tokenizer.ggml.bos_token_id").or(id("tokenizer.ggml.eos_token_id"));
        Ok(Self { inner, start })
    }

    /// Token ids of a text, without any token added before or after it.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| TokenizerError::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of a prompt and its continuation, as lm-evaluation-harness' `_encode_pair` makes them:
    /// trailing spaces of the prompt move to the continuation; the prompt is encoded alone, and the
    /// continuation is what follows as many tokens of both encoded together. A prompt that is empty or only
    /// spaces becomes the model's first token.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`], also for an empty prompt when the model has no first token.
    pub fn encode_pair(
        &self,
        prompt: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        let trimmed = prompt.trim_end();
        let mut together = self.encode(&format!("{prompt}{continuation}"))?;
        if trimmed.is_empty() {
            let start = self.start.ok_or_else(|| {
                TokenizerError::Text("the prompt is empty and the model has no first token".into())
            })?;
            return Ok((vec![start], together));
        }
        // Joined with the continuation the prompt's last tokens may be others; it is the same for every choice.
        let alone = self.encode(trimmed)?;
        let rest = together.split_off(alone.len().min(together.len()));
        Ok((alone, rest))
    }

    /// The text of some tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner
            .decode(ids, false)
            .map_err(|error| TokenizerError::Text(error.to_string()))
    }

    /// The text of one token, for people.
    pub fn token_text(&self, id: u32) -> String {
        match self.decode(&[id]) {
            Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => self
                .inner
                .id_to_token(id)
                .unwrap_or_else(|| format!("#{id}")),
        }
    }
}

fn strings<'a>(metadata: &'a Metadata, key: &str) -> Result<Vec<&'a str>, TokenizerError> {
    metadata
        .get(key)
        .and_then(Value::as_array)
        .ok_or_else(|| TokenizerError::File(format!("the file has no `{key}`")))?
        .iter()
        .map(|value| {
            value
                .as_str()
                .ok_or_else(|| TokenizerError::File(format!("`{key}` holds more than text")))
        })
        .collect()
}

/// The `tokenizers` crate panics on a merge whose result is no token, in either form of `merges`.
fn check_json_merges(model: &Json) -> Result<(), TokenizerError> {
    let (Some(vocabulary), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array())
    else {
        return Ok(());
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("");
    for merge in merges {
        let pair = match merge {
            // The header of a merges file, which the crate leaves out too.
            Json::String(text) if text.starts_with("#version") => continue,
            Json::String(text) => text.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        let (left, right) =
            pair.ok_or_else(|| TokenizerError::File(format!("the merge {merge}")))?;
        check_merge(left, right, prefix, |token| vocabulary.contains_key(token))?;
    }
    Ok(())
}

/// Two tokens can be merged when they and what they make are tokens. `prefix` marks tokens that continue a
/// word and is left out where one is joined on.
fn check_merge(
    left: &str,
    right: &str,
    prefix: &str,
    is_token: impl Fn(&str) -> bool,
) -> Result<(), TokenizerError> {
    let made = right
        .get(prefix.len()..)
        .map(|rest| format!("{left}{rest}"));
    let known = is_token(left) && is_token(right);
    match made {
        Some(made) if known && is_token(&made) => Ok(()),
        _ => Err(TokenizerError::File(format!("the merge `{left} {right}`"))),
    }
}

fn pre_tokenizer(kind: Option<&str>) -> Result<PreTokenizerWrapper, TokenizerError> {
    // With its own pattern the byte-level step only maps bytes to characters.
    let bytes = |use_regex| ByteLevel::new(false, true, use_regex).into();
    let split = |pattern: &str| {
        Split::new(
            SplitPattern::Regex(pattern.to_owned()),
            SplitDelimiterBehavior::Isolated,
            false,
        )
        .map(PreTokenizerWrapper::from)
        .map_err(|error| TokenizerError::File(error.to_string()))
    };
    let steps: Vec<PreTokenizerWrapper> = match kind {
        Some("smollm") => vec![Digits::new(true).into(), bytes(true)],
        None | Some("default" | "gpt-2") => vec![bytes(true)],
        Some("llama-bpe") => vec![split(LLAMA_BPE)?, bytes(false)],
        Some("qwen2") => vec![split(QWEN2)?, bytes(false)],
        Some(other) => {
            return Err(TokenizerError::Unsupported(format!("BPE, {other}")));
        }
    };
    Ok(Sequence::new(steps).into())
}
