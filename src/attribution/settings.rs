//! The choices of an attribution, each named, each recorded in every result.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::quadrature::Quadrature;
use crate::model::Site;
use crate::scoring::RunError;

/// Which neurons are scaled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum IntegrationPath {
    /// One layer at a time, the others at their full activation: completeness holds layer by layer.
    PerLayer,
    /// All layers together: completeness holds for their sum.
    Joint,
}

/// Which positions of the prompt are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// The last one.
    Last,
    /// Every one; a neuron's score is the sum over them.
    All,
}

/// The number that is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The largest logit at the last prompt position (the paper); which token is decided without scaling.
    TopLogit,
    /// Log-probability of the predicted choice's first token.
    ChoiceFirstToken,
    /// Log-likelihood of the whole predicted choice, normalised over the choices: the logarithm of its share of what all of them have.
    ChoiceLogprob,
    /// Logit of the right choice's first token minus the largest of the wrong ones', which is the same difference of
    /// log-probabilities. Items whose choices all begin alike have none.
    GoldMargin,
}

impl TargetKind {
    /// Whether it takes the logits of all tokens.
    #[must_use]
    pub fn takes_all_logits(self) -> bool {
        matches!(self, Self::ChoiceFirstToken | Self::ChoiceLogprob)
    }
}

/// How neurons are scored. The formulas of those without a path are in `attribution/methods/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Integrated Gradients.
    #[default]
    IntegratedGradients,
    /// What a third party reports of the paper's released code: the mean over the path of `max(0, ∂M/∂a_j)`, over all positions, not
    /// multiplied by the activation. It does not add up to anything. That the clamp is on the gradient of each position and node is this
    /// project's reading.
    ClampedGradients,
    /// Gradient times activation, `a_j · ∂M/∂a_j`: Integrated Gradients by one step at the end of the path.
    GradientTimesActivation,
    /// Relevance Patching.
    Relp,
    /// The activation itself.
    Activation,
    /// The norm of the output weights.
    WeightNorm,
    /// Wanda's score.
    Wanda,
    /// Cosine of input and output weights.
    Cosine,
    /// Random numbers.
    Random,
    /// What the target loses when the neuron alone is set to the baseline: what the others estimate.
    Ablation,
}

impl fmt::Display for Method {
    /// Its name in documents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IntegratedGradients => "integrated_gradients",
            Self::ClampedGradients => "clamped_gradients",
            Self::GradientTimesActivation => "gradient_times_activation",
            Self::Relp => "relp",
            Self::Activation => "activation",
            Self::WeightNorm => "weight_norm",
            Self::Wanda => "wanda",
            Self::Cosine => "cosine",
            Self::Random => "random",
            Self::Ablation => "ablation",
        })
    }
}

impl Method {
    /// Every method, the estimates first.
    pub const ALL: [Self; 10] = [
        Self::IntegratedGradients,
        Self::ClampedGradients,
        Self::GradientTimesActivation,
        Self::Relp,
        Self::Activation,
        Self::WeightNorm,
        Self::Wanda,
        Self::Cosine,
        Self::Random,
        Self::Ablation,
    ];

    /// The methods that estimate [`Self::Ablation`], which costs a run of every neuron.
    pub fn estimates() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|&method| method != Self::Ablation)
    }

    /// Whether there is a path to integrate over.
    #[must_use]
    pub fn has_path(self) -> bool {
        matches!(self, Self::IntegratedGradients | Self::ClampedGradients)
    }

    /// Whether the scores of a path add up to the difference of the target between its ends.
    #[must_use]
    pub fn adds_up(self) -> bool {
        self != Self::ClampedGradients
    }

    /// Whether scores depend on what is explained.
    #[must_use]
    pub fn has_target(self) -> bool {
        self == Self::Relp || self.has_baseline()
    }

    /// Whether a neuron is taken from a baseline to its activation, at one of two sites; else the site is its activation, and there
    /// is no baseline but zero.
    #[must_use]
    pub fn has_baseline(self) -> bool {
        matches!(
            self,
            Self::IntegratedGradients
                | Self::ClampedGradients
                | Self::GradientTimesActivation
                | Self::Ablation
        )
    }
}

