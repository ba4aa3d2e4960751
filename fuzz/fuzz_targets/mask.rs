//! A mask's file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::export::MaskFile;

fuzz_target!(|text: &str| {
    if let Ok(file) = MaskFile::from_json(text) {
        let written = file.to_json().expect("it can be written");
        MaskFile::from_json(&written).expect("a mask that was written");
    }
});
