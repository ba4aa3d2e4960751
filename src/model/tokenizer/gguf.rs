//! A tokenizer from the metadata of a GGUF file.

use tokenizers::AddedToken;
use tokenizers::models::bpe::Vocab;

use super::{
    Around, Growth, Inner, LARGEST_ID, Tokenizer, TokenizerError, byte_level, file_error, guarded,
    merges, sentencepiece,
};
use crate::weights::gguf::{Array, Metadata, Value};

/// ggml's token type of the token for what no token covers.
const UNKNOWN: u64 = 2;
/// ggml's token type of a control token.
const CONTROL: u64 = 3;
/// ggml's token type of a token added by the user.
const USER_DEFINED: u64 = 4;

impl Tokenizer {
    /// From the metadata of a GGUF file: byte-level BPE of the pre-tokenizer kinds that SmolLM, Llama 3, Qwen,
    /// GPT-2 and GPT-NeoX use, and SentencePiece (Llama 2, Gemma).
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Unsupported`] names another kind; [`TokenizerError::File`] when the vocabulary is
    /// damaged.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        guarded("its file", || Self::of_gguf(metadata))
    }

    fn of_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let file = File(metadata);
        let Built {
            mut inner,
            tokens,
            adds_bos,
            unknown,
            notes,
        } = match file.text("tokenizer.ggml.model") {
            Some("gpt2") => file.byte_level()?,
            Some("llama") => file.sentencepiece()?,
            Some(other) => return Err(TokenizerError::Unsupported(other.to_owned())),
            None => return Err(TokenizerError::File("the file has none".into())),
        };
        inner
            .add_tokens(file.added_tokens(&tokens))
            .map_err(file_error)?;
        let id = |key: &str| {
            let id = u32::try_from(metadata.get(key)?.as_u64()?).ok()?;
            ((id as usize) < tokens.len()).then_some(id)
        };
        let bos = id("tokenizer.ggml.bos_token_id");
        let eos = id("tokenizer.ggml.eos_token_id");
        let flag = |key, default| file.flag(key).unwrap_or(default);
        let around = Around {
            before: Vec::from_iter(bos.filter(|_| flag("tokenizer.ggml.add_bos_token", adds_bos))),
            after: Vec::from_iter(eos.filter(|_| flag("tokenizer.ggml.add_eos_token", false))),
        };
        Ok(Self {
            unknown: unknown.and_then(|token| inner.token_to_id(&token)),
            inner,
            growth: GROWTH,
            notes,
            around,
            start: bos.or(eos),
            chat_template: file.text("tokenizer.chat_template").map(str::to_owned),
        })
    }
}

/// What the steps of the tokenizers built here make of a text: a space before it, and three bytes of a space.
const GROWTH: Growth = Growth {
    encoding: 12,
    decoding: 2,
};

/// A tokenizer without its special tokens.
struct Built {
    inner: Inner,
    /// Its tokens in the order of their ids.
    tokens: Vec<String>,
    /// Whether a prompt begins with the first token where the file does not say.
    adds_bos: bool,
    /// The token for what no token covers.
    unknown: Option<String>,
    /// What the file leaves out.
    notes: Vec<String>,
}

struct File<'a>(&'a Metadata);

impl<'a> File<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(Value::as_bool)
    }

    fn array(&self, key: &str) -> Option<&'a Array> {
        self.0.get(key).and_then(Value::as_array)
    }

    fn strings(
        &self,
        key: &str,
    ) -> Result<impl Iterator<Item = std::borrow::Cow<'a, str>> + use<'a>, TokenizerError> {
        self.array(key)
            .ok_or_else(|| TokenizerError::File(format!("the file has no `{key}`")))?
            .strings()
            .ok_or_else(|| TokenizerError::File(format!("`{key}` does not hold text")))
    }

    fn tokens(&self, spelling: impl Fn(&str) -> String) -> Result<Vec<String>, TokenizerError> {
        let tokens: Vec<String> = self
            .strings("tokenizer.ggml.tokens")?
            .map(|token| spelling(&token))
            .collect();
        if tokens.len() > LARGEST_ID as usize {
            return Err(TokenizerError::File(format!("{} tokens", tokens.len())));
        }
        Ok(tokens)
    }

    fn byte_level(&self) -> Result<Built, TokenizerError> {
        const KEY: &str = "tokenizer.ggml.pre";
        let tokens = self.tokens(str::to_owned)?;
        let mut notes = Vec::new();
        let kind = match self.text(KEY) {
            Some(name) if name != "default" => byte_level::Kind::from_name(name)?,
            named => {
                let architecture = self.text("general.architecture").unwrap_or("(none)");
                let kind = byte_level::Kind::of_architecture(architecture, &tokens);
                notes.push(format!(
                    "`{KEY}` is {}: texts are cut into words as by {}'s tokenizer, which goes with the architecture \
                     `{architecture}`",
                    named.map_or("missing", |_| "`default`"),
                    kind.name()
                ));
                kind
            }
        };
        let merges = self.strings("tokenizer.ggml.merges")?;
        let inner = byte_level::build(kind, vocabulary(&tokens), merges)?;
        Ok(Built {
            inner,
            tokens,
            adds_bos: kind.adds_bos(),
            unknown: None,
            notes,
        })
    }

    fn sentencepiece(&self) -> Result<Built, TokenizerError> {
        let architecture = self.text("general.architecture");
        let is_gemma = matches!(architecture, Some("gemma" | "gemma2" | "gemma3"));
        let tokens = if is_gemma {
            self.tokens(sentencepiece::respelled)?
        } else {
            self.tokens(str::to_owned)?
        };
        let vocabulary = vocabulary(&tokens);
        let merges = if self.array("tokenizer.ggml.merges").is_some() {
            merges::from_lines(self.strings("tokenizer.ggml.merges")?, &vocabulary)?
        } else if is_gemma {
            sentencepiece::merges_by_order(&tokens, &vocabulary)?
        } else {
            let scores: Vec<f64> = self
                .array("tokenizer.ggml.scores")
                .and_then(Array::scalars)
                .ok_or_else(|| TokenizerError::File("the tokens have no scores".into()))?
                .filter_map(|score| score.as_f64())
                .collect();
            sentencepiece::merges_by_score(&tokens, &scores, &vocabulary)?
        };
        let unknown = self
            .0
            .get("tokenizer.ggml.unknown_token_id")
            .and_then(Value::as_u64)
            .and_then(|id| tokens.get(usize::try_from(id).ok()?));
        let settings = sentencepiece::Settings {
            adds_space: self
                .flag("tokenizer.ggml.add_space_prefix")
                .unwrap_or(!is_gemma),
            unknown: unknown.cloned(),
        };
        let unknown = settings.unknown.clone();
        let inner = sentencepiece::build(vocabulary, merges, settings)?;
        Ok(Built {
            inner,
            tokens,
            adds_bos: true,
            unknown,
            notes: Vec::new(),
        })
    }

    /// The tokens that are found in a text before anything else. One that is spelled otherwise than in the file
    /// is none of them, as in `transformers` (`add_gguf_special_tokens`).
    fn added_tokens(&self, tokens: &[String]) -> Vec<AddedToken> {
        let types = self
            .array("tokenizer.ggml.token_type")
            .and_then(Array::scalars);
        let stored = self.array("tokenizer.ggml.tokens").and_then(Array::strings);
        tokens
            .iter()
            .zip(stored.into_iter().flatten())
            .zip(types.into_iter().flatten())
            .filter(|((token, stored), _)| *token == stored)
            .filter_map(|((token, _), kind)| match kind.as_u64()? {
                UNKNOWN | CONTROL => Some(AddedToken::from(token.as_str(), true)),
                USER_DEFINED => Some(AddedToken::from(token.as_str(), false).normalized(false)),
                _ => None,
            })
            .collect()
    }
}

fn vocabulary(tokens: &[String]) -> Vocab {
    let ids = tokens.iter().cloned().zip(0..);
    ids.collect()
}
