//! SentencePiece vocabularies from GGUF metadata: Llama 2's and Gemma's.
//!
//! Both are BPE over characters, with a token for every byte that no other token covers. A GGUF file has the
//! tokens and their scores but not the merges; `transformers` rebuilds those from the scores
//! (`integrations/gguf/gguf_tokenizer_mapping.py`), and so do we. Gemma's merges follow the order of its
//! tokens, not their scores.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{Prepend, Replace};

use super::steps::Normaliser;
use super::{Inner, SPACE, TokenizerError, file_error, merges};

/// What a vocabulary's file says beside its tokens.
pub(super) struct Settings {
    /// A space is put before a text, so that its first word is a word like the others.
    pub(super) adds_space: bool,
    /// The token for what no token covers.
    pub(super) unknown: Option<String>,
}

/// The tokens of Gemma's file as its tokenizer spells them: a run of spaces is stored as it is.
pub(super) fn respelled(token: &str) -> String {
    if token.contains(' ') && token.trim().is_empty() {
        token.chars().map(|_| SPACE).collect()
    } else {
        token.to_owned()
    }
}

/// The merges that tokens of descending worth imply: Gemma's.
pub(super) fn merges_by_order(
    tokens: &[String],
    vocabulary: &Vocab,
) -> Result<Merges, TokenizerError> {
    let ranked: Vec<(&str, f64)> = tokens
        .iter()
        .enumerate()
        .map(|(index, token)| (token.as_str(), -(index as f64)))
        .collect();
    merges::implied(&ranked, vocabulary)
}

/// The merges that tokens with scores imply: Llama 2's.
pub(super) fn merges_by_score(
    tokens: &[String],
    scores: &[f64],
    vocabulary: &Vocab,
) -> Result<Merges, TokenizerError> {
    if scores.len() != tokens.len() {
        return Err(TokenizerError::File(format!(
            "{} scores for {} tokens",
            scores.len(),
            tokens.len()
        )));
    }
    if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
        return Err(TokenizerError::File(format!("a token's score is {score}")));
    }
    let ranked: Vec<(&str, f64)> = tokens
        .iter()
        // -0 and 0 are one score.
        .zip(scores)
        .map(|(token, score)| (token.as_str(), score + 0.0))
        .collect();
    merges::implied(&ranked, vocabulary)
}

/// A tokenizer without its special tokens.
pub(super) fn build(
    vocabulary: Vocab,
    merges: Merges,
    settings: Settings,
) -> Result<Inner, TokenizerError> {
    let mut model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .fuse_unk(true)
        .byte_fallback(true);
    if let Some(unknown) = settings.unknown {
        model = model.unk_token(unknown);
    }
    let mut inner = Inner::new(model.build().map_err(file_error)?.into());
    let to_sign = Replace::new(" ", SPACE).map_err(file_error)?;
    let to_space = Replace::new(SPACE.to_string(), " ").map_err(file_error)?;
    let mut normalisers = vec![Normaliser::Other(to_sign.into())];
    let mut decoders: Vec<DecoderWrapper> = vec![
        to_space.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if settings.adds_space {
        let prepend = Prepend::new(SPACE.to_string());
        normalisers.insert(0, Normaliser::Other(prepend.into()));
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    inner
        .with_normalizer(Some(Normaliser::Sequence(normalisers)))
        .map_err(file_error)?;
    inner.with_decoder(Some(tokenizers::decoders::sequence::Sequence::new(
        decoders,
    )));
    Ok(inner)
}
