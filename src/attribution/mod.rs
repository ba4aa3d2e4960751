//! Integrated Gradients for every feed-forward neuron (Sundararajan et al., 2017, along the paths of the
//! pruning paper).
//!
//! Each neuron has a gain `s`, one factor on its activation; the path takes the gains from 0 to 1, and
//! `IG_j = ∫ ∂M/∂s_j dα`. With one layer's gains on the path this is activation times mean gradient; with all
//! layers' together at `gate_pre` it is the integral over the gate rows' weights.
//!
//! - [`settings`]: the choices a user makes, by name, and the presets
//! - [`ablation`]: the exact effect of every neuron, which scores estimate
//! - [`quadrature`]: nodes and weights of the integral
//! - [`integral`]: the integral itself, by a fixed rule or to a tolerance
//! - [`methods`]: scores without gradients, for comparison
//! - [`sweep`]: the forks of all layers in one pass up and one back
//! - [`target`]: the number that is explained

pub mod ablation;
pub mod integral;
pub mod methods;
pub mod quadrature;
pub mod settings;
pub mod sweep;
pub mod target;

use serde::{Deserialize, Serialize};

pub use settings::{IntegrationPath, Positions, Settings, TargetKind};

use crate::items::{Item, Prompts};
use crate::job::{Cancelled, Job};
use crate::model::run::read;
use crate::model::{Capture, Edit, Model, ModelError, Neuron};
use crate::scoring::{ItemScore, ScoringError, batches, encode};
use settings::{Aggregate, Baseline};
use sweep::Sweep;
use target::Target;

/// Why an attribution could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// The settings contradict themselves.
    #[error("attribution settings: {0}")]
    Settings(String),
    /// No item is above the confidence threshold.
    #[error(
        "no item's predicted choice reaches the confidence threshold {threshold} (highest: {highest:.3})"
    )]
    NoConfidentItem {
        /// The threshold.
        threshold: f64,
        /// The most confident item's confidence.
        highest: f64,
    },
    /// The items could not be run.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
}

impl AttributionError {
    /// The model's error, where it is one.
    pub fn of_model(&self) -> Option<&ModelError> {
        match self {
            Self::Scoring(error) => error.of_model(),
            _ => None,
        }
    }

    /// Whether the user stopped the job.
    pub fn is_cancelled(&self) -> bool {
        self.of_model().is_some_and(ModelError::is_cancelled)
    }

    /// Whether the device failed, which no other input mends.
    pub fn is_device_fault(&self) -> bool {
        self.of_model().is_some_and(ModelError::is_device_fault)
    }
}

impl From<ModelError> for AttributionError {
    fn from(error: ModelError) -> Self {
        Self::Scoring(error.into())
    }
}

impl From<Cancelled> for AttributionError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Scoring(cancelled.into())
    }
}

/// Completeness of one layer's attribution, or of the joint path's: `Σ_j IG_j = M(1) − M(0)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerGap {
    /// The layer; none for all layers together, which documents have as −1.
    #[serde(with = "layer_or_all")]
    #[cfg_attr(test, ts(type = "number"))]
    pub layer: Option<usize>,
    /// Mean over the items of `|M(1) − M(0)|`.
    pub difference: f64,
    /// Mean over the items of `|Σ_j IG_j − (M(1) − M(0))|`.
    pub gap: f64,
    /// The largest such gap of an item.
    pub gap_max: f64,
    /// Largest absolute item score of the layer.
    pub max_abs: f64,
    /// Mean over the items of the nodes that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<f64>,
}

/// A layer as documents have it: −1 is all of them.
mod layer_or_all {
    use serde::de::{Deserialize, Deserializer, Error, Unexpected};
    use serde::{Serialize, Serializer};

