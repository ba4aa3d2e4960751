//! A forward pass laid open: what other implementations are compared with.

use burn::tensor::Tensor;
use serde::Serialize;

use super::run::{arg_max, read};
use super::tokenizer::TokenizerError;
use super::{Capture, Edit, Model, ModelError};
use crate::job::Job;

/// What a forward pass over one prompt computes, and how the model goes on.
#[derive(Debug, Clone, Serialize)]
pub struct Forward {
    /// Token ids of the prompt, with the tokens that its tokenizer adds.
    pub ids: Vec<u32>,
    /// Their texts.
    pub tokens: Vec<String>,
    /// Residual streams, `[n_layers + 1, positions, d_model]`: what enters the first block, then what leaves each
    /// block; the last one before the final norm.
    #[serde(skip)]
    pub residuals: Vec<f32>,
    /// Logits of the next token, `[vocabulary]`.
    #[serde(skip)]
    pub logits: Vec<f32>,
    /// The most likely next token, so many times over.
    pub continuation: Vec<u32>,
    /// The continuation's text.
    pub text: String,
}

impl Model {
    /// Runs a prompt and continues it greedily by `n_tokens`.
    ///
    /// # Errors
    ///
    /// [`ModelError`] when the prompt gives no token or one that the model has no row for, or when it does not fit
    /// the context with its continuation.
    pub async fn forward(
        &self,
        prompt: &str,
        n_tokens: usize,
        job: Job<'_>,
    ) -> Result<Forward, ModelError> {
        let decoder = &self.decoder;
        let ids = self.tokenizer.encode_prompt(prompt)?;
        if ids.is_empty() {
            let empty = "the prompt is empty and the model has no first token";
            return Err(TokenizerError::Text(empty.into()).into());
        }
        self.check_tokens(&ids)?;
        let tokens = ids.len().saturating_add(n_tokens);
        let context_length = decoder.config.context_length;
        if tokens > context_length {
            return Err(ModelError::TooLong {
                tokens,
                context_length,
            });
        }
        let none = Edit::none();
        let capture = Capture::Blocks;
        let run = decoder.base_run(&[&ids], &none, capture, job).await?;
        let mut residuals = run.entries.clone();
        residuals.push(run.resid_final.clone());
        // One readback each: waiting for a GPU takes longer than what it computes for a layer.
        let residuals = read(Tensor::cat(residuals, 0)).await?;
        let logits = read(decoder.last_logits(&run)).await?;
        let mut continuation = Vec::new();
        let mut best = likeliest(&logits);
        while continuation.len() < n_tokens {
            continuation.push(best);
            job.progress("continuing", continuation.len(), n_tokens);
            if continuation.len() == n_tokens {
                break;
            }
            // A continuation of the prompt's run, one longer each time.
            let tails = [vec![continuation.clone()]];
            let capture = Capture::KeyValues;
            let next = decoder
                .continue_run(&run, &tails, &none, capture, job)
                .await?;
            best = likeliest(&read(decoder.last_logits(&next)).await?);
        }
        Ok(Forward {
            tokens: ids
                .iter()
                .map(|&id| self.tokenizer.token_text(id))
                .collect(),
            text: self.tokenizer.decode(&continuation)?,
            ids,
            residuals,
            logits,
            continuation,
        })
    }
}

/// Id of the largest logit; the first of equals.
fn likeliest(logits: &[f32]) -> u32 {
    arg_max(logits.iter().map(|&logit| logit.into())) as u32
}

/// The `count` likeliest next tokens with their log-probabilities in nats, the likeliest first.
pub fn likely(logits: &[f32], count: usize) -> Vec<(u32, f64)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .sum();
    let mut ids: Vec<usize> = (0..logits.len()).collect();
    ids.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    ids.truncate(count);
    ids.into_iter()
        .map(|id| (id as u32, f64::from(logits[id] - largest) - total.ln()))
        .collect()
}
