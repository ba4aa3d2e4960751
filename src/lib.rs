//! Secateur finds the neurons that make a small language model answer confidently for the wrong reason,
//! shows them, prunes them, and hands the result over as a mask and a link that anyone can re-run.
//!
//! The pipeline, each room using only those above it:
//!
//! - [`items`]: multiple-choice items, their files, prompt templates
//! - [`weights`]: bytes to named tensors (safetensors, GGUF)
//! - [`kernels`]: the few operations that a block is made of, for GPU and CPU
//! - [`model`]: configuration, tokenizer, decoder; base runs and the forks that leave them
//! - [`scoring`]: log-likelihoods of choices, predictions, accuracy with intervals
//! - [`attribution`]: Integrated Gradients for every feed-forward neuron
//! - [`pruning`]: masks, their selection, their effect, the random control, the search
//! - [`tuning`]: gains trained on the pruned model
//! - [`study`]: the document that says all of it, its runner, report and link
//!
//! Beside them [`job`] (progress and cancelling), [`store`] (where models come from), [`export`] (masks and
//! snippets for others) and `lesson` (the shipped model), and on top the two ways in: `web` (the page's worker, which speaks
//! what `wire` says) and `cli` (the command line).

pub mod attribution;
pub mod export;
pub mod items;
pub mod job;
#[allow(
    unsafe_code,
    reason = "a kernel is launched on a GPU without checks of its own: its function checks the shapes before"
)]
pub mod kernels;
pub mod model;
pub mod pruning;
pub mod scoring;
pub mod store;
pub mod study;
pub mod tuning;
pub mod weights;

#[cfg(not(target_family = "wasm"))]
pub mod cli;
#[cfg(not(target_family = "wasm"))]
pub mod lesson;
// Natively the tests alone need it: they make the page's types of it.
#[cfg(any(test, target_family = "wasm"))]
pub mod wire;

#[cfg(target_family = "wasm")]
#[allow(
    unsafe_code,
    reason = "what wasm-bindgen makes of an export, and the call of the linker's constructors"
)]
pub mod web;
