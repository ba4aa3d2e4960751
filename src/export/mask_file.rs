//! `mask.json`: which neurons, of which model, found how, with what effect.
//!
//! The neurons are `layers: [{layer, neurons}]`, indices as in `blocks.{layer}.mlp.hook_post`. `study`,
//! `results` and `control` say how the mask was found and what it does; a reader that only wants to apply it
//! needs `operation`, `site` and `layers`.

use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::model::Config;
use crate::pruning::effect::{ControlReport, PruneReport, PrunedSet, SetEffect};
use crate::pruning::{Combination, Mask};
use crate::scoring::RunError;
use crate::study::report::{EngineInfo, ModelInfo};
use crate::study::{MadeOf, Measured, Study};

/// Marks a mask file.
pub const FORMAT: &str = "secateur-mask";
/// Version of the mask file.
pub const VERSION: u32 = 1;

/// What every version of a mask file says of itself; a bare mask says nothing.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    version: u32,
}

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

impl MaskModel {
    /// That of a bare mask.
    fn unknown() -> Self {
        Self {
            id: String::new(),
            sha256: String::new(),
            n_layers: 0,
            d_mlp: 0,
        }
    }

    fn is_known(&self) -> bool {
        !self.sha256.is_empty()
    }

    fn shape(&self) -> (usize, usize) {
        (self.n_layers, self.d_mlp)
    }

    /// Its id and the beginning of its hash: two files of a model may have one id.
    fn named(&self) -> String {
        let sha256: String = self.sha256.chars().take(12).collect();
        format!("`{}` (sha256 {sha256}…)", self.id)
    }
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
    pub results: Vec<SetEffect>,
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
            study: study.map(Study::without_kept_masks),
            results: pruned.sets.iter().map(PrunedSet::effect).collect(),
            control,
            engine: Some(engine),
        }
    }

    /// Reads a mask file; a bare mask (`site` and `layers` alone) is taken as well.
    ///
    /// # Errors
    ///
    /// [`ExportError::MaskFile`] with the place in the text, when it is none of this version, or with what does not
    /// follow from what stands beside it.
    pub fn from_json(text: &str) -> Result<Self, ExportError> {
        let fail = |message: String| ExportError::MaskFile(message);
        let damaged = |error: serde_json::Error| fail(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(damaged)?;
        let Some(format) = head.format else {
            let file = Self::bare(serde_json::from_str(text).map_err(damaged)?);
            file.check()?;
            return Ok(file);
        };
        if format != FORMAT || head.version != VERSION {
            return Err(fail(format!(
                "format `{format}` version {} is not `{FORMAT}` version {VERSION}",
                head.version
            )));
        }
        let file: Self = serde_json::from_str(text).map_err(damaged)?;
        file.check()?;
        Ok(file)
    }

    /// A mask of which nothing else is known.
    fn bare(mask: Mask) -> Self {
        Self::of(MaskModel::unknown(), mask)
    }

    /// A mask of a model, of whose making and effect nothing is known.
    fn of(model: MaskModel, mask: Mask) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            model,
            mask,
            study: None,
            results: Vec::new(),
            control: None,
            engine: None,
        }
    }

    /// Whether what it says agrees with itself and with its study.
    fn check(&self) -> Result<(), ExportError> {
        let fail = |what: String| ExportError::MaskFile(format!("it contradicts itself: {what}"));
        self.mask.check().map_err(|error| fail(error.to_string()))?;
        let once = self.mask.check_once();
        once.map_err(|error| fail(error.to_string()))?;
        if let Some(study) = &self.study {
            study.check().map_err(|error| fail(error.to_string()))?;
        }
        let measured = Measured {
            made_of: self.made_of(),
            mask: &self.mask,
            shape: self.model.is_known().then(|| self.model.shape()),
            study: self.study.as_ref(),
            effects: &self.results,
            control: self.control.as_ref(),
        };
        measured.check().map_err(|what| fail(what.to_string()))
    }

    /// What its results were made of, as it says itself and not as its study does.
    fn made_of(&self) -> MadeOf {
        let engine = self.engine.as_ref();
        MadeOf {
            precision: engine.and_then(|engine| engine.precision),
            engine: engine.map(|engine| engine.version.clone()),
            mask: Some(self.mask.clone()),
            ..MadeOf::of_model(&self.model.sha256)
        }
    }

    /// What this file's mask and another's make together. How either was found and what it does is not kept.
    ///
    /// # Errors
    ///
    /// [`ExportError::MaskFile`] for masks of two models, and what [`Combination::of`] refuses.
    pub fn combined(&self, other: &Self, how: Combination) -> Result<Self, ExportError> {
        let fail = |message: String| ExportError::MaskFile(message);
        let (first, second) = (&self.model, &other.model);
        if first.is_known() && second.is_known() {
            if first.sha256 != second.sha256 {
                let (first, second) = (first.named(), second.named());
                return Err(fail(format!(
                    "the masks are of two models, {first} and {second}"
                )));
            }
            if first.shape() != second.shape() {
                return Err(fail(format!(
                    "the masks are of one model, {}, and say two shapes of it",
                    first.named()
                )));
            }
        }
        let model = match first.is_known() {
            true => first,
            false => second,
        };
        let mask = how.of(&self.mask, &other.mask);
        let mask = mask.map_err(|error| fail(error.to_string()))?;
        let file = Self::of(model.clone(), mask);
        // A bare mask may name neurons that the other's model has not.
        file.check()?;
        Ok(file)
    }

    /// The mask, checked against a model, and what the user should know before using it.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] when it names neurons that the model does not have, or says another shape of it.
    pub fn for_model(
        &self,
        config: &Config,
        sha256: &str,
    ) -> Result<(Mask, Vec<String>), RunError> {
        let mask = self.mask.clone().checked(config)?;
        let mut warnings = Vec::new();
        if !self.model.is_known() {
            warnings.push("the mask does not say which model it was made for".to_owned());
        } else if !self.made_of().is_same(&MadeOf::of_model(sha256)) {
            warnings.push(format!(
                "the mask was made for `{}`, whose weight file is another one than the loaded",
                self.model.id
            ));
        } else if self.model.shape() != (config.n_layers, config.d_mlp) {
            return Err(RunError::Mask(format!(
                "its file says that this model has {} layers of {} neurons, and it has {} of {}",
                self.model.n_layers, self.model.d_mlp, config.n_layers, config.d_mlp
            )));
        }
        Ok((mask, warnings))
    }

    /// As JSON, indented; a bare mask as one.
    ///
    /// # Errors
    ///
    /// [`ExportError::MaskFile`] when it cannot be written.
    pub fn to_json(&self) -> Result<String, ExportError> {
        let text = match self.model.is_known() {
            true => serde_json::to_string_pretty(self),
            false => serde_json::to_string_pretty(&self.mask),
        };
        text.map_err(|error| ExportError::MaskFile(error.to_string()))
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
        assert!(MaskFile::from_json(&file.to_json().unwrap()).is_ok());
    }

    #[test]
    fn other_files_are_refused() {
        for text in [
            "",
            "[]",
            r#"{"format":"x"}"#,
            r#"{"layers":[{"layer":-1}]}"#,
            // Of two fields of a name neither is more meant than the other.
            r#"{"site":"post","layers":[],"layers":[{"layer":1,"neurons":[3]}]}"#,
            r#"{"site":"post","layers":[{"layer":1,"neurons":[3],"neurons":[4]}]}"#,
        ] {
            assert!(MaskFile::from_json(text).is_err(), "{text}");
        }
    }
}
