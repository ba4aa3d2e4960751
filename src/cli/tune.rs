//! `secateur tune`: gains of a layer, trained with a mask and without it.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::items::read_items;
use super::options::{Input, check_distinct, seed};
use super::outputs::{Computed, write_json};
use crate::model::Site;
use crate::pruning::Mask;
use crate::study::session::TuneRequest;
use crate::tuning::{TuneReport, TuneSettings};

/// The name of the set that picks the best state.
const VALIDATION: &str = "validation";

/// What is tuned, on which items, and where the results go.
#[derive(ClapArgs)]
pub struct TuneArgs {
    #[command(flatten)]
    pub input: Input,
    /// The mask's file; nothing is pruned when absent.
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// Items that pick the best state.
    #[arg(long)]
    pub validation: PathBuf,
    /// Items to report on, may be given several times.
    #[arg(long)]
    pub test: Vec<PathBuf>,
    /// The layer that gets gains.
    #[arg(long)]
    pub layer: usize,
    /// Optimiser steps.
    #[arg(long, default_value_t = 50)]
    pub steps: usize,
    /// AdamW's learning rate.
    #[arg(long, default_value_t = 0.05)]
    pub learning_rate: f64,
    /// AdamW's weight decay, towards gains of 1.
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f64,
    /// Items per step.
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Steps between evaluations.
    #[arg(long, default_value_t = 10)]
    pub evaluate_every: usize,
    /// Seed of the items' order.
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// A tuning with what it was made with.
#[derive(Serialize)]
struct Tuned<'a> {
    settings: &'a TuneSettings,
    seed: u64,
    mask: &'a Mask,
    #[serde(flatten)]
    report: TuneReport,
}

impl Shell<'_> {
    /// Trains, and reports on further items.
    pub(super) async fn tune(&self, args: TuneArgs) -> Result<(), CliError> {
        let TuneArgs {
            input,
            mask,
            validation,
            test,
            layer,
            steps,
            learning_rate,
            weight_decay,
            batch_size,
            evaluate_every,
            seed,
            out,
        } = args;
        let paths: Vec<String> = test.iter().map(|path| path.display().to_string()).collect();
        check_distinct("--test", &paths)?;
        let settings = TuneSettings {
            layer,
            steps,
            learning_rate,
            weight_decay,
            batch_size,
            evaluate_every,
        };
        let mut session = self.session(&input).await?;
        settings.check(session.model.config().n_layers)?;
        let mask = match mask {
            Some(path) => self.read_mask(&session, &path)?,
            None => Mask::empty(Site::Post),
        };
        let items = read_items(&validation, input.counting)?;
        session.change(|bench| bench.set_items(VALIDATION, items));
        let mut names = Vec::new();
        for (path, name) in test.iter().zip(paths) {
            // A file may be called as another set is.
            let name = match session.bench().sets().contains_key(&name) {
                true => format!("./{name}"),
                false => name,
            };
            let items = read_items(path, input.counting)?;
            session.change(|bench| bench.set_items(&name, items));
            names.push(name);
        }
        let request = TuneRequest {
            mask,
            train: vec![ITEMS.to_owned()],
            validation: vec![VALIDATION.to_owned()],
            test: names,
            settings,
            seed,
            compare: true,
        };
        let report = session.tune(&request, self.job).await?;
        warn(session.warnings());
        let tuned = Tuned {
            settings: &request.settings,
            seed: request.seed,
            mask: &request.mask,
            report,
        };
        write_json(out.as_ref(), &Computed::new(&session, tuned))
    }
}
