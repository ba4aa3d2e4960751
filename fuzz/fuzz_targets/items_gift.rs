//! Items: GIFT.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use secateur_fuzz::read_items;

fuzz_target!(|text: &str| -> Corpus { read_items(text, &["gift"]) });
