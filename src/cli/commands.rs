//! Subcommands: what each does with its arguments, and what they share.

use std::path::Path;

use super::args::{Args, Command, Device};
use super::critique::{Critique, Questions};
use super::files::read_text;
use super::items::read_items;
use super::masks::read_mask_file;
use super::options::Input;
use super::outputs::{self, Computed, Together, print, write_json};
use super::terminal::{Terminal, tell};
use super::{CliError, forward, items, masks};
use crate::export::tensors::attribution_tensors;
use crate::items::{FewShot, Template};
use crate::job::Job;
use crate::model::device::Compute;
use crate::model::{LoadReport, Model, Precision};
use crate::pruning::Mask;
use crate::pruning::search::SearchControl;
use crate::pruning::selection::TopPercent;
use crate::scoring::Orders;
use crate::store::{ResolvedModel, resolve_model};
use crate::study::{Bench, Prompting, RaceSpec, SearchSpec, Session};

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
            Command::Forward {
                model,
                prompt,
                tokens,
                top,
                out,
            } => {
                let compute = self.compute().await?;
                let model = self.model(&model, &compute).await?;
                let prompted = (prompt.as_str(), tokens);
                let report = forward::run(&model, prompted, top, out.as_deref(), self.job).await?;
                write_json(None, &Computed::with(&model, &compute, report))
            }
            Command::Score { input, tokens, out } => {
                let mut session = self.session(&input).await?;
                let scores = session.score(ITEMS, self.job).await?.clone();
                warn(session.warnings());
                let scores = if tokens {
                    scores
                } else {
                    scores.without_tokens()
                };
                write_json(out.as_deref(), &Computed::new(&session, scores))
            }
            Command::PositionBias {
                input,
                orders,
                seed,
                out,
            } => {
                let session = self.session(&input).await?;
                let orders = match orders {
                    Some(orders) => Orders::Seeded { orders, seed },
                    None => Orders::Cyclic,
                };
                let report = session.position_bias(ITEMS, orders, self.job).await?;
                warn(report.warnings.iter().map(String::as_str));
                write_json(out.as_deref(), &Computed::new(&session, report))
            }
            Command::Audit { input, out } => {
                let mut session = self.session(&input).await?;
                let report = session.audit(ITEMS, self.job).await?;
                warn(report.position.warnings.iter().map(String::as_str));
                write_json(out.as_deref(), &Computed::new(&session, report))
            }
            Command::Compare { before, after } => items::compare(&before, &after),
            Command::Items(command) => items::run(command),
            Command::Masks(command) => masks::run(&command),
            Command::Attribute {
                input,
                settings,
                out,
                summary,
            } => {
                let mut session = self.session(&input).await?;
                let settings = settings.settings();
                session.attribute(ITEMS, &settings, self.job).await?;
                warn(session.warnings());
                let found = session.attributed()?;
                let mut results = Together::default();
                results.add(&out, &attribution_tensors(found, &session.model)?)?;
                if let Some(path) = summary {
                    results.add_json(Some(&path), &Computed::new(&session, found))?;
                }
                results.place()
            }
            Command::Effects {
                input,
                settings,
                layers,
                out,
            } => {
                let mut session = self.session(&input).await?;
                let settings = settings.effects();
                let found = session.effects(ITEMS, &settings, layers.as_deref(), self.job);
                let found = found.await?;
                warn(session.warnings());
                write_json(out.as_deref(), &Computed::new(&session, found))
            }
            Command::Race {
                input,
                settings,
                layers,
                percent,
                resampling,
                out,
            } => {
                let mut session = self.session(&input).await?;
                let spec = RaceSpec {
                    set: ITEMS.to_owned(),
                    settings: settings.settings(),
                    layers,
                    percent,
                    resampling: resampling.into(),
                };
                let report = session.race(&spec, self.job).await?;
                warn(session.warnings());
                write_json(out.as_deref(), &Computed::new(&session, report))
            }
            Command::Stability {
                input,
                settings,
                layer,
                percent,
                resampling,
                out,
            } => {
                let mut session = self.session(&input).await?;
                let selection = TopPercent { layer, percent };
                selection.check(session.model.config().n_layers)?;
                let settings = settings.settings();
                session.attribute(ITEMS, &settings, self.job).await?;
                let report = session.stability(selection, resampling.into())?;
                warn(session.warnings().chain(report.warning.as_deref()));
                write_json(out.as_deref(), &Computed::new(&session, &report))
            }
            Command::Contrast(asked) => self.contrast(asked).await,
            Command::Neuron(asked) => self.neuron(asked).await,
            Command::Salience(asked) => self.salience(asked).await,
            Command::Critique {
                input,
                settings,
                race_layers,
                percent,
                percents,
                control,
                resampling,
                out,
                json,
            } => {
                let mut session = self.session(&input).await?;
                let questions = Questions {
                    settings: settings.settings(),
                    race_layers,
                    percent,
                    search: SearchSpec {
                        control: SearchControl::of(control, resampling.seed),
                        ..SearchSpec::of_layers(percents)
                    },
                    resampling: resampling.into(),
                };
                let found = Critique::of(&mut session, ITEMS, &questions, self.job).await?;
                warn(session.warnings().chain(found.warnings()));
                let name = input.items.file_stem().map(|name| name.to_string_lossy());
                let text = found.markdown(&session.model.id, &name.unwrap_or_default());
                let mut results = Together::default();
                match out {
                    Some(out) => results.add(&out, text.as_bytes())?,
                    None => print(&text)?,
                }
                if let Some(path) = json {
                    results.add_json(Some(&path), &Computed::new(&session, found))?;
                }
                results.place()
            }
            Command::Prune(args) => self.prune(args).await,
            Command::Search(args) => self.search(args).await,
            Command::Tune(args) => self.tune(args).await,
            Command::Run {
                study,
                out,
                model,
                counting,
            } => self.run_study(&study, &out, model, counting).await,
            Command::Reproduce {
                source,
                model,
                counting,
            } => self.reproduce(&source, model, counting).await,
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

    async fn model(&self, spec: &str, compute: &Compute) -> Result<Model, CliError> {
        let resolved = resolve_model(spec).map_err(|error| CliError::Input(error.to_string()))?;
        load(&resolved, compute, self.job).await
    }

    async fn compute(&self) -> Result<Compute, CliError> {
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
        let (mask, warnings) =
            read_mask_file(path)?.for_model(session.model.config(), &session.model.sha256)?;
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
