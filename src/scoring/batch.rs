//! Items as batches of prompts of one length, with their choices as forks of the prompt's run.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use super::ScoringError;
use crate::items::{Item, Template};
use crate::job::Job;
use crate::model::run::{log_probabilities_of, read};
use crate::model::{Capture, Config, Decoder, Gains, Model, ModelError, Run};

/// Token ids of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// Each choice's tokens, at least one.
    pub choices: Vec<Vec<u32>>,
}

/// Renders and tokenises items.
///
/// # Errors
///
/// [`ScoringError::Item`] names the item whose prompt or choice gives no token or does not fit the context.
pub fn encode(
    model: &Model,
    items: &[Item],
    template: &Template,
) -> Result<Vec<Encoded>, ScoringError> {
    items
        .iter()
        .map(|item| {
            let fail = |message: String| ScoringError::Item {
                id: item.id.clone(),
                message,
            };
            let rendered = template.render(item);
            let mut prompt = None;
            let mut choices = Vec::with_capacity(rendered.continuations.len());
            for continuation in &rendered.continuations {
                let (context, choice) = model
                    .tokenizer
                    .encode_pair(&rendered.prompt, continuation)
                    .map_err(|error| fail(error.to_string()))?;
                if choice.is_empty() {
                    return Err(fail(format!("choice `{continuation}` gives no token")));
                }
                prompt = Some(context);
                choices.push(choice);
            }
            let prompt = prompt
                .filter(|prompt| !prompt.is_empty())
                .ok_or_else(|| fail("the prompt gives no token".into()))?;
            let longest = choices.iter().map(Vec::len).max().unwrap_or(0);
            let context_length = model.config().context_length;
            let tokens = prompt.len() + longest;
            if tokens > context_length {
                let error = ModelError::TooLong {
                    tokens,
                    context_length,
                };
                return Err(fail(error.to_string()));
            }
            Ok(Encoded { prompt, choices })
        })
        .collect()
}

/// Items whose prompts have one length.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Their indices among the encoded items.
    pub items: Vec<usize>,
    /// Prompts, `[items][positions]`.
    pub prompts: Vec<Vec<u32>>,
    /// Choices, `[items][choices]` of at least one token each.
    choices: Vec<Vec<Vec<u32>>>,
}

/// Logits in one piece, in bytes: stays below WebGPU's default binding of 128 MiB, and on WebAssembly within a
/// second, since a piece is not cancelled half-way.
const LOGITS_BYTES: usize = if cfg!(target_family = "wasm") {
    16 << 20
} else {
    64 << 20
};
/// Most tokens of one batch, whatever the vocabulary.
const BATCH_TOKENS: usize = 4096;

/// Groups encoded items by prompt length, in batches of bounded size. Every item is in exactly one.
pub fn batches(encoded: &[Encoded], config: &Config) -> Vec<Batch> {
    let budget = (LOGITS_BYTES / (4 * config.vocabulary)).min(BATCH_TOKENS);
    let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, item) in encoded.iter().enumerate() {
        by_length.entry(item.prompt.len()).or_default().push(index);
    }
    let mut batches = Vec::new();
    for indices in by_length.into_values() {
        let tokens = |index: &usize| {
            let item = &encoded[*index];
            item.prompt.len() + item.choices.iter().map(Vec::len).sum::<usize>()
        };
        let widest = indices.iter().map(tokens).max().unwrap_or(1);
        for items in indices.chunks((budget / widest).max(1)) {
            batches.push(Batch {
                items: items.to_vec(),
                prompts: items.iter().map(|&i| encoded[i].prompt.clone()).collect(),
                choices: items.iter().map(|&i| encoded[i].choices.clone()).collect(),
            });
        }
    }
    batches
}

impl Batch {
    /// Choices of the item that has most; the others' rows are padding.
    fn n_choices(&self) -> usize {
        self.choices.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Tokens of the longest choice.
    fn longest(&self) -> usize {
        self.choices
            .iter()
            .flatten()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
    }

    /// Token `index` of choice `choice` of every item, or 0 where there is none.
    fn token(&self, item: usize, choice: usize, index: usize) -> Option<u32> {
        self.choices.get(item)?.get(choice)?.get(index).copied()
    }

    /// The choices without their last token, padded: what the model reads, `[items][choices][tail]`.
    fn tails(&self) -> Option<Vec<Vec<Vec<u32>>>> {
        let tail = self.longest().checked_sub(1).filter(|tail| *tail > 0)?;
        let sequence = |item, choice| {
            (0..tail)
                .map(|index| self.token(item, choice, index).unwrap_or(0))
                .collect()
        };
        let of_item = |item| (0..self.n_choices()).map(|c| sequence(item, c)).collect();
        Some((0..self.items.len()).map(of_item).collect())
    }
}

/// A batch's base run and the run of its choices' tokens.
#[derive(Clone)]
pub struct BatchRun {
    /// The prompts.
    pub base: Run,
    /// The choices beyond their first token; `None` when every choice is one token.
    pub tails: Option<Run>,
}

impl BatchRun {
    /// Runs a batch from the bottom.
    ///
    /// # Errors
    ///
    /// As [`Decoder::base_run`].
    pub async fn new(
        decoder: &Decoder,
        batch: &Batch,
        gains: &Gains,
        capture: Capture,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let prompts: Vec<&[u32]> = batch.prompts.iter().map(Vec::as_slice).collect();
        let base = decoder.base_run(&prompts, gains, capture, job).await?;
        let tails = match batch.tails() {
            Some(tails) => Some(
                decoder
                    .continue_run(&base, &tails, gains, capture, job)
                    .await?,
            ),
            None => None,
        };
        Ok(Self { base, tails })
    }

