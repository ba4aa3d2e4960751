//! `secateur search`: masks by every selection rule, on validation items.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::items::read_items;
use super::options::{Input, SettingsArgs, check_distinct, named, seed};
use super::outputs::{Computed, write_json};
use crate::pruning::Operation;
use crate::pruning::search::SearchControl;
use crate::pruning::search::spec::{Cost, Greedy};
use crate::study::SearchSpec;

/// The name of the set that is validated on, where it is not the attribution's.
const VALIDATION: &str = "validation";

/// What is tried, on which items, and where the report goes.
#[derive(ClapArgs)]
pub struct SearchArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Items to validate on; those of --items when absent.
    #[arg(long)]
    pub validation: Option<PathBuf>,
    #[command(flatten)]
    pub cells: CellArgs,
    /// What a mask does to an activation: zero; scale, by --factor; or mean, that of the neuron over all positions of the prompts of
    /// --items.
    #[arg(long, default_value = "zero", value_parser = named::<Operation>)]
    pub operation: Operation,
    /// What activations are multiplied by; for --operation scale.
    #[arg(long)]
    pub factor: Option<f64>,
    /// Try all cells on few items, and the better half of them on twice as many, until those that are left are tried on all.
    #[arg(long)]
    pub halving: bool,
    /// Random masks beside every cell, of its size in its layers: what luck alone gives.
    #[arg(long, default_value_t = 0)]
    pub control: usize,
    /// Seed of the random masks.
    #[arg(long, default_value_t = 0, requires = "control", value_parser = seed())]
    pub seed: u64,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// The rules, and what each is tried with.
#[derive(ClapArgs)]
pub struct CellArgs {
    /// Layers, separated by commas; all when absent.
    #[arg(long, value_delimiter = ',')]
    pub layers: Option<Vec<usize>>,
    /// Percentages of a layer, or of several, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,5,10,20,30")]
    pub percents: Vec<f64>,
    /// Of how many neighbouring layers, of those of --layers, the strongest neurons are taken together: 1,3 tries each layer and every
    /// three that follow each other; 0 leaves this rule out.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub windows: Vec<usize>,
    /// Also every neuron of any layer whose score is above this share of the largest; the authors' released code has 0.01. Several
    /// shares are separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub shares: Vec<f64>,
    /// Also the most harmful neurons of each layer: the effect of each is measured on --items first.
    #[arg(long)]
    pub harm: bool,
    /// Also neurons picked one by one, at most so many: each time the one that does most for the validation items.
    #[arg(long, value_name = "NEURONS")]
    pub greedy: Option<usize>,
    /// The strongest neurons among which --greedy picks.
    #[arg(long, default_value_t = 16, requires = "greedy")]
    pub candidates: usize,
}

impl CellArgs {
    /// Refuses cells that would be tried twice.
    fn check(&self) -> Result<(), CliError> {
        check_distinct("--layers", self.layers.as_deref().unwrap_or_default())?;
        check_distinct("--percents", &self.percents)?;
        check_distinct("--windows", &self.windows)?;
        check_distinct("--shares", &self.shares)
    }
}

impl SearchArgs {
    fn spec(&self) -> SearchSpec {
        let CellArgs {
            layers,
            percents,
            windows,
            shares,
            harm,
            greedy,
            candidates,
        } = &self.cells;
        SearchSpec {
            layers: layers.clone(),
            windows: windows.iter().copied().filter(|&width| width > 0).collect(),
            shares: shares.clone(),
            harm: *harm,
            greedy: greedy.map(|rounds| Greedy {
                candidates: *candidates,
                rounds,
            }),
            operation: self.operation,
            factor: self.factor,
            halving: self.halving,
            control: SearchControl::of(self.control, self.seed),
            ..SearchSpec::of_layers(percents.clone())
        }
    }
}

impl Shell<'_> {
    /// Tries masks; says beforehand what that costs.
    pub(super) async fn search(&self, args: SearchArgs) -> Result<(), CliError> {
        let settings = args.settings.settings()?;
        args.cells.check()?;
        let validation = args.validation.as_ref();
        let validation = validation
            .map(|path| read_items(path, args.input.counting))
            .transpose()?;
        let mut session = self.session(&args.input).await?;
        let spec = args.spec();
        spec.check(session.model.config().n_layers)?;
        session.attribute(ITEMS, &settings, self.job).await?;
        let set = match validation {
            Some(items) => {
                session.change(|bench| bench.set_items(VALIDATION, items));
                VALIDATION
            }
            None => ITEMS,
        };
        let sets = [set.to_owned()];
        session.score_all(&sets, self.job).await?;
        let (cost, seconds) = session.search_cost(&sets, &spec)?;
        self.terminal.say(&said(cost, seconds, &spec));
        let report = session.search(&sets, &spec, self.job).await?;
        warn(session.warnings());
        write_json(args.out.as_ref(), &Computed::new(&session, report))
    }
}

/// What a search costs, in words, with what a run of an item takes.
fn said(cost: Cost, seconds: Option<f64>, spec: &SearchSpec) -> String {
    let runs = |runs: usize| {
        let time = seconds.map(|of_run| match of_run * runs as f64 * cost.share_of_model {
            seconds if seconds < 1.0 => " (under a second)".to_owned(),
            seconds => format!(" (about {seconds:.0} s)"),
        });
        format!("{runs}{}", time.unwrap_or_default())
    };
    let (full, halving) = (runs(cost.full), runs(cost.halving));
    let both = match spec.halving {
        true => format!("{halving} by halving; with every cell on every item {full}"),
        false => format!("{full}; with --halving {halving}"),
    };
    let harm = match spec.harm {
        true => "; before it the effect of every neuron is measured, as far as that was not done",
        false => "",
    };
    format!("search: runs of an item under a mask: {both}{harm}")
}
