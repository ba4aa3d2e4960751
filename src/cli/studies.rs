//! `secateur run` and `secateur reproduce`: whole studies, from documents and links.

use std::fmt::Display;
use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{Shell, warn};
use super::earlier::{self, MASK, REPORT, SCORES};
use super::files::{file_error, read_standard_input, read_text};
use super::items::read_items;
use super::options::Counting;
use super::outputs::{self, Together, write_json};
use super::places::STANDARD_STREAM;
use crate::export::mask_file::MaskFile;
use crate::export::tensors::attribution_tensors;
use crate::items::Item;
use crate::store::{resolve_model, sample_path};
use crate::study::{Expected, ModelSpec, Report, Session, Study, StudyError, link, runner};

#[derive(ClapArgs)]
pub struct RunArgs {
    /// The study's file.
    pub study: PathBuf,
    /// Folder for the results. Those of an earlier run there give way, also where this one has none of the kind.
    #[arg(long)]
    pub out: PathBuf,
    /// The model; when absent the study's id, which may be no path.
    #[arg(long)]
    pub model: Option<String>,
    #[command(flatten)]
    pub counting: Counting,
}

#[derive(ClapArgs)]
pub struct ReproduceArgs {
    /// A link, its fragment, or the file of a report or a link; - reads one of them from standard input.
    pub source: String,
    /// The model; when absent the study's id, which may be no path.
    #[arg(long)]
    pub model: Option<String>,
    #[command(flatten)]
    pub counting: Counting,
}

impl Shell<'_> {
    /// Runs a study; its results go to a folder.
    pub(super) async fn run_study(&self, args: RunArgs) -> Result<(), CliError> {
        let RunArgs {
            study: path,
            out,
            model,
            counting,
        } = args;
        let mut study = Study::from_json(&read_text(&path)?)
            .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
        let spec = model_of(&study, model.as_ref(), path.display())?;
        let inputs = read_by_run(&study, &path, &spec)?;
        outputs::check_folder(&out, &[REPORT, SCORES, MASK], &inputs)?;
        let earlier = earlier::of_run(&out)?;
        let mut session = self.open(&spec, study.prompting()?).await?;
        if model.is_some() {
            take_named(&mut study, &session);
        }
        let sample = sample_reader(&study, path.parent(), counting);
        let mut report = runner::run(&mut session, &study, sample, self.job).await?;
        warn(session.warnings());
        hold_items(&mut report, &session, path.parent())?;
        fs::create_dir_all(&out).map_err(|error| file_error(&out, error))?;
        let results = results_of(&report, &session, &out)?;
        // What an earlier run left there is not of this one.
        let stale: Vec<PathBuf> = earlier
            .into_iter()
            .filter(|path| !results.holds(path))
            .collect();
        results.place()?;
        for path in stale {
            fs::remove_file(&path).map_err(|error| file_error(&path, error))?;
        }
        Ok(())
    }

    /// Runs a report's or a link's study again and prints how it compares.
    pub(super) async fn reproduce(&self, args: ReproduceArgs) -> Result<(), CliError> {
        let ReproduceArgs {
            source,
            model,
            counting,
        } = args;
        let Found {
            mut study,
            expected,
            name,
            folder,
        } = Found::at(&source)?;
        let spec = model_of(&study, model.as_ref(), name)?;
        let mut session = self.open(&spec, study.prompting()?).await?;
        if model.is_some() {
            take_named(&mut study, &session);
        }
        let sample = sample_reader(&study, folder.as_deref(), counting);
        let (_, reproduction) =
            runner::reproduce(&mut session, &study, &expected, sample, self.job).await?;
        warn(session.warnings());
        write_json(None, &reproduction)?;
        if reproduction.is_identical() {
            Ok(())
        } else {
            Err(CliError::Different(reproduction.message))
        }
    }
}

/// What `reproduce` is given: a study, and what was found of it.
struct Found {
    study: Study,
    expected: Expected,
    /// How errors call it.
    name: String,
    /// Where samples lie beside it.
    folder: Option<PathBuf>,
}

/// As much of an argument as an error shows, in characters.
const SHOWN: usize = 60;

impl Found {
    fn at(source: &str) -> Result<Self, CliError> {
        let path = Path::new(source);
        if source == STANDARD_STREAM {
            return Self::in_text(&read_standard_input()?, "standard input", None);
        }
        if path.exists() {
            return Self::in_text(&read_text(path)?, source, path.parent());
        }
        let is_file_name = path.extension().is_some_and(|end| end == "json");
        if link::is_link(source) && !is_file_name {
            return Ok(Self::of_link(link::decode(source)?, "link"));
        }
        let mut shown: String = source.chars().take(SHOWN).collect();
        if shown.len() < source.len() {
            shown.push('…');
        }
        Err(CliError::Input(format!(
            "{shown}: there is no such file, and it is no link"
        )))
    }

