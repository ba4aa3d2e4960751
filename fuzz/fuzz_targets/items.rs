//! Items in every format: which one is told from the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::items::{canonical_jsonl, parse_items};

fuzz_target!(|text: &str| {
    let parsed = parse_items(text);
    if parsed.errors.is_empty() && !parsed.items.is_empty() {
        // What was read can be written and is read as the same again.
        let again = parse_items(&canonical_jsonl(&parsed.items));
        assert_eq!(again.items, parsed.items, "{:?}", again.errors);
    }
});
