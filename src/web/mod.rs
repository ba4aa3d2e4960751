//! The page's worker calls this and nothing else; the only place that knows JavaScript.
//!
//! - [`engine`]: the class the worker holds
//! - [`files`]: the files of a model, its size by its configuration, a hash piece by piece
//! - [`error`]: every error as `{code, message, hint}`, converted once
//! - [`forward`]: a forward pass laid open
//! - [`host`]: progress callbacks, cancelling, turns for the event loop
//! - `scoring`: its part for items and scores
//! - [`source`]: weight files as `Blob`s, read by ranges

mod engine;
mod error;
mod files;
mod forward;
mod host;
mod scoring;
mod source;

pub use engine::Engine;
pub use files::{Sha256, estimate};

use wasm_bindgen::prelude::*;

unsafe extern "C" {
    /// Made by the linker: runs what crates registered to run before `main`.
    fn __wasm_call_ctors();
}

/// Runs when the module is instantiated.
#[wasm_bindgen(start)]
pub fn start() {
    // The linker, unless a program calls it, has every exported function run all constructors each time it
    // is called, those that handle a JavaScript value included: milliseconds for every string.
    // SAFETY: this is the first code to run, and it runs once.
    unsafe { __wasm_call_ctors() };
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
