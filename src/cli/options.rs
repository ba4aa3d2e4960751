//! Options that several commands share.

use std::fmt::Display;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args as ClapArgs, value_parser};

use super::CliError;
use crate::attribution::quadrature::Quadrature;
use crate::attribution::settings::{ADAPTIVE_STEPS, Aggregate, Baseline, LayerScale, Method};
use crate::attribution::{IntegrationPath, Positions, Settings, TargetKind};
use crate::items::AnswersFrom;
use crate::model::{Precision, Site};
use crate::pruning::Resampling;
use crate::scoring::{Rule, RunError};
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

/// How every neuron is scored.
#[derive(ClapArgs)]
pub struct SettingsArgs {
    #[command(flatten)]
    scored: ScoredArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    aggregation: AggregationArgs,
}

impl SettingsArgs {
    /// The names of these in clap, which knows a struct by its own arguments, without those that are flattened into it.
    pub const GROUPS: [&str; 5] = [
        "PresetArgs",
        "ExplainedArgs",
        "IntegralArgs",
        "MethodArgs",
        "AggregationArgs",
    ];

    /// The preset with the single settings put in.
    pub fn settings(&self) -> Result<Settings, RunError> {
        self.scored.settings(self.method.method, &self.aggregation)
    }

    /// The same without the method, as [`RaceSettingsArgs`] has them: each method of a race begins with them.
    pub fn of_race(&self) -> Result<Settings, RunError> {
        self.scored.settings(None, &self.aggregation)
    }
}

/// How the methods of a race score every neuron: there is none to choose, for all of them run.
#[derive(ClapArgs)]
pub struct RaceSettingsArgs {
    #[command(flatten)]
    scored: ScoredArgs,
    #[command(flatten)]
    aggregation: AggregationArgs,
}

impl RaceSettingsArgs {
    /// The preset with the single settings put in.
    pub fn settings(&self) -> Result<Settings, RunError> {
        self.scored.settings(None, &self.aggregation)
    }
}

/// How every neuron is scored where the items' own scores are compared, and not put together.
#[derive(ClapArgs)]
pub struct ItemScoresArgs {
    #[command(flatten)]
    scored: ScoredArgs,
    #[command(flatten)]
    method: MethodArgs,
}

impl ItemScoresArgs {
    /// The preset with the single settings put in, and without what it says of putting items together.
    pub fn settings(&self) -> Result<Settings, RunError> {
        let plain = AggregationArgs {
            aggregate: Some(Aggregate::SignedMean),
            layer_scale: Some(LayerScale::AsIs),
            consensus_threshold: None,
        };
        self.scored.settings(self.method.method, &plain)
    }
}

/// A preset, and what scores of an item take.
#[derive(ClapArgs)]
pub struct ScoredArgs {
    #[command(flatten)]
    preset: PresetArgs,
    #[command(flatten)]
    explained: ExplainedArgs,
    #[command(flatten)]
    integral: IntegralArgs,
}

impl ScoredArgs {
    fn settings(
        &self,
        method: Option<Method>,
        aggregation: &AggregationArgs,
    ) -> Result<Settings, RunError> {
        let preset = self.preset.preset.clone();
        let method = method.unwrap_or(preset.method);
        let by_method = self.integral.put_into(preset.by(method));
        let settings = aggregation.put_into(self.explained.put_into(by_method));
        settings.check()?;
        Ok(settings.named())
    }
}

/// What the other options change.
#[derive(ClapArgs)]
pub struct PresetArgs {
    /// All settings at once: paper, paper-code, fast or knowledge-neurons; the other options change single ones.
    #[arg(long, default_value = "fast", value_parser = preset)]
    preset: Settings,
}

/// The method.
#[derive(ClapArgs)]
pub struct MethodArgs {
    /// integrated_gradients, or for comparison clamped_gradients, gradient_times_activation, relp, activation, weight_norm, wanda, cosine, random;
    /// or ablation: the effect itself, at the cost of a run of every neuron.
    #[arg(long, value_parser = named::<Method>)]
    method: Option<Method>,
}

