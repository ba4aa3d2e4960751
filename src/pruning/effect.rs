//! What a mask does: every item before and after, against random masks of the same size.

use serde::{Deserialize, Serialize};

use super::Trial;
use super::mask::Mask;
use super::means::Means;
use super::selection::{random_like, rank_of};
use crate::attribution::Attribution;
use crate::job::Job;
use crate::model::{Neuron, Site};
use crate::scoring::paired::flips;
use crate::scoring::{Accuracy, Flip, Paired, RunError, SetScores};

/// One set before and after.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PrunedSet {
    /// The set's name.
    pub set: String,
    /// Accuracy without the mask.
    pub before: Accuracy,
    /// Scores with it.
    pub after: SetScores,
    /// Items whose prediction changed.
    pub flipped: Vec<Flip>,
    /// Right and wrong before and after, and whether the change may be chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
}

impl PrunedSet {
    /// What of it a mask's file keeps.
    pub fn effect(&self) -> SetEffect {
        let right = self.after.items.iter().filter(|item| item.correct);
        SetEffect {
            set: self.set.clone(),
            before: self.before,
            after: Accuracy::wilson(right.count(), self.after.items.len()),
            flipped: self.flipped.len(),
        }
    }
}

/// A set's accuracy before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetEffect {
    /// The set's name.
    pub set: String,
    /// Without the mask.
    pub before: Accuracy,
    /// With it.
    pub after: Accuracy,
    /// Items whose prediction changed.
    pub flipped: usize,
}

/// A mask's effect on some sets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PruneReport {
    /// The mask.
    pub mask: Mask,
    /// Neurons it prunes.
    pub neurons: usize,
    /// The sets.
    pub sets: Vec<PrunedSet>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Tries a mask on sets whose scores without it are known.
///
/// # Errors
///
/// [`RunError`] for a mask outside the model, or when a run fails or is cancelled.
pub async fn prune(
    trials: &[(Trial<'_>, &SetScores)],
    mask: Mask,
    job: Job<'_>,
) -> Result<PruneReport, RunError> {
    let start = job.now_secs();
    let total: usize = trials.iter().map(|(trial, _)| trial.items.len()).sum();
    let mut done = 0;
    let mut mask = mask;
    let mut sets = Vec::with_capacity(trials.len());
    for (trial, before) in trials {
        mask = mask.checked(trial.model.config())?;
        let edit = mask.edit(trial.model.config(), trial.model.decoder.device());
        let note = |items| job.progress("pruning", done + items, total);
        let after = trial.under_each(&[edit], note, job).await?.pop();
        done += trial.items.len();
        let after = after.ok_or_else(|| RunError::Settings("no result".into()))?;
        sets.push(PrunedSet {
            set: trial.set.to_owned(),
            before: before.accuracy_by(trial.rule),
            flipped: flips(&before.items, &after.items),
            paired: Some(Paired::of(&before.items, &after.items)),
            after,
        });
    }
    Ok(PruneReport {
        neurons: mask.n_neurons(),
        mask,
        sets,
        seconds: job.now_secs() - start,
    })
}

/// Accuracy of one set under random masks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ControlSet {
    /// The set's name.
    pub set: String,
    /// Accuracy under each random mask.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their minimum.
    pub min: f64,
    /// Their maximum.
    pub max: f64,
    /// Accuracy under the mask itself.
    pub mask: f64,
    /// How many random masks do at least as well as the mask.
    pub at_least_as_good: usize,
}

impl ControlSet {
    /// From the accuracy under each random mask, and under the mask itself.
    pub fn new(set: &str, accuracies: Vec<f64>, mask: f64) -> Self {
        Self {
            set: set.to_owned(),
            mean: accuracies.iter().sum::<f64>() / accuracies.len() as f64,
            min: accuracies.iter().copied().fold(f64::INFINITY, f64::min),
            max: accuracies.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            at_least_as_good: accuracies.iter().filter(|value| **value >= mask).count(),
            mask,
            accuracies,
        }
    }
}

/// Random masks of the same size in the same layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ControlReport {
    /// How many.
    pub masks: usize,
    /// Their seed.
    pub seed: u64,
    /// Size of each, per layer.
    pub layers: Vec<ControlLayer>,
    /// The sets.
    pub sets: Vec<ControlSet>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// How many neurons a control draws from a layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ControlLayer {
    /// The layer.
    pub layer: usize,
    /// Neurons drawn.
    pub neurons: usize,
}

/// Most random masks of one control.
pub const MAX_CONTROL_MASKS: usize = 1000;

/// Whether a control may have so many masks.
///
/// # Errors
///
/// [`RunError::Settings`].
pub fn check_control(n_masks: usize) -> Result<(), RunError> {
    match (1..=MAX_CONTROL_MASKS).contains(&n_masks) {
        true => Ok(()),
        false => Err(RunError::Settings(format!(
            "a control takes 1 to {MAX_CONTROL_MASKS} random masks, not {n_masks}"
        ))),
    }
}

