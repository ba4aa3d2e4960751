//! A tokenizer from Hugging Face's `tokenizer.json`, with what `tokenizer_config.json` says.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value as Json;

use super::added::Token;
use super::class::Class;
use super::{
    Around, Growth, Inner, LARGEST_ID, Tokenizer, TokenizerError, added, file_error, guarded,
    merges, steps,
};
use crate::model::Family;
use crate::weights::{LFS_POINTER, WeightsError};

/// Largest file accepted, in bytes; Gemma's has 33 MB.
const MAX_BYTES: usize = 64 << 20;
/// Largest `tokenizer_config.json` or chat template accepted, in bytes.
const MAX_CONFIG: usize = 8 << 20;
/// Most commas, colons and opening brackets: each may begin a value, which takes far more memory than its byte.
/// Gemma's file has about two million.
const MAX_VALUES: usize = 6_000_000;
/// Most tokens that a prompt begins or ends with.
const MAX_AROUND: usize = 64;

impl Tokenizer {
    /// From Hugging Face's `tokenizer.json`. Its post-processor says which tokens a prompt begins and ends with,
    /// as in `transformers`, which does not ask `add_bos_token` where there is this file.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it cannot be read.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        Self::of_json(parsed(bytes)?)
    }

    /// From `tokenizer.json` and, where there is one, `tokenizer_config.json`, as transformers reads both for a model of
    /// a family.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::from_json`] and [`Tokenizer::with_config`].
    pub fn from_hugging_face(
        bytes: &[u8],
        config: Option<&[u8]>,
        family: Family,
    ) -> Result<Self, TokenizerError> {
        let mut file = parsed(bytes)?;
        let config = config.unwrap_or(b"{}");
        let settings = read_config(config)?;
        let class = Class::of(settings.tokenizer_class.as_deref(), family, &mut file);
        if let Some(class) = class {
            class.settle(settings.add_prefix_space, &mut file);
        }
        Self::of_json(file)?.with_config_of(class, config)
    }

    fn of_json(mut file: Json) -> Result<Self, TokenizerError> {
        check_merges(&file["model"])?;
        check_ids(&file)?;
        let growth = |part: &str| steps::growth(&file[part]).map_err(TokenizerError::File);
        let growth = Growth {
            encoding: growth("normalizer")?.saturating_mul(growth("pre_tokenizer")?),
            decoding: growth("decoder")?,
        };
        let added = file["added_tokens"].as_array().into_iter().flatten();
        check_added(added.filter_map(|token| token["content"].as_str()), &growth)?;
        let around = around(&file["post_processor"])?;
        // Prompts are encoded as they are: nothing is cut and nothing padded. What comes around them was read.
        for part in ["post_processor", "padding", "truncation"] {
            if let Some(value) = file.get_mut(part) {
                value.take();
            }
        }
        let model = &mut file["model"];
        // Merges that are left out at random are for training.
        if let Some(dropout) = model.get_mut("dropout") {
            dropout.take();
        }
        let unknown_id = id(&model["unk_id"]);
        let unknown_token = model["unk_token"].as_str().map(str::to_owned);
        let inner: Inner = guarded("its file", || {
            serde_json::from_value(file).map_err(file_error)
        })?;
        let unknown = unknown_token.and_then(|token| inner.token_to_id(&token));
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
            growth,
            unknown: unknown.or(unknown_id),
            notes: Vec::new(),
            around,
            start,
            chat_template: None,
        })
    }

    /// With what `tokenizer_config.json` says: tokens that `tokenizer.json` lacks, those that begin and end a text, and the
    /// chat template.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it is no such file.
    pub fn with_config(self, bytes: &[u8]) -> Result<Self, TokenizerError> {
        self.with_config_of(None, bytes)
    }

    /// The same for a class of transformers.
    fn with_config_of(
        mut self,
        class: Option<Class>,
        bytes: &[u8],
    ) -> Result<Self, TokenizerError> {
        let config = read_config(bytes)?;
        self.add(class, bytes)?;
        self.inner
            .set_encode_special_tokens(config.split_special_tokens == Some(true));
        let mut tokens = config.bos_token.into_iter().chain(config.eos_token);
        if let Some(token) = tokens.find(|token| !token.text().is_empty()) {
            self.start = self.inner.token_to_id(token.text()).or(self.start);
        }
        if let Some(template) = config.chat_template {
            self.chat_template = template.text();
        }
        Ok(self)
    }

    /// Adds the tokens of `tokenizer_config.json`.
    fn add(&mut self, class: Option<Class>, config: &[u8]) -> Result<(), TokenizerError> {
        let there = self.inner.get_added_vocabulary().get_vocab();
        let added = added::of_config(config, class, |token| there.contains_key(token));
        let added = added.map_err(|error| wrong(CONFIG, error))?;
        let texts = || added.iter().map(|token| token.content.as_str());
        check_added(texts(), &self.growth)?;
        let is_new = |text: &&str| !text.is_empty() && self.inner.token_to_id(text).is_none();
        let new: HashSet<&str> = texts().filter(is_new).collect();
        if let Some(first) = texts().find(is_new) {
            self.notes.push(format!(
                "tokens are added that tokenizer.json lacks, as transformers does: {}, the first `{first}`",
                new.len()
            ));
        }
        guarded("its added tokens", || {
            self.inner.add_tokens(added).map_err(file_error)
        })?;
        Ok(())
    }

    /// With the chat template of `chat_template.jinja`, which goes before that of `tokenizer_config.json`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] when it is too large or not UTF-8.
    pub fn with_chat_template(mut self, template: Vec<u8>) -> Result<Self, TokenizerError> {
        const NAME: &str = "chat_template.jinja";
        check_size(NAME, &template)?;
        let template = String::from_utf8(template).map_err(|error| wrong(NAME, error))?;
        self.chat_template = Some(template);
        Ok(self)
    }
}

