//! What can be asked on the command line.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::attribute::{AttributeArgs, EffectsArgs, RaceArgs, StabilityArgs};
use super::critique::CritiqueArgs;
use super::forward::ForwardArgs;
use super::items::ItemsCommand;
use super::masks::MasksCommand;
use super::options::{Input, precision};
use super::outputs::path_or_output;
use super::places::STANDARD_STREAM;
use super::portray::{ContrastArgs, NeuronArgs, SalienceArgs};
use super::prune::PruneArgs;
use super::scores::{AuditArgs, PositionBiasArgs, ScoreArgs};
use super::search::SearchArgs;
use super::studies::{ReproduceArgs, RunArgs};
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
    Forward(ForwardArgs),
    /// Log-likelihoods of every choice, predictions, accuracy.
    Score(ScoreArgs),
    /// The same items with their choices in several orders: does the model prefer a place?
    PositionBias(PositionBiasArgs),
    /// What drives the answers beside the questions: the items without them, with their choices in other places, and by the choices'
    /// lengths.
    Audit(AuditArgs),
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
    Attribute(AttributeArgs),
    /// What every neuron does to the gold margin, measured by setting it to zero; beside it the first-order estimate.
    Effects(EffectsArgs),
    /// Every method against exact ablation: rank correlation, the share of the true top that it finds, seconds.
    Race(RaceArgs),
    /// Whether other items would have chosen the same neurons: the selection again over resamples of the items.
    Stability(StabilityArgs),
    /// What a sceptic asks of a model and its items, in one report: audit, race, search beside luck, stability, and a test that is
    /// looked at once.
    Critique(CritiqueArgs),
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
    Run(RunArgs),
    /// Re-run what a link or a report holds and say what reproduced.
    Reproduce(ReproduceArgs),
    /// What a model file holds.
    Inspect {
        /// A folder (shards as well), a GGUF or safetensors file, or a catalogue id.
        model: String,
    },
}

impl Command {
    /// Where its results go, those of whole folders aside.
    pub fn outputs(&self) -> Vec<&Path> {
        let (first, second) = match self {
            Self::Score(ScoreArgs { out, .. })
            | Self::PositionBias(PositionBiasArgs { out, .. })
            | Self::Audit(AuditArgs { out, .. })
            | Self::Effects(EffectsArgs { out, .. })
            | Self::Race(RaceArgs { out, .. })
            | Self::Stability(StabilityArgs { out, .. })
            | Self::Search(SearchArgs { out, .. })
            | Self::Contrast(ContrastArgs { out, .. })
            | Self::Neuron(NeuronArgs { out, .. })
            | Self::Salience(SalienceArgs { out, .. })
            | Self::Tune(TuneArgs { out, .. })
            | Self::Items(ItemsCommand::Convert { out, .. }) => {
                (path_or_output(out.as_ref()), None)
            }
            Self::Masks(command) => (path_or_output(command.masks().out.as_ref()), None),
            Self::Forward(ForwardArgs { out, .. }) => (Path::new(STANDARD_STREAM), out.as_ref()),
            Self::Critique(CritiqueArgs { out, json, .. }) => {
                (path_or_output(out.as_ref()), json.as_ref())
            }
            Self::Prune(PruneArgs { out, mask_out, .. }) => {
                (path_or_output(out.as_ref()), mask_out.as_ref())
            }
            Self::Attribute(AttributeArgs { out, summary, .. }) => {
                (out.as_path(), summary.as_ref())
            }
            _ => return Vec::new(),
        };
        let second = second.map(PathBuf::as_path);
        std::iter::once(first).chain(second).collect()
    }

    /// The files it reads beside those of the model; those of a study are known when it is read.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let further: Vec<&PathBuf> = match self {
            Self::Contrast(ContrastArgs { against, .. }) => against.iter().collect(),
            Self::Prune(PruneArgs { mask, text, .. }) => mask.iter().chain(text).collect(),
            Self::Search(SearchArgs { validation, .. }) => validation.iter().collect(),
            Self::Tune(TuneArgs {
                mask,
                validation,
                test,
                ..
            }) => mask.iter().chain([validation]).chain(test).collect(),
            Self::Items(ItemsCommand::Convert { file, .. }) => vec![file],
            Self::Masks(command) => command.masks().files.iter().collect(),
            _ => Vec::new(),
        };
        let template = self.input().map(|input| PathBuf::from(&input.template));
        let of_items = self
            .input()
            .into_iter()
            .flat_map(|input| std::iter::once(&input.items).chain(&input.few_shot_items));
        of_items.chain(further).cloned().chain(template).collect()
    }

    /// The model it loads, as it was named; that of a study is known when it is read.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Forward(ForwardArgs { model, .. }) => Some(model),
            _ => self.input().map(|input| input.model.as_str()),
        }
    }

    /// The items and the model that most commands take.
    fn input(&self) -> Option<&Input> {
        match self {
            Self::Score(ScoreArgs { input, .. })
            | Self::PositionBias(PositionBiasArgs { input, .. })
            | Self::Audit(AuditArgs { input, .. })
            | Self::Attribute(AttributeArgs { input, .. })
            | Self::Effects(EffectsArgs { input, .. })
            | Self::Race(RaceArgs { input, .. })
            | Self::Stability(StabilityArgs { input, .. })
            | Self::Critique(CritiqueArgs { input, .. })
            | Self::Prune(PruneArgs { input, .. })
            | Self::Search(SearchArgs { input, .. })
            | Self::Contrast(ContrastArgs { input, .. })
            | Self::Neuron(NeuronArgs { input, .. })
            | Self::Salience(SalienceArgs { input, .. })
            | Self::Tune(TuneArgs { input, .. }) => Some(input),
            _ => None,
        }
    }
}
