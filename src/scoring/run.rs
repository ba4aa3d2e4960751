//! A batch's run: what its prompts share, the prompts, and the choices' tokens, each continuing the one before.
//!
//! Items whose prompts begin with the same tokens, such as shots or a passage, share the run of that beginning: it is
//! run once, the rests of the prompts continue it side by side, and the choices continue those.

use burn::tensor::Tensor;

use super::batch::Batch;
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Capture, Decoder, Edit, Link, ModelError, Run, upload};

/// The run of what the last batch shared, under one edit: batches of one beginning follow each other.
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
    /// Where the prompts end.
    ends: Ends,
}

/// Where the prompts of a batch end: at the last position, but for those that share a beginning and are shorter than others, whose
/// padding comes after them.
#[derive(Clone)]
struct Ends {
    /// Positions after the end of each prompt, `[items]`.
    after: Vec<usize>,
}

impl Ends {
    /// How many of the last positions some prompt ends at, or one before.
    fn positions(&self) -> usize {
        1 + self.after.iter().max().copied().unwrap_or(0)
    }

    /// The residual stream where each prompt ends, `[forks · items, d_model]`, of a run that has all those positions.
    fn of(&self, run: &Run) -> Tensor<2> {
        let positions = self.positions();
        let x = rows(run.last_resids(positions));
        if positions == 1 {
            return x;
        }
        let forks = x.dims()[0] / (positions * self.after.len());
        let prompts = self.after.iter().cycle().take(forks * self.after.len());
        let ends = (1..).zip(prompts);
        let places: Vec<i32> = ends
            .map(|(count, after)| (count * positions - 1 - after) as i32)
            .collect();
        let shape = [places.len()];
        let places = upload::places(places, shape, &x.device());
        x.select(0, places)
    }

    fn select(&self, items: &[usize]) -> Self {
        Self {
            after: items.iter().map(|&item| self.after[item]).collect(),
        }
    }
}

impl BatchRun {
    /// Runs a batch from the bottom. `shared` is kept from batch to batch under the same edit and capture.
    ///
    /// # Errors
    ///
    /// As [`Decoder::base_run`].
    pub async fn new(
        decoder: &Decoder,
        batch: &Batch,
        edit: &Edit,
        capture: Capture,
        shared: &mut SharedRun,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let shared = match batch.shared.as_slice() {
            [] => None,
            tokens => {
                let prompt = [tokens];
                let run = decoder.base_run(&prompt, edit, capture, job);
                Some(shared.of(tokens, run).await?)
            }
        };
        let base = match &shared {
            Some(shared) => {
                let rests = [batch.filled()];
                decoder
                    .continue_run(shared, &rests, edit, capture, job)
                    .await?
            }
            None => {
                let prompts: Vec<&[u32]> = batch.prompts.iter().map(Vec::as_slice).collect();
                decoder.base_run(&prompts, edit, capture, job).await?
            }
        };
        let tails = match batch.tails() {
            Some(tails) => {
                let prompts = base.joined(shared.as_ref());
                let run = decoder.continue_run(&prompts, &tails, edit, capture, job);
                Some(run.await?)
            }
            None => None,
        };
        // Prompts that share nothing are padded before their beginning, and end together.
        let after = match &shared {
            Some(_) => batch.missing(),
            None => vec![0; batch.items.len()],
        };
        Ok(Self {
            shared,
            base,
            tails,
            ends: Ends { after },
        })
    }

    /// Tokens that a fork of this run computes.
    pub fn tokens(&self) -> usize {
        let parts = self.shared.iter().chain([&self.base]).chain(&self.tails);
        parts.map(|run| run.geometry.tokens()).sum()
    }

    /// The same for forks alone, which need no keys and values of its prompts.
    pub fn for_forks_alone(self) -> Self {
        Self {
            base: self.base.for_forks_alone(),
            tails: self.tails.map(Run::for_forks_alone),
            ..self
        }
    }

    /// Of some of the batch's items, for forks alone.
    pub fn select(&self, batch: &Batch, items: &[usize]) -> Self {
        let select = |run: &Run| run.select(batch.items.len(), items);
        Self {
            shared: self.shared.clone(),
            base: select(&self.base),
            tails: self.tails.as_ref().map(select),
            ends: self.ends.select(items),
        }
    }

    /// What this run's choices are read from.
    pub fn top(&self) -> Top {
        self.top_of(1, &self.base, self.tails.as_ref())
    }

    /// Forks runs under each of `edits`, all of them together. Runs of batches that share a beginning share its forks, too;
    /// each of `runs` must share the same one.
    ///
    /// # Errors
    ///
    /// As [`Decoder::fork`].
    pub async fn fork(
        runs: &[Self],
        decoder: &Decoder,
        edits: &[Edit],
        job: Job<'_>,
    ) -> Result<Vec<Top>, ModelError> {
        let beginning = runs.first().and_then(|first| first.shared.as_ref());
        let beginning = beginning.map(|run| Link::first(run).reading(1));
        let mut links: Vec<Link<'_>> = beginning.into_iter().collect();
        for run in runs {
            let prompts = Link::first(&run.base).reading(run.ends.positions());
            let place = links.len();
            links.push(match beginning {
                Some(_) => prompts.after(0),
                None => prompts,
            });
            let tails = run.tails.as_ref().map(Link::first);
            links.extend(tails.map(|tails| tails.after(place)));
        }
        let mut forks = decoder.fork(&links, edits, job).await?.into_iter();
        if beginning.is_some() {
            forks.next();
        }
        let mut tops = Vec::with_capacity(runs.len());
        for run in runs {
            let base = forks.next();
            let tails = run.tails.as_ref().and_then(|_| forks.next());
            let base = base.ok_or_else(|| ModelError::Config("a fork is missing".into()))?;
            tops.push(run.top_of(edits.len(), &base, tails.as_ref()));
        }
        Ok(tops)
    }

