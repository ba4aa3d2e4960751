//! Where results go: looked at before the work, and put in place whole.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::CliError;
use super::files::{file_error, read_text};
use crate::model::Model;
use crate::model::device::Compute;
use crate::study::made_of::Materials;
use crate::study::report::{self, EngineInfo};
use crate::study::{ModelSpec, Session, StudyError};

/// Refuses results that could not be written, or would take the place of each other or of what is read.
pub(super) fn check(outputs: &[&PathBuf], inputs: &[PathBuf]) -> Result<(), CliError> {
    for (index, path) in outputs.iter().enumerate() {
        let fail = |what: &str| Err(CliError::Input(format!("{}: {what}", path.display())));
        let is_folder = path
            .display()
            .to_string()
            .ends_with(std::path::is_separator);
        if is_folder || path.is_dir() {
            return fail("is a folder; name a file");
        }
        if !folder_of(path).is_dir() {
            return fail("its folder does not exist");
        }
        let place = place_of(path);
        if outputs[..index]
            .iter()
            .any(|other| place_of(other) == place)
        {
            return fail("two results go into it; name another file for one");
        }
        if inputs.iter().any(|input| place_of(input) == place) {
            return fail("it is read as well; name another file for the result");
        }
        try_writing(&place)?;
    }
    Ok(())
}

/// Refuses a folder that could not hold the results of these names. It may be made later.
pub(super) fn check_folder(
    folder: &Path,
    names: &[&str],
    inputs: &[PathBuf],
) -> Result<(), CliError> {
    if folder.is_dir() {
        let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
        return check(&files.iter().collect::<Vec<_>>(), inputs);
    }
    let above = folder.ancestors().skip(1).map(|above| match above {
        empty if empty == Path::new("") => Path::new("."),
        above => above,
    });
    let nearest = above.into_iter().find(|above| above.exists());
    if folder.exists() || !nearest.is_some_and(Path::is_dir) {
        let path = folder.display();
        return Err(CliError::Input(format!(
            "{path} is no folder; name one with --out"
        )));
    }
    Ok(())
}

/// What an earlier run left in a folder under these names; files of the same names that are of none are refused.
pub(super) fn check_earlier(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, CliError> {
    let files = names.iter().map(|name| folder.join(name));
    let there: Vec<PathBuf> = files.filter(|path| path.exists()).collect();
    let is_of_run = || {
        let text = read_text(&folder.join("report.json")).ok()?;
        let report: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(report.get("format")?.as_str()? == report::FORMAT)
    };
    match there.first() {
        Some(first) if is_of_run() != Some(true) => Err(CliError::Input(format!(
            "{}: not of an earlier run, which would have left a report.json beside it; name another folder",
            first.display()
        ))),
        _ => Ok(there),
    }
}

/// Results that take their places together: what was there stays until all of them are on disk.
#[derive(Default)]
pub(super) struct Together {
    files: Vec<Waiting>,
    /// For what is no file, such as a pipe; standard output where no path is given.
    others: Vec<(Option<PathBuf>, Vec<u8>)>,
}

/// A file that is written under another name and has not taken its place. Dropped before, it goes.
struct Waiting {
    /// As it was asked for.
    path: PathBuf,
    place: PathBuf,
    partial: NamedTempFile,
}

impl Together {
    /// Writes a result beside its place.
    pub(super) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), CliError> {
        let place = place_of(path);
        if is_standard_output(path) || !is_regular(&place) {
            self.others.push((Some(path.to_owned()), bytes.to_vec()));
            return Ok(());
        }
        let partial = written_beside(&place, bytes).map_err(|error| file_error(path, error))?;
        self.files.push(Waiting {
            path: path.to_owned(),
            place,
            partial,
        });
        Ok(())
    }

    /// The same as JSON; on standard output where there is no path.
    pub(super) fn add_json(
        &mut self,
        path: Option<&Path>,
        value: &impl Serialize,
    ) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::Study(StudyError::Document(error.to_string())))?;
        let text = format!("{text}\n");
        match path {
            Some(path) => self.add(path, text.as_bytes()),
            None => {
                self.others.push((None, text.into_bytes()));
                Ok(())
            }
        }
    }

    /// Whether a result for this path is among them.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Puts all of them in place. What may yet fail for want of room comes first.
    pub(super) fn place(self) -> Result<(), CliError> {
        for (path, bytes) in &self.others {
            match path {
                Some(path) if !is_standard_output(path) => {
                    fs::write(place_of(path), bytes).map_err(|error| file_error(path, error))?;
                }
                // It may be a file that others have written to.
                _ => print_bytes(bytes)?,
            }
        }
        for Waiting {
            path,
            place,
            partial,
        } in self.files
        {
            partial
                .persist(place)
                .map_err(|failed| file_error(&path, failed.error))?;
        }
        Ok(())
    }
}

/// Writes a file as a whole: what was there stays until the new content is on disk.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut all = Together::default();
    all.add(path, bytes)?;
    all.place()
}

/// A result with the model and the engine that it was computed with.
#[derive(Serialize)]
pub(super) struct Computed<T> {
    model: ModelSpec,
    engine: EngineInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_of: Option<Materials>,
    #[serde(flatten)]
    result: T,
}

impl<T: Serialize> Computed<T> {
    /// A result of a session's model.
    pub(super) fn new(session: &Session, result: T) -> Self {
        let attribution = session.attribution().map(|found| &found.settings);
        Self {
            made_of: Some(Materials::of(session.bench(), attribution)),
            ..Self::with(&session.model, &session.compute, result)
        }
    }

    /// A result of a model.
    pub(super) fn with(model: &Model, compute: &Compute, result: T) -> Self {
        Self {
            model: ModelSpec::of(model),
            engine: EngineInfo::new(compute, model),
            made_of: None,
            result,
        }
    }
}

/// Writes JSON to a file or to standard output.
pub(super) fn write_json(path: Option<&Path>, value: &impl Serialize) -> Result<(), CliError> {
    let mut all = Together::default();
    all.add_json(path, value)?;
    all.place()
}

/// Writes to standard output. Whoever reads it may stop before the end.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(file_error(Path::new("standard output"), error))
        }
        _ => Ok(()),
    }
}

fn is_standard_output(path: &Path) -> bool {
    path == Path::new("/dev/stdout")
}

/// Whether a path is or becomes a file, and no device or pipe.
fn is_regular(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |found| found.is_file())
}

fn try_writing(place: &Path) -> Result<(), CliError> {
    if !is_regular(place) {
        return Ok(());
    }
    let done = match place.exists() {
        // Renaming would take the place of a file that cannot be written to.
        true => fs::OpenOptions::new().append(true).open(place).map(|_| ()),
        false => Ok(()),
    };
    done.and_then(|()| scratch_beside(place)?.close())
        .map_err(|error| file_error(place, error))
}

/// What a file is to hold, on disk beside it, with its permissions where it is there.
fn written_beside(place: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut partial = scratch_beside(place)?;
    partial.write_all(bytes)?;
    let file = partial.as_file();
    file.sync_all()?;
    if let Ok(old) = fs::metadata(place) {
        file.set_permissions(old.permissions())?;
    }
    Ok(partial)
}

/// A new file in the folder of another, for whom the process lets read its files: the crate's own are for their owner alone.
fn scratch_beside(place: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .prefix(".secateur-")
        .suffix(".partial")
        .tempfile_in(folder_of(place))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The file that a path means, whatever it is called by.
fn place_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    fs::canonicalize(path)
        .or_else(|_| fs::canonicalize(folder_of(path)).map(|folder| folder.join(name)))
        .unwrap_or_else(|_| path.to_owned())
}
