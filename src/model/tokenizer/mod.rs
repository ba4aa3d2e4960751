//! Text to token ids and back, with the `tokenizers` crate.
//!
//! - `json`: Hugging Face's `tokenizer.json`, with `tokenizer_config.json`; `class`: where these contradict each other;
//!   `added`: tokens that only the second has
//! - `steps`: what a text goes through before its tokens are looked up; `precompiled`: one of the maps among them; `oniguruma`: their regular expressions
//! - `gguf`: GGUF metadata, of the kinds below
//! - `byte_level`: byte-level BPE and its pre-tokenizers
//! - `sentencepiece`: SentencePiece vocabularies
//! - `merges`: the pairs of tokens that BPE joins

mod added;
mod byte_level;
mod class;
mod gguf;
mod json;
mod merges;
mod oniguruma;
mod precompiled;
mod sentencepiece;
mod steps;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::{DecoderWrapper, ModelWrapper, PostProcessorWrapper, TokenizerImpl};

use steps::{Cutter, Normaliser};

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

/// An error of the `tokenizers` crate on a tokenizer's file.
fn file_error(error: impl std::fmt::Display) -> TokenizerError {
    TokenizerError::File(error.to_string())
}

/// Runs the `tokenizers` crate, whose panic is an error and no end of the process. Where a panic cannot be caught, in
/// the browser, the checks of what files say are all there is.
fn guarded<T>(
    what: &str,
    run: impl FnOnce() -> Result<T, TokenizerError>,
) -> Result<T, TokenizerError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        Err(TokenizerError::Text(format!(
            "it fails on {what}: {}",
            text.unwrap_or("a fault of the `tokenizers` library")
        )))
    })
}

/// The crate's tokenizer with this engine's steps.
type Inner = TokenizerImpl<ModelWrapper, Normaliser, Cutter, PostProcessorWrapper, DecoderWrapper>;

/// Longest text, in bytes, that the steps of a tokenizer may make of one: about 20 times as much memory is used.
const MOST_BYTES: u64 = 16 << 20;

/// How many times as long as it is a text may become.
struct Growth {
    /// Before its tokens are looked up.
    encoding: u64,
    /// When it is put together of tokens.
    decoding: u64,
}

impl Growth {
    /// Refuses, before it takes memory, a text of so many bytes that may become too long.
    fn check(factor: u64, bytes: usize) -> Result<(), TokenizerError> {
        match (bytes as u64).saturating_mul(factor) {
            most if most > MOST_BYTES => Err(TokenizerError::Text(format!(
                "a text of {bytes} bytes, which its steps may make {factor} times as long; at most {MOST_BYTES} bytes are accepted"
            ))),
            _ => Ok(()),
        }
    }
}

/// A model's tokenizer.
pub struct Tokenizer {
    inner: Inner,
    growth: Growth,
    /// The token of what no other token covers.
    unknown: Option<u32>,
    /// What its files leave out, and what was taken instead.
    notes: Vec<String>,
    /// What a prompt begins and ends with.
    around: Around,
    /// What an empty prompt is replaced with: the token that begins a text, or else the one that ends it.
    start: Option<u32>,
    chat_template: Option<String>,
}

/// Tokens before and after a text: what a post-processor does to ids.
#[derive(Debug, Default, PartialEq)]
struct Around {
    before: Vec<u32>,
    after: Vec<u32>,
}

/// Largest id of a token accepted: above every vocabulary there is, and far from where ids overflow.
const LARGEST_ID: u32 = 1 << 24;