/// Where the path starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Activations of zero (the paper).
    #[default]
    Zero,
    /// Each neuron's mean over the items that are attributed, at the positions that are scaled.
    Mean,
}

/// How item scores become one score a neuron.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The mean, sign kept (the paper's Eq. 5).
    #[default]
    SignedMean,
    /// The mean of absolute values: what raises the target for one item and lowers it for another does not cancel.
    MeanAbsolute,
    /// The share of the items in which a neuron has at least a share of the item's largest score (Knowledge Neurons' consensus; Dai et
    /// al., 2022, section 3.3).
    ConsensusShare,
}

/// In which unit the scores of a layer are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LayerScale {
    /// That of the target, so that layers can be compared.
    #[default]
    AsIs,
    /// The layer's own largest absolute score, over the items: what a third party reports of the paper's released code.
    Maximum,
}

impl LayerScale {
    fn is_as_is(&self) -> bool {
        *self == Self::AsIs
    }
}

/// Everything that decides an attribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "AttributionSettings"))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the preset these settings started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// Which neurons are scaled together.
    pub path: IntegrationPath,
    /// Where a neuron is scaled.
    pub site: Site,
    /// Which positions are scaled.
    pub positions: Positions,
    /// The number that is explained.
    pub target: TargetKind,
    /// Nodes of the quadrature; the most nodes of a layer and item where the rule is adaptive.
    pub steps: usize,
    /// Rule of the quadrature.
    pub rule: Quadrature,
    /// The completeness gap that an adaptive rule allows, as a share of `|M(1) − M(0)|`; others have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Where the path starts.
    #[serde(default)]
    pub baseline: Baseline,
    /// How item scores become one score a neuron.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// The share of an item's largest score that counts for the consensus share; other aggregates have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus_threshold: Option<f64>,
    /// In which unit the scores of a layer are.
    #[serde(default, skip_serializing_if = "LayerScale::is_as_is")]
    #[cfg_attr(test, ts(as = "Option<LayerScale>", optional))]
    pub layer_scale: LayerScale,
    /// Only items whose predicted choice has at least this probability, in 0..=1.
    pub confidence_threshold: f64,
}

/// Most nodes of a quadrature.
pub const MAX_STEPS: usize = 1000;

/// The completeness gap that an adaptive rule allows where nothing else is said.
pub const TOLERANCE: f64 = 0.01;

/// The most nodes of a layer and item that an adaptive rule takes where nothing else is said.
pub const ADAPTIVE_STEPS: usize = 500;

/// Nodes of a path where the settings say nothing of them that fits: those of a method without a path, and an adaptive rule for scores that do
/// not add up.
const PATH_STEPS: usize = 20;

/// The share of an item's largest score that counts for the consensus where nothing else is said (Dai et al., 2022).
pub const CONSENSUS: f64 = 0.2;

/// What an adaptive rule may allow: no gap is below what single precision rounds to, and above a half it says nothing.
const TOLERANCES: std::ops::RangeInclusive<f64> = 1e-4..=0.5;

