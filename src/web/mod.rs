//! The page's worker calls this and nothing else; the only place that knows JavaScript.
//!
//! - [`exported`]: the class the worker holds, made of the table of calls in [`crate::wire`]
//! - `engine`: what its calls do
//! - [`files`]: the files of a model, its size by its configuration, a hash piece by piece
//! - [`error`]: every error as `{code, message, hint}`, converted once
//! - `forward`: a forward pass laid open
//! - `held`: what it holds: item sets and, once one is loaded, a model
//! - [`host`]: progress callbacks, cancelling, turns for the event loop
//! - `scoring`: its part for items and scores
//! - [`source`]: weight files as `Blob`s, read by ranges

mod engine;
mod error;
mod exported;
mod files;
mod forward;
mod held;
mod host;
mod scoring;
mod source;

pub use exported::Engine;
pub use files::{Sha256, estimate};

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::study::report::EngineInfo;

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
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        // A panic ends the module with an error that does not say why; the worker finds it here.
        let message = panic.payload_as_str().unwrap_or("a panic").into();
        Reflect::set(&js_sys::global(), &"enginePanic".into(), &message).ok();
    }));
}

/// Asks the running job to stop at its next checkpoint.
#[wasm_bindgen]
pub fn cancel() {
    host::cancel();
}

/// To be called before every request: a cancel is of one alone.
#[wasm_bindgen]
pub fn clear_cancel() {
    host::clear_cancel();
}

/// Bytes of the kernels' stack.
const KERNEL_STACK: usize = 64 << 10;

/// Memory for the stack of the kernels' module, which works on this one's: its end, since a stack goes down. It stays for
/// good.
#[wasm_bindgen]
pub fn kernel_stack() -> usize {
    let stack = vec![0u128; KERNEL_STACK / size_of::<u128>()].leak();
    stack.as_ptr_range().end.addr()
}

/// The engine's version.
#[wasm_bindgen]
pub fn version() -> String {
    EngineInfo::VERSION.to_owned()
}
