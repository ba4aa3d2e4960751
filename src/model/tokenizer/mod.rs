//! Text to token ids and back, with the `tokenizers` crate.
//!
//! - `json`: Hugging Face's `tokenizer.json`, with `tokenizer_config.json`
//! - `gguf`: GGUF metadata, of the kinds below
//! - `byte_level`: byte-level BPE and its pre-tokenizers
//! - `sentencepiece`: SentencePiece vocabularies
//! - `merges`: the pairs of tokens that BPE joins

mod byte_level;
mod gguf;
mod json;
mod merges;
mod sentencepiece;

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

/// A model's tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
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
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| TokenizerError::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of a text as a model of this tokenizer is asked: with the tokens that its post-processor adds
    /// (Gemma's and Llama's `<bos>`), unless the text begins with the first token's text already. After
    /// `tok_encode` of lm-evaluation-harness' `HFLM` (0.4.13, `lm_eval/models/huggingface.py`).
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let start = self.start.map(|id| self.decode(&[id])).transpose()?;
        let has_start = start.is_some_and(|start| text.starts_with(&start));
        let ids = self.encode(text)?;
        if has_start {
            return Ok(ids);
        }
        Ok([&self.around.before[..], &ids, &self.around.after].concat())
    }

    /// Token ids of a prompt and its continuation, as lm-evaluation-harness' `_encode_pair` makes them:
    /// trailing spaces of the prompt move to the continuation; the prompt is encoded alone, and the
    /// continuation is what follows as many tokens of both encoded together, both as
    /// [`Tokenizer::encode_prompt`] does. An empty prompt becomes the token that begins a text, or else the one
    /// that ends it.
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
        let alone = self.encode_prompt(prompt.trim_end_matches(is_python_space))?;
        let mut together = self.encode_prompt(&format!("{prompt}{continuation}"))?;
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
        self.inner
            .decode(ids, false)
            .map_err(|error| TokenizerError::Text(error.to_string()))
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
