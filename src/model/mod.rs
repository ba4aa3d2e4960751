//! The model: its configuration, its tokenizer, the decoder, and the two kinds of run every question is
//! asked with: a base run over a prompt and the forks that leave it.
//!
//! - [`config`]: the strict shape of a model, from `config.json` or GGUF metadata
//! - [`family`]: what each model family's configuration means, and what its weights are called
//! - [`tokenizer`]: text to token ids and back
//! - [`device`]: CPU or WebGPU, what it holds, and the self-test that says whether to believe it
//! - [`choice`]: the faster of two devices for a model
//! - [`decoder`]: a block's halves, out of [`attention`], [`feed_forward`], [`positions`] and `layers`
//! - `block`: a block's weights by its family's list; `weights`: those of all
//! - [`pace`]: how large one pass of a run may be on the device at hand
//! - [`run`]: base runs and their continuations; what a run keeps so that others can leave from it
//! - [`forks`]: many forks of a run at once, each with an edit of its own
//! - [`neuron`]: one neuron by its place; [`edit`]: what changes a run
//! - [`forward`]: a forward pass laid open, for comparison with other implementations
//! - [`load`]: weight files to a decoder, with a report of what was found; `save`: the way back

pub mod attention;
mod block;
pub mod choice;
pub mod config;
pub mod decoder;
pub mod device;
pub mod edit;
pub mod family;
pub mod feed_forward;
pub mod forks;
pub mod forward;
mod layers;
pub mod load;
pub mod neuron;
pub mod pace;
pub mod positions;
pub mod precision;
mod random;
pub mod run;
mod save;
mod self_test;
pub mod tokenizer;
pub mod upload;
mod weights;

pub use config::{Activation, Config};
pub use decoder::Decoder;
pub use device::{Compute, Limits};
pub use edit::{Edit, Site};
pub use family::Family;
pub use forks::Link;
pub use forward::Forward;
pub use load::{LoadReport, Model, Opened};
pub use neuron::Neuron;
pub use pace::Pace;
pub use precision::Precision;
pub use run::{Capture, Run};
pub use tokenizer::Tokenizer;

use crate::job::Cancelled;
use crate::weights::{WeightsError, and_more};

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The configuration is missing something or contradicts itself.
    #[error("model configuration: {0}")]
    Config(String),
    /// The model needs something this engine does not implement.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The weight file could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Tensors are not in the weight file.
    #[error("{}", lacks(named, *more))]
    MissingTensors {
        /// The first of them.
        named: Vec<MissingTensor>,
        /// How many others there are.
        more: usize,
    },
    /// Parts of a decoder in the weight file that nothing would use.
    #[error(
        "the weight file holds {}, which a {family} model of this configuration does not use: its numbers would not be \
         the model's",
        and_more(named, *more)
    )]
    UnusedTensors {
        /// The family's name.
        family: &'static str,
        /// The first of them.
        named: Vec<String>,
        /// How many others there are.
        more: usize,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{name}` has shape {found:?}, and the configuration needs {expected:?}")]
    Shape {
        /// The tensor's name in the file.
        name: String,
        /// Shape by the configuration.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// The model is larger than the device.
    #[error("the model needs {}, and {holder} holds {}{}", in_megabytes(*needed), in_megabytes(*limit), fits.as_ref().map(|fits| format!("; {fits}")).unwrap_or_default())]
    DoesNotFit {
        /// Bytes that the model, or one of its tensors, takes in f32.
        needed: u64,
        /// What holds too little.
        holder: String,
        /// Bytes that it holds.
        limit: u64,
        /// What would fit.
        fits: Option<String>,
    },
    /// The tokenizer could not be read or used.
    #[error(transparent)]
    Tokenizer(#[from] tokenizer::TokenizerError),
    /// A value that was computed is no number.
    #[error(
        "the device failed: a result is not a finite number; or the model's weights are too large for f32"
    )]
    NotFinite,
    /// A token without a row in the embedding and the output projection.
    #[error("token {id}{} is outside the model's vocabulary of {rows}", text.as_ref().map(|text| format!(" `{text}`")).unwrap_or_default())]
    NoRow {
        /// The token.
        id: u32,
        /// Its text, where the tokenizer is at hand.
        text: Option<String>,
        /// Rows that there are.
        rows: usize,
    },
    /// A sequence is longer than the model's context.
    #[error("{tokens} tokens, and the model's context holds {context_length}")]
    TooLong {
        /// Tokens of the sequence.
        tokens: usize,
        /// What the model holds.
        context_length: usize,
    },
    /// The device failed: its results are not to be believed.
    #[error("the device failed: {0}")]
    Device(String),
    /// The user stopped the job.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl ModelError {
    /// Whether the user stopped the job.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// Whether the device failed, which no other input mends.
    pub fn is_device_fault(&self) -> bool {
        matches!(self, Self::Device(_) | Self::NotFinite)
    }
}

/// A tensor that a configuration asks for and its weight file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTensor {
    /// The name that was looked for.
    pub name: String,
    /// The most similar name in the file.
    pub nearest: Option<String>,
}

fn lacks(named: &[MissingTensor], more: usize) -> String {
    let list: Vec<String> = named
        .iter()
        .map(|MissingTensor { name, nearest }| match nearest {
            Some(near) => format!("`{name}` (did it mean `{near}`?)"),
            None => format!("`{name}`"),
        })
        .collect();
    let list = list.join(", ");
    match (named.len() + more, more) {
        (1, _) => format!("the weight file has no tensor {list}"),
        (total, 0) => format!("the weight file lacks {total} tensors: {list}"),
        (total, _) => format!("the weight file lacks {total} tensors: {list} and {more} more"),
    }
}

fn in_megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
