//! Light fine-tuning after pruning: one trained scalar per remaining neuron of one layer ("gains").
//!
//! This project's extension, not part of the paper. Layers up to the tuned one are run once per item and
//! kept; every step is a fork of those runs. A pruned neuron keeps exactly the mask's factor, because it
//! gets no gain.
//!
//! - [`settings`]: how the gains are trained
//! - [`report`]: what came of it
//! - `prepared`: items run up to the tuned layer
//! - this file: the loop

mod prepared;
pub mod report;
pub mod settings;

use std::collections::BTreeMap;

use burn::optim::{AdamW, AdamWConfig, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::job::Job;
use crate::model::run::read;
use crate::model::{Decoder, Edit, ModelError, upload};
use crate::pruning::{Mask, Trial};
use crate::scoring::metrics::log_sum_exp;
use crate::scoring::{Accuracy, BatchRun, Encoded, RunError, SetScores, encode};

use prepared::Prepared;
pub use report::{StepLoss, TuneCurve, TuneDetail, TuneReport, TunedSet, Validation, best_step};
use settings::refused;
pub use settings::{MAX_STEPS, TuneSettings};

/// What was computed before the training and is no number after some steps of it is owed to the training.
fn diverged(error: RunError, step: usize) -> RunError {
    match error.of_model() {
        Some(ModelError::NotFinite) => refused(format!(
            "the training left the finite numbers by step {step}; take a smaller learning rate or weight decay"
        )),
        _ => error,
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
/// [`RunError`] for settings out of range, a mask outside the model, or a failing run. A cancelled run is
/// no error once it has been evaluated: the curve says so and keeps its best state.
pub async fn tune(
    sets: &TuneSets<'_>,
    mask: &Mask,
    settings: &TuneSettings,
    seed: u64,
    compare: bool,
    job: Job<'_>,
) -> Result<TuneReport, RunError> {
    let start = job.now_secs();
    let (Some(first), false) = (sets.train.first(), sets.validation.is_empty()) else {
        return Err(refused(
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
            Err(error) if error.is_cancelled() && !curves.is_empty() => break,
            curve => curves.push(curve?),
        }
        if curves.iter().any(|curve| curve.cancelled) {
            break;
        }
    }
    let d_mlp = model.config().d_mlp;
    let pruned = mask.neurons();
    let pruned_here = pruned
        .filter(|neuron| neuron.layer == settings.layer)
        .count();
    Ok(TuneReport {
        layer: settings.layer,
        trained_gains: d_mlp - pruned_here,
        curves,
        seconds: job.now_secs() - start,
    })
}

/// Items that are always in one step, each by its place: of the prepared items, and among those.
type Group = Vec<(usize, usize)>;

/// Items whose prompts are of one length in groups of at most `batch_size`. How they are run, which differs from device to
/// device, has no say in what a step is made of. `first` is the place of the first of these prepared items among all.
fn together(
    encoded: &[Encoded],
    prepared: &[Prepared],
    first: usize,
    batch_size: usize,
) -> Vec<Group> {
    let mut items = Vec::new();
    for (place, prepared) in (first..).zip(prepared) {
        for (row, &item) in prepared.batch.items.iter().enumerate() {
            items.push((encoded[item].prompt.len(), item, (place, row)));
        }
    }
    items.sort_unstable();
    items
        .chunk_by(|(one, ..), (next, ..)| one == next)
        .flat_map(|of_length| of_length.chunks(batch_size))
        .map(|group| group.iter().map(|(.., place)| *place).collect())
        .collect()
}

struct Tuning<'a> {
    decoder: &'a Decoder,
    settings: &'a TuneSettings,
    mask: Mask,
    curve: usize,
    train: Vec<Prepared>,
    groups: Vec<Group>,
    validation: Vec<Prepared>,
    generator: ChaCha8Rng,
    /// The mask's factors on the tuned layer, `[d_mlp]`.
    keep: Tensor<1>,
    /// 1 for the neurons of that layer that get a gain, and 0 for the pruned, `[d_mlp]`.
    trained: Tensor<1>,
}

/// The state of a training run.
struct State {
    /// Gains minus one, `[d_mlp]`.
    delta: Tensor<1>,
    adam: Option<<AdamW as Optimizer>::State<1>>,
    /// Mean loss of every step since the last evaluation, `[1]` each: they stay on the device until then, since waiting for
    /// a GPU takes as long as a step.
    losses: Vec<Tensor<1>>,
}

impl State {
    /// Reads those losses.
    async fn take_losses(&mut self) -> Result<Vec<f64>, RunError> {
        if self.losses.is_empty() {
            return Ok(Vec::new());
        }
        let losses = read(Tensor::cat(std::mem::take(&mut self.losses), 0)).await?;
        Ok(losses.into_iter().map(f64::from).collect())
    }
}

impl<'a> Tuning<'a> {
    async fn prepare(
        sets: &TuneSets<'a>,
        mask: &Mask,
        settings: &'a TuneSettings,
        seed: u64,
        curve: usize,
        job: Job<'_>,
    ) -> Result<Self, RunError> {
        let model = sets.train[0].model;
        let decoder = &model.decoder;
        let (config, device) = (model.config(), decoder.device());
        // Pruned neurons of lower layers are in the kept runs already.
        let below = restrict(mask, |layer| layer < settings.layer).edit(config, device);
        let mut train = Vec::new();
        let mut groups = Vec::new();
        for trial in &sets.train {
            let encoded = encode(trial.model, trial.items, trial.prompts)?;
            let prepared = Prepared::of(*trial, &encoded, settings, &below, job).await?;
            groups.extend(together(
                &encoded,
                &prepared,
                train.len(),
                settings.batch_size,
            ));
            train.extend(prepared);
        }
        let mut validation = Vec::new();
        for trial in &sets.validation {
            let encoded = encode(trial.model, trial.items, trial.prompts)?;
            validation.extend(Prepared::of(*trial, &encoded, settings, &below, job).await?);
        }
        let factors = mask.factors(settings.layer, config.d_mlp);
        let mut trained = vec![1f32; config.d_mlp];
        for neuron in mask
            .neurons()
            .filter(|neuron| neuron.layer == settings.layer)
        {
            trained[neuron.index] = 0.0;
        }
        let tensor = |values| upload::numbers(values, [config.d_mlp], device);
        Ok(Self {
            decoder,
            settings,
            mask: mask.clone(),
            curve,
            train,
            groups,
            validation,
            generator: ChaCha8Rng::seed_from_u64(seed),
            keep: tensor(factors),
            trained: tensor(trained),
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
    ) -> Result<TuneCurve, RunError> {
        let mut run = Self::prepare(sets, mask, settings, seed, curve, job).await?;
        let mut curve = run.train(job).await?;
        if !curve.cancelled {
            match run.test(&curve.gains, &sets.test, job).await {
                Err(error) if error.is_cancelled() => curve.cancelled = true,
                tested => curve.sets = tested?,
            }
        }
        Ok(curve)
    }

    async fn train(&mut self, job: Job<'_>) -> Result<TuneCurve, RunError> {
        let d_mlp = self.decoder.config.d_mlp;
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(self.settings.weight_decay as f32)
            .build();
        let mut state = State {
            delta: Tensor::zeros([d_mlp], self.decoder.device()),
            adam: None,
            losses: Vec::new(),
        };
        let mut best = state.delta.clone();
        let mut curve = TuneCurve {
            pruned: self.curve == 0,
            steps: Vec::new(),
            validation: vec![self.validate(0, &state.delta, job).await?],
            best_step: 0,
            cancelled: false,
            gains: Vec::new(),
            sets: Vec::new(),
        };
        self.announce(&curve, 0, job);
        let mut queue = Vec::new();
        for step in 1..=self.settings.steps {
            let is_evaluated =
                step % self.settings.evaluate_every == 0 || step == self.settings.steps;
            let trained = self.step(&mut queue, &optimiser, &mut state, job).await;
            let validation = match trained {
                Ok(()) if is_evaluated => self.validate(step, &state.delta, job).await.map(Some),
                trained => trained.map(|()| None),
            };
            let validation = match validation {
                Err(error) if error.is_cancelled() => {
                    curve.cancelled = true;
                    break;
                }
                other => other.map_err(|error| diverged(error, step))?,
            };
            if let Some(validation) = validation {
                let losses = state.take_losses().await;
                curve.extend(losses.map_err(|error| diverged(error, step))?);
                let earlier = &curve.validation;
                if earlier.iter().all(|earlier| validation.beats(earlier)) {
                    curve.best_step = step;
                    best = state.delta.clone();
                }
                curve.validation.push(validation);
            }
            self.announce(&curve, step, job);
        }
        match state.take_losses().await {
            // Losses of steps that were to be looked at later; the best state is from before.
            Err(RunError::Model(ModelError::NotFinite)) if curve.cancelled => {}
            losses => curve.extend(losses?),
        }
        curve.gains = read(self.gains(&best)).await?;
        Ok(curve)
    }

    fn announce(&self, curve: &TuneCurve, step: usize, job: Job<'_>) {
        let validation = curve.validation.last().filter(|last| last.step == step);
        let loss = curve.steps.last().filter(|last| last.step == step);
        let detail = TuneDetail {
            curve: self.curve,
            step,
            loss: loss.map(|last| last.loss),
            validation: validation.map(|last| last.accuracy),
            validation_loss: validation.map(|last| last.loss),
        };
        let detail = serde_json::to_value(detail).ok();
        job.progress_with("tuning", step, self.settings.steps, detail);
    }

    /// One optimiser step over the next items, in a seeded order. Items whose prompts are of one length go
    /// together: a step has at most `batch_size` of them, and fewer where the next ones would be too many, or where all
    /// have had their turn.
    async fn step(
        &mut self,
        queue: &mut Vec<usize>,
        optimiser: &AdamW,
        state: &mut State,
        job: Job<'_>,
    ) -> Result<(), RunError> {
        if queue.is_empty() {
            queue.extend(0..self.groups.len());
            queue.shuffle(&mut self.generator);
        }
        let mut chosen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut n_items = 0;
        while let Some(&next) = queue.last() {
            let group = &self.groups[next];
            if n_items > 0 && n_items + group.len() > self.settings.batch_size {
                break;
            }
            queue.pop();
            n_items += group.len();
            for &(prepared, item) in group {
                chosen.entry(prepared).or_default().push(item);
            }
        }
        let mut gradient: Option<Tensor<1>> = None;
        let mut total: Option<Tensor<1>> = None;
        for (index, mut items) in chosen {
            job.checkpoint().await?;
            items.sort_unstable();
            let prepared = &self.train[index].select(&items);
            let delta = state.delta.clone().autodiff().require_grad();
            let loss = self
                .loss(prepared, &delta, job)
                .await?
                .sum()
                .div_scalar(n_items as f32);
            let mut gradients = loss.backward();
            let loss = loss.inner();
            total = Some(match total {
                Some(sum) => sum + loss,
                None => loss,
            });
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
        state.losses.extend(total);
        Ok(())
    }

    /// The factors in force: the mask's, and beside the pruned neurons one plus the trained part.
    fn gains(&self, delta: &Tensor<1>) -> Tensor<1> {
        delta.clone() * self.trained.clone() + self.keep.clone()
    }

    fn all_gains(&self, of_layer: Tensor<1>) -> Edit {
        let config = &self.decoder.config;
        let of_mask = self.mask.edit(config, self.decoder.device());
        of_mask.scale(self.settings.layer, of_layer)
    }

    async fn log_likelihoods(
        &self,
        prepared: &Prepared,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Tensor<2>, RunError> {
        let from_here = restrict(&self.mask, |layer| layer >= self.settings.layer);
        let from_here = from_here.edit(&self.decoder.config, self.decoder.device());
        let edit = from_here.scale(self.settings.layer, self.gains(delta));
        let (decoder, run) = (self.decoder, std::slice::from_ref(&prepared.run));
        let tops = BatchRun::fork(run, decoder, &[edit], job).await?;
        let top = tops
            .first()
            .ok_or_else(|| ModelError::Device("no fork".into()))?;
        Ok(top.log_likelihoods(decoder, &prepared.batch, job).await?)
    }

    /// Cross-entropy of every item, `[items, 1]`.
    async fn loss(
        &self,
        prepared: &Prepared,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Tensor<2>, RunError> {
        let log_likelihoods = self.log_likelihoods(prepared, delta, job).await?;
        let normalised = log_softmax(log_likelihoods + prepared.padding.clone(), 1);
        Ok((normalised * prepared.gold_mask.clone()).sum_dim(1).neg())
    }

    async fn validate(
        &self,
        step: usize,
        delta: &Tensor<1>,
        job: Job<'_>,
    ) -> Result<Validation, RunError> {
        let mut sums = Vec::with_capacity(self.validation.len());
        for prepared in &self.validation {
            let sum = self.log_likelihoods(prepared, delta, job).await? + prepared.padding.clone();
            sums.push(sum.flatten::<1>(0, 1));
        }
        let sums = read(Tensor::cat(sums, 0)).await?;
        let mut rest = sums.as_slice();
        let (mut correct, mut total, mut loss) = (0, 0, 0.0);
        for prepared in &self.validation {
            let [items, width] = prepared.padding.dims();
            let (own, others) = rest.split_at(items * width);
            rest = others;
            for (row, &gold) in own.chunks(width).zip(&prepared.gold) {
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
    ) -> Result<Vec<TunedSet>, RunError> {
        let device: &Device = self.decoder.device();
        let gains = self.all_gains(upload::numbers(gains.to_vec(), [gains.len()], device));
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

fn restrict(mask: &Mask, keep: impl Fn(usize) -> bool) -> Mask {
    let mut mask = mask.clone();
    mask.layers.retain(|layer| keep(layer.layer));
    mask
}