    /// Of this run, or of some forks of it.
    fn top_of(&self, forks: usize, base: &Run, tails: Option<&Run>) -> Top {
        Top {
            forks,
            prompts: self.ends.of(base),
            tails: tails.map(|tails| rows(tails.resid_final.clone())),
        }
    }
}

/// What the log-probabilities of a batch's choices are read from: the residual streams above the last block, of one run
/// or of several forks one after another.
pub struct Top {
    forks: usize,
    /// Where every prompt ends, `[forks · items, d_model]`.
    prompts: Tensor<2>,
    /// At the choices' tokens but the last, `[forks · items · choices · tail, d_model]`; `None` when every choice is
    /// one token.
    tails: Option<Tensor<2>>,
}

impl Top {
    /// Summed log-likelihood of every choice, `[forks · items, choices]`; choices beyond an item's own are padding.
    /// Differentiable where the run is.
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
        let [rows, n_choices, _] = tokens.dims();
        Ok(tokens.sum_dim(2).reshape([rows, n_choices]))
    }

    /// Log-probability of every scored token, `[forks · items, choices, tokens of the longest choice]`; 0 for the others.
    async fn log_probabilities(
        &self,
        decoder: &Decoder,
        batch: &Batch,
        job: Job<'_>,
    ) -> Result<Tensor<3>, ModelError> {
        let (n_items, n_choices, longest) = (batch.items.len(), batch.n_choices, batch.longest);
        let rows = self.forks * n_items;
        // Of every choice of every item, the tokens that some positions predict.
        let tokens_at = |positions: std::ops::Range<usize>| {
            let mut ids = Vec::with_capacity(rows * n_choices * positions.len());
            for item in (0..rows).map(|row| row % n_items) {
                for choice in 0..n_choices {
                    let token = |index| batch.token(item, choice, index).unwrap_or(0);
                    ids.extend(positions.clone().map(token));
                }
            }
            ids
        };
        let first = log_probabilities(decoder, &self.prompts, &tokens_at(0..1), job).await?;
        let mut parts = vec![first.reshape([rows, n_choices, 1])];
        if let Some(tails) = &self.tails {
            let rest = log_probabilities(decoder, tails, &tokens_at(1..longest), job).await?;
            parts.push(rest.reshape([rows, n_choices, longest - 1]));
        }
        let mut counts = Vec::with_capacity(n_items * n_choices * longest);
        for item in 0..n_items {
            for choice in 0..n_choices {
                let scored = (0..longest).map(|index| batch.is_scored(item, choice, index));
                counts.extend(scored.map(|scored| f32::from(u8::from(scored))));
            }
        }
        let width = n_items * n_choices * longest;
        let counts = upload::numbers(counts, [1, width], decoder.device());
        Ok(
            (Tensor::cat(parts, 2).reshape([self.forks, width]) * counts)
                .reshape([rows, n_choices, longest]),
        )
    }

    /// The log-probability of each scored token on the host, `[forks][items][choices][tokens]`.
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
    ) -> Result<Vec<Vec<Vec<Vec<f32>>>>, ModelError> {
        let (n_items, n_choices) = (batch.items.len().max(1), batch.n_choices.max(1));
        let longest = batch.longest.max(1);
        let values = read(self.log_probabilities(decoder, batch, job).await?).await?;
        let of_item = |(item, values): (usize, &[f32])| {
            let own = batch.choices.get(item).map_or(0, Vec::len);
            let scored = |(choice, row): (usize, &[f32])| {
                let kept = row.iter().enumerate();
                kept.filter(|(index, _)| batch.is_scored(item, choice, *index))
                    .map(|(_, value)| *value)
                    .collect()
            };
            let choices = values.chunks(longest).take(own).enumerate();
            choices.map(scored).collect()
        };
        let of_fork = |values: &[f32]| {
            let items = values.chunks(n_choices * longest).enumerate();
            items.map(of_item).collect()
        };
        let forks = values.chunks(n_items * n_choices * longest);
        Ok(forks.map(of_fork).collect())
    }
}

/// `[batch, rows, d_model]` as `[batch · rows, d_model]`.
fn rows(x: Tensor<3>) -> Tensor<2> {
    let [a, b, d_model] = x.dims();
    x.reshape([a * b, d_model])
}

/// Log-probabilities of tokens at rows of the residual stream: `[rows, d_model]` and ids `[rows · k]` give `[rows, k]`.
async fn log_probabilities(
    decoder: &Decoder,
    rows: &Tensor<2>,
    ids: &[u32],
    job: Job<'_>,
) -> Result<Tensor<2>, ModelError> {
    let n_rows = rows.dims()[0];
    let k = ids.len() / n_rows.max(1);
    let normed = decoder.final_norm(rows.clone().unsqueeze::<3>());
    let step = decoder.logits_at_once();
    let mut parts = Vec::new();
    for from in (0..n_rows).step_by(step) {
        job.checkpoint().await?;
        let width = step.min(n_rows - from);
        let part = normed.clone().narrow(1, from, width);
        let ids = &ids[from * k..(from + width) * k];
        parts.push(decoder.log_probabilities(part, ids)?.reshape([width, k]));
    }
    Ok(Tensor::cat(parts, 0))
}
