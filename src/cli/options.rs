//! Options that several commands share.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args as ClapArgs, value_parser};

use crate::attribution::quadrature::Quadrature;
use crate::attribution::settings::{ADAPTIVE_STEPS, Aggregate, Baseline, LayerScale, Method};
use crate::attribution::{IntegrationPath, Positions, Settings, TargetKind};
use crate::items::AnswersFrom;
use crate::model::{Precision, Site};
use crate::pruning::Resampling;
use crate::scoring::Rule;
use crate::study::MAX_SEED;

#[derive(ClapArgs)]
pub struct Input {
    /// A folder (shards as well), a GGUF or safetensors file, or a catalogue id.
    #[arg(long)]
    pub model: String,
    /// Items in any format.
    #[arg(long)]
    pub items: PathBuf,
    #[command(flatten)]
    pub counting: Counting,
    /// Prompt template: a name, or the file of one of your own (JSON).
    #[arg(long, default_value = "question-answer")]
    pub template: String,
    /// Solved items before each prompt.
    #[arg(long, value_name = "K")]
    pub few_shot: Option<usize>,
    /// Seed of their draw; the first ones when absent.
    #[arg(long, value_name = "SEED", requires = "few_shot", value_parser = seed())]
    pub few_shot_seed: Option<u64>,
    /// Items they are drawn from; those of --items, each itself left out, when absent.
    #[arg(long, value_name = "FILE", requires = "few_shot")]
    pub few_shot_items: Option<PathBuf>,
    /// Seed of an order of every item's choices; the file's order when absent.
    #[arg(long, value_name = "SEED", value_parser = seed())]
    pub choice_order: Option<u64>,
    /// By which number a choice is predicted: sum, per_character, per_byte, per_token or mutual_information.
    #[arg(long, default_value = "sum", value_parser = named::<Rule>)]
    pub prediction: Rule,
}

/// How right answers that are numbers are counted.
#[derive(ClapArgs, Clone, Copy)]
pub struct Counting {
    /// Number of the first choice where right answers are numbers; asked for where an item file does not show it.
    #[arg(long, value_name = "NUMBER", value_parser = answers_from())]
    pub answers_from: Option<AnswersFrom>,
}

fn answers_from() -> impl TypedValueParser<Value = AnswersFrom> {
    PossibleValuesParser::new(["0", "1"]).map(|first| match first.as_str() {
        "0" => AnswersFrom::Zero,
        _ => AnswersFrom::One,
    })
}

#[derive(ClapArgs)]
pub struct SettingsArgs {
    /// All settings at once: paper, paper-code, fast or knowledge-neurons; the other options change single ones.
    #[arg(long, default_value = "fast", value_parser = preset)]
    pub preset: Settings,
    /// per_layer or joint.
    #[arg(long, value_parser = named::<IntegrationPath>)]
    pub path: Option<IntegrationPath>,
    /// integrated_gradients, or for comparison clamped_gradients, gradient_times_activation, relp, activation, weight_norm, wanda, cosine, random;
    /// or ablation: the effect itself, at the cost of a run of every neuron.
    #[arg(long, value_parser = named::<Method>)]
    pub method: Option<Method>,
    /// post or gate_pre.
    #[arg(long, value_parser = named::<Site>)]
    pub site: Option<Site>,
    /// last or all.
    #[arg(long, value_parser = named::<Positions>)]
    pub positions: Option<Positions>,
    /// top_logit, choice_first_token, choice_logprob or gold_margin.
    #[arg(long, value_parser = named::<TargetKind>)]
    pub target: Option<TargetKind>,
    /// Nodes of the quadrature; by the adaptive rule the most of a layer and item (500 where nothing is said).
    #[arg(long)]
    pub steps: Option<usize>,
    /// right, left, middle, trapezoid, gauss_legendre, or adaptive: as many nodes as the tolerance takes.
    #[arg(long, value_parser = named::<Quadrature>)]
    pub rule: Option<Quadrature>,
    /// The completeness gap that the adaptive rule allows, as a share of the difference (0.01 where nothing is said).
    #[arg(long)]
    pub tolerance: Option<f64>,
    /// Where the path starts: zero, or mean for each neuron's mean over the items.
    #[arg(long, value_parser = named::<Baseline>)]
    pub baseline: Option<Baseline>,
    /// How item scores become one score a neuron: signed_mean, mean_absolute or consensus_share.
    #[arg(long, value_parser = named::<Aggregate>)]
    pub aggregate: Option<Aggregate>,
    /// In which unit a layer's scores are: as_is, or maximum, divided by the layer's largest.
    #[arg(long, value_parser = named::<LayerScale>)]
    pub layer_scale: Option<LayerScale>,
    /// The share of an item's largest score that counts for the consensus share (0.2 where nothing is said).
    #[arg(long)]
    pub consensus_threshold: Option<f64>,
    /// Only items predicted with at least this probability.
    #[arg(long)]
    pub confidence: Option<f64>,
}