    /// From a report or, where the text is no JSON, from a link in it.
    fn in_text(text: &str, name: &str, folder: Option<&Path>) -> Result<Self, CliError> {
        let fail = |error: StudyError| CliError::Input(format!("{name}: {error}"));
        if !text.trim_start().starts_with('{') && link::is_link(text) {
            return Ok(Self::of_link(link::decode(text).map_err(fail)?, name));
        }
        let report = Report::from_json(text).map_err(fail)?;
        Ok(Self {
            expected: Expected::of_report(&report),
            study: report.study,
            name: name.to_owned(),
            folder: folder.map(Path::to_owned),
        })
    }

    fn of_link(shared: link::Shared, name: &str) -> Self {
        Self {
            study: shared.study,
            expected: shared.expected.unwrap_or_default(),
            name: name.to_owned(),
            folder: None,
        }
    }
}

/// The files that a run reads.
fn read_by_run(study: &Study, path: &Path, model: &str) -> Result<Vec<PathBuf>, CliError> {
    let mut files = vec![path.to_owned()];
    for set in &study.item_sets {
        if let (None, Some(name)) = (&set.items, &set.sample) {
            files.push(sample_file(path.parent(), name)?);
        }
    }
    // Why there is none is found out where it is opened.
    if let Ok(model) = resolve_model(model) {
        files.extend(model.files().cloned());
    }
    Ok(files)
}

/// Puts the items of files that lie beside the study into its report, which may be read elsewhere.
fn hold_items(
    report: &mut Report,
    session: &Session,
    folder: Option<&Path>,
) -> Result<(), CliError> {
    for set in &mut report.study.item_sets {
        let found = |name: &String| beside(folder, name).is_some();
        let is_beside = set.items.is_none() && set.sample.as_ref().is_some_and(found);
        if is_beside {
            set.hold(session.bench().set(&set.name)?.given().to_vec());
        }
    }
    Ok(())
}

/// The files of a run, beside their places in a folder.
fn results_of(report: &Report, session: &Session, out: &Path) -> Result<Together, CliError> {
    let mut results = Together::default();
    results.add_json(&out.join(REPORT), report)?;
    if let Some(attribution) = session.attribution() {
        let tensors = attribution_tensors(attribution, &session.model)?;
        results.add(&out.join(SCORES), &tensors)?;
    }
    if let Some(pruned) = &report.pruned {
        let file = MaskFile::new(
            &report.model,
            report.engine.clone(),
            Some(report.study.clone()),
            pruned,
            report.control.clone(),
        );
        results.add(&out.join(MASK), file.to_json()?.as_bytes())?;
    }
    Ok(results)
}

/// Which model a document is run on: the one that the user names, else its own. It may come from anyone, so that its own
/// is no path.
fn model_of(
    study: &Study,
    named: Option<&String>,
    document: impl Display,
) -> Result<String, CliError> {
    let id = named.unwrap_or(&study.model.id);
    if named.is_none() && is_path(id) {
        return Err(CliError::Input(format!(
            "{document}: its model `{id}` is a path and not an id of the catalogue; name the model with --model"
        )));
    }
    Ok(id.clone())
}

/// Whether a model's id leads elsewhere than to an entry of this folder or of the catalogue.
fn is_path(id: &str) -> bool {
    id.contains(['/', '\\']) || matches!(id, "." | "..")
}

/// Where a study has no hash, the model that the user names is meant; and a path of another machine is no name of it.
fn take_named(study: &mut Study, session: &Session) {
    let loaded = ModelSpec::of(&session.model);
    let own = &mut study.model;
    if own.sha256.is_empty() || (is_path(&own.id) && own.sha256 == loaded.sha256) {
        *own = ModelSpec {
            name: own.name.take(),
            ..loaded
        };
    }
}

/// The file of that name in a document's folder, if there is one.
fn beside(folder: Option<&Path>, name: &str) -> Option<PathBuf> {
    let path = folder?.join(name);
    path.is_file().then_some(path)
}

/// The file of a study's sample: beside the study, else among the bundled sets.
fn sample_file(folder: Option<&Path>, name: &str) -> Result<PathBuf, StudyError> {
    let fail = |message: String| StudyError::Document(message);
    // A study may come from anyone: it names no file elsewhere.
    let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(name).components().all(is_inside) {
        return Err(fail(format!(
            "the item set `{name}` is neither a bundled one nor a file beside the document"
        )));
    }
    beside(folder, name)
        .or_else(|| sample_path(name))
        .ok_or_else(|| fail(format!("there is no item set `{name}`")))
}

/// Reads a study's samples. A set of the study may say how its file is read.
fn sample_reader(
    study: &Study,
    folder: Option<&Path>,
    counting: Counting,
) -> impl Fn(&str) -> Result<Vec<Item>, StudyError> {
    let folder = folder.map(Path::to_path_buf);
    move |name| {
        let path = sample_file(folder.as_deref(), name)?;
        let counting = Counting {
            answers_from: study.answers_from(name).or(counting.answers_from),
        };
        read_items(&path, counting).map_err(|error| StudyError::Document(error.to_string()))
    }
}
