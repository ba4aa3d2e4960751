//! What the targets of the item formats share.

use libfuzzer_sys::Corpus;
use secateur::items::{AnswersFrom, ParsedItems, canonical_jsonl, parse_items, parse_items_from};

/// Reads a text as items, with its right answers counted as it shows and from 0 and 1. Only texts that are told to be in
/// one of `formats` are kept to be changed further, so that a target's time is spent on its own parser.
///
/// # Panics
/// When what was read without an error, written as JSON Lines, is not read as the same: a finding.
pub fn read_items(text: &str, formats: &[&str]) -> Corpus {
    let parsed = parse_items(text);
    if !formats.contains(&parsed.format) {
        return Corpus::Reject;
    }
    check(&parsed);
    if parsed.answers_from.is_some() || parsed.asks_answers_from {
        for first in [AnswersFrom::Zero, AnswersFrom::One] {
            check(&parse_items_from(text, Some(first)));
        }
    }
    Corpus::Keep
}

fn check(parsed: &ParsedItems) {
    assert!(!parsed.asks_answers_from || parsed.items.is_empty());
    if parsed.errors.is_empty() && !parsed.items.is_empty() {
        let again = parse_items(&canonical_jsonl(&parsed.items));
        assert_eq!(again.items, parsed.items, "{:?}", again.errors);
    }
}
