//! The pairs of tokens that BPE joins, in their order.

use tokenizers::models::bpe::{Merges, Vocab};

use super::TokenizerError;

/// Largest number of merges accepted; a vocabulary of 262,144 tokens has about 515,000.
const MAX_MERGES: usize = 2_000_000;
/// Longest token, in bytes, that a vocabulary without merges may have.
const MAX_TOKEN_BYTES: usize = 512;

/// Two tokens can be merged when they and what they make are tokens: the `tokenizers` crate panics on a merge
/// whose result is none. `prefix` marks tokens that continue a word and is left out where one is joined on.
pub(super) fn check(
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

/// Merges written as two tokens with a space between them.
pub(super) fn from_lines<'a>(
    lines: impl Iterator<Item = impl AsRef<str> + 'a>,
    vocabulary: &Vocab,
) -> Result<Merges, TokenizerError> {
    lines
        .map(|line| {
            let line = line.as_ref();
            let (left, right) = line
                .split_once(' ')
                .ok_or_else(|| TokenizerError::File(format!("the merge `{line}`")))?;
            check(left, right, "", |token| vocabulary.contains_key(token))?;
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect()
}

/// The merges that a vocabulary implies: every way to make a token of two others, the best score first, and of
/// one score the longest first half first. Scores are finite.
///
/// After `transformers` (`generate_merges`), which rebuilds with it what a SentencePiece model leaves out.
pub(super) fn implied(
    tokens: &[(&str, f64)],
    vocabulary: &Vocab,
) -> Result<Merges, TokenizerError> {
    let mut merges: Vec<(f64, &str, &str)> = Vec::new();
    for (token, score) in tokens {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenizerError::File(format!(
                "a token of {} bytes",
                token.len()
            )));
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if vocabulary.contains_key(left) && vocabulary.contains_key(right) {
                merges.push((*score, left, right));
            }
        }
        if merges.len() > MAX_MERGES {
            return Err(TokenizerError::File(format!("{} merges", merges.len())));
        }
    }
    let key = |(_, left, right): &(f64, &str, &str)| (left.chars().count(), right.chars().count());
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| key(b).cmp(&key(a))));
    Ok(merges
        .into_iter()
        .map(|(_, left, right)| (left.to_owned(), right.to_owned()))
        .collect())
}
