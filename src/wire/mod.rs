//! What the page and the engine say to each other: the calls, and the documents that only these calls have. All others are
//! the study's, the scores', the mask's, ….
//!
//! - this file: what calls are asked with
//! - [`answers`]: what they answer
//! - [`surface`]: the table of the calls, of which `web` makes the class that JavaScript sees
//! - `typescript`: the page's types (`www/src/wire/engine.ts`), made of the table and of the documents by a test, which
//!   fails where they are not current; `layout`: how they are laid out

pub mod answers;
#[cfg(test)]
mod layout;
pub mod surface;
#[cfg(test)]
mod typescript;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::attribution::Settings;
use crate::attribution::contrast::Against;
use crate::items::{AnswersFrom, FewShot, Item, TemplateSpec};
use crate::model::{Neuron, Precision};
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::pruning::selection::TopPercent;
use crate::pruning::{Combination, Mask, Operation, Resampling, Selection};
use crate::scoring::{ItemScore, Orders, Rule, SetScores};
use crate::study::{Expected, KeptMask, SearchSpec, Stamped, Study};

/// Which model its files are.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ModelRequest {
    /// Name by which studies refer to it.
    pub id: String,
    /// The hash that its weights must have, where it has to be that very model.
    #[serde(default)]
    pub sha256: Option<String>,
    /// How its weights are held.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<Precision>"))]
    pub precision: Precision,
}

/// A text of items.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct TextRequest {
    /// The text.
    pub text: String,
    /// From where right answers that are numbers are counted, where that is known.
    #[serde(default)]
    pub answers_from: Option<AnswersFrom>,
}

/// An item set.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ItemsRequest {
    /// Its name.
    pub name: String,
    /// Its items.
    pub items: Vec<Item>,
}

/// How items are put to the model.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Prompting"))]
pub struct PromptingRequest {
    /// `name@version` of a built-in template, or one in full.
    pub template: TemplateSpec,
    /// Solved items before each prompt.
    #[serde(default)]
    pub few_shot: Option<FewShot>,
    /// Seed of the choices' order; that of the items without it.
    #[serde(default)]
    pub choice_order: Option<u64>,
}

/// Another rule.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RuleRequest {
    /// By which number choices are predicted from now on.
    pub rule: Rule,
}

/// Scores that are to be counted by another rule.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CountRequest {
    /// The rule.
    pub rule: Rule,
    /// Scores by another one.
    pub scores: Vec<Stamped<SetScores>>,
}

/// An item whose prompt is wanted.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct PromptRequest {
    /// The item.
    pub item: Item,
    /// The item's set, from which shots may be drawn.
    #[serde(default)]
    pub set: Option<String>,
    /// Another way to ask than the one in use: a template that is being written.
    #[serde(default)]
    pub prompting: Option<PromptingRequest>,
}

/// Items to be dealt out.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SplitRequest {
    /// The items.
    pub items: Vec<Item>,
    /// Sizes of the parts, in relation to each other.
    pub shares: Vec<f64>,
    /// Seed of the split.
    pub seed: u64,
}

/// Items that become a file.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ExportRequest {
    /// The items.
    pub items: Vec<Item>,
    /// As which file.
    pub format: ExportFormat,
}

/// A file that items become.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// The canonical form.
    Jsonl,
    /// A table.
    Csv,
}

/// The scores of two runs.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CompareRequest {
    /// Of the first.
    pub before: Vec<ItemScore>,
    /// Of the second.
    pub after: Vec<ItemScore>,
}

/// A prompt to be run and continued.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ForwardRequest {
    /// The prompt.
    pub prompt: String,
    /// Tokens to continue by.
    pub tokens: usize,
}

/// A prompt that every neuron is taken out of, one by one.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AblateRequest {
    /// The prompt.
    pub prompt: String,
    /// Where neurons are set to zero.
    pub settings: Settings,
}

/// A set by its name.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SetRequest {
    /// The name.
    pub set: String,
}

/// A set to be asked in several orders.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct BiasRequest {
    /// The set's name.
    pub set: String,
    /// Which orders.
    pub orders: Orders,
}