/// What is explained, where and of which items.
#[derive(ClapArgs)]
pub struct ExplainedArgs {
    /// post or gate_pre.
    #[arg(long, value_parser = named::<Site>)]
    site: Option<Site>,
    /// last or all.
    #[arg(long, value_parser = named::<Positions>)]
    positions: Option<Positions>,
    /// top_logit, choice_first_token, choice_logprob or gold_margin.
    #[arg(long, value_parser = named::<TargetKind>)]
    target: Option<TargetKind>,
    /// What a neuron is taken from: zero, or mean for each neuron's mean over the items.
    #[arg(long, value_parser = named::<Baseline>)]
    baseline: Option<Baseline>,
    /// Only items predicted with at least this probability.
    #[arg(long)]
    confidence: Option<f64>,
}

impl ExplainedArgs {
    /// How effects are measured: of the gold margin, and of every item, where nothing else is said.
    pub fn of_effects(&self) -> Result<Settings, RunError> {
        let settings = self.put_into(Settings::of_harm(Positions::Last));
        settings.check()?;
        Ok(settings)
    }

    fn put_into(&self, settings: Settings) -> Settings {
        Settings {
            site: self.site.unwrap_or(settings.site),
            positions: self.positions.unwrap_or(settings.positions),
            target: self.target.unwrap_or(settings.target),
            baseline: self.baseline.unwrap_or(settings.baseline),
            confidence_threshold: self.confidence.unwrap_or(settings.confidence_threshold),
            ..settings
        }
    }
}

/// The path of a method that has one, and its quadrature.
#[derive(ClapArgs)]
pub struct IntegralArgs {
    /// per_layer or joint.
    #[arg(long, value_parser = named::<IntegrationPath>)]
    path: Option<IntegrationPath>,
    /// Nodes of the quadrature; by the adaptive rule the most of a layer and item (500 where nothing is said).
    #[arg(long)]
    steps: Option<usize>,
    /// right, left, middle, trapezoid, gauss_legendre, or adaptive: as many nodes as the tolerance takes.
    #[arg(long, value_parser = named::<Quadrature>)]
    rule: Option<Quadrature>,
    /// The completeness gap that the adaptive rule allows, as a share of the difference (0.01 where nothing is said).
    #[arg(long)]
    tolerance: Option<f64>,
}

impl IntegralArgs {
    fn put_into(&self, settings: Settings) -> Settings {
        let rule = self.rule.unwrap_or(settings.rule);
        let steps = match rule {
            Quadrature::Adaptive if settings.rule != rule => ADAPTIVE_STEPS,
            _ => settings.steps,
        };
        Settings {
            path: self.path.unwrap_or(settings.path),
            steps: self.steps.unwrap_or(steps),
            rule,
            tolerance: self.tolerance.or(settings.tolerance),
            ..settings
        }
    }
}

/// How the scores of the items become one score a neuron.
#[derive(ClapArgs)]
pub struct AggregationArgs {
    /// How item scores become one score a neuron: signed_mean, mean_absolute or consensus_share.
    #[arg(long, value_parser = named::<Aggregate>)]
    aggregate: Option<Aggregate>,
    /// In which unit a layer's scores are: as_is, or maximum, divided by the layer's largest.
    #[arg(long, value_parser = named::<LayerScale>)]
    layer_scale: Option<LayerScale>,
    /// The share of an item's largest score that counts for the consensus share (0.2 where nothing is said).
    #[arg(long)]
    consensus_threshold: Option<f64>,
}

impl AggregationArgs {
    fn put_into(&self, settings: Settings) -> Settings {
        let aggregate = self.aggregate.unwrap_or(settings.aggregate);
        let is_kept = aggregate == settings.aggregate;
        let threshold = settings.consensus_threshold.filter(|_| is_kept);
        Settings {
            aggregate,
            consensus_threshold: self.consensus_threshold.or(threshold),
            layer_scale: self.layer_scale.unwrap_or(settings.layer_scale),
            ..settings
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

impl ResamplingArgs {
    /// How many, and with which seed.
    pub fn checked(self) -> Result<Resampling, RunError> {
        let Self { resamples, seed } = self;
        let resampling = Resampling { resamples, seed };
        resampling.check()?;
        Ok(resampling)
    }
}

/// Refuses a list of an option that names a value twice: it would be computed, or counted, as two.
pub(super) fn check_distinct<T: PartialEq + Display>(
    option: &str,
    values: &[T],
) -> Result<(), CliError> {
    let mut places = values.iter().enumerate();
    match places.find(|(place, value)| values[..*place].contains(value)) {
        Some((_, value)) => Err(CliError::Input(format!("{option} names {value} twice"))),
        None => Ok(()),
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
