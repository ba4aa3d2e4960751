//! Items: JSON Lines, in the shapes of all data sets.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use secateur_fuzz::read_items;

fuzz_target!(|text: &str| -> Corpus { read_items(text, &["jsonl"]) });
