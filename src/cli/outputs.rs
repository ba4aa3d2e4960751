//! Where results go: looked at before the work, and put in place whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::CliError;
use super::files::file_error;
use super::places::{Place, STANDARD_STREAM, folder_of};
use crate::model::Model;
use crate::model::device::Compute;
use crate::study::made_of::Materials;
use crate::study::report::EngineInfo;
use crate::study::{ModelSpec, Session, StudyError};

/// Where a result goes: to standard output where no path is given.
pub(super) fn path_or_output(path: Option<&PathBuf>) -> &Path {
    path.map_or(Path::new(STANDARD_STREAM), PathBuf::as_path)
}

/// Refuses results that could not be written, or would take the place of each other or of what is read.
pub(super) fn check(outputs: &[&Path], inputs: &[PathBuf]) -> Result<(), CliError> {
    let mut taken = Vec::new();
    for path in outputs {
        let fail = |what: &str| Err(CliError::Input(format!("{}: {what}", path.display())));
        let place = Place::of(path);
        if place.is_nowhere() {
            continue;
        }
        match &place {
            Place::File(file) => {
                let shown = path.display().to_string();
                if shown.ends_with(std::path::is_separator) {
                    return fail("is a folder; name a file");
                }
                if !folder_of(file).is_dir() {
                    return fail("its folder does not exist");
                }
                if inputs.iter().any(|input| Place::of(input) == place) {
                    return fail("it is read as well; name another file for the result");
                }
                try_writing(file).map_err(|error| file_error(path, error))?;
            }
            Place::Stream(stream) if stream.is_dir() => return fail("is a folder; name a file"),
            Place::Stream(stream) if !stream.exists() => {
                return fail("there is no such device or stream");
            }
            Place::Stream(_) | Place::Output | Place::Errors => {}
        }
        if taken.contains(&place) {
            return fail("two results go into it; name another file for one");
        }
        taken.push(place);
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
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        return check(&files, inputs);
    }
    let above = folder.ancestors().skip(1).map(|above| match above {
        empty if empty == Path::new("") => Path::new("."),
        above => above,
    });
    let nearest = above.into_iter().find(|above| above.exists());
    let is_output = folder == Path::new(STANDARD_STREAM);
    if is_output || folder.exists() || !nearest.is_some_and(Path::is_dir) {
        let path = folder.display();
        return Err(CliError::Input(format!(
            "{path} is no folder; name one with --out"
        )));
    }
    Ok(())
}

/// Results that take their places together: what was there stays until all of them are on disk.
#[derive(Default)]
pub(super) struct Together {
    files: Vec<Waiting>,
    /// What is written to and not replaced, as it was asked for, and what goes there.
    streams: Vec<(PathBuf, Place, Vec<u8>)>,
}

/// A file that is written under another name and has not taken its place. Dropped before, it goes.
struct Waiting {
    /// As it was asked for.
    path: PathBuf,
    file: PathBuf,
    partial: NamedTempFile,
}

impl Together {
    /// Writes a result beside its place; one for a stream waits.
    pub(super) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), CliError> {
        let path = path.to_owned();
        match Place::of(&path) {
            Place::File(file) => {
                let partial =
                    written_beside(&file, bytes).map_err(|error| file_error(&path, error))?;
                self.files.push(Waiting {
                    path,
                    file,
                    partial,
                });
            }
            stream => self.streams.push((path, stream, bytes.to_vec())),
        }
        Ok(())
    }

    /// The same as JSON.
    pub(super) fn add_json(&mut self, path: &Path, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::Study(StudyError::Document(error.to_string())))?;
        self.add(path, format!("{text}\n").as_bytes())
    }

    /// Whether a result for this path is among them.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Puts all of them in place. What may yet fail for want of room comes first.
    pub(super) fn place(self) -> Result<(), CliError> {
        for (path, stream, bytes) in &self.streams {
            let shown = match stream {
                Place::Output => Path::new("standard output"),
                _ => path,
            };
            let done = stream.append(bytes);
            done.map_err(|error| file_error(shown, error))?;
        }
        for Waiting {
            path,
            file,
            partial,
        } in self.files
        {
            partial
                .persist(file)
                .map_err(|failed| file_error(&path, failed.error))?;
        }
        Ok(())
    }
}

/// Writes a result as a whole, to standard output where no path is given: what was there stays until the new content is on disk.
pub(super) fn write(path: Option<&PathBuf>, bytes: &[u8]) -> Result<(), CliError> {
    let mut all = Together::default();
    all.add(path_or_output(path), bytes)?;
    all.place()
}

/// The same as JSON.
pub(super) fn write_json(path: Option<&PathBuf>, value: &impl Serialize) -> Result<(), CliError> {
    let mut all = Together::default();
    all.add_json(path_or_output(path), value)?;
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

fn try_writing(file: &Path) -> std::io::Result<()> {
    // Renaming would take the place of a file that cannot be written to.
    if file.exists() {
        fs::OpenOptions::new().append(true).open(file)?;
    }
    scratch_beside(file)?.close()
}

/// What a file is to hold, on disk beside it, with its permissions where it is there.
fn written_beside(file: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut partial = scratch_beside(file)?;
    let scratch = partial.as_file_mut();
    scratch.write_all(bytes)?;
    scratch.sync_all()?;
    if let Ok(old) = fs::metadata(file) {
        scratch.set_permissions(old.permissions())?;
    }
    Ok(partial)
}

/// A new file in the folder of another, for whom the process lets read its files: the crate's own are for their owner alone.
fn scratch_beside(file: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .prefix(".secateur-")
        .suffix(".partial")
        .tempfile_in(folder_of(file))
        // The error itself names the new file, of which nobody knows.
        .map_err(|error| error.kind().into())
}
