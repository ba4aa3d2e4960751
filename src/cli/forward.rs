//! `secateur forward`: a forward pass laid open, for comparison with other implementations.

use std::path::Path;

use serde::Serialize;

use super::CliError;
use super::outputs::write;
use crate::export::tensors::forward_tensors;
use crate::job::Job;
use crate::model::Model;
use crate::model::forward::{Forward, likely};

/// What `forward` prints.
#[derive(Serialize)]
pub(super) struct ForwardReport {
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

/// Runs a prompt, continues it by some tokens and finds the `top` likeliest next ones; logits and residual streams go to
/// `out`.
pub(super) async fn run(
    model: &Model,
    (prompt, tokens): (&str, usize),
    top: usize,
    out: Option<&Path>,
    job: Job<'_>,
) -> Result<ForwardReport, CliError> {
    let found = model.forward(prompt, tokens, job).await?;
    if let Some(path) = out {
        write(path, &forward_tensors(&found, model.config())?)?;
    }
    let next = likely(&found.logits, top)
        .into_iter()
        .map(|(id, log_probability)| NextToken {
            id,
            token: model.tokenizer.token_text(id),
            log_probability,
        })
        .collect();
    Ok(ForwardReport { found, next })
}
