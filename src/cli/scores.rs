//! `secateur score`, `position-bias` and `audit`: what a model answers, and what drives its answers beside the questions.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::options::{Input, seed};
use super::outputs::{Computed, write_json};
use crate::scoring::Orders;

#[derive(ClapArgs)]
pub struct ScoreArgs {
    #[command(flatten)]
    pub input: Input,
    /// Keep the log-probability of every token of the choices.
    #[arg(long)]
    pub tokens: bool,
    /// Where to write the scores (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct PositionBiasArgs {
    #[command(flatten)]
    pub input: Input,
    /// Seeded orders to try; every rotation when absent.
    #[arg(long)]
    pub orders: Option<usize>,
    /// Seed of the orders.
    #[arg(long, default_value_t = 0, requires = "orders", value_parser = seed())]
    pub seed: u64,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct AuditArgs {
    #[command(flatten)]
    pub input: Input,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

impl Shell<'_> {
    pub(super) async fn score(&self, args: ScoreArgs) -> Result<(), CliError> {
        let mut session = self.session(&args.input).await?;
        let scores = session.score(ITEMS, self.job).await?.clone();
        warn(session.warnings());
        let scores = match args.tokens {
            true => scores,
            false => scores.without_tokens(),
        };
        write_json(args.out.as_ref(), &Computed::new(&session, scores))
    }

    pub(super) async fn position_bias(&self, args: PositionBiasArgs) -> Result<(), CliError> {
        let session = self.session(&args.input).await?;
        let seed = args.seed;
        let orders = match args.orders {
            Some(orders) => Orders::Seeded { orders, seed },
            None => Orders::Cyclic,
        };
        let report = session.position_bias(ITEMS, orders, self.job).await?;
        warn(report.warnings.iter().map(String::as_str));
        write_json(args.out.as_ref(), &Computed::new(&session, report))
    }

    pub(super) async fn audit(&self, args: AuditArgs) -> Result<(), CliError> {
        let mut session = self.session(&args.input).await?;
        let report = session.audit(ITEMS, self.job).await?;
        warn(report.position.warnings.iter().map(String::as_str));
        write_json(args.out.as_ref(), &Computed::new(&session, report))
    }
}
