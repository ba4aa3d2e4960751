//! Light fine-tuning after pruning: one trained scalar per remaining neuron of one layer ("gains").
//!
//! This project's extension, not part of the paper. Layers up to the tuned one are run once per item and
//! kept; every step is a fork of those runs. A pruned neuron stays exactly zero, because the trained factor
//! is multiplied by the mask.
//!
//! - [`settings`]: how the gains are trained
//! - [`report`]: what came of it
//! - `prepared`: items run up to the tuned layer
//! - this file: the loop

mod prepared;
pub mod report;
pub mod settings;

use burn::optim::{AdamW, AdamWConfig, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::job::{Cancelled, Job};
use crate::model::run::read;
use crate::model::{Decoder, Gains, ModelError};
use crate::pruning::{Mask, PruningError, Trial};
use crate::scoring::metrics::log_sum_exp;
use crate::scoring::{Accuracy, ScoringError, SetScores, SharedRun};

use prepared::Prepared;
pub use report::{StepLoss, TuneCurve, TuneReport, TunedSet, Validation, best_step};
pub use settings::{MAX_STEPS, TuneSettings};

/// Why a tuning could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// A setting is out of range.
    #[error("tuning settings: {0}")]
    Settings(String),
    /// The mask or the items could not be used.
    #[error(transparent)]
    Pruning(#[from] PruningError),
}

impl From<ScoringError> for TuningError {
    fn from(error: ScoringError) -> Self {
        Self::Pruning(error.into())
    }
}

impl From<ModelError> for TuningError {
    fn from(error: ModelError) -> Self {
        Self::Pruning(error.into())
    }
}

impl From<Cancelled> for TuningError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Pruning(cancelled.into())
    }
}

/// What was computed before the training and is no number after some steps of it is owed to the training.
fn diverged(error: TuningError, step: usize) -> TuningError {
    match error {
        TuningError::Pruning(PruningError::Scoring(ScoringError::Model(ModelError::NotFinite))) => {
            TuningError::Settings(format!(
                "step {step} left the finite numbers; take a smaller learning rate or weight decay"
            ))
        }
        other => other,
    }
}

/// The item sets of a tuning.
pub struct TuneSets<'a> {
    /// Items to learn from.
    pub train: Vec<Trial<'a>>,
    /// Items that pick the best state.
    pub validation: Vec<Trial<'a>>,
    /// Items to report on, with their scores without mask or gains.
    pub test: Vec<(Trial<'a>, &'a SetScores)>,
}

/// Trains gains with the mask, and without it for comparison.
///
/// # Errors
///
/// [`TuningError`] for settings out of range, a mask outside the model, or a failing run. A cancelled run is
/// no error once it has been evaluated: the curve says so and keeps its best state.
pub async fn tune(
    sets: &TuneSets<'_>,
    mask: &Mask,
    settings: &TuneSettings,
    seed: u64,
    compare: bool,
    job: Job<'_>,
) -> Result<TuneReport, TuningError> {
    let start = job.now_secs();
    let (Some(first), false) = (sets.train.first(), sets.validation.is_empty()) else {
        return Err(TuningError::Settings(
            "tuning needs items to train on and items to validate on".into(),
        ));
    };
    let model = first.model;
    settings.check(model.config().n_layers)?;
    let mask = mask.clone().checked(model.config())?;
    let unpruned = Mask::empty(mask.site);
    let mut curves = Vec::new();
    for (index, mask) in [&mask, &unpruned].into_iter().enumerate() {
        if index == 1 && !compare {
            break;
        }
        match Tuning::curve(sets, mask, settings, seed, index, job).await {
            // A run that was trained is kept, whenever the next one is stopped.
            Err(error) if is_cancelled(&error) && !curves.is_empty() => break,
            curve => curves.push(curve?),
        }
        if curves.iter().any(|curve| curve.cancelled) {
            break;
        }
    }
    let d_mlp = model.config().d_mlp;
    let pruned_here = mask
        .factors(settings.layer, d_mlp)
        .iter()
        .filter(|f| **f == 0.0)
        .count();
    Ok(TuneReport {
        layer: settings.layer,
        trained_gains: d_mlp - pruned_here,
        curves,
        seconds: job.now_secs() - start,
    })
}

struct Tuning<'a> {
    decoder: &'a Decoder,
    settings: &'a TuneSettings,
    mask: Mask,
    curve: usize,
    train: Vec<Prepared>,
    validation: Vec<Prepared>,
    generator: ChaCha8Rng,
    /// The mask's factors on the tuned layer, `[d_mlp]`.
    keep: Tensor<1>,
}

/// The state of a training run.
struct State {
    /// Gains minus one, `[d_mlp]`.
    delta: Tensor<1>,
    adam: Option<<AdamW as Optimizer>::State<1>>,
}

