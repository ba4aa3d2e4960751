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
//! Beside them [`job`] (progress and cancelling), [`store`] (where models come from) and [`export`] (masks and
//! snippets for others), and on top the two ways in: `web` (the page's worker, which speaks
//! what `wire` says) and `cli` (the command line).
//!
//! Items are read from whatever file they come in, and what cannot be read is named by its line:
//!
//! ```
//! use secateur::items::parse_items;
//!
//! let quiz = "Which one is a fruit?\nA. hammer\nB. apple\nANSWER: B\n";
//! let found = parse_items(quiz);
//! assert_eq!((found.format, found.errors.len()), ("aiken", 0));
//! assert_eq!(found.items[0].choices[found.items[0].gold], "apple");
//! ```
//!
//! A session is one model with item sets on its bench, and with what has been found of them:
//!
//! ```
//! use secateur::attribution::Settings;
//! use secateur::items::{Template, parse_items};
//! use secateur::job::{Job, Silent};
//! use secateur::model::{Compute, Model};
//! use secateur::pruning::selection::TopPercent;
//! use secateur::store::resolve_model;
//! use secateur::study::Session;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! let host = Silent::default();
//! let job = Job::new(&host);
//! let compute = Compute::flex();
//! let files = resolve_model("lesson-planted")?.open()?;
//! let model = Model::load("lesson-planted", files, &compute, job).await?;
//!
//! let text = std::fs::read_to_string("models/items/lesson-planted-attribution.jsonl")?;
//! let items = parse_items(&text).items[..4].to_vec();
//! let mut session = Session::new(compute, model, Template::named("plain@1")?);
//! session.change(|bench| bench.set_items("quiz", items));
//! assert_eq!(session.score("quiz", job).await?.items.len(), 4);
//!
//! let settings = Settings { confidence_threshold: 0.0, ..Settings::preset("fast").ok_or("no preset")? };
//! session.attribute("quiz", &settings, job).await?;
//! let mask = session.mask_top(TopPercent { layer: 0, percent: 5.0 })?;
//! let report = session.prune(mask, &["quiz".to_owned()], job).await?;
//! assert_eq!(report.neurons, 13);
//! # Ok(()) })
//! # }
//! ```
//!
//! `examples/` has three short programs, and the one that makes the shipped model.

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
// Natively the tests alone need it: they make the page's types of it.
#[cfg(any(test, target_family = "wasm"))]
pub mod wire;

#[cfg(target_family = "wasm")]
#[allow(
    unsafe_code,
    reason = "what wasm-bindgen makes of an export, and the call of the linker's constructors"
)]
pub mod web;
