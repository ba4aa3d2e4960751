//! What can be asked on the command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{
    Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, value_parser,
};

use crate::attribution::quadrature::Quadrature;
use crate::attribution::settings::{ADAPTIVE_STEPS, Method};
use crate::attribution::{IntegrationPath, Positions, Settings, TargetKind};
use crate::items::AnswersFrom;
use crate::model::{Precision, Site};
use crate::scoring::Rule;
use crate::study::MAX_SEED;

/// Find, show and prune the neurons that make a small language model answer confidently for the wrong
/// reason.
#[derive(Parser)]
#[command(version, about)]
pub struct Args {
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = Device::Flex, global = true)]
    pub device: Device,
    /// How weights are held; everything is computed in f32.
    #[arg(long, value_parser = precision(), default_value = "f32", global = true)]
    pub precision: Precision,
    /// Print no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// Those of this process; ends it where they are none.
    pub fn parsed() -> Self {
        // A negative number is a value, and which ones can be is for the command to say.
        let command = Self::command().mut_subcommands(|sub| {
            sub.allow_negative_numbers(true)
                .mut_subcommands(|sub| sub.allow_negative_numbers(true))
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Device {
    /// The CPU, all cores.
    Flex,
    /// A GPU, or a software Vulkan driver.
    Wgpu,
}

#[derive(Subcommand)]
pub enum Command {
    /// Tokens, likely next tokens and the greedy continuation of a prompt; its logits and residual streams as tensors.
    Forward {
        /// Model: a folder, a .gguf file, or an id of the catalogue.
        #[arg(long, short)]
        model: String,
        /// The prompt.
        #[arg(long, short)]
        prompt: String,
        /// Tokens to continue by.
        #[arg(long, default_value_t = 20)]
        tokens: usize,
        /// Likely next tokens to print.
        #[arg(long, default_value_t = 10)]
        top: usize,
        /// Where to write `logits` [vocabulary] of the next token and `residuals` [n_layers + 1, positions, d_model]
        /// (safetensors).
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Log-likelihoods of every choice, predictions, accuracy.
    Score {
        #[command(flatten)]
        input: Input,
        /// Keep the log-probability of every token of the choices.
        #[arg(long)]
        tokens: bool,
        /// Where to write the scores (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// The same items with their choices in several orders: does the model prefer a place?
    PositionBias {
        #[command(flatten)]
        input: Input,
        /// Seeded orders to try; every rotation when absent.
        #[arg(long)]
        orders: Option<usize>,
        /// Seed of the orders.
        #[arg(long, default_value_t = 0, requires = "orders", value_parser = seed())]
        seed: u64,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Two outputs of `score` over the same items: changed answers, and an exact test of the change.
    Compare {
        /// Scores of the first run.
        before: PathBuf,
        /// Scores of the second run.
        after: PathBuf,
    },
    /// Look at, convert and split item files; needs no model.
    #[command(subcommand)]
    Items(ItemsCommand),
    /// Integrated Gradients of every feed-forward neuron.
    Attribute {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Where to write the scores (safetensors: `layers.{l}` [items, d_mlp], `gap`).
        #[arg(long)]
        out: PathBuf,
        /// Where to write the summary with the aggregated scores (JSON).
        #[arg(long)]
        summary: Option<PathBuf>,
    },
    /// Items before and after a mask.
    Prune {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// The mask's file; else --layer and --percent.
        #[arg(long, conflicts_with_all = ["layer", "percent"])]
        mask: Option<PathBuf>,
        /// Layer whose strongest neurons are pruned.
        #[arg(long, requires = "percent")]
        layer: Option<usize>,
        /// Percentage of that layer.
        #[arg(long, requires = "layer")]
        percent: Option<f64>,
        /// Random masks of the same size to compare with.
        #[arg(long, default_value_t = 0)]
        control: usize,
        /// Seed of the random masks.
        #[arg(long, default_value_t = 0, value_parser = seed())]
        seed: u64,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Where to write the mask.
        #[arg(long)]
        mask_out: Option<PathBuf>,
    },
    /// Layer × percentage on the items, as a table.
    Search {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Items to validate on; those of --items when absent.
        #[arg(long)]
        validation: Option<PathBuf>,
        /// Layers, separated by commas; all when absent.
        #[arg(long, value_delimiter = ',')]
        layers: Option<Vec<usize>>,
        /// Percentages, separated by commas.
        #[arg(long, value_delimiter = ',', default_value = "1,2,5,10,20,30")]
        percents: Vec<f64>,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Train one gain per remaining neuron of a layer, with the mask and without it.
    Tune {
        #[command(flatten)]
        input: Input,
        /// The mask's file; nothing is pruned when absent.
        #[arg(long)]
        mask: Option<PathBuf>,
        /// Items that pick the best state.
        #[arg(long)]
        validation: PathBuf,
        /// Items to report on, may be given several times.
        #[arg(long)]
        test: Vec<PathBuf>,
        /// The layer that gets gains.
        #[arg(long)]
        layer: usize,
        /// Optimiser steps.
        #[arg(long, default_value_t = 50)]
        steps: usize,
        /// AdamW's learning rate.
        #[arg(long, default_value_t = 0.05)]
        learning_rate: f64,
        /// AdamW's weight decay, towards gains of 1.
        #[arg(long, default_value_t = 0.0)]
        weight_decay: f64,
        /// Items per step.
        #[arg(long, default_value_t = 16)]
        batch_size: usize,
        /// Steps between evaluations.
        #[arg(long, default_value_t = 10)]
        evaluate_every: usize,
        /// Seed of the items' order.
        #[arg(long, default_value_t = 0, value_parser = seed())]
        seed: u64,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Execute a study: report.json, mask.json and ig.safetensors into a folder.
    Run {
        /// The study's file.
        study: PathBuf,
        /// Folder for the results.
        #[arg(long)]
        out: PathBuf,
        /// The model; when absent the study's id, which may be no path.
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        counting: Counting,
    },
    /// Re-run what a link or a report holds and say what reproduced.
    Reproduce {
        /// A link, its fragment, or a report's file.
        source: String,
        /// The model; when absent the study's id, which may be no path.
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        counting: Counting,
    },
    /// What a model file holds.
    Inspect {
        /// A folder (shards as well), a GGUF or safetensors file, or a catalogue id.
        model: String,
    },
    /// Make the shipped lesson model anew: items, training, study, log.
    Lesson {
        /// Folder for the results.
        #[arg(long, default_value = "models/lesson-planted")]
        out: PathBuf,
        /// Folder for the item sets.
        #[arg(long, default_value = "models/items")]
        items: PathBuf,
        /// Seed of items, weights and training.
        #[arg(long, default_value_t = 1, value_parser = seed())]
        seed: u64,
    },
}

impl Command {
    /// The files it writes.
    pub fn outputs(&self) -> Vec<&PathBuf> {
        let (first, second) = match self {
            Self::Forward { out, .. }
            | Self::Score { out, .. }
            | Self::PositionBias { out, .. }
            | Self::Search { out, .. }
            | Self::Tune { out, .. } => (out.as_ref(), None),
            Self::Attribute { out, summary, .. } => (Some(out), summary.as_ref()),
            Self::Prune { out, mask_out, .. } => (out.as_ref(), mask_out.as_ref()),
            Self::Items(ItemsCommand::Convert { out, .. }) => (out.as_ref(), None),
            _ => (None, None),
        };
        first.into_iter().chain(second).collect()
    }

    /// The files it reads beside those of the model.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let (input, further): (&Input, Vec<&PathBuf>) = match self {
            Self::Score { input, .. }
            | Self::PositionBias { input, .. }
            | Self::Attribute { input, .. } => (input, Vec::new()),
            Self::Prune { input, mask, .. } => (input, mask.iter().collect()),
            Self::Search {
                input, validation, ..
            } => (input, validation.iter().collect()),
            Self::Tune {
                input,
                mask,
                validation,
                test,
                ..
            } => (input, mask.iter().chain([validation]).chain(test).collect()),
            Self::Items(ItemsCommand::Convert { file, .. }) => return vec![file.clone()],
            _ => return Vec::new(),
        };
        let template = PathBuf::from(&input.template);
        let of_all = [&input.items, &template];
        let files = of_all
            .into_iter()
            .chain(&input.few_shot_items)
            .chain(further);
        files.cloned().collect()
    }

    /// The model it loads, as it was named.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Forward { model, .. } => Some(model),
            Self::Score { input, .. }
            | Self::PositionBias { input, .. }
            | Self::Attribute { input, .. }
            | Self::Prune { input, .. }
            | Self::Search { input, .. }
            | Self::Tune { input, .. } => Some(&input.model),
            _ => None,
        }
    }
}

#[derive(Subcommand)]
pub enum ItemsCommand {
    /// Format, numbers, first items and every wrong line, as JSON.
    Preview {
        /// The file.
        file: PathBuf,
        /// Items to show.
        #[arg(long, default_value_t = 5)]
        show: usize,
        #[command(flatten)]
        counting: Counting,
    },
    /// Write items as JSONL or CSV.
    Convert {
        /// The file.
        file: PathBuf,
        /// What to write.
        #[arg(long, value_enum, default_value_t = ItemsFormat::Jsonl)]
        to: ItemsFormat,
        /// Leave out wrong lines, and say how many, where they are else an error.
        #[arg(long)]
        partial: bool,
        #[command(flatten)]
        counting: Counting,
        /// Where to write; standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Deal items out to attribution.jsonl, validation.jsonl and test.jsonl, stratified by the place of the right
    /// choice.
    Split {
        /// The file.
        file: PathBuf,
        /// Sizes of the three parts in relation to each other.
        #[arg(long, value_delimiter = ',', default_value = "1,1,1")]
        shares: Vec<f64>,
        /// Seed of the split.
        #[arg(long, default_value_t = 0, value_parser = seed())]
        seed: u64,
        #[command(flatten)]
        counting: Counting,
        /// Folder for the three files.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ItemsFormat {
    /// One JSON object a line, in canonical form.
    Jsonl,
    /// id, question, a, b, …, correct.
    Csv,
}

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
    /// All settings at once: paper or fast; the other options change single ones.
    #[arg(long, default_value = "fast", value_parser = preset)]
    pub preset: Settings,
    /// per_layer or joint.
    #[arg(long, value_parser = named::<IntegrationPath>)]
    pub path: Option<IntegrationPath>,
    /// integrated_gradients, or for comparison gradient_times_activation, activation, weight_norm, wanda, cosine, random.
    #[arg(long, value_parser = named::<Method>)]
    pub method: Option<Method>,
    /// post or gate_pre.
    #[arg(long, value_parser = named::<Site>)]
    pub site: Option<Site>,
    /// last or all.
    #[arg(long, value_parser = named::<Positions>)]
    pub positions: Option<Positions>,
    /// top_logit or choice_first_token.
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
            confidence_threshold: self.confidence.unwrap_or(preset.confidence_threshold),
            ..preset.clone()
        };
        if settings != given {
            settings.preset = None;
        }
        settings
    }
}

/// A seed that a document can hold.
fn seed() -> RangedU64ValueParser {
    value_parser!(u64).range(..=MAX_SEED)
}

fn preset(name: &str) -> Result<Settings, String> {
    Settings::preset(name)
        .ok_or_else(|| format!("unknown preset; known are {}", Settings::PRESETS.join(", ")))
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    let values = [
        ("f32", "32-bit floats"),
        ("f16", "16-bit floats"),
        ("int8", "8-bit integers with a scale for every 32"),
    ];
    let values = values.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|name| named(&name))
}

/// A value by the name it has in JSON.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|error| error.to_string())
}