impl Tokenizer {
    /// Token ids of a text, without any token added before or after it.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        Growth::check(self.growth.encoding, text.len())?;
        guarded("this text", || {
            // What a panic left behind is not of this text.
            steps::failure();
            let encoding = self.inner.encode_fast(text, false);
            let encoding = encoding.map_err(|error| TokenizerError::Text(error.to_string()))?;
            match steps::failure() {
                Some(failure) => Err(TokenizerError::Text(failure)),
                None => Ok(encoding.get_ids().to_vec()),
            }
        })
    }

    /// Whether the tokenizer tells a word from others that it does not know.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn knows(&self, word: &str) -> Result<bool, TokenizerError> {
        let ids = self.encode(word)?;
        Ok(!ids.is_empty() && self.unknown.is_none_or(|unknown| !ids.contains(&unknown)))
    }

    /// What its files leave out, and what was taken instead.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    /// Token ids of a text as a model of this tokenizer is asked: with the tokens that its post-processor adds
    /// (Gemma's and Llama's `<bos>`), unless the text begins with the first token's text already. After
    /// `tok_encode` of lm-evaluation-harness' `HFLM` (0.4.13, `lm_eval/models/huggingface.py`).
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_around(text, &self.around.after)
    }

    /// The same with other tokens at its end.
    fn encode_around(&self, text: &str, after: &[u32]) -> Result<Vec<u32>, TokenizerError> {
        let start = self.start.map(|id| self.decode(&[id])).transpose()?;
        let has_start = start.is_some_and(|start| text.starts_with(&start));
        let ids = self.encode(text)?;
        if has_start {
            return Ok(ids);
        }
        Ok([&self.around.before[..], &ids, after].concat())
    }

    /// Token ids of a prompt and its continuation, as lm-evaluation-harness' `_encode_pair` makes them:
    /// trailing spaces of the prompt move to the continuation; the prompt is encoded alone, and the
    /// continuation is what follows as many tokens of both encoded together, both as
    /// [`Tokenizer::encode_prompt`] does, but for tokens at the end of a text: a prompt that goes on has not ended. An
    /// empty prompt becomes the token that begins a text, or else the one that ends it.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`], also for an empty prompt when the model has no such token.
    pub fn encode_pair(
        &self,
        prompt: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        if prompt.is_empty() {
            let start = self.first_token()?;
            let mut ids = self.encode(continuation)?;
            if ids.first() == Some(&start) {
                ids.remove(0);
            }
            return Ok((vec![start], ids));
        }
        // Joined with the continuation the prompt's last tokens may be others; it is the same for every choice.
        let alone = self.encode_around(prompt.trim_end_matches(is_python_space), &[])?;
        let mut together = self.encode_around(&format!("{prompt}{continuation}"), &[])?;
        let rest = together.split_off(alone.len().min(together.len()));
        if alone.is_empty() {
            return Ok((vec![self.first_token()?], rest));
        }
        Ok((alone, rest))
    }

    fn first_token(&self) -> Result<u32, TokenizerError> {
        self.start.ok_or_else(|| {
            TokenizerError::Text("the prompt is empty and the model has no first token".into())
        })
    }

    /// How a conversation is put into one text, a Jinja template, where the files have one. Prompts are scored
    /// without it, as lm-evaluation-harness does by default.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// The text of some tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let tokens = ids.iter().filter_map(|&id| self.inner.id_to_token(id));
        let bytes = tokens.map(|token| token.len()).sum();
        Growth::check(self.growth.decoding, bytes)?;
        guarded("these tokens", || {
            self.inner
                .decode(ids, false)
                .map_err(|error| TokenizerError::Text(error.to_string()))
        })
    }

    /// The text of one token, for people.
    pub fn token_text(&self, id: u32) -> String {
        let Some(token) = self.inner.id_to_token(id) else {
            return format!("#{id}");
        };
        match self.decode(&[id]) {
            // The decoder takes the space from a text's first word, and this token may be any word.
            Ok(text) if token.starts_with(SPACE) && !text.starts_with(' ') => format!(" {text}"),
            Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => token,
        }
    }
}

/// SentencePiece's sign for a space.
const SPACE: char = '▁';

/// What Python's `str.rstrip` takes away.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_crate_is_an_error() {
        let error = guarded("this text", || -> Result<(), TokenizerError> {
            let none: Option<u32> = None;
            none.map(drop).expect("a fault");
            Ok(())
        });
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "tokenizer: it fails on this text: a fault");
    }
}