/// A file's values, before anything is made of them.
fn parsed(bytes: &[u8]) -> Result<Json, TokenizerError> {
    if bytes.len() > MAX_BYTES {
        return Err(TokenizerError::File(format!("{} bytes", bytes.len())));
    }
    if bytes.starts_with(LFS_POINTER) {
        return Err(file_error(WeightsError::LfsPointer));
    }
    let begins_value = |byte: &&u8| matches!(byte, b',' | b':' | b'[' | b'{');
    if bytes.iter().filter(begins_value).count() > MAX_VALUES {
        return Err(TokenizerError::File("too many values".into()));
    }
    let file: Json = serde_json::from_slice(bytes).map_err(file_error)?;
    match file["model"].is_object() {
        true => Ok(file),
        false => Err(TokenizerError::File("there is no `model` in it".into())),
    }
}

const CONFIG: &str = "tokenizer_config.json";

fn read_config(bytes: &[u8]) -> Result<Config, TokenizerError> {
    check_size(CONFIG, bytes)?;
    serde_json::from_slice(bytes).map_err(|error| wrong(CONFIG, error))
}

/// An error of a file beside the tokenizer's.
fn wrong(name: &str, what: impl std::fmt::Display) -> TokenizerError {
    TokenizerError::File(format!("{name}: {what}"))
}

fn check_size(name: &str, bytes: &[u8]) -> Result<(), TokenizerError> {
    match bytes.len() {
        size if size > MAX_CONFIG => Err(wrong(
            name,
            format_args!("{size} bytes, at most {MAX_CONFIG} are read"),
        )),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Config {
    tokenizer_class: Option<String>,
    add_prefix_space: Option<bool>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    /// Whether the text of a special token is a text like any other.
    split_special_tokens: Option<bool>,
    chat_template: Option<ChatTemplate>,
}

/// One template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChatTemplate {
    One(String),
    Several(Vec<NamedTemplate>),
    ByName(BTreeMap<String, String>),
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
            Self::ByName(mut all) => all.remove("default"),
        }
    }
}

/// What a post-processor puts before and after the ids of one text. The crate's own panics on a template with
/// a token that it does not describe.
fn around(processor: &Json) -> Result<Around, TokenizerError> {
    let fail = |what: &str| TokenizerError::File(format!("the post-processor {what}"));
    match processor["type"].as_str() {
        // The byte-level one changes offsets only.
        None | Some("ByteLevel") => Ok(Around::default()),
        Some("BertProcessing" | "RobertaProcessing") => {
            let token = |name: &str| match id(&processor[name][1]) {
                Some(id) => Ok(vec![id]),
                None => Err(fail(&format!("has no token `{name}`"))),
            };
            Ok(Around {
                before: token("cls")?,
                after: token("sep")?,
            })
        }
        Some("TemplateProcessing") => template(processor),
        Some("Sequence") => {
            let mut whole = Around::default();
            for step in processor["processors"].as_array().into_iter().flatten() {
                let outer = around(step)?;
                whole.before.splice(..0, outer.before);
                whole.after.extend(outer.after);
                if whole.before.len().max(whole.after.len()) > MAX_AROUND {
                    return Err(fail("adds too many tokens"));
                }
            }
            Ok(whole)
        }
        Some(other) => Err(fail(&format!("`{other}` is not known"))),
    }
}

fn template(processor: &Json) -> Result<Around, TokenizerError> {
    let fail = |what: &str| TokenizerError::File(format!("the post-processor's template {what}"));
    let (mut before, mut after, mut has_text) = (Vec::new(), Vec::new(), false);
    for piece in processor["single"].as_array().into_iter().flatten() {
        if piece.get("Sequence").is_some() {
            if has_text {
                return Err(fail("repeats the text"));
            }
            has_text = true;
            continue;
        }
        let name = piece["SpecialToken"]["id"].as_str().unwrap_or_default();
        let ids = processor["special_tokens"][name]["ids"].as_array();
        let Some(ids) = ids.and_then(|ids| ids.iter().map(id).collect::<Option<Vec<u32>>>()) else {
            return Err(fail(&format!(
                "has the token `{name}`, which it does not describe"
            )));
        };
        let side = if has_text { &mut after } else { &mut before };
        side.extend(ids);
        if side.len() > MAX_AROUND {
            return Err(fail("adds too many tokens"));
        }
    }
    if !has_text {
        return Err(fail("leaves out the text"));
    }
    Ok(Around { before, after })
}

fn id(value: &Json) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
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

/// Added tokens go through the steps when they are read.
fn check_added<'a>(
    contents: impl Iterator<Item = &'a str>,
    growth: &Growth,
) -> Result<(), TokenizerError> {
    Growth::check(growth.encoding, contents.map(str::len).sum())
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
