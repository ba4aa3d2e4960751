//! `mask.json`: which neurons, of which model, found how, with what effect.
//!
//! The neurons are `layers: [{layer, neurons}]`, indices as in `blocks.{layer}.mlp.hook_post`. `study`,
//! `results` and `control` say how the mask was found and what it does; a reader that only wants to apply it
//! needs `operation`, `site` and `layers`.

use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::model::Config;
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::pruning::{Mask, PruningError};
use crate::scoring::Accuracy;
use crate::study::Study;
use crate::study::report::{EngineInfo, ModelInfo};

/// Marks a mask file.
pub const FORMAT: &str = "secateur-mask";
/// Version of the mask file.
pub const VERSION: u32 = 1;

/// The model that a mask belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskModel {
    /// Catalogue id, or the file's name.
    pub id: String,
    /// SHA-256 of the weight file.
    pub sha256: String,
    /// Layers.
    pub n_layers: usize,
    /// Neurons of a layer.
    pub d_mlp: usize,
}

/// A set's accuracy before and after.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaskResult {
    /// The set's name.
    pub set: String,
    /// Without the mask.
    pub before: Accuracy,
    /// With it.
    pub after: Accuracy,
    /// Items whose prediction changed.
    pub flipped: usize,
}

/// A mask with its provenance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaskFile {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The model.
    pub model: MaskModel,
    /// Operation, site and layers.
    #[serde(flatten)]
    pub mask: Mask,
    /// How it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<Study>,
    /// What it does.
    #[serde(default)]
    pub results: Vec<MaskResult>,
    /// What random masks of its size do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReport>,
    /// What measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
}

impl MaskFile {
    /// From a mask's report.
    pub fn new(
        model: &ModelInfo,
        engine: EngineInfo,
        study: Option<Study>,
        pruned: &PruneReport,
        control: Option<ControlReport>,
    ) -> Self {
        let results = pruned.sets.iter().map(|set| {
            let correct = set.after.items.iter().filter(|item| item.correct).count();
            MaskResult {
                set: set.set.clone(),
                before: set.before,
                after: Accuracy::wilson(correct, set.after.items.len()),
                flipped: set.flipped.len(),
            }
        });
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            model: MaskModel {
                id: model.id.clone(),
                sha256: model.sha256.clone(),
                n_layers: model.n_layers,
                d_mlp: model.d_mlp,
            },
            mask: pruned.mask.clone(),
            study,
            results: results.collect(),
            control,
            engine: Some(engine),
        }
    }

    /// Reads a mask file; a bare mask (`site` and `layers` alone) is taken as well.
    ///
    /// # Errors
    ///
    /// [`ExportError::MaskFile`] with the place in the text.
    pub fn from_json(text: &str) -> Result<Self, ExportError> {
        let fail = |message: String| ExportError::MaskFile(message);
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| fail(error.to_string()))?;
        if value.get("format").is_none() && value.get("layers").is_some() {
            let mask: Mask =
                serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
            return Ok(Self {
                format: FORMAT.to_owned(),
                version: VERSION,
                model: MaskModel {
                    id: String::new(),
                    sha256: String::new(),
                    n_layers: 0,
                    d_mlp: 0,
                },
                mask,
                study: None,
                results: Vec::new(),
                control: None,
                engine: None,
            });
        }
        let file: Self = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
        if file.format != FORMAT || file.version != VERSION {
            return Err(fail(format!(
                "format `{}` version {} is not `{FORMAT}` version {VERSION}",
                file.format, file.version
            )));
        }
        Ok(file)
    }

    /// The mask, checked against a model, and what the user should know before using it.
    ///
    /// # Errors
    ///
    /// [`PruningError::Mask`] when it names neurons that the model does not have.
    pub fn for_model(
        &self,
        config: &Config,
        sha256: &str,
    ) -> Result<(Mask, Vec<String>), PruningError> {
        let mask = self.mask.clone().checked(config)?;
        let mut warnings = Vec::new();
        if self.model.sha256.is_empty() {
            warnings.push("the mask does not say which model it was made for".to_owned());
        } else if self.model.sha256 != sha256 {
            warnings.push(format!(
                "the mask was made for `{}`, whose weight file is another one than the loaded",
                self.model.id
            ));
        }
        Ok((mask, warnings))
    }

    /// As JSON, indented.
    ///
    /// # Errors
    ///
    /// [`ExportError::MaskFile`] when it cannot be written.
    pub fn to_json(&self) -> Result<String, ExportError> {
        serde_json::to_string_pretty(self).map_err(|error| ExportError::MaskFile(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_mask_is_read_and_says_that_its_model_is_unknown() {
        let text = r#"{"site":"post","layers":[{"layer":1,"neurons":[3,1]}]}"#;
        let file = MaskFile::from_json(text).unwrap();
        assert_eq!(file.mask.n_neurons(), 2);
        assert!(file.model.sha256.is_empty());
    }

    #[test]
    fn other_files_are_refused() {
        for text in [
            "",
            "[]",
            r#"{"format":"x"}"#,
            r#"{"layers":[{"layer":-1}]}"#,
        ] {
            assert!(MaskFile::from_json(text).is_err(), "{text}");
        }
    }
}