impl SettingsArgs {
    /// The preset with the single settings put in.
    pub fn settings(&self) -> Settings {
        let given = self.preset.clone();
        let preset = given.clone().by(self.method.unwrap_or(given.method));
        let rule = self.rule.unwrap_or(preset.rule);
        let steps = match rule {
            Quadrature::Adaptive if preset.rule != rule => ADAPTIVE_STEPS,
            _ => preset.steps,
        };
        let mut settings = Settings {
            path: self.path.unwrap_or(preset.path),
            site: self.site.unwrap_or(preset.site),
            positions: self.positions.unwrap_or(preset.positions),
            target: self.target.unwrap_or(preset.target),
            steps: self.steps.unwrap_or(steps),
            rule,
            tolerance: self.tolerance.or(preset.tolerance),
            baseline: self.baseline.unwrap_or(preset.baseline),
            aggregate: self.aggregate.unwrap_or(preset.aggregate),
            consensus_threshold: self.consensus_threshold.or(match self.aggregate {
                Some(aggregate) if aggregate != preset.aggregate => None,
                _ => preset.consensus_threshold,
            }),
            layer_scale: self.layer_scale.unwrap_or(preset.layer_scale),
            confidence_threshold: self.confidence.unwrap_or(preset.confidence_threshold),
            ..preset.clone()
        };
        if settings != given {
            settings.preset = None;
        }
        settings
    }
}

impl SettingsArgs {
    /// The same for measured effects: of the gold margin, and of every item, where nothing else is said.
    pub fn effects(&self) -> Settings {
        let settings = self.settings();
        Settings {
            target: self.target.unwrap_or(TargetKind::GoldMargin),
            confidence_threshold: self.confidence.unwrap_or(0.0),
            ..settings.by(Method::Ablation)
        }
    }
}

/// How resamples of the items are drawn.
#[derive(ClapArgs, Clone, Copy)]
pub struct ResamplingArgs {
    /// Resamples of the items.
    #[arg(long, default_value_t = 200)]
    pub resamples: usize,
    /// Their seed.
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
}

impl From<ResamplingArgs> for Resampling {
    fn from(ResamplingArgs { resamples, seed }: ResamplingArgs) -> Self {
        Self { resamples, seed }
    }
}

/// A seed that a document can hold.
pub(super) fn seed() -> RangedU64ValueParser {
    value_parser!(u64).range(..=MAX_SEED)
}

fn preset(name: &str) -> Result<Settings, String> {
    Settings::preset(name)
        .ok_or_else(|| format!("unknown preset; known are {}", Settings::PRESETS.join(", ")))
}

pub(super) fn precision() -> impl TypedValueParser<Value = Precision> {
    let values = [
        ("f32", "32-bit floats"),
        ("f16", "16-bit floats"),
        ("int8", "8-bit integers with a scale for every 32"),
    ];
    let values = values.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|name| named(&name))
}

/// A value by the name it has in JSON.
pub(super) fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|error| error.to_string())
}