impl Settings {
    /// Names of the presets.
    pub const PRESETS: [&'static str; 4] = ["paper", "paper-code", "fast", "knowledge-neurons"];

    /// The same settings, called after a preset only where they are its.
    #[must_use]
    pub fn named(mut self) -> Self {
        let preset = self.preset.as_deref().and_then(Self::preset);
        if preset.as_ref() != Some(&self) {
            self.preset = None;
        }
        self
    }

    /// The cheapest settings that keep completeness layer by layer.
    fn fast() -> Self {
        Self {
            preset: None,
            method: Method::IntegratedGradients,
            path: IntegrationPath::PerLayer,
            site: Site::Post,
            positions: Positions::Last,
            target: TargetKind::ChoiceFirstToken,
            steps: 8,
            rule: Quadrature::Middle,
            tolerance: None,
            baseline: Baseline::Zero,
            aggregate: Aggregate::SignedMean,
            consensus_threshold: None,
            layer_scale: LayerScale::AsIs,
            confidence_threshold: 0.5,
        }
    }

    /// The preset of a name: `paper` follows the equations as a third-party re-implementation reports them
    /// (its step count is not known; 20 is this project's), `paper-code` what it reports of the authors' released code, `fast` is the cheapest that keeps completeness
    /// layer by layer, `knowledge-neurons` is that of Dai et al. (2022) with 20 steps and a threshold of 0.2, but for the target:
    /// theirs is the answer's probability, and this its logarithm.
    pub fn preset(name: &str) -> Option<Self> {
        let fast = Self {
            preset: Some(name.to_owned()),
            ..Self::fast()
        };
        match name {
            "fast" => Some(fast),
            "paper" | "paper-code" => {
                let paper = Self {
                    path: IntegrationPath::Joint,
                    site: Site::GatePre,
                    positions: Positions::All,
                    target: TargetKind::TopLogit,
                    steps: 20,
                    rule: Quadrature::Right,
                    ..fast
                };
                Some(match name {
                    "paper-code" => Self {
                        method: Method::ClampedGradients,
                        layer_scale: LayerScale::Maximum,
                        ..paper
                    },
                    _ => paper,
                })
            }
            "knowledge-neurons" => Some(Self {
                steps: 20,
                rule: Quadrature::Right,
                aggregate: Aggregate::ConsensusShare,
                consensus_threshold: Some(CONSENSUS),
                confidence_threshold: 0.0,
                ..fast
            }),
            _ => None,
        }
    }

    /// What there is to choose from: the presets by name, and what every other method starts with, by the method's name.
    #[must_use]
    pub fn choices() -> BTreeMap<String, Self> {
        let presets = Self::PRESETS
            .iter()
            .filter_map(|&name| Some((name.to_owned(), Self::preset(name)?)));
        let others = Method::ALL
            .iter()
            .filter(|&&method| method != Method::IntegratedGradients)
            .filter_map(|&method| {
                let settings = Self::preset("fast")?.by(method).named();
                Some((method.to_string(), settings))
            });
        presets.chain(others).collect()
    }

    /// The same by another method: without what that method does not know, which then has one value. A method with a path takes the usual
    /// steps where these settings are of one without.
    #[must_use]
    pub fn by(self, method: Method) -> Self {
        let had_path = self.method.has_path();
        let mut settings = Self { method, ..self };
        if method.has_path() && !had_path {
            settings.steps = PATH_STEPS;
            settings.rule = Quadrature::Middle;
        }
        if !method.has_path() {
            settings = Self {
                path: IntegrationPath::PerLayer,
                steps: 1,
                rule: Quadrature::Right,
                tolerance: None,
                ..settings
            };
        }
        if !method.adds_up() && settings.rule == Quadrature::Adaptive {
            settings = Self {
                steps: PATH_STEPS,
                rule: Quadrature::Middle,
                tolerance: None,
                ..settings
            };
        }
        if !method.has_baseline() {
            settings.site = Site::Post;
            settings.baseline = Baseline::Zero;
        }
        if !method.has_target() {
            settings.target = TargetKind::ChoiceFirstToken;
        }
        settings
    }

    /// Exact effects on the gold margin of every item: what neurons are called harmful by.
    pub fn of_harm(positions: Positions) -> Self {
        let measured = Self {
            positions,
            target: TargetKind::GoldMargin,
            confidence_threshold: 0.0,
            ..Self::fast()
        };
        measured.by(Method::Ablation).named()
    }

    /// Whether exact ablation by `other` settings reads the very runs of that by these, and at next to no cost: neurons go to the same
    /// activations, and the target is a few logits behind the prompts. With a bias a gate of zero is not an activation of zero.
    #[must_use]
    pub fn ablates_for(&self, other: &Self, mlp_bias: bool) -> bool {
        let is_zeroed = |settings: &Self| settings.baseline == Baseline::Zero;
        self.positions == other.positions
            && [self, other].into_iter().all(is_zeroed)
            && (self.site == other.site || !mlp_bias)
            && self.target != TargetKind::ChoiceLogprob
            && !other.target.takes_all_logits()
    }

    /// The completeness gap that an adaptive rule allows, as a share.
    pub fn tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(TOLERANCE)
    }