/// Tries random masks of the size of `mask` beside it, which change their neurons as it does: to their own `means`, where its
/// operation is `mean`.
///
/// # Errors
///
/// As [`prune`].
pub async fn control(
    trials: &[Trial<'_>],
    mask: Mask,
    (n_masks, seed): (usize, u64),
    means: Option<&Means>,
    job: Job<'_>,
) -> Result<ControlReport, RunError> {
    let start = job.now_secs();
    check_control(n_masks)?;
    let change = mask.change(means)?;
    let items: usize = trials.iter().map(|trial| trial.items.len()).sum();
    let total = items * (n_masks + 1);
    let mut done = 0;
    let mut mask = mask;
    let mut sets = Vec::with_capacity(trials.len());
    for trial in trials {
        let config = trial.model.config();
        mask = mask.checked(config)?;
        let random = (0..n_masks as u64)
            .map(|index| random_like(&mask, config.d_mlp, seed, index).by(change));
        let masks: Vec<Mask> = std::iter::once(Ok(mask.clone()))
            .chain(random)
            .collect::<Result<_, RunError>>()?;
        let mut accuracies = Vec::with_capacity(masks.len());
        for masks in masks.chunks(trial.masks_at_once()) {
            let device = trial.model.decoder.device();
            let edits: Vec<_> = masks.iter().map(|mask| mask.edit(config, device)).collect();
            let note = |scores| job.progress("random control", done + scores, total);
            let scores = trial.under_each(&edits, note, job).await?;
            accuracies.extend(scores.iter().map(|of| of.accuracy_by(trial.rule).value));
            done += trial.items.len() * masks.len();
        }
        let of_mask = accuracies.remove(0);
        sets.push(ControlSet::new(trial.set, accuracies, of_mask));
    }
    Ok(ControlReport {
        masks: n_masks,
        seed,
        layers: mask
            .layers
            .iter()
            .map(|layer| ControlLayer {
                layer: layer.layer,
                neurons: layer.neurons.len(),
            })
            .collect(),
        sets,
        seconds: job.now_secs() - start,
    })
}

/// One neuron: its scores, and what zeroing it does.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NeuronCard {
    /// How it is shown.
    pub address: String,
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// Aggregated score, where there is an attribution.
    pub score: Option<f32>,
    /// Rank among all neurons.
    pub rank: Option<usize>,
    /// Score for each item used.
    pub items: Vec<NeuronItem>,
    /// The exact effect of its activation at zero, at every position.
    pub effect: NeuronEffect,
}

/// A neuron's score for one item.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NeuronItem {
    /// The item's id.
    pub id: String,
    /// Its score.
    pub score: f32,
}

/// What zeroing one neuron does to a set.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NeuronEffect {
    /// The set's name.
    pub set: String,
    /// Accuracy with the neuron.
    pub before: Accuracy,
    /// Accuracy without it.
    pub after: Accuracy,
    /// Mean change of the gold margin, in nats: positive when the model does better without it.
    pub margin_change: f64,
    /// Item by item.
    pub items: Vec<NeuronEffectItem>,
}

/// What zeroing one neuron does to one item.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NeuronEffectItem {
    /// The item's id.
    pub id: String,
    /// Change of the gold margin, in nats.
    pub margin_change: f64,
    /// Prediction with the neuron.
    pub predicted_before: usize,
    /// Prediction without it.
    pub predicted_after: usize,
}

/// Makes a neuron's card.
///
/// # Errors
///
/// As [`prune`].
pub async fn neuron_card(
    trial: Trial<'_>,
    before: &SetScores,
    attribution: Option<&Attribution>,
    neuron: Neuron,
    job: Job<'_>,
) -> Result<NeuronCard, RunError> {
    let mask = Mask::of_layer(Site::Post, neuron.layer, [neuron.index]);
    let report = prune(&[(trial, before)], mask, job).await?;
    let after = report
        .sets
        .into_iter()
        .next()
        .ok_or_else(|| RunError::Settings("no result".into()))?;
    let items: Vec<NeuronEffectItem> = before
        .items
        .iter()
        .zip(&after.after.items)
        .map(|(before, after)| NeuronEffectItem {
            id: before.id.clone(),
            margin_change: after.gold_margin() - before.gold_margin(),
            predicted_before: before.predicted,
            predicted_after: after.predicted,
        })
        .collect();
    let changes = items.iter().map(|item| item.margin_change);
    let scores = attribution
        .map(|a| a.item_scores(neuron))
        .unwrap_or_default();
    let ids = attribution
        .map(|a| a.items_used.as_slice())
        .unwrap_or_default();
    Ok(NeuronCard {
        address: neuron.to_string(),
        neuron,
        score: attribution.and_then(|a| a.score(neuron)),
        rank: attribution.and_then(|a| rank_of(a, neuron)),
        items: ids
            .iter()
            .zip(scores)
            .map(|(used, score)| NeuronItem {
                id: used.id.clone(),
                score,
            })
            .collect(),
        effect: NeuronEffect {
            set: trial.set.to_owned(),
            before: after.before,
            after: after.after.accuracy_by(trial.rule),
            margin_change: changes.sum::<f64>() / items.len().max(1) as f64,
            items,
        },
    })
}
