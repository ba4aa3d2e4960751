//! Encoded items as batches: prompts of one length that share a beginning, with their choices as forks of the
//! prompt's run.
//!
//! Items whose prompts begin with the same tokens, such as shots or a passage, share the run of that beginning: it is
//! run once, the rests of the prompts continue it side by side, and the choices continue those.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use super::encode::{Encoded, shared_tokens};
use crate::job::Job;
use crate::model::run::{log_probabilities_of, read};
use crate::model::{Capture, Config, Decoder, Gains, ModelError, Run};

/// Items whose prompts have one length.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Their indices among the encoded items.
    pub items: Vec<usize>,
    /// Prompts, `[items][positions]`, without what they share.
    pub prompts: Vec<Vec<u32>>,
    /// The tokens before each of them; may be none.
    pub shared: Vec<u32>,
    /// Choices, `[items][choices]` of at least one token each.
    choices: Vec<Vec<Vec<u32>>>,
    /// Tokens of a choice that are not scored, `[items][choices]`.
    scored_from: Vec<Vec<usize>>,
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
/// Fewest tokens for which a shared beginning is run on its own.
const WORTH_SHARING: usize = 16;

/// Groups encoded items by what their prompts share and by the length of the rest, in batches of bounded size. Every
/// item is in exactly one.
pub fn batches(encoded: &[Encoded], config: &Config) -> Vec<Batch> {
    let budget = (LOGITS_BYTES / (4 * config.vocabulary)).min(BATCH_TOKENS);
    let mut batches = Vec::new();
    for (shared, indices) in sharing(encoded) {
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in indices {
            by_length
                .entry(encoded[index].prompt.len())
                .or_default()
                .push(index);
        }
        for indices in by_length.into_values() {
            // All rows are as long as the longest choice of the batch, and all items have as many as the one with most.
            let most = |of: fn(&Encoded) -> usize| {
                let counts = indices.iter().map(|&index| of(&encoded[index]));
                counts.max().unwrap_or(1)
            };
            let rows = most(|item| item.choices.len());
            let longest = most(|item| item.choices.iter().map(Vec::len).max().unwrap_or(1));
            let widest = most(|item| item.prompt.len()) - shared + rows * longest;
            for items in indices.chunks((budget / widest).max(1)) {
                batches.push(Batch::new(encoded, items, shared));
            }
        }
    }
    batches
}

/// Groups of items with the number of tokens that their prompts share, 0 for those that share too little.
fn sharing(encoded: &[Encoded]) -> Vec<(usize, Vec<usize>)> {
    let mut order: Vec<usize> = (0..encoded.len()).collect();
    order.sort_by(|&a, &b| encoded[a].prompt.cmp(&encoded[b].prompt).then(a.cmp(&b)));
    let mut alone = Vec::new();
    let mut groups = Vec::new();
    let mut open: (usize, Vec<usize>) = (0, Vec::new());
    let mut close = |(shared, mut group): (usize, Vec<usize>)| {
        if group.len() > 1 {
            group.sort_unstable();
            groups.push((shared, group));
        } else {
            alone.extend(group);
        }
    };
    for index in order {
        let prompt = &encoded[index].prompt;
        let joined = open.1.last().map_or(0, |&last| {
            let shared = shared_tokens(&encoded[last].prompt, prompt);
            let kept = if open.1.len() > 1 { open.0 } else { shared };
            // A rest of at least one token continues what is shared.
            kept.min(shared)
                .min(prompt.len() - 1)
                .min(encoded[last].prompt.len() - 1)
        });
        // Two prompts that are nearly the same do not keep away a third that shares what all share.
        if joined >= WORTH_SHARING && (open.1.len() < 3 || joined * 2 >= open.0) {
            open.0 = joined;
            open.1.push(index);
        } else {
            close(std::mem::replace(&mut open, (0, vec![index])));
        }
    }
    close(open);
    if !alone.is_empty() {
        alone.sort_unstable();
        groups.push((0, alone));
    }
    groups
}

impl Batch {
    fn new(encoded: &[Encoded], items: &[usize], shared: usize) -> Self {
        let of = |&index: &usize| &encoded[index];
        let first = items.first().map(of);
        Self {
            items: items.to_vec(),
            prompts: items
                .iter()
                .map(|index| of(index).prompt[shared..].to_vec())
                .collect(),
            shared: first
                .map(|item| item.prompt[..shared].to_vec())
                .unwrap_or_default(),
            choices: items
                .iter()
                .map(|index| of(index).choices.clone())
                .collect(),
            scored_from: items
                .iter()
                .map(|index| of(index).scored_from.clone())
                .collect(),
        }
    }

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

