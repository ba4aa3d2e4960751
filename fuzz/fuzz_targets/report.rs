//! A report.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::study::Report;

fuzz_target!(|text: &str| {
    let _ = Report::from_json(text);
});
