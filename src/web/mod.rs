//! The page's worker calls this and nothing else; the only place that knows JavaScript.
//!
//! - [`engine`]: the class the worker holds
//! - [`error`]: every error as `{code, message, hint}`, converted once
//! - [`host`]: progress callbacks, cancelling, turns for the event loop
//! - [`source`]: weight files as `Blob`s, read by ranges

mod engine;
mod error;
mod host;
mod source;

pub use engine::Engine;

use wasm_bindgen::prelude::*;

/// Runs when the module is instantiated.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// Asks the running job to stop at its next checkpoint.
#[wasm_bindgen]
pub fn cancel() {
    host::cancel();
}

/// The engine's version.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
