//! Tokens that `tokenizer_config.json` adds to those of `tokenizer.json`.
//!
//! As transformers 5 adds them (`_from_pretrained` of `tokenization_utils_base.py`, `__init__` of
//! `tokenization_utils_tokenizers.py`): first those of `added_tokens_decoder` by their ids, then the named ones, such as
//! `pad_token`, then `extra_special_tokens`. The ids themselves are not read: a token that is in no vocabulary gets the
//! next one.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tokenizers::AddedToken;

use super::class::Class;

/// What transformers calls the tokens that every tokenizer may name.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// A token by its text, or by its description.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Token {
    Text(String),
    Described(Description),
}

#[derive(Clone, Deserialize)]
pub(super) struct Description {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl Token {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Described(Description { content, .. }) => content,
        }
    }

    /// What is named is special, whatever its description says.
    fn added(&self, is_named: bool) -> AddedToken {
        let about = match self {
            Self::Text(text) => return AddedToken::from(text.as_str(), true),
            Self::Described(about) => about,
        };
        let special = about.special || is_named;
        AddedToken::from(about.content.as_str(), special)
            .single_word(about.single_word)
            .lstrip(about.lstrip)
            .rstrip(about.rstrip)
            .normalized(about.normalized.unwrap_or(!special))
    }
}

/// Several tokens, with names or without.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tokens {
    List(Vec<Token>),
    Named(InOrder<Token>),
}

/// The fields of an object in the order of the file.
struct InOrder<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = InOrder<T>;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(InOrder(fields))
            }
        }

        deserializer.deserialize_map(Fields(std::marker::PhantomData))
    }
}

/// The tokens that a `tokenizer_config.json` adds, in transformers' order, where `is_there` are those that
/// `tokenizer.json` adds itself.
pub(super) fn of_config(
    config: &[u8],
    class: Option<Class>,
    is_there: impl Fn(&str) -> bool,
) -> serde_json::Result<Vec<AddedToken>> {
    let InOrder(fields) = serde_json::from_slice::<InOrder<&RawValue>>(config)?;
    let field = |name: &str| {
        let mut found = fields.iter().filter(|(field, _)| field == name);
        found.next().map(|(_, value)| value.get())
    };
    let by_id: Option<BTreeMap<u32, Token>> = match field("added_tokens_decoder") {
        Some(value) => serde_json::from_str(value)?,
        None => None,
    };
    // A class names some tokens where the file does not, and before all others.
    let mut named = Vec::new();
    let of_class = class.map(Class::tokens).unwrap_or_default();
    for (name, usual) in of_class {
        let usual = usual.map(|text| Token::Text(text.into()));
        named.extend(match field(name) {
            Some(value) => serde_json::from_str(value)?,
            None => usual,
        });
    }
    let is_named =
        |name: &str| NAMED.contains(&name) && !of_class.iter().any(|(own, _)| *own == name);
    let is_own = |name: &str| !NAMED.contains(&name) && name.ends_with("_token");
    for (_, value) in fields.iter().filter(|(name, _)| is_named(name)) {
        named.extend(serde_json::from_str::<Option<Token>>(value.get())?);
    }
    // A model's own names; what else ends so, such as `add_bos_token`, is no token.
    let own = fields.iter().filter(|(name, _)| is_own(name));
    named.extend(own.filter_map(|(_, value)| serde_json::from_str::<Token>(value.get()).ok()));
    let extra = |name: &str| match field(name) {
        Some(value) => serde_json::from_str::<Option<Tokens>>(value),
        None => Ok(None),
    };
    let extra = match extra("extra_special_tokens")? {
        Some(Tokens::List(tokens)) if tokens.is_empty() => extra("additional_special_tokens")?,
        None => extra("additional_special_tokens")?,
        extra => extra,
    };
    let mut others = Vec::new();
    match extra {
        Some(Tokens::List(tokens)) => others = tokens,
        Some(Tokens::Named(InOrder(tokens))) => {
            named.extend(tokens.into_iter().map(|(_, token)| token))
        }
        None => {}
    }

    let names: HashSet<&str> = named.iter().map(Token::text).collect();
    let added = |token: &Token| token.added(names.contains(token.text()));
    // What is described by its id is so even where `tokenizer.json` describes it otherwise.
    let by_id: Vec<AddedToken> = by_id.iter().flat_map(BTreeMap::values).map(added).collect();
    let described: HashSet<&str> = by_id.iter().map(|token| token.content.as_str()).collect();
    // Of two that are one text the later description counts.
    let others: Vec<AddedToken> = (named.iter().chain(&others))
        .filter(|token| !is_there(token.text()) && !described.contains(token.text()))
        .map(added)
        .collect();
    Ok([by_id, others].concat())
}