    /// Whether that token is scored.
    fn is_scored(&self, item: usize, choice: usize, index: usize) -> bool {
        let from = self.scored_from.get(item).and_then(|item| item.get(choice));
        self.token(item, choice, index).is_some() && from.is_some_and(|from| index >= *from)
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

/// The run of what the last batch shared, under one set of gains: batches of one beginning follow each other.
#[derive(Default)]
pub struct SharedRun(Option<(Vec<u32>, Run)>);

impl SharedRun {
    /// The run of `tokens`: the one at hand, or else the one that `run` makes.
    async fn of(
        &mut self,
        tokens: &[u32],
        run: impl Future<Output = Result<Run, ModelError>>,
    ) -> Result<Run, ModelError> {
        match &self.0 {
            Some((known, run)) if known == tokens => Ok(run.clone()),
            _ => {
                let run = run.await?;
                self.0 = Some((tokens.to_vec(), run.clone()));
                Ok(run)
            }
        }
    }
}

/// A batch's base run and the run of its choices' tokens.
#[derive(Clone)]
pub struct BatchRun {
    /// What the prompts share, one prompt; `None` when that is nothing.
    shared: Option<Run>,
    /// The prompts; where they share something, its continuations: one prompt, the items as rows.
    base: Run,
    /// The choices beyond their first token; `None` when every choice is one token.
    tails: Option<Run>,
}

impl BatchRun {
    /// Runs a batch from the bottom. `shared` is kept from batch to batch under the same gains and capture.
    ///
    /// # Errors
    ///
    /// As [`Decoder::base_run`].
    pub async fn new(
        decoder: &Decoder,
        batch: &Batch,
        gains: &Gains,
        capture: Capture,
        shared: &mut SharedRun,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let shared = match batch.shared.as_slice() {
            [] => None,
            tokens => {
                let prompt = [tokens];
                let run = decoder.base_run(&prompt, gains, capture, job);
                Some(shared.of(tokens, run).await?)
            }
        };
        let base = match &shared {
            Some(shared) => {
                let rests = std::slice::from_ref(&batch.prompts);
                decoder
                    .continue_run(shared, rests, gains, capture, job)
                    .await?
            }
            None => {
                let prompts: Vec<&[u32]> = batch.prompts.iter().map(Vec::as_slice).collect();
                decoder.base_run(&prompts, gains, capture, job).await?
            }
        };
        let tails = match batch.tails() {
            Some(tails) => {
                let prompts = base.joined(shared.as_ref());
                let run = decoder.continue_run(&prompts, &tails, gains, capture, job);
                Some(run.await?)
            }
            None => None,
        };
        Ok(Self {
            shared,
            base,
            tails,
        })
    }

    /// Leaves this run at the lowest layer that `gains` change. `shared` is kept from batch to batch under the same gains.
    ///
    /// # Errors
    ///
    /// As [`Decoder::fork_run`].
    pub async fn fork(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        gains: &Gains,
        shared: &mut SharedRun,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let shared = match &self.shared {
            Some(base) => {
                let run = decoder.fork_run(base, None, gains, job);
                Some(shared.of(&batch.shared, run).await?)
            }
            None => None,
        };
        let base = decoder
            .fork_run(&self.base, shared.as_ref(), gains, job)
            .await?;
        let tails = match &self.tails {
            Some(tails) => {
                let prompts = base.joined(shared.as_ref());
                Some(decoder.fork_run(tails, Some(&prompts), gains, job).await?)
            }
            None => None,
        };
        Ok(Self {
            shared,
            base,
            tails,
        })
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
        let tokens = self.log_probabilities(decoder, batch, job).await?;
        let [n_items, n_choices, _] = tokens.dims();
        Ok(tokens.sum_dim(2).reshape([n_items, n_choices]))
    }

    /// Log-probability of every scored token, `[items, choices, tokens of the longest choice]`; 0 for the others.
    async fn log_probabilities(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        job: Job<'_>,
    ) -> Result<Tensor<3>, ModelError> {
        let (n_items, n_choices, longest) = (batch.items.len(), batch.n_choices(), batch.longest());
        let first: Vec<u32> = (0..n_items)
            .flat_map(|item| {
                (0..n_choices).map(move |choice| batch.token(item, choice, 0).unwrap_or(0))
            })
            .collect();
        // The items are prompts or, where they share something, rows of one.
        let logits = decoder.last_logits(&self.base);
        let logits = logits.reshape([n_items, 1, decoder.config.vocabulary]);
        let first = log_probabilities_of(logits, &first)?;
        let mut parts = vec![first.reshape([n_items, n_choices, 1])];
        if let Some(tails) = &self.tails {
            let tail = tails.geometry.tail;
            let rest = tail_log_probabilities(decoder, batch, tails, job).await?;
            parts.push(rest.reshape([n_items, n_choices, tail]));
        }
        let mut counts = Vec::with_capacity(n_items * n_choices * longest);
        for item in 0..n_items {
            for choice in 0..n_choices {
                let scored = (0..longest).map(|index| batch.is_scored(item, choice, index));
                counts.extend(scored.map(|scored| f32::from(u8::from(scored))));
            }
        }
        let data = TensorData::new(counts, [n_items, n_choices, longest]);
        Ok(Tensor::cat(parts, 2) * Tensor::<3>::from_data(data, decoder.device()))
    }

    /// The log-probability of each scored token on the host, `[items][choices][tokens]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when the device cannot be read or gave a value that is no number,
    /// [`ModelError::Cancelled`].
    pub async fn read_log_probabilities(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        job: Job<'_>,
    ) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let (n_choices, longest) = (batch.n_choices().max(1), batch.longest().max(1));
        let values = read(self.log_probabilities(decoder, batch, job).await?).await?;
        let of_item = |(item, values): (usize, &[f32])| {
            let own = batch.choices.get(item).map_or(0, Vec::len);
            let scored = |(choice, row): (usize, &[f32])| {
                let kept = row.iter().enumerate();
                kept.filter(|(index, _)| batch.is_scored(item, choice, *index))
                    .map(|(_, value)| *value)
                    .collect()
            };
            values
                .chunks(longest)
                .take(own)
                .enumerate()
                .map(scored)
                .collect()
        };
        Ok(values
            .chunks(n_choices * longest)
            .enumerate()
            .map(of_item)
            .collect())
    }
}

/// Log-probabilities of the choices' tokens after their first, `[items, choices · tail]`.
async fn tail_log_probabilities(
    decoder: &Decoder,
    batch: &Batch,
    tails: &Run,
    job: Job<'_>,
) -> Result<Tensor<2>, ModelError> {
    let (n_items, n_choices) = (batch.items.len(), batch.n_choices());
    let tail = tails.geometry.tail;
    let positions = n_choices * tail;
    let ids: Vec<u32> = (0..n_items * positions)
        .map(|slot| {
            let (item, position) = (slot / positions, slot % positions);
            let token = batch.token(item, position / tail, position % tail + 1);
            token.unwrap_or(0)
        })
        .collect();
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
        parts.push(log_probabilities_of(logits, &part)?);
    }
    Ok(Tensor::cat(parts, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(prompt: Vec<u32>) -> Encoded {
        Encoded {
            prompt,
            choices: vec![vec![1], vec![2]],
            scored_from: vec![0, 0],
            extents: Vec::new(),
        }
    }

    fn after(shared: u32, rest: &[u32]) -> Encoded {
        encoded(
            (0..shared)
                .map(|id| id + 100)
                .chain(rest.iter().copied())
                .collect(),
        )
    }

    #[test]
    fn prompts_that_begin_alike_share_their_beginning() {
        let items = [
            after(20, &[1, 2]),
            encoded(vec![7, 8]),
            after(20, &[3]),
            after(20, &[1, 5, 6]),
        ];
        assert_eq!(sharing(&items), [(20, vec![0, 2, 3]), (0, vec![1])]);
    }

    #[test]
    fn a_beginning_of_few_tokens_is_not_worth_a_run() {
        let items = [after(15, &[1]), after(15, &[2])];
        assert_eq!(sharing(&items), [(0, vec![0, 1])]);
    }

    #[test]
    fn equal_prompts_keep_a_token_to_continue_with() {
        let items = [after(20, &[]), after(20, &[])];
        assert_eq!(sharing(&items), [(19, vec![0, 1])]);
    }
}
