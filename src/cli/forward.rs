//! `secateur forward`: a forward pass laid open, for comparison with other implementations.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::CliError;
use super::commands::Shell;
use super::outputs::{Computed, Together};
use super::places::STANDARD_STREAM;
use crate::export::tensors::forward_tensors;
use crate::model::forward::{Forward, likely};

#[derive(ClapArgs)]
pub struct ForwardArgs {
    /// Model: a folder, a .gguf file, or an id of the catalogue.
    #[arg(long, short)]
    pub model: String,
    /// The prompt.
    #[arg(long, short)]
    pub prompt: String,
    /// Tokens to continue by.
    #[arg(long, default_value_t = 20)]
    pub tokens: usize,
    /// Likely next tokens to print.
    #[arg(long, default_value_t = 10)]
    pub top: usize,
    /// Where to write `logits` [vocabulary] of the next token and `residuals` [n_layers + 1, positions, d_model]
    /// (safetensors).
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// What `forward` prints.
#[derive(Serialize)]
struct ForwardReport {
    #[serde(flatten)]
    found: Forward,
    /// The likeliest next tokens.
    next: Vec<NextToken>,
}

#[derive(Serialize)]
struct NextToken {
    id: u32,
    token: String,
    /// In nats.
    log_probability: f64,
}

impl Shell<'_> {
    /// Runs a prompt, continues it by some tokens and finds the likeliest next ones.
    pub(super) async fn forward(&self, args: ForwardArgs) -> Result<(), CliError> {
        let compute = self.compute().await?;
        let model = self.model(&args.model, &compute).await?;
        let found = model.forward(&args.prompt, args.tokens, self.job).await?;
        let mut results = Together::default();
        if let Some(path) = &args.out {
            results.add(path, &forward_tensors(&found, model.config())?)?;
        }
        let next = likely(&found.logits, args.top)
            .into_iter()
            .map(|(id, log_probability)| NextToken {
                id,
                token: model.tokenizer.token_text(id),
                log_probability,
            })
            .collect();
        let report = ForwardReport { found, next };
        let printed = Computed::with(&model, &compute, report);
        results.add_json(STANDARD_STREAM.as_ref(), &printed)?;
        results.place()
    }
}
