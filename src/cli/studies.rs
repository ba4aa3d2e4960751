//! `secateur run` and `secateur reproduce`: whole studies, from documents and links.

use std::fmt::Display;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::CliError;
use super::commands::{Shell, warn};
use super::files::{file_error, read_text};
use super::items::read_items;
use super::options::Counting;
use super::outputs::{self, Together, write_json};
use crate::export::mask_file::MaskFile;
use crate::export::tensors::attribution_tensors;
use crate::items::Item;
use crate::store::sample_path;
use crate::study::{Expected, ModelSpec, Report, Session, Study, StudyError, link, runner};

impl Shell<'_> {
    /// Runs a study; its results go to a folder.
    pub(super) async fn run_study(
        &self,
        path: &Path,
        out: &Path,
        model: Option<String>,
        counting: Counting,
    ) -> Result<(), CliError> {
        let mut study = Study::from_json(&read_text(path)?)
            .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
        let spec = model_of(&study, model.as_ref(), path.display())?;
        let results = ["report.json", "ig.safetensors", "mask.json"];
        outputs::check_folder(out, &results, &[path.to_owned()])?;
        let earlier = outputs::check_earlier(out, &results[1..])?;
        let mut session = self.open(&spec, study.prompting()?).await?;
        if model.is_some() {
            take_named(&mut study, &session);
        }
        let sample = sample_reader(&study, path.parent(), counting);
        let mut report = runner::run(&mut session, &study, sample, self.job).await?;
        warn(session.warnings());
        // The report may be read elsewhere: it brings the items of files that lie beside the study.
        for set in &mut report.study.item_sets {
            let found = |name: &String| beside(path.parent(), name).is_some();
            let is_beside = set.items.is_none() && set.sample.as_ref().is_some_and(found);
            if is_beside {
                set.hold(session.bench().set(&set.name)?.given().to_vec());
            }
        }
        fs::create_dir_all(out).map_err(|error| file_error(out, error))?;
        let mut results = Together::default();
        results.add_json(Some(&out.join("report.json")), &report)?;
        if let Some(attribution) = session.attribution() {
            results.add(
                &out.join("ig.safetensors"),
                &attribution_tensors(attribution, &session.model)?,
            )?;
        }
        if let Some(pruned) = &report.pruned {
            let file = MaskFile::new(
                &report.model,
                report.engine.clone(),
                Some(report.study.clone()),
                pruned,
                report.control.clone(),
            );
            results.add(&out.join("mask.json"), file.to_json()?.as_bytes())?;
        }
        // What an earlier run left there is not of this one.
        let is_stale = |path: &PathBuf| !results.holds(path);
        let stale: Vec<PathBuf> = earlier.into_iter().filter(is_stale).collect();
        results.place()?;
        for path in stale {
            fs::remove_file(&path).map_err(|error| file_error(&path, error))?;
        }
        Ok(())
    }

    /// Runs a report's or a link's study again and prints how it compares.
    pub(super) async fn reproduce(
        &self,
        source: &str,
        model: Option<String>,
        counting: Counting,
    ) -> Result<(), CliError> {
        let is_link = !Path::new(source).is_file() && link::is_link(source);
        let (mut study, expected, folder) = if is_link {
            let shared = link::decode(source)?;
            (shared.study, shared.expected.unwrap_or_default(), None)
        } else {
            let path = PathBuf::from(source);
            let report = Report::from_json(&read_text(&path)?)
                .map_err(|error| CliError::Input(format!("{source}: {error}")))?;
            let expected = Expected::of_report(&report);
            (report.study, expected, path.parent().map(Path::to_path_buf))
        };
        let document = if is_link { "link" } else { source };
        let spec = model_of(&study, model.as_ref(), document)?;
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

/// Finds a study's samples: beside the study, then among the bundled sets. A set of the study may say how its file is
/// read.
fn sample_reader(
    study: &Study,
    folder: Option<&Path>,
    counting: Counting,
) -> impl Fn(&str) -> Result<Vec<Item>, StudyError> {
    let folder = folder.map(Path::to_path_buf);
    move |name| {
        let fail = |message: String| StudyError::Document(message);
        // A study may come from anyone: it names no file elsewhere.
        let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(name).components().all(is_inside) {
            return Err(fail(format!(
                "the item set `{name}` is neither a bundled one nor a file beside the document"
            )));
        }
        let path = beside(folder.as_deref(), name)
            .or_else(|| sample_path(name))
            .ok_or_else(|| fail(format!("there is no item set `{name}`")))?;
        let counting = Counting {
            answers_from: study.answers_from(name).or(counting.answers_from),
        };
        read_items(&path, counting).map_err(|error| fail(error.to_string()))
    }
}
