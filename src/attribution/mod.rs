//! Integrated Gradients for every feed-forward neuron (Sundararajan et al., 2017, along the paths of the
//! pruning paper).
//!
//! Each neuron has a gain `s`, one factor on its activation; the path takes the gains from 0 to 1, and
//! `IG_j = ∫ ∂M/∂s_j dα`. With one layer's gains on the path this is activation times mean gradient; with all
//! layers' together at `gate_pre` it is the integral over the gate rows' weights.
//!
//! - [`settings`]: the choices a user makes, by name, and the presets
//! - [`layers`]: which layers of the model are meant; [`ablation`]: the exact effect of every neuron, which scores estimate
//! - [`contrast`]: scores on one set minus those on another; [`interval`]: means over items with their intervals
//! - [`portrait`]: what one neuron is about; [`salience`]: which words of a prompt drive its answer
//! - [`quadrature`]: nodes and weights of the integral
//! - [`integral`]: the integral itself, by a fixed rule or to a tolerance
//! - [`methods`]: other ways to score neurons, for comparison
//! - [`sweep`]: the forks of all layers in one pass up and one back
//! - [`target`]: the number that is explained; `explained`: the items it is explained of
//! - [`completeness`]: what scores add up to; [`aggregate`]: item scores as one score a neuron

pub mod ablation;
pub mod aggregate;
pub mod completeness;
pub mod contrast;
mod explained;
pub mod integral;
pub mod interval;
pub mod layers;
pub mod methods;
pub mod portrait;
pub mod quadrature;
pub mod salience;
pub mod settings;
pub mod sweep;
pub mod target;

use serde::{Deserialize, Serialize};

pub use ablation::{Ablation, Measured};
pub use completeness::LayerGap;
pub(crate) use explained::mean_activations;
pub use settings::{IntegrationPath, Positions, Settings, TargetKind};

use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::{Model, Neuron};
use crate::scoring::{ItemScore, RunError};
use aggregate::{aggregated, by_maximum};
use completeness::completeness;
use explained::Explained;
use layers::layers_or_all;
use settings::{LayerScale, Method};

/// An item that was attributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct UsedItem {
    /// The item's id.
    pub id: String,
    /// Text of the token whose logit or log-probability is explained, or of the whole choice.
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
    /// Items below it, and those without the target.
    pub items_skipped: usize,
    /// The completeness gap, per layer or one entry for the joint path.
    pub gaps: Vec<LayerGap>,
    /// Wall-clock time.
    pub seconds: f64,
    /// Aggregated score of every neuron, `[n_layers][d_mlp]`.
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

    /// A layer's aggregated scores, had the items these weights, `[d_mlp]`.
    pub fn weighted_layer(&self, layer: usize, weights: &[f64]) -> Vec<f32> {
        let of_layer = layer * self.d_mlp..(layer + 1) * self.d_mlp;
        let items = self.per_item.iter().map(Vec::as_slice);
        let scores = aggregated(items.zip(weights.iter().copied()), of_layer, &self.settings);
        match self.settings.layer_scale {
            LayerScale::AsIs => scores,
            LayerScale::Maximum => by_maximum(scores),
        }
    }

    /// The same attribution with its scores taken from those of its items.
    fn with_scores(self) -> Self {
        let weights = vec![1.0; self.per_item.len()];
        let layers = 0..self.n_layers;
        Self {
            scores: layers
                .map(|layer| self.weighted_layer(layer, &weights))
                .collect(),
            ..self
        }
    }

    /// Measured effects as scores; a neuron that was not measured for an item has none of it.
    pub fn of_ablation(found: &Ablation) -> Self {
        let of_item = |item: usize| -> Vec<f32> {
            let layers = found.effects.iter().map(|of_layer| &of_layer[item]);
            let whole = |values: &Vec<f32>| match values.is_empty() {
                true => vec![0.0; found.d_mlp],
                false => values.clone(),
            };
            layers.flat_map(whole).collect()
        };
        let items = found.items_used.len();
        let scores = Self {
            settings: found.settings.clone(),
            set: found.set.clone(),
            n_layers: found.effects.len(),
            d_mlp: found.d_mlp,
            items_used: found.items_used.clone(),
            items_skipped: found.items_skipped,
            gaps: Vec::new(),
            seconds: found.seconds,
            scores: Vec::new(),
            per_item: (0..items).map(of_item).collect(),
            item_gaps: vec![Vec::new(); items],
        };
        scores.with_scores()
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
/// `scores` are the set's scores without any edit; they say which items are confident and which choice
/// each predicts.
///
/// # Errors
///
/// [`RunError`].
pub async fn attribute(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    scores: &[ItemScore],
    settings: &Settings,
    job: Job<'_>,
) -> Result<Attribution, RunError> {
    let start = job.now_secs();
    settings.check()?;
    if settings.method == Method::Ablation {
        let all = layers_or_all(None, model.config().n_layers);
        let mut measured = [Measured::new(settings.clone(), None)];
        let named = (set, items);
        ablation::measure(model, named, prompts, scores, &all, &mut measured, job).await?;
        let [Measured { found, .. }] = measured;
        return found
            .map(|found| Attribution::of_ablation(&found))
            .ok_or_else(|| RunError::Empty(set.to_owned()));
    }
    let explained = Explained::new(model, items, prompts, scores, settings, job).await?;
    let count = explained.items.len();
    let mut results: Vec<Option<ItemResult>> = (0..count).map(|_| None).collect();
    let mut done = 0;
    job.progress("attribution", 0, count);
    for indices in explained.groups() {
        let group = explained.run(indices, job).await?;
        let swept = explained.sweep(&group, settings).run(job).await?;
        for (place, &index) in group.indices.iter().enumerate() {
            results[index] = Some(ItemResult {
                used: UsedItem {
                    id: explained.items[index].id.clone(),
                    target: group.target.text(model, place),
                },
                scores: swept.scores_of(place),
                at_one: group.at_one[place].into(),
                at_zero: swept.at_zero_of(place),
                nodes: swept.nodes_of(place),
            });
        }
        done += group.indices.len();
        job.progress("attribution", done, count);
    }
    let results: Vec<ItemResult> = results.into_iter().flatten().collect();
    let config = model.config();
    let (gaps, item_gaps) = completeness(&results, settings.path, config.d_mlp);
    let items_used = results.iter().map(|result| result.used.clone()).collect();
    let per_item: Vec<Vec<f32>> = results.into_iter().map(|result| result.scores).collect();
    let found = Attribution {
        settings: settings.clone(),
        set: set.to_owned(),
        n_layers: config.n_layers,
        d_mlp: config.d_mlp,
        items_used,
        items_skipped: explained.skipped,
        gaps,
        scores: Vec::new(),
        seconds: job.now_secs() - start,
        per_item,
        item_gaps,
    };
    Ok(found.with_scores())
}
