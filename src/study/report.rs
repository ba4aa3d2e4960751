//! What a run found, with what it was found.

use serde::{Deserialize, Serialize};

use super::session::Session;
use super::specification::Head;
use super::stated::check_report;
use super::{MadeOf, Study, StudyError};
use crate::attribution::{Attribution, Settings};
use crate::model::device::{Compute, DeviceInfo};
use crate::model::{LoadReport, Model, Neuron, Precision};
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::pruning::{Race, SearchReport};
use crate::scoring::{Audit, SetScores};
use crate::tuning::TuneReport;

/// Marks a report.
pub const FORMAT: &str = "secateur-report";
/// Version of the report.
pub const VERSION: u32 = 1;

/// The engine that made a result.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct EngineInfo {
    /// Version of this crate.
    pub version: String,
    /// The device.
    pub device: DeviceInfo,
    /// How the model's matrices were held; not known of results of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// What is known of a loaded model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ModelInfo {
    /// Name by which studies refer to it.
    pub id: String,
    /// Family of the architecture.
    pub family: String,
    /// SHA-256 of the weight file.
    pub sha256: String,
    /// Parameters, a tied embedding counted once.
    pub n_parameters: u64,
    /// Decoder blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Neurons of a feed-forward layer.
    pub d_mlp: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Whether the output projection is the embedding.
    pub tied: bool,
    /// What the files held.
    pub report: LoadReport,
}

/// What a study's run found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Report {
    /// [`FORMAT`].
    #[cfg_attr(test, ts(type = "\"secateur-report\""))]
    pub format: String,
    /// [`VERSION`].
    #[cfg_attr(test, ts(type = "1"))]
    pub version: u32,
    /// The study, its mask filled in.
    pub study: Study,
    /// The engine.
    pub engine: EngineInfo,
    /// The model.
    pub model: ModelInfo,
    /// Every set without a mask.
    pub baseline: Vec<SetScores>,
    /// What drives the answers beside the questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// The attribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// Every method against exact ablation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// What every neuron was measured to do, in short, for each set. The page measures it; no study asks for it, since to measure it
    /// again may take hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectsInShort>,
    /// The search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
    /// The mask's effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<PruneReport>,
    /// The random control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReport>,
    /// The tuning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuneReport>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// What every neuron of some layers was measured to do to a set's target, in short.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct EffectsInShort {
    /// How they were measured.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// Items that were used.
    pub items: usize,
    /// Items that are not confident enough, or without the target.
    pub items_skipped: usize,
    /// The layers that were measured for every item.
    pub layers: Vec<LayerInShort>,
    /// The neurons of largest absolute effect in these.
    pub strongest: Vec<MeasuredNeuron>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// How many neurons of a layer can be told from doing nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerInShort {
    /// The layer.
    pub layer: usize,
    /// Neurons whose 95 % interval lies above zero: the target loses without them.
    pub needed: usize,
    /// Neurons whose 95 % interval lies below zero: the target gains without them.
    pub harmful: usize,
}

/// What the target loses without a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MeasuredNeuron {
    /// Which it is.
    #[serde(flatten)]
    pub neuron: Neuron,
    /// The mean over the items.
    pub mean: f64,
    /// Half the width of its 95 % interval; none of a single item.
    pub half_width: Option<f64>,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// [`StudyError::Report`] with the place in the text, when it is no report of this version, or with what does not
    /// follow from what stands beside it.
    pub fn from_json(text: &str) -> Result<Self, StudyError> {
        let damaged = |error: serde_json::Error| StudyError::Report(error.to_string());
        // Another version may have other fields.
        let Head { format, version } = serde_json::from_str(text).map_err(damaged)?;
        if format != FORMAT || version != VERSION {
            return Err(StudyError::Report(format!(
                "`{format}` version {version} is not `{FORMAT}` version {VERSION}"
            )));
        }
        let report: Self = serde_json::from_str(text).map_err(damaged)?;
        report.study.check()?;
        check_report(&report)
            .map_err(|what| StudyError::Report(format!("it contradicts itself: {what}")))?;
        Ok(report)
    }

    /// What its results were made of, as they say themselves and not as its study does.
    pub fn made_of(&self) -> MadeOf {
        let (attribution, pruned) = (self.attribution.as_ref(), self.pruned.as_ref());
        MadeOf {
            precision: Some(self.model.report.precision),
            engine: Some(self.engine.version.clone()),
            settings: attribution.map(|found| found.settings.clone()),
            mask: pruned.map(|found| found.mask.clone()),
            ..MadeOf::of_model(&self.model.sha256)
        }
    }
}

impl EngineInfo {
    /// Version of this engine.
    pub const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The engine that computes with a model.
    pub fn new(compute: &Compute, model: &Model) -> Self {
        Self {
            version: Self::VERSION.to_owned(),
            device: compute.info.clone(),
            precision: Some(model.report.precision),
        }
    }
}

impl Session {
    /// The engine at work.
    pub fn engine_info(&self) -> EngineInfo {
        EngineInfo::new(&self.compute, &self.model)
    }

    /// The loaded model.
    pub fn model_info(&self) -> ModelInfo {
        let config = self.model.config();
        ModelInfo {
            id: self.model.id.clone(),
            family: config.family.name().to_owned(),
            sha256: self.model.sha256.clone(),
            n_parameters: config.n_parameters(),
            n_layers: config.n_layers,
            d_model: config.d_model,
            d_mlp: config.d_mlp,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            vocabulary: config.vocabulary,
            context_length: config.context_length,
            tied: config.tied,
            report: self.model.report.clone(),
        }
    }
}