    /// Leaves this run at the lowest layer that `gains` change.
    ///
    /// # Errors
    ///
    /// As [`Decoder::fork_run`].
    pub async fn fork(
        &self,
        decoder: &Decoder,
        gains: &Gains,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let base = decoder.fork_run(&self.base, None, gains, job).await?;
        let tails = match &self.tails {
            Some(tails) => Some(decoder.fork_run(tails, Some(&base), gains, job).await?),
            None => None,
        };
        Ok(Self { base, tails })
    }

    /// Summed log-likelihood of every choice, `[items, choices]`; rows beyond an item's own choices are
    /// padding. Differentiable where the run is.
    ///
    /// # Errors
    ///
    /// [`ModelError::Cancelled`].
    pub async fn log_likelihoods(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        job: Job<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let (n_items, n_choices) = (batch.items.len(), batch.n_choices());
        let first: Vec<u32> = (0..n_items)
            .flat_map(|item| {
                (0..n_choices).map(move |choice| batch.token(item, choice, 0).unwrap_or(0))
            })
            .collect();
        let logits = decoder.last_logits(&self.base);
        let vocabulary = decoder.config.vocabulary;
        let spread = logits.expand([n_items, n_choices, vocabulary]);
        let mut total = log_probabilities_of(spread, &first);
        if let Some(tails) = &self.tails {
            total = total
                + self
                    .tail_log_likelihoods(decoder, batch, tails, job)
                    .await?;
        }
        Ok(total)
    }

    async fn tail_log_likelihoods(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        tails: &Run,
        job: Job<'_>,
    ) -> Result<Tensor<2>, ModelError> {
        let (n_items, n_choices) = (batch.items.len(), batch.n_choices());
        let tail = tails.geometry.tail;
        let positions = n_choices * tail;
        let mut ids = vec![0; n_items * positions];
        let mut counts = vec![0f32; n_items * positions];
        for (slot, (id, count)) in ids.iter_mut().zip(&mut counts).enumerate() {
            let (item, position) = (slot / positions, slot % positions);
            if let Some(token) = batch.token(item, position / tail, position % tail + 1) {
                (*id, *count) = (token, 1.0);
            }
        }
        // The vocabulary makes this the widest tensor of all: a few positions at a time.
        let normed = decoder.final_norm(tails.resid_final.clone());
        let step = (LOGITS_BYTES / (4 * decoder.config.vocabulary * n_items)).max(1);
        let mut parts = Vec::new();
        for from in (0..positions).step_by(step) {
            job.checkpoint().await?;
            let width = step.min(positions - from);
            let logits = decoder.unembed(normed.clone().narrow(1, from, width));
            let part: Vec<u32> = (0..n_items)
                .flat_map(|item| {
                    let start = item * positions + from;
                    ids[start..start + width].iter().copied()
                })
                .collect();
            parts.push(log_probabilities_of(logits, &part));
        }
        let device = decoder.device();
        let counts = Tensor::<2>::from_data(TensorData::new(counts, [n_items, positions]), device);
        Ok((Tensor::cat(parts, 1) * counts)
            .reshape([n_items, n_choices, tail])
            .sum_dim(2)
            .reshape([n_items, n_choices]))
    }

    /// The log-likelihoods on the host, each item's own choices only.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when the device cannot be read or gave a value that is no number,
    /// [`ModelError::Cancelled`].
    pub async fn read_log_likelihoods(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        job: Job<'_>,
    ) -> Result<Vec<Vec<f64>>, ModelError> {
        let width = batch.n_choices();
        let values = read(self.log_likelihoods(decoder, batch, job).await?).await?;
        Ok(values
            .chunks(width.max(1))
            .zip(&batch.choices)
            .map(|(row, choices)| row.iter().take(choices.len()).map(|&v| v.into()).collect())
            .collect())
    }
}
