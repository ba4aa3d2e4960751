//! A tokenizer from Hugging Face's `tokenizer.json`, with what `tokenizer_config.json` says.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{LARGEST_ID, Tokenizer, TokenizerError, file_error, merges};

/// Largest file accepted, in bytes; Gemma's has 33 MB.
const MAX_BYTES: usize = 64 << 20;

impl Tokenizer {
    /// From Hugging Face's `tokenizer.json`. Its post-processor says which tokens a prompt begins and ends with,
    /// as in `transformers`, which does not ask `add_bos_token` where there is this file.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it cannot be read.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        if bytes.len() > MAX_BYTES {
            return Err(TokenizerError::File(format!("{} bytes", bytes.len())));
        }
        let file: Json = serde_json::from_slice(bytes).map_err(file_error)?;
        check_merges(&file["model"])?;
        check_ids(&file)?;
        let mut inner: tokenizers::Tokenizer = serde_json::from_value(file).map_err(file_error)?;
        // Prompts are encoded as they are: nothing is cut and nothing padded.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(file_error)?;
        let start = [
            "<s>",
            "<bos>",
            "<|begin_of_text|>",
            "<|im_start|>",
            "<|endoftext|>",
            "</s>",
        ]
        .iter()
        .find_map(|name| inner.token_to_id(name));
        Ok(Self {
            inner,
            start,
            chat_template: None,
        })
    }

    /// With what `tokenizer_config.json` says: the tokens that begin and end a text, and the chat template.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it is no such file or names a token that the tokenizer does not have.
    pub fn with_config(mut self, bytes: &[u8]) -> Result<Self, TokenizerError> {
        let config: Config = serde_json::from_slice(bytes)
            .map_err(|error| TokenizerError::File(format!("tokenizer_config.json: {error}")))?;
        if let Some(token) = config.bos_token.or(config.eos_token) {
            let text = token.text();
            let id = self.inner.token_to_id(text).ok_or_else(|| {
                TokenizerError::File(format!(
                    "tokenizer_config.json names the token `{text}`, which tokenizer.json does not have"
                ))
            })?;
            self.start = Some(id);
        }
        if let Some(template) = config.chat_template {
            self.chat_template = template.text();
        }
        Ok(self)
    }

    /// With the chat template of `chat_template.jinja`, which goes before that of `tokenizer_config.json`.
    #[must_use]
    pub fn with_chat_template(mut self, template: String) -> Self {
        self.chat_template = Some(template);
        self
    }
}

#[derive(Deserialize)]
struct Config {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    chat_template: Option<ChatTemplate>,
}

/// A token by its text, or by its description.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Described { content: String },
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Described { content: text } => text,
        }
    }
}

/// One template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChatTemplate {
    One(String),
    Several(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl ChatTemplate {
    fn text(self) -> Option<String> {
        match self {
            Self::One(text) => Some(text),
            Self::Several(all) => all
                .into_iter()
                .find(|template| template.name == "default")
                .map(|template| template.template),
        }
    }
}

/// Holds the merges of a BPE model, in either form, against its vocabulary.
fn check_merges(model: &Json) -> Result<(), TokenizerError> {
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
        merges::check(left, right, prefix, |token| vocabulary.contains_key(token))?;
    }
    Ok(())
}

/// Ids near the largest number make the crate count beyond it.
fn check_ids(file: &Json) -> Result<(), TokenizerError> {
    let vocabulary = file["model"]["vocab"].as_object();
    let of_model = vocabulary.into_iter().flat_map(|map| map.values());
    let added = file["added_tokens"].as_array();
    let of_added = added.into_iter().flatten().map(|token| &token["id"]);
    match of_model
        .chain(of_added)
        .filter_map(Json::as_u64)
        .find(|&id| id > u64::from(LARGEST_ID))
    {
        Some(id) => Err(TokenizerError::File(format!("a token has the id {id}"))),
        None => Ok(()),
    }
}
