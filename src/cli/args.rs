//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::items::ItemsCommand;
use super::masks::MasksCommand;
use super::options::{Counting, Input, ResamplingArgs, SettingsArgs, precision, seed};
use super::portray::{ContrastArgs, NeuronArgs, SalienceArgs};
use super::prune::PruneArgs;
use super::search::SearchArgs;
use super::tune::TuneArgs;
use crate::model::Precision;

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
    /// What drives the answers beside the questions: the items without them, with their choices in other places, and by the choices'
    /// lengths.
    Audit {
        #[command(flatten)]
        input: Input,
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
    /// What every neuron does to the gold margin, measured by setting it to zero; beside it the first-order estimate.
    Effects {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Layers to measure, separated by commas; all when absent. The others are estimated.
        #[arg(long, value_delimiter = ',')]
        layers: Option<Vec<usize>>,
        /// Where to write the effects (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Every method against exact ablation: rank correlation, the share of the true top that it finds, seconds.
    Race {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Layers to race in, separated by commas; all when absent.
        #[arg(long, value_delimiter = ',')]
        layers: Option<Vec<usize>>,
        /// The percentage of a layer that is to be found.
        #[arg(long, default_value_t = 5.0)]
        percent: f64,
        #[command(flatten)]
        resampling: ResamplingArgs,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Whether other items would have chosen the same neurons: the selection again over resamples of the items.
    Stability {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Layer whose strongest neurons are selected.
        #[arg(long)]
        layer: usize,
        /// Percentage of that layer.
        #[arg(long)]
        percent: f64,
        #[command(flatten)]
        resampling: ResamplingArgs,
        /// Where to write the report (JSON); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// What a sceptic asks of a model and its items, in one report: audit, race, search beside luck, stability, and a test that is
    /// looked at once.
    Critique {
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Layers to race in, separated by commas; all when absent.
        #[arg(long, value_delimiter = ',')]
        race_layers: Option<Vec<usize>>,
        /// The percentage of a layer that the race looks for.
        #[arg(long, default_value_t = 5.0)]
        percent: f64,
        /// Percentages of the search, separated by commas.
        #[arg(long, value_delimiter = ',', default_value = "1,5,20")]
        percents: Vec<f64>,
        /// Random masks beside every cell of the search.
        #[arg(long, default_value_t = 3)]
        control: usize,
        #[command(flatten)]
        resampling: ResamplingArgs,
        /// Where to write the report as text with tables (Markdown); standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Where to write all numbers (JSON).
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Items before and after a mask.
    Prune(PruneArgs),
    /// Union, intersection and difference of masks; needs no model.
    #[command(subcommand)]
    Masks(MasksCommand),
    /// Masks by every selection rule on the items: layer × percentage and, where asked for, others beside it.
    Search(SearchArgs),
    /// Scores on items minus those on others, or minus those of the same items without their questions.
    Contrast(ContrastArgs),
    /// What one neuron is about: where it fires, which tokens it raises and lowers, who is active with it.
    Neuron(NeuronArgs),
    /// Which words of an item's prompt drive its answer: gradient × input.
    Salience(SalienceArgs),
    /// Train one gain per remaining neuron of a layer, with the mask and without it.
    Tune(TuneArgs),
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
}

impl Command {
    /// The files it writes.
    pub fn outputs(&self) -> Vec<&PathBuf> {
        let (first, second) = match self {
            Self::Forward { out, .. }
            | Self::Score { out, .. }
            | Self::PositionBias { out, .. }
            | Self::Audit { out, .. }
            | Self::Effects { out, .. }
            | Self::Race { out, .. }
            | Self::Stability { out, .. }
            | Self::Search(SearchArgs { out, .. })
            | Self::Contrast(ContrastArgs { out, .. })
            | Self::Neuron(NeuronArgs { out, .. })
            | Self::Salience(SalienceArgs { out, .. })
            | Self::Tune(TuneArgs { out, .. }) => (out.as_ref(), None),
            Self::Critique { out, json, .. } => (out.as_ref(), json.as_ref()),
            Self::Attribute { out, summary, .. } => (Some(out), summary.as_ref()),
            Self::Prune(PruneArgs { out, mask_out, .. }) => (out.as_ref(), mask_out.as_ref()),
            Self::Items(ItemsCommand::Convert { out, .. }) => (out.as_ref(), None),
            Self::Masks(command) => (command.masks().out.as_ref(), None),
            _ => (None, None),
        };
        first.into_iter().chain(second).collect()
    }

    /// The files it reads beside those of the model.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let (input, further): (&Input, Vec<&PathBuf>) = match self {
            Self::Score { input, .. }
            | Self::PositionBias { input, .. }
            | Self::Audit { input, .. }
            | Self::Effects { input, .. }
            | Self::Race { input, .. }
            | Self::Critique { input, .. }
            | Self::Stability { input, .. }
            | Self::Neuron(NeuronArgs { input, .. })
            | Self::Salience(SalienceArgs { input, .. })
            | Self::Attribute { input, .. } => (input, Vec::new()),
            Self::Contrast(ContrastArgs { input, against, .. }) => {
                (input, against.iter().collect())
            }
            Self::Prune(PruneArgs {
                input, mask, text, ..
            }) => (input, mask.iter().chain(text).collect()),
            Self::Search(SearchArgs {
                input, validation, ..
            }) => (input, validation.iter().collect()),
            Self::Tune(TuneArgs {
                input,
                mask,
                validation,
                test,
                ..
            }) => (input, mask.iter().chain([validation]).chain(test).collect()),
            Self::Items(ItemsCommand::Convert { file, .. }) => return vec![file.clone()],
            Self::Masks(command) => return command.masks().files.clone(),
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
            | Self::Audit { input, .. }
            | Self::Attribute { input, .. }
            | Self::Effects { input, .. }
            | Self::Race { input, .. }
            | Self::Critique { input, .. }
            | Self::Stability { input, .. }
            | Self::Contrast(ContrastArgs { input, .. })
            | Self::Neuron(NeuronArgs { input, .. })
            | Self::Salience(SalienceArgs { input, .. })
            | Self::Prune(PruneArgs { input, .. })
            | Self::Search(SearchArgs { input, .. })
            | Self::Tune(TuneArgs { input, .. }) => Some(&input.model),
            _ => None,
        }
    }
}
