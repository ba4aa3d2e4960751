//! What the targets of the item formats share.

use libfuzzer_sys::Corpus;
use secateur::items::{canonical_jsonl, parse_items};

/// Reads a text as items. Only texts that are told to be in one of `formats` are kept to be changed further, so that a
/// target's time is spent on its own parser.
///
/// # Panics
/// When what was read without an error, written as JSON Lines, is not read as the same: a finding.
pub fn read_items(text: &str, formats: &[&str]) -> Corpus {
    let parsed = parse_items(text);
    if !formats.contains(&parsed.format) {
        return Corpus::Reject;
    }
    if parsed.errors.is_empty() && !parsed.items.is_empty() {
        let again = parse_items(&canonical_jsonl(&parsed.items));
        assert_eq!(again.items, parsed.items, "{:?}", again.errors);
    }
    Corpus::Keep
}
