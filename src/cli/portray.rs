//! `secateur contrast`, `neuron` and `salience`: which neurons differ between items, what one of them is about, and which words drive an
//! answer.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::items::read_items;
use super::options::{Input, ItemScoresArgs, named};
use super::outputs::{Computed, write_json};
use crate::attribution::contrast::Against;
use crate::attribution::settings::Method;
use crate::attribution::{Positions, Settings, TargetKind};
use crate::model::Neuron;
use crate::scoring::audit::Question;

/// The set that items are held against.
const OTHERS: &str = "against";

#[derive(ClapArgs)]
pub struct ContrastArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: ItemScoresArgs,
    /// Items to hold them against; the same items without their questions when absent.
    #[arg(long)]
    pub against: Option<PathBuf>,
    /// Where to write the differences (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct NeuronArgs {
    #[command(flatten)]
    pub input: Input,
    /// Its layer.
    #[arg(long)]
    pub layer: usize,
    /// Its index within the layer.
    #[arg(long)]
    pub neuron: usize,
    /// Where to write the portrait (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct SalienceArgs {
    #[command(flatten)]
    pub input: Input,
    /// What is explained: top_logit, choice_first_token, choice_logprob or gold_margin.
    #[arg(long, default_value = "choice_first_token", value_parser = named::<TargetKind>)]
    pub target: TargetKind,
    /// The item's id.
    #[arg(long)]
    pub item: String,
    /// Where to write the words' scores (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

impl Shell<'_> {
    pub(super) async fn contrast(&self, asked: ContrastArgs) -> Result<(), CliError> {
        let settings = asked.settings.settings()?;
        let counting = asked.input.counting;
        let others = asked.against.map(|path| read_items(&path, counting));
        let mut session = self.session(&asked.input).await?;
        let against = match others.transpose()? {
            Some(items) => {
                session.change(|bench| bench.set_items(OTHERS, items));
                Against::Set {
                    set: OTHERS.to_owned(),
                }
            }
            None => Against::Question {
                question: Question::Removed,
            },
        };
        let found = session.contrast(ITEMS, against, &settings, self.job);
        let found = found.await?;
        warn(session.warnings());
        write_json(asked.out.as_ref(), &Computed::new(&session, found))
    }

    pub(super) async fn neuron(&self, asked: NeuronArgs) -> Result<(), CliError> {
        let session = self.session(&asked.input).await?;
        let neuron = Neuron {
            layer: asked.layer,
            index: asked.neuron,
        };
        let found = session.portrait(neuron, ITEMS, self.job).await?;
        write_json(asked.out.as_ref(), &Computed::new(&session, found))
    }

    pub(super) async fn salience(&self, asked: SalienceArgs) -> Result<(), CliError> {
        // A token's score is its gradient times its embedding, whatever it is for neurons.
        let settings = Settings {
            target: asked.target,
            ..Settings::of_harm(Positions::Last)
        };
        let settings = settings.by(Method::GradientTimesActivation).named();
        let mut session = self.session(&asked.input).await?;
        let found = session.salience(ITEMS, &asked.item, &settings, self.job);
        let found = found.await?;
        write_json(asked.out.as_ref(), &Computed::new(&session, found))
    }
}