    /// The share of an item's largest score that counts for the consensus share.
    pub fn consensus_threshold(&self) -> f64 {
        self.consensus_threshold.unwrap_or(CONSENSUS)
    }

    /// # Errors
    ///
    /// [`RunError::Settings`] for a step count, tolerance or threshold out of range.
    pub fn check(&self) -> Result<(), RunError> {
        if !self.method.adds_up() && self.rule == Quadrature::Adaptive {
            return Err(refused(format!(
                "the scores of the method {} do not add up, so that no rule can go by what they miss; take another than adaptive",
                self.method
            )));
        }
        let known = self.clone().by(self.method);
        let unknown = [
            (known.path != self.path, "path"),
            (known.steps != self.steps, "number of steps but 1"),
            (known.rule != self.rule, "rule but right"),
            (known.tolerance != self.tolerance, "tolerance"),
            (known.site != self.site, "site but post"),
            (known.target != self.target, "target but choice_first_token"),
            (known.baseline != self.baseline, "baseline but zero"),
        ];
        if let Some((_, name)) = unknown.into_iter().find(|(is_unknown, _)| *is_unknown) {
            return Err(refused(format!("the method {} has no {name}", self.method)));
        }
        let least = self.rule.least();
        if !(least..=MAX_STEPS).contains(&self.steps) {
            return Err(refused(format!(
                "steps must be {least} to {MAX_STEPS} by this rule, and is {}",
                self.steps
            )));
        }
        match (self.rule, self.tolerance) {
            (Quadrature::Adaptive, Some(tolerance)) if !TOLERANCES.contains(&tolerance) => {
                return Err(refused(format!(
                    "tolerance must be {} to {}, and is {tolerance}",
                    TOLERANCES.start(),
                    TOLERANCES.end()
                )));
            }
            (Quadrature::Adaptive, _) | (_, None) => {}
            (_, Some(_)) => {
                return Err(refused("a tolerance is for the adaptive rule alone".into()));
            }
        }
        if (self.baseline, self.site) == (Baseline::Mean, Site::GatePre) {
            return Err(refused(
                "a baseline of mean is for the site post alone".into(),
            ));
        }
        match (self.aggregate, self.consensus_threshold) {
            (Aggregate::ConsensusShare, Some(share)) if !(share > 0.0 && share <= 1.0) => {
                return Err(refused(format!(
                    "consensus_threshold must be above 0 and at most 1, and is {share}"
                )));
            }
            (Aggregate::ConsensusShare, _) | (_, None) => {}
            (_, Some(_)) => {
                return Err(refused(
                    "a consensus_threshold is for the aggregate consensus_share alone".into(),
                ));
            }
        }
        if (self.layer_scale, self.aggregate) == (LayerScale::Maximum, Aggregate::ConsensusShare) {
            return Err(refused(
                "a layer_scale of maximum is for scores, and the aggregate consensus_share gives shares of the items".into(),
            ));
        }
        if !(0.0..=1.0).contains(&self.confidence_threshold) {
            return Err(refused(format!(
                "confidence_threshold must be 0 to 1, and is {}",
                self.confidence_threshold
            )));
        }
        Ok(())
    }
}

fn refused(message: String) -> RunError {
    RunError::Settings(format!("attribution settings: {message}"))
}
