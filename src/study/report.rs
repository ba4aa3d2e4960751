//! What a run found, with what it was found.

use serde::{Deserialize, Serialize};

use super::session::Session;
use super::{Head, Study, StudyError};
use crate::attribution::Attribution;
use crate::model::device::{Compute, DeviceInfo};
use crate::model::{LoadReport, Model, Precision};
use crate::pruning::SearchReport;
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::scoring::paired::flips;
use crate::scoring::{Accuracy, Paired, SetScores};
use crate::tuning::TuneReport;

/// Marks a report.
pub const FORMAT: &str = "secateur-report";
/// Version of the report.
pub const VERSION: u32 = 1;

/// The engine that made a result.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The study, its mask filled in.
    pub study: Study,
    /// The engine.
    pub engine: EngineInfo,
    /// The model.
    pub model: ModelInfo,
    /// Every set without a mask.
    pub baseline: Vec<SetScores>,
    /// The attribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
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

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// [`StudyError::Report`] with the place in the text, when it is no report of this version or its accuracies are not
    /// those of its items.
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
        report.check()?;
        Ok(report)
    }

    /// Whether what is said of the sets follows from the log-likelihoods beside it.
    fn check(&self) -> Result<(), StudyError> {
        let contradicts = |set: &str, what: String| {
            StudyError::Report(format!("it contradicts itself: {what} of `{set}`"))
        };
        for scores in &self.baseline {
            check(scores).map_err(|what| contradicts(&scores.set, what))?;
        }
        let baseline = |name: &str| self.baseline.iter().find(|scores| scores.set == name);
        for pruned in self.pruned.iter().flat_map(|pruned| &pruned.sets) {
            let of_set = |what: String| contradicts(&pruned.set, what);
            check(&pruned.after).map_err(of_set)?;
            let before =
                baseline(&pruned.set).ok_or_else(|| of_set("there are no scores".into()))?;
            let stated = before.accuracy_by(self.study.scoring.rule);
            compare("the accuracy before pruning", &pruned.before, &stated).map_err(of_set)?;
            let (before, after) = (&before.items, &pruned.after.items);
            let paired = Paired::of(before, after);
            let is_other = pruned
                .paired
                .is_some_and(|stated| counts(&stated) != counts(&paired));
            if is_other || pruned.flipped != flips(before, after) {
                return Err(of_set("other answers changed than is said".into()));
            }
        }
        Ok(())
    }
}

fn counts(paired: &Paired) -> [usize; 4] {
    [
        paired.both_right,
        paired.both_wrong,
        paired.improved,
        paired.worsened,
    ]
}

/// Refuses numbers that do not follow from the log-likelihoods beside them.
fn check(stated: &SetScores) -> Result<(), String> {
    for item in &stated.items {
        if item.correct != (item.predicted == item.gold) {
            return Err(format!(
                "`correct` does not follow from the prediction for item `{}`",
                item.id
            ));
        }
    }
    let items = stated.items.iter().cloned().map(|mut item| {
        for choice in &mut item.choices {
            choice.per_character = choice.log_likelihood / choice.characters.max(1) as f64;
        }
        item
    });
    let counted = SetScores::new(&stated.set, items.collect(), stated.seconds);
    let all = |scores: &SetScores| {
        [
            ("accuracy", Some(scores.accuracy)),
            (
                "accuracy_per_character",
                Some(scores.accuracy_per_character),
            ),
            ("accuracy_per_byte", scores.accuracy_per_byte),
            ("accuracy_per_token", scores.accuracy_per_token),
            (
                "accuracy_mutual_information",
                scores.accuracy_mutual_information,
            ),
        ]
    };
    for ((name, stated), (_, counted)) in all(stated).into_iter().zip(all(&counted)) {
        match (stated, counted) {
            (Some(stated), Some(counted)) => compare(name, &stated, &counted)?,
            (Some(_), None) => {
                return Err(format!("there is `{name}` without its log-likelihoods"));
            }
            (None, _) => {}
        }
    }
    Ok(())
}

fn compare(name: &str, stated: &Accuracy, counted: &Accuracy) -> Result<(), String> {
    let parts = |accuracy: &Accuracy| [accuracy.value, accuracy.low, accuracy.high];
    let is_close = parts(stated)
        .into_iter()
        .zip(parts(counted))
        .all(|(a, b)| (a - b).abs() < 1e-9);
    if (stated.correct, stated.total) == (counted.correct, counted.total) && is_close {
        return Ok(());
    }
    Err(format!(
        "{name} is said to be {} of {}, {:.4} ({:.4} to {:.4}), and the log-likelihoods give {} of {}",
        stated.correct,
        stated.total,
        stated.value,
        stated.low,
        stated.high,
        counted.correct,
        counted.total
    ))
}

impl EngineInfo {
    /// The engine that computes with a model.
    pub fn new(compute: &Compute, model: &Model) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
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