/// A set to be attributed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AttributeRequest {
    /// The set's name.
    pub set: String,
    /// How.
    pub settings: Settings,
}

/// Effects to be measured.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct EffectsRequest {
    /// The set's name.
    pub set: String,
    /// On which target, at which positions, of which items.
    pub settings: Settings,
    /// Layers; all when absent.
    #[serde(default)]
    pub layers: Option<Vec<usize>>,
}

/// A set that is held against another one, or against itself asked otherwise.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ContrastRequest {
    /// The set's name.
    pub set: String,
    /// What it is held against.
    pub against: Against,
    /// How neurons are scored on both sides.
    pub settings: Settings,
}

/// A selection that is tried on other items.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StabilityRequest {
    /// What is selected.
    pub selection: TopPercent,
    /// How the items are drawn again.
    pub resampling: Resampling,
}

/// The strongest neurons that are wanted.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct RankedRequest {
    /// Of one layer, or of all.
    #[serde(default)]
    pub layer: Option<usize>,
    /// How many.
    pub top: usize,
    /// The mask at hand.
    #[serde(default)]
    pub mask: Option<Mask>,
}

/// A neuron whose card is wanted.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NeuronRequest {
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// The set that its effect is measured on.
    pub set: String,
}

/// An item whose prompt's words are asked about.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SalienceRequest {
    /// The set's name.
    pub set: String,
    /// The item's id.
    pub id: String,
    /// Whose target is explained.
    pub settings: Settings,
}

/// Two masks that make a third.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CombineRequest {
    /// How.
    pub how: Combination,
    /// The masks.
    pub masks: [KeptMask; 2],
}

/// Neurons that are to be changed otherwise.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChangeRequest {
    /// The neurons.
    pub mask: Mask,
    /// A mask that changes its own neurons so.
    pub like: Mask,
}

/// A mask to be tried.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PruneRequest {
    /// The mask.
    pub mask: Mask,
    /// Names of the sets.
    pub sets: Vec<String>,
}

/// A mask to be tried on a text.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GeneralRequest {
    /// The mask.
    pub mask: Mask,
    /// The text.
    pub text: String,
}

/// A mask to be held against random ones.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ControlRequest {
    /// The mask.
    pub mask: Mask,
    /// Names of the sets.
    pub sets: Vec<String>,
    /// How many random masks.
    pub masks: usize,
    /// Their seed.
    pub seed: u64,
}

/// Cells to be searched.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SearchRequest {
    /// Names of the validation sets.
    pub sets: Vec<String>,
    /// Which cells, and what beside them.
    #[serde(flatten)]
    pub spec: SearchSpec,
}

/// A selection whose mask is wanted, and what that does to a neuron.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SelectRequest {
    /// The selection.
    pub selection: Selection,
    /// What the mask does to a neuron; zero when absent.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<Operation>"))]
    pub operation: Operation,
    /// What activations are multiplied by, where the operation is `scale`.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Name of the item set that means are over, where the operation is `mean`.
    #[serde(default)]
    pub means_of: Option<String>,
}

/// A study to be run again.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct RunRequest {
    /// The study.
    pub study: Study,
    /// What it found before.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// Items of the bundled samples that the study names.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<BTreeMap<String, Vec<Item>>>"))]
    pub samples: BTreeMap<String, Vec<Item>>,
}

/// What a mask's file is made of.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct MaskRequest {
    /// How the mask was found.
    #[serde(default)]
    pub study: Option<Study>,
    /// The mask, with what it does.
    pub prune: PruneReport,
    /// What random masks do.
    #[serde(default)]
    pub control: Option<ControlReport>,
}

/// What a link is made of.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct LinkRequest {
    /// The study.
    pub study: Study,
    /// The mask's effect, when there is one.
    #[serde(default)]
    pub prune: Option<PruneReport>,
}

/// What a Python snippet is made of.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct SnippetRequest {
    /// The mask.
    pub mask: Mask,
    /// The model's repository on the hub.
    #[serde(default)]
    pub repo: Option<String>,
}
