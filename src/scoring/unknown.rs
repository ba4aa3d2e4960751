//! How many words of a set the model's tokenizer does not know: it reads them all as one token, or leaves them out.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::items::Item;
use crate::model::Tokenizer;
use crate::model::tokenizer::TokenizerError;

/// The share of unknown words from which on a set is warned of.
const WORTH_A_WARNING: f64 = 0.25;

/// Words of a set's contexts and choices, as spaces divide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct UnknownWords {
    /// How many there are.
    pub words: usize,
    /// How many of them the tokenizer does not know.
    pub unknown: usize,
}

impl UnknownWords {
    /// Counts the words of items; `None` where all are known.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn of(tokenizer: &Tokenizer, items: &[Item]) -> Result<Option<Self>, TokenizerError> {
        let texts = items
            .iter()
            .flat_map(|item| std::iter::once(&item.context).chain(&item.choices));
        Self::of_texts(tokenizer, texts.map(String::as_str))
    }

    /// Counts the words of texts; `None` where all are known.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`].
    pub fn of_texts<'a>(
        tokenizer: &Tokenizer,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Self>, TokenizerError> {
        let mut known: HashMap<&str, bool> = HashMap::new();
        let mut found = Self {
            words: 0,
            unknown: 0,
        };
        for word in texts.flat_map(str::split_whitespace) {
            let is_known = match known.get(word) {
                Some(is_known) => *is_known,
                None => {
                    let is_known = tokenizer.knows(word)?;
                    known.insert(word, is_known);
                    is_known
                }
            };
            found.words += 1;
            found.unknown += usize::from(!is_known);
        }
        Ok(Some(found).filter(|found| found.unknown > 0))
    }

    /// What is to be said of a set with so many unknown words, where they are many.
    pub fn warning(&self, set: &str) -> Option<String> {
        let Self { words, unknown } = *self;
        let share = unknown as f64 / words.max(1) as f64;
        (share >= WORTH_A_WARNING).then(|| {
            format!(
                "{:.0} % of the words of `{set}` ({unknown} of {words}) are unknown to the model's tokenizer: \
                 the model cannot tell them apart, and its scores say little",
                100.0 * share
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_warned_of_from_a_quarter_of_unknown_words_on() {
        let warning = |unknown| UnknownWords { words: 8, unknown }.warning("mine");
        assert_eq!(warning(1), None);
        let said = warning(2).unwrap();
        assert!(
            said.starts_with("25 % of the words of `mine` (2 of 8)"),
            "{said}"
        );
    }
}
