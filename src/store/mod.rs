//! Where models and sample sets come from on the command line. In the browser the page holds the files.

#[cfg(not(target_family = "wasm"))]
mod local;

#[cfg(not(target_family = "wasm"))]
pub use local::{ResolvedModel, StoreError, resolve_model, sample_path};
