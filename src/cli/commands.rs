//! Which subcommand does what, and what they share.

use std::path::Path;

use super::args::{Args, Command, Device};
use super::files::read_text;
use super::items::read_items;
use super::masks::read_mask_file;
use super::options::Input;
use super::outputs::{self, write_json};
use super::terminal::{Terminal, tell};
use super::{CliError, items, masks};
use crate::items::{FewShot, Template};
use crate::job::Job;
use crate::model::device::Compute;
use crate::model::{LoadReport, Model, Precision};
use crate::pruning::Mask;
use crate::store::{ResolvedModel, resolve_model};
use crate::study::{Bench, Prompting, Session};

/// Runs a command.
pub fn run(args: Args) -> Result<(), CliError> {
    let mut inputs = args.command.inputs();
    if let Some(Ok(model)) = args.command.model().map(resolve_model) {
        inputs.extend(model.files().cloned());
    }
    outputs::check(&args.command.outputs(), &inputs)?;
    let terminal = Terminal::new(args.quiet);
    let job = Job::new(&terminal);
    let shell = Shell {
        device: args.device,
        precision: args.precision,
        terminal: &terminal,
        job,
    };
    let result = pollster::block_on(shell.dispatch(args.command));
    terminal.clear();
    result
}

/// The set's name when there is only one.
pub(super) const ITEMS: &str = "items";
/// The name of the set that shots are drawn from.
const SHOTS: &str = "few-shot items";

/// What commands share: where they compute, and who hears of it.
pub(super) struct Shell<'a> {
    device: Device,
    precision: Precision,
    pub(super) terminal: &'a Terminal,
    pub(super) job: Job<'a>,
}

impl Shell<'_> {
    async fn dispatch(&self, command: Command) -> Result<(), CliError> {
        match command {
            Command::Forward(args) => self.forward(args).await,
            Command::Score(args) => self.score(args).await,
            Command::PositionBias(args) => self.position_bias(args).await,
            Command::Audit(args) => self.audit(args).await,
            Command::Compare { before, after } => items::compare(&before, &after),
            Command::Items(command) => items::run(command),
            Command::Attribute(args) => self.attribute(args).await,
            Command::Effects(args) => self.effects(args).await,
            Command::Race(args) => self.race(args).await,
            Command::Stability(args) => self.stability(args).await,
            Command::Critique(args) => self.critique(args).await,
            Command::Prune(args) => self.prune(args).await,
            Command::Masks(command) => masks::run(&command),
            Command::Search(args) => self.search(args).await,
            Command::Contrast(args) => self.contrast(args).await,
            Command::Neuron(args) => self.neuron(args).await,
            Command::Salience(args) => self.salience(args).await,
            Command::Tune(args) => self.tune(args).await,
            Command::Run(args) => self.run_study(args).await,
            Command::Reproduce(args) => self.reproduce(args).await,
            Command::Inspect { model } => self.inspect(&model).await,
        }
    }

    async fn inspect(&self, spec: &str) -> Result<(), CliError> {
        let template = Template::named("plain");
        let template = template.map_err(|error| CliError::Input(error.to_string()))?;
        let session = self.open(spec, template).await?;
        write_json(None, &session.model_info())
    }

    /// A session with one item set.
    pub(super) async fn session(&self, input: &Input) -> Result<Session, CliError> {
        // Items first: they are quick to read and often what is wrong.
        let items = read_items(&input.items, input.counting)?;
        let mut bench = Bench::from(Prompting {
            template: read_template(&input.template)?,
            few_shot: input.few_shot.map(|k| FewShot {
                k,
                seed: input.few_shot_seed,
                set: input.few_shot_items.as_ref().map(|_| SHOTS.to_owned()),
            }),
            choice_order: input.choice_order,
        });
        bench.set_rule(input.prediction);
        bench.set_items(ITEMS, items);
        if let Some(path) = &input.few_shot_items {
            bench.set_items(SHOTS, read_items(path, input.counting)?);
        }
        self.open(&input.model, bench).await
    }

    /// A session with a model.
    pub(super) async fn open(
        &self,
        spec: &str,
        bench: impl Into<Bench>,
    ) -> Result<Session, CliError> {
        let compute = self.compute().await?;
        let model = self.model(spec, &compute).await?;
        Ok(Session::new(compute, model, bench))
    }

    pub(super) async fn model(&self, spec: &str, compute: &Compute) -> Result<Model, CliError> {
        let resolved = resolve_model(spec).map_err(|error| CliError::Input(error.to_string()))?;
        load(&resolved, compute, self.job).await
    }

    pub(super) async fn compute(&self) -> Result<Compute, CliError> {
        let compute = match self.device {
            Device::Flex => Compute::flex(),
            Device::Wgpu => Compute::wgpu(self.job).await?,
        };
        Ok(Compute {
            precision: self.precision,
            ..compute
        })
    }

    pub(super) fn read_mask(&self, session: &Session, path: &Path) -> Result<Mask, CliError> {
        let file = read_mask_file(path)?;
        let (mask, warnings) = file
            .for_model(session.model.config(), &session.model.sha256)
            .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
        for warning in warnings {
            tell(format_args!("{}: {warning}", path.display()));
        }
        Ok(mask)
    }
}

/// Loads the files of a model.
pub async fn load(
    resolved: &ResolvedModel,
    compute: &Compute,
    job: Job<'_>,
) -> Result<Model, CliError> {
    let files = resolved
        .open()
        .map_err(|error| CliError::Input(error.to_string()))?;
    let loaded = Model::load(&resolved.id, files, compute, job).await;
    if let Ok(model) = &loaded {
        let LoadReport { unused, notes, .. } = &model.report;
        notes
            .iter()
            .for_each(|note| tell(format_args!("note: {note}")));
        if let Some(first) = unused.first() {
            let count = unused.len();
            tell(format_args!(
                "note: {count} tensors of the file are not used, the first is `{first}`; `inspect` lists them"
            ));
        }
    }
    loaded.map_err(|error| match error {
        error if error.is_device_fault() || error.is_cancelled() => error.into(),
        of_file => {
            let first = resolved.weights.first();
            let path = first.map(|path| path.display().to_string());
            CliError::Input(format!("{}: {of_file}", path.unwrap_or_default()))
        }
    })
}

/// Says, beside the result, what speaks against it.
pub(super) fn warn<'a>(warnings: impl Iterator<Item = &'a str>) {
    warnings.for_each(|warning| tell(format_args!("warning: {warning}")));
}

/// A built-in template by name, or one from a file.
fn read_template(spec: &str) -> Result<Template, CliError> {
    let path = Path::new(spec);
    if !path.is_file() {
        return Template::named(spec).map_err(|error| CliError::Input(error.to_string()));
    }
    let fail = |error: &dyn std::fmt::Display| CliError::Input(format!("{spec}: {error}"));
    let template: Template =
        serde_json::from_str(&read_text(path)?).map_err(|error| fail(&error))?;
    template.checked().map_err(|error| fail(&error))
}
