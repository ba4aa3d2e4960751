//! A link: as text, or the document in one, which is packed first.
#![no_main]

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use libfuzzer_sys::fuzz_target;
use secateur::study::link;

fuzz_target!(|data: &[u8]| {
    let fragment = match std::str::from_utf8(data) {
        Ok(text) if text.starts_with("s1.") => text.to_owned(),
        _ => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(data).expect("into memory");
            let packed = encoder.finish().expect("into memory");
            format!("#s1.{}", URL_SAFE_NO_PAD.encode(packed))
        }
    };
    if let Ok(shared) = link::decode(&fragment) {
        let again = link::encode(&shared).expect("a link that was read");
        link::decode(&again).expect("a link that was written");
    }
});