    pub fn serialize<S: Serializer>(layer: &Option<usize>, out: S) -> Result<S::Ok, S::Error> {
        match layer {
            Some(layer) => layer.serialize(out),
            None => (-1).serialize(out),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(of: D) -> Result<Option<usize>, D::Error> {
        let number = i64::deserialize(of)?;
        let is_no_layer = || D::Error::invalid_value(Unexpected::Signed(number), &"a layer or -1");
        match number {
            -1 => Ok(None),
            layer => usize::try_from(layer).map(Some).map_err(|_| is_no_layer()),
        }
    }
}

/// An item that was attributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct UsedItem {
    /// The item's id.
    pub id: String,
    /// Text of the token whose logit or log-probability is explained.
    pub target: String,
}

/// Scores of every neuron for a set of items.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ReportAttribution"))]
pub struct Attribution {
    /// How it was made.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// Layers of the model.
    pub n_layers: usize,
    /// Neurons of a layer.
    pub d_mlp: usize,
    /// The items above the confidence threshold, in the set's order.
    pub items_used: Vec<UsedItem>,
    /// Items below it.
    pub items_skipped: usize,
    /// The completeness gap, per layer or one entry for the joint path.
    pub gaps: Vec<LayerGap>,
    /// Wall-clock time.
    pub seconds: f64,
    /// Aggregated score of every neuron, `[n_layers][d_mlp]`: the signed mean over the items.
    pub scores: Vec<Vec<f32>>,
    /// Scores per item, `[items][n_layers · d_mlp]`.
    #[serde(skip)]
    pub per_item: Vec<Vec<f32>>,
    /// Completeness gap `Σ_j IG_j − (M(1) − M(0))` of every item, `[items][gaps]`.
    #[serde(skip)]
    pub item_gaps: Vec<Vec<f64>>,
}

impl Attribution {
    /// Every neuron with its aggregated score, layer by layer.
    pub fn neurons(&self) -> impl Iterator<Item = (Neuron, f32)> {
        let layers = self.scores.iter().enumerate();
        layers.flat_map(|(layer, scores)| {
            Neuron::of_layer(layer, scores.len()).zip(scores.iter().copied())
        })
    }

    /// One neuron's aggregated score.
    pub fn score(&self, neuron: Neuron) -> Option<f32> {
        self.scores.get(neuron.layer)?.get(neuron.index).copied()
    }

