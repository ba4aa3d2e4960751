//! What drives the answers on some items and not on others: scores on one set minus those on another one, or minus those of the same items
//! without their questions.

use serde::Serialize;

use super::interval::Mean;
use super::{Attribution, Settings};
use crate::scoring::RunError;
use crate::scoring::audit::Question;

/// What a set is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Against {
    /// Another set.
    Set {
        /// Its name.
        set: String,
    },
    /// The same items, asked otherwise.
    Question {
        /// What stands where the question was.
        question: Question,
    },
}

/// How scores differ, neuron by neuron.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Contrast {
    /// How both were scored.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// What it is held against.
    pub against: Against,
    /// Neurons of a layer.
    pub d_mlp: usize,
    /// Items of the set that were used.
    pub items: usize,
    /// Items on the other side.
    pub items_against: usize,
    /// Layer by layer.
    pub layers: Vec<LayerContrast>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The differences of one layer.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerContrast {
    /// The layer.
    pub layer: usize,
    /// Mean score on the set minus that on the other side, `[d_mlp]`.
    pub difference: Vec<f32>,
    /// Half the width of its 95 % interval, `[d_mlp]`: of the items' own differences where both sides are the same items, else Welch's.
    /// Empty where there are too few items.
    pub half_width: Vec<f32>,
}

impl Contrast {
    /// From the attributions of both sides, which have one model and one method.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] where no item was used on both sides that are to be of the same items.
    pub fn of(
        set: &Attribution,
        other: &Attribution,
        against: Against,
        seconds: f64,
    ) -> Result<Self, RunError> {
        let pairs: Vec<(&[f32], &[f32])> = match against {
            Against::Set { .. } => Vec::new(),
            Against::Question { .. } => {
                let others = || other.items_used.iter().zip(&other.per_item);
                let same = set.items_used.iter().zip(&set.per_item);
                same.filter_map(|(used, scores)| {
                    let (_, other) = others().find(|(other, _)| other.id == used.id)?;
                    Some((scores.as_slice(), other.as_slice()))
                })
                .collect()
            }
        };
        let is_paired = matches!(against, Against::Question { .. });
        if is_paired && pairs.is_empty() {
            return Err(RunError::Settings(
                "no item is sure enough both with its question and without; lower the confidence threshold".into(),
            ));
        }
        let at = |scores: &[f32], place: usize| f64::from(scores[place]);
        let of_neuron = |place: usize| match is_paired {
            true => Mean::of(pairs.iter().map(|(a, b)| at(a, place) - at(b, place))),
            false => {
                let mean =
                    |of: &Attribution| Mean::of(of.per_item.iter().map(|scores| at(scores, place)));
                mean(set).minus(mean(other))
            }
        };
        let of_layer = |layer: usize| {
            let neurons = layer * set.d_mlp..(layer + 1) * set.d_mlp;
            let means: Vec<Mean> = neurons.map(of_neuron).collect();
            LayerContrast {
                layer,
                difference: means.iter().map(|mean| mean.value as f32).collect(),
                half_width: means
                    .iter()
                    .filter_map(|mean| Some(mean.half_width()? as f32))
                    .collect(),
            }
        };
        let count = |of: &Attribution| match is_paired {
            true => pairs.len(),
            false => of.per_item.len(),
        };
        Ok(Self {
            settings: set.settings.clone(),
            set: set.set.clone(),
            d_mlp: set.d_mlp,
            items: count(set),
            items_against: count(other),
            layers: (0..set.n_layers).map(of_layer).collect(),
            against,
            seconds,
        })
    }
}
