//! `secateur contrast`, `neuron` and `salience`: which neurons differ between items, what one of them is about, and which words drive an
//! answer.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::items::read_items;
use super::options::{Input, SettingsArgs};
use super::outputs::{Computed, write_json};
use crate::attribution::contrast::Against;
use crate::model::Neuron;
use crate::scoring::audit::Question;

/// The set that items are held against.
const OTHERS: &str = "against";

#[derive(ClapArgs)]
pub struct ContrastArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
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
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The item's id.
    #[arg(long)]
    pub item: String,
    /// Where to write the words' scores (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

impl Shell<'_> {
    pub(super) async fn contrast(&self, asked: ContrastArgs) -> Result<(), CliError> {
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
        let settings = asked.settings.settings();
        let found = session.contrast(ITEMS, against, &settings, self.job);
        let found = found.await?;
        warn(session.warnings());
        write_json(asked.out.as_deref(), &Computed::new(&session, found))
    }

    pub(super) async fn neuron(&self, asked: NeuronArgs) -> Result<(), CliError> {
        let session = self.session(&asked.input).await?;
        let neuron = Neuron {
            layer: asked.layer,
            index: asked.neuron,
        };
        let found = session.portrait(neuron, ITEMS, self.job).await?;
        write_json(asked.out.as_deref(), &Computed::new(&session, found))
    }

    pub(super) async fn salience(&self, asked: SalienceArgs) -> Result<(), CliError> {
        let mut session = self.session(&asked.input).await?;
        let settings = asked.settings.settings();
        let found = session.salience(ITEMS, &asked.item, &settings, self.job);
        let found = found.await?;
        write_json(asked.out.as_deref(), &Computed::new(&session, found))
    }
}
