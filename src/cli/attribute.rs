//! `secateur attribute`, `effects`, `race` and `stability`: how every neuron is scored, and how far that is to be believed.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::options::{
    ExplainedArgs, Input, RaceSettingsArgs, ResamplingArgs, SettingsArgs, check_distinct,
};
use super::outputs::{Computed, Together, write_json};
use crate::export::tensors::attribution_tensors;
use crate::pruning::selection::TopPercent;
use crate::study::RaceSpec;

#[derive(ClapArgs)]
pub struct AttributeArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Where to write the scores (safetensors: `layers.{l}` [items, d_mlp], `gap`).
    #[arg(long)]
    pub out: PathBuf,
    /// Where to write the summary with the aggregated scores (JSON).
    #[arg(long)]
    pub summary: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct EffectsArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub explained: ExplainedArgs,
    /// Layers to measure, separated by commas; all when absent. The others are estimated.
    #[arg(long, value_delimiter = ',')]
    pub layers: Option<Vec<usize>>,
    /// Where to write the effects (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct RaceArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: RaceSettingsArgs,
    /// Layers to race in, separated by commas; all when absent.
    #[arg(long, value_delimiter = ',')]
    pub layers: Option<Vec<usize>>,
    /// The percentage of a layer that is to be found.
    #[arg(long, default_value_t = 5.0)]
    pub percent: f64,
    #[command(flatten)]
    pub resampling: ResamplingArgs,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct StabilityArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Layer whose strongest neurons are selected.
    #[arg(long)]
    pub layer: usize,
    /// Percentage of that layer.
    #[arg(long)]
    pub percent: f64,
    #[command(flatten)]
    pub resampling: ResamplingArgs,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

impl Shell<'_> {
    pub(super) async fn attribute(&self, args: AttributeArgs) -> Result<(), CliError> {
        let settings = args.settings.settings()?;
        let mut session = self.session(&args.input).await?;
        session.attribute(ITEMS, &settings, self.job).await?;
        warn(session.warnings());
        let found = session.attributed()?;
        let mut results = Together::default();
        results.add(&args.out, &attribution_tensors(found, &session.model)?)?;
        if let Some(path) = &args.summary {
            results.add_json(path, &Computed::new(&session, found))?;
        }
        results.place()
    }

    pub(super) async fn effects(&self, args: EffectsArgs) -> Result<(), CliError> {
        let settings = args.explained.of_effects()?;
        let layers = args.layers.as_deref();
        check_distinct("--layers", layers.unwrap_or_default())?;
        let mut session = self.session(&args.input).await?;
        let found = session.effects(ITEMS, &settings, layers, self.job).await?;
        warn(session.warnings());
        write_json(args.out.as_ref(), &Computed::new(&session, found))
    }

    pub(super) async fn race(&self, args: RaceArgs) -> Result<(), CliError> {
        let spec = RaceSpec {
            set: ITEMS.to_owned(),
            settings: args.settings.settings()?,
            layers: args.layers,
            percent: args.percent,
            resampling: args.resampling.checked()?,
        };
        check_distinct("--layers", spec.layers.as_deref().unwrap_or_default())?;
        let mut session = self.session(&args.input).await?;
        let report = session.race(&spec, self.job).await?;
        warn(session.warnings());
        write_json(args.out.as_ref(), &Computed::new(&session, report))
    }

    pub(super) async fn stability(&self, args: StabilityArgs) -> Result<(), CliError> {
        let settings = args.settings.settings()?;
        let resampling = args.resampling.checked()?;
        let mut session = self.session(&args.input).await?;
        let selection = TopPercent {
            layer: args.layer,
            percent: args.percent,
        };
        selection.check(session.model.config().n_layers)?;
        session.attribute(ITEMS, &settings, self.job).await?;
        let report = session.stability(selection, resampling)?;
        warn(session.warnings().chain(report.warning.as_deref()));
        write_json(args.out.as_ref(), &Computed::new(&session, &report))
    }
}
