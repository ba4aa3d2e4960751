//! A study document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::study::Study;

fuzz_target!(|text: &str| {
    let _ = Study::from_json(text);
});