    /// One neuron's score for every item used.
    pub fn item_scores(&self, neuron: Neuron) -> Vec<f32> {
        let place = neuron.layer * self.d_mlp + neuron.index;
        self.per_item
            .iter()
            .filter_map(|scores| scores.get(place).copied())
            .collect()
    }
}

/// What one item contributes.
struct ItemResult {
    used: UsedItem,
    scores: Vec<f32>,
    /// `M(1)`, then `M(0)` per layer or for the joint path.
    at_one: f64,
    at_zero: Vec<f64>,
    /// Nodes that it took, as `at_zero`.
    nodes: Vec<usize>,
}

/// Attributes the items of a scored set.
///
/// `scores` are the set's scores without any gains; they say which items are confident and which choice
/// each predicts.
///
/// # Errors
///
/// [`AttributionError`].
pub async fn attribute(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    scores: &[ItemScore],
    settings: &Settings,
    job: Job<'_>,
) -> Result<Attribution, AttributionError> {
    let start = job.now_secs();
    settings.check()?;
    // Of these there is one each. Another one is to be told apart from here on.
    let Settings {
        baseline: Baseline::Zero,
        aggregate: Aggregate::SignedMean,
        ..
    } = settings;
    let config = model.config().clone();
    let (kept, predicted): (Vec<Item>, Vec<usize>) = items
        .iter()
        .zip(scores)
        .filter(|(_, score)| score.confidence >= settings.confidence_threshold)
        .map(|(item, score)| (item.clone(), score.predicted))
        .unzip();
    if kept.is_empty() {
        let confidences = scores.iter().map(|score| score.confidence);
        return Err(AttributionError::NoConfidentItem {
            threshold: settings.confidence_threshold,
            highest: confidences.fold(0.0, f64::max),
        });
    }
    let encoded = encode(model, &kept, prompts)?;
    let mut results: Vec<Option<ItemResult>> = kept.iter().map(|_| None).collect();
    let mut done = 0;
    job.progress("attribution", 0, kept.len());
    for batch in batches(&encoded, &model.decoder) {
        let positions = batch.shared.len() + batch.prompt_length();
        let longest = Sweep::prompts_at_once(&model.decoder, positions, settings);
        for indices in batch.items.chunks(longest) {
            let prompts: Vec<&[u32]> = indices
                .iter()
                .map(|&index| encoded[index].prompt.as_slice())
                .collect();
            let base = model
                .decoder
                .base_run(&prompts, &Edit::none(), Capture::All, job)
                .await?;
            let first_tokens: Vec<u32> = indices
                .iter()
                .map(|&index| encoded[index].choices[predicted[index]][0])
                .collect();
            let target =
                Target::freeze(&model.decoder, &base, settings.target, &first_tokens).await?;
            let sweep = Sweep::new(&model.decoder, &prompts, &base, &target, settings);
            let swept = sweep.run(job).await?;
            let at_one = read(target.value(&model.decoder, base.last_resid())).await?;
            for (slot, &index) in indices.iter().enumerate() {
                let token = target.tokens[slot];
                results[index] = Some(ItemResult {
                    used: UsedItem {
                        id: kept[index].id.clone(),
                        target: model.tokenizer.token_text(token),
                    },
                    scores: swept.scores_of(slot),
                    at_one: at_one[slot].into(),
                    at_zero: swept.at_zero_of(slot),
                    nodes: swept.nodes_of(slot),
                });
            }
            done += indices.len();
            job.progress("attribution", done, kept.len());
        }
    }
    let results: Vec<ItemResult> = results.into_iter().flatten().collect();
    let (gaps, item_gaps) = completeness(&results, settings.path, config.d_mlp);
    Ok(Attribution {
        settings: settings.clone(),
        set: set.to_owned(),
        n_layers: config.n_layers,
        d_mlp: config.d_mlp,
        items_skipped: items.len() - kept.len(),
        gaps,
        scores: signed_mean(&results, config.n_layers, config.d_mlp),
        seconds: job.now_secs() - start,
        item_gaps,
        items_used: results.iter().map(|result| result.used.clone()).collect(),
        per_item: results.into_iter().map(|result| result.scores).collect(),
    })
}

/// The paper's Eq. 5: the mean over the items, sign kept. `[n_layers][d_mlp]`
fn signed_mean(results: &[ItemResult], n_layers: usize, d_mlp: usize) -> Vec<Vec<f32>> {
    let mut sums = vec![0f64; n_layers * d_mlp];
    for result in results {
        for (sum, &score) in sums.iter_mut().zip(&result.scores) {
            *sum += f64::from(score);
        }
    }
    let n = results.len() as f64;
    sums.chunks(d_mlp)
        .map(|layer| layer.iter().map(|sum| (sum / n) as f32).collect())
        .collect()
}

fn completeness(
    results: &[ItemResult],
    path: IntegrationPath,
    d_mlp: usize,
) -> (Vec<LayerGap>, Vec<Vec<f64>>) {
    let sum = |scores: &[f32]| scores.iter().map(|&score| f64::from(score)).sum::<f64>();
    let item_gaps: Vec<Vec<f64>> = results
        .iter()
        .map(|result| {
            let totals: Vec<f64> = match path {
                IntegrationPath::PerLayer => result.scores.chunks(d_mlp).map(sum).collect(),
                IntegrationPath::Joint => vec![sum(&result.scores)],
            };
            totals
                .iter()
                .zip(&result.at_zero)
                .map(|(total, at_zero)| total - (result.at_one - at_zero))
                .collect()
        })
        .collect();
    let n = results.len() as f64;
    let n_entries = results.first().map_or(0, |result| result.at_zero.len());
    let gaps = (0..n_entries)
        .map(|entry| {
            let in_layer = |result: &ItemResult| -> f64 {
                let scores = match path {
                    IntegrationPath::PerLayer => &result.scores[entry * d_mlp..(entry + 1) * d_mlp],
                    IntegrationPath::Joint => &result.scores[..],
                };
                scores
                    .iter()
                    .fold(0f32, |max, score| max.max(score.abs()))
                    .into()
            };
            let differences = results.iter().map(|r| (r.at_one - r.at_zero[entry]).abs());
            let gaps = item_gaps.iter().map(|gaps| gaps[entry].abs());
            LayerGap {
                layer: match path {
                    IntegrationPath::PerLayer => Some(entry),
                    IntegrationPath::Joint => None,
                },
                difference: differences.sum::<f64>() / n,
                gap: gaps.clone().sum::<f64>() / n,
                gap_max: gaps.fold(0.0, f64::max),
                max_abs: results.iter().map(in_layer).fold(0.0, f64::max),
                nodes: Some(results.iter().map(|r| r.nodes[entry] as f64).sum::<f64>() / n),
            }
        })
        .collect();
    (gaps, item_gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_all_layers_is_minus_one_in_documents() {
        let text = |layer: &str| {
            format!(r#"{{"layer":{layer},"difference":1.0,"gap":0.5,"gap_max":0.5,"max_abs":2.0}}"#)
        };
        for (written, layer) in [("-1", None), ("0", Some(0)), ("29", Some(29))] {
            let gap: LayerGap = serde_json::from_str(&text(written)).unwrap();
            assert_eq!(gap.layer, layer);
            assert_eq!(serde_json::to_string(&gap).unwrap(), text(written));
        }
        let error = serde_json::from_str::<LayerGap>(&text("-2")).unwrap_err();
        assert!(error.to_string().contains("a layer or -1"), "{error}");
    }
}