impl<'a> Tuning<'a> {
    async fn prepare(
        sets: &TuneSets<'a>,
        mask: &Mask,
        settings: &'a TuneSettings,
        seed: u64,
        curve: usize,
        job: Job<'_>,
    ) -> Result<Self, TuningError> {
        let model = sets.train[0].model;
        let decoder = &model.decoder;
        let (config, device) = (model.config(), decoder.device());
        // Pruned neurons of lower layers are in the kept runs already.
        let below = restrict(mask, |layer| layer < settings.layer).gains(config, device);
        let mut train = Vec::new();
        for trial in &sets.train {
            train.extend(Prepared::of(*trial, settings, &below, job).await?);
        }
        let mut validation = Vec::new();
        for trial in &sets.validation {
            validation.extend(Prepared::of(*trial, settings, &below, job).await?);
        }
        let factors = mask.factors(settings.layer, config.d_mlp);
        Ok(Self {
            decoder,
            settings,
            mask: restrict(mask, |layer| layer != settings.layer),
            curve,
            train,
            validation,
            generator: ChaCha8Rng::seed_from_u64(seed),
            keep: Tensor::from_data(TensorData::new(factors, [config.d_mlp]), device),
        })
    }

    /// One run from end to end.
    async fn curve(
        sets: &TuneSets<'a>,
        mask: &Mask,
        settings: &'a TuneSettings,
        seed: u64,
        curve: usize,
        job: Job<'_>,
    ) -> Result<TuneCurve, TuningError> {
        let mut run = Self::prepare(sets, mask, settings, seed, curve, job).await?;
        let mut curve = run.train(job).await?;
        if !curve.cancelled {
            match run.test(&curve.gains, &sets.test, job).await {
                Err(error) if is_cancelled(&error) => curve.cancelled = true,
                tested => curve.sets = tested?,
            }
        }
        Ok(curve)
    }

    async fn train(&mut self, job: Job<'_>) -> Result<TuneCurve, TuningError> {
        let d_mlp = self.decoder.config.d_mlp;
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(self.settings.weight_decay as f32)
            .build();
        let mut state = State {
            delta: Tensor::zeros([d_mlp], self.decoder.device()),
            adam: None,
        };
        let mut curve = TuneCurve {
            pruned: self.curve == 0,
            steps: Vec::new(),
            validation: vec![self.validate(0, &state.delta, job).await?],
            best_step: 0,
            cancelled: false,
            gains: read(self.gains(&state.delta)).await?,
            sets: Vec::new(),
        };
        self.announce(&curve, job);
        let mut queue = Vec::new();
        for step in 1..=self.settings.steps {
            let done = self.step(&mut queue, &optimiser, &mut state, job).await;
            let loss = match done {
                Err(error) if is_cancelled(&error) => {
                    curve.cancelled = true;
                    return Ok(curve);
                }
                other => other.map_err(|error| diverged(error, step))?,
            };
            curve.steps.push(StepLoss { step, loss });
            if step % self.settings.evaluate_every == 0 || step == self.settings.steps {
                let validation = match self.validate(step, &state.delta, job).await {
                    Err(error) if is_cancelled(&error) => {
                        curve.cancelled = true;
                        return Ok(curve);
                    }
                    other => other.map_err(|error| diverged(error, step))?,
                };
                if curve
                    .validation
                    .iter()
                    .all(|earlier| validation.beats(earlier))
                {
                    curve.best_step = step;
                    curve.gains = read(self.gains(&state.delta)).await?;
                }
                curve.validation.push(validation);
            }
            self.announce(&curve, job);
        }
        Ok(curve)
    }

    fn announce(&self, curve: &TuneCurve, job: Job<'_>) {
        let step = curve.steps.last().map_or(0, |last| last.step);
        let validation = curve.validation.last().filter(|last| last.step == step);
        let detail = json!({
            "curve": self.curve,
            "step": step,
            "loss": curve.steps.last().map(|last| last.loss),
            "validation": validation.map(|last| last.accuracy),
            "validation_loss": validation.map(|last| last.loss),
        });
        job.progress_with("tuning", step, self.settings.steps, Some(detail));
    }

