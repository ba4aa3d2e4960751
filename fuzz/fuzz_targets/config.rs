//! `config.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::model::Config;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = Config::from_json(data) {
        let _ = config.n_parameters();
    }
});
