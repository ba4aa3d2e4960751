//! What a study is made of: its model and item sets, and what is asked of them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::StudyError;
use crate::attribution::Settings;
use crate::attribution::layers::{check_layers, layers_or_all};
use crate::attribution::settings::Aggregate;
use crate::items::{AnswersFrom, Item, SplitPart};
use crate::model::Model;
use crate::pruning::selection::TopPercent;
use crate::pruning::{Mask, Resampling, Selection};
use crate::scoring::{Rule, RunError};

/// What an item set is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Attribution, and the training items of a tuning.
    Attribution,
    /// Picks layer, percentage and the best tuning state.
    Validation,
    /// Reported on, before and after.
    Test,
    /// Reported on as well: items of another kind than those the mask was made with.
    OutOfDistribution,
}

impl Role {
    /// Whether results are reported on such sets.
    pub fn is_reported(self) -> bool {
        matches!(self, Self::Test | Self::OutOfDistribution)
    }
}

/// A named item set: inline, or a slice of a bundled sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ItemSetSpec {
    /// Its name.
    pub name: String,
    /// What it is used for; at least one.
    pub roles: Vec<Role>,
    /// SHA-256 of the items as canonical JSONL.
    #[serde(default)]
    pub sha256: String,
    /// The items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    /// Name of the bundled sample set or, on the command line, a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// From where that file counts right answers that are numbers, where it does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_from: Option<AnswersFrom>,
    /// First item of the slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// Items of the slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// A part of a seeded split of the slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitPart>,
}

impl ItemSetSpec {
    /// The same set with its items in the document, whatever they were taken from.
    pub fn hold(&mut self, items: Vec<Item>) {
        self.items = Some(items);
        (self.sample, self.answers_from) = (None, None);
        (self.first, self.count, self.split) = (None, None, None);
    }

    /// The set's items out of all that it names.
    ///
    /// # Errors
    ///
    /// [`StudyError::Document`] for a split that makes no sense.
    pub fn select(&self, all: Vec<Item>) -> Result<Vec<Item>, StudyError> {
        let rest = all.into_iter().skip(self.first.unwrap_or(0));
        let slice: Vec<Item> = rest.take(self.count.unwrap_or(usize::MAX)).collect();
        match &self.split {
            Some(split) => split.of(&slice).map_err(|error| {
                StudyError::Document(format!("item set `{}`: {error}", self.name))
            }),
            None => Ok(slice),
        }
    }
}

/// The model of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ModelSpec {
    /// Catalogue id, or the file's name.
    pub id: String,
    /// SHA-256 of the weight file.
    pub sha256: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl ModelSpec {
    /// A loaded model.
    pub fn of(model: &Model) -> Self {
        Self {
            id: model.id.clone(),
            sha256: model.sha256.clone(),
            name: None,
        }
    }
}

/// How items are scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ScoringSpec {
    /// By which number a choice is predicted.
    pub rule: Rule,
    /// Whether the report keeps the log-probability of every token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_tokens: bool,
}

/// The order of the choices that the model sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChoiceOrder {
    /// Seed of the order of every item's choices.
    pub seed: u64,
}

/// An audit of the items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AuditSpec {
    /// The set's name.
    pub set: String,
}

/// Methods that are held against measured effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RaceSpec {
    /// The set's name.
    pub set: String,
    /// How the effects are measured, and the one method whose settings are chosen.
    pub settings: Settings,
    /// Layers; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<usize>>,
    /// The percentage of a layer that is to be found.
    pub percent: f64,
    /// How intervals are drawn.
    pub resampling: Resampling,
}

impl RaceSpec {
    /// Whether a model of so many layers can be raced on so.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for settings that contradict each other, and a layer, percentage or number of resamples out of range.
    pub fn check(&self, n_layers: usize) -> Result<(), RunError> {
        self.settings.check()?;
        self.resampling.check()?;
        let are_some = |layers: &Vec<usize>| (0..n_layers).any(|layer| !layers.contains(&layer));
        let takes_all = self.settings.aggregate == Aggregate::ConsensusShare;
        if takes_all && self.layers.as_ref().is_some_and(are_some) {
            return Err(RunError::Settings(
                "the aggregate consensus_share counts neurons by an item's largest score in any layer, so that it needs all layers: \
                 leave out the choice of layers, or take another aggregate"
                    .into(),
            ));
        }
        check_layers(self.layers.as_deref().unwrap_or_default(), n_layers)?;
        let percent = self.percent;
        TopPercent { layer: 0, percent }.check(n_layers)
    }

    /// The layers that are raced on.
    pub fn layers_of(&self, n_layers: usize) -> Cow<'_, [usize]> {
        layers_or_all(self.layers.as_deref(), n_layers)
    }
}

/// What is pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PruningSpec {
    /// The mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// The selection that made it; without a mask, the runner makes it from the attribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
}

/// The random control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ControlSpec {
    /// How many random masks.
    pub masks: usize,
    /// Their seed.
    pub seed: u64,
}