    /// One optimiser step over the next items, in a seeded order; the mean loss. Items whose prompts are of one length go
    /// together: a step has at most `batch_size` of them, and fewer where the next ones would be too many, or where all
    /// have had their turn.
    async fn step(
        &mut self,
        queue: &mut Vec<usize>,
        optimiser: &AdamW,
        state: &mut State,
        job: Job<'_>,
    ) -> Result<f64, TuningError> {
        if queue.is_empty() {
            queue.extend(0..self.train.len());
            queue.shuffle(&mut self.generator);
        }
        let mut chosen = Vec::new();
        let mut n_items = 0;
        while let Some(&next) = queue.last() {
            let more = self.train[next].gold.len();
            if n_items > 0 && n_items + more > self.settings.batch_size {
                break;
            }
            queue.pop();
            n_items += more;
            chosen.push(next);
        }
        let mut gradient: Option<Tensor<1>> = None;
        let mut total = 0.0;
        for index in chosen {
            job.checkpoint().await?;
            let prepared = &self.train[index];
            let delta = state.delta.clone().autodiff().require_grad();
            let loss = self
                .loss(prepared, &delta, job)
                .await?
                .sum()
                .div_scalar(n_items as f32);
            let mut gradients = loss.backward();
            total += f64::from(read(loss.inner()).await?[0]);
            let part = delta
                .grad_remove(&mut gradients)
                .ok_or_else(|| ModelError::Device("no gradient reached the gains".into()))?;
            gradient = Some(match gradient {
                Some(sum) => sum + part,
                None => part,
            });
        }
        if let Some(gradient) = gradient {
            let (delta, adam) = optimiser.step(
                self.settings.learning_rate,
                state.delta.clone(),
                gradient,
                state.adam.take(),
            );
            (state.delta, state.adam) = (delta, adam);
        }
        Ok(total)
    }

    /// The factors in force: the mask times one plus the trained part.
    fn gains(&self, delta: &Tensor<1>) -> Tensor<1> {
        delta.clone().add_scalar(1.0) * self.keep.clone()
    }

    fn all_gains(&self, of_layer: Tensor<1>) -> Gains {
        let config = &self.decoder.config;
        let mut gains = self.mask.gains(config, self.decoder.device());
        gains.insert(self.settings.layer, of_layer);
        gains
    }

    async fn log_likelihoods(
        &self,
        prepared: &Prepared,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Tensor<2>, TuningError> {
        let above = restrict(&self.mask, |layer| layer > self.settings.layer);
        let mut gains = above.gains(&self.decoder.config, self.decoder.device());
        gains.insert(self.settings.layer, self.gains(delta));
        let (decoder, batch) = (self.decoder, &prepared.batch);
        // The gains are others at every step.
        let mut shared = SharedRun::default();
        let fork = prepared.run.fork(decoder, batch, &gains, &mut shared, job);
        Ok(fork.await?.log_likelihoods(decoder, batch, job).await?)
    }

    /// Cross-entropy of every item, `[items, 1]`.
    async fn loss(
        &self,
        prepared: &Prepared,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Tensor<2>, TuningError> {
        let log_likelihoods = self.log_likelihoods(prepared, delta, job).await?;
        let normalised = log_softmax(log_likelihoods + prepared.padding.clone(), 1);
        Ok((normalised * prepared.gold_mask.clone()).sum_dim(1).neg())
    }

    async fn validate(
        &self,
        step: usize,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Validation, TuningError> {
        let (mut correct, mut total, mut loss) = (0, 0, 0.0);
        for prepared in &self.validation {
            let sums = self.log_likelihoods(prepared, delta, job).await? + prepared.padding.clone();
            let width = sums.dims()[1];
            for (row, &gold) in read(sums).await?.chunks(width).zip(&prepared.gold) {
                let row: Vec<f64> = row.iter().map(|&value| value.into()).collect();
                let predicted = crate::model::run::arg_max(row.iter().copied());
                correct += usize::from(predicted == gold);
                loss += log_sum_exp(&row) - row[gold];
                total += 1;
            }
        }
        Ok(Validation {
            step,
            accuracy: Accuracy::wilson(correct, total),
            loss: loss / f64::from(total as u32).max(1.0),
        })
    }

    /// The test sets at some gains of the layer.
    async fn test(
        &self,
        gains: &[f32],
        test: &[(Trial<'_>, &SetScores)],
        job: Job<'_>,
    ) -> Result<Vec<TunedSet>, TuningError> {
        let device: &Device = self.decoder.device();
        let data = TensorData::new(gains.to_vec(), [gains.len()]);
        let gains = self.all_gains(Tensor::from_data(data, device));
        let mut sets = Vec::with_capacity(test.len());
        for (trial, before) in test {
            let scores = trial
                .under_each(std::slice::from_ref(&gains), |_| {}, job)
                .await?;
            sets.extend(scores.first().map(|after| TunedSet {
                set: trial.set.to_owned(),
                before: before.accuracy_by(trial.rule),
                after: after.accuracy_by(trial.rule),
            }));
        }
        Ok(sets)
    }
}

fn is_cancelled(error: &TuningError) -> bool {
    matches!(
        error,
        TuningError::Pruning(PruningError::Scoring(ScoringError::Model(
            ModelError::Cancelled(_)
        )))
    )
}

fn restrict(mask: &Mask, keep: impl Fn(usize) -> bool) -> Mask {
    let mut mask = mask.clone();
    mask.layers.retain(|layer| keep(layer.layer));
    mask
}
