//! Text files and JSON, in from disk and out to it or to standard output.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::CliError;
use crate::study::StudyError;

/// Largest text file that is read, in bytes; items have a smaller limit of their own.
const LARGEST_TEXT: u64 = 256 << 20;

/// An error of a file, with its path.
pub(super) fn file_error(path: &Path, error: std::io::Error) -> CliError {
    CliError::File {
        path: path.display().to_string(),
        error,
    }
}

/// A text file as a whole.
pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    let fail = |error| file_error(path, error);
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path).map_err(fail)?.take(LARGEST_TEXT + 1);
    file.read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(CliError::Input(format!(
            "{}: more than {} MiB, which is no text that is read here",
            path.display(),
            LARGEST_TEXT >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::Input(format!(
            "{}: not UTF-8 (byte {at}); save it as UTF-8",
            path.display()
        ))
    })
}

/// Whether these files can be written, as far as it can be told before the work: each in a folder that is there, and no
/// two the same.
pub(super) fn check_outputs(paths: &[&PathBuf]) -> Result<(), CliError> {
    for (index, path) in paths.iter().enumerate() {
        let fail = |what: &str| Err(CliError::Input(format!("{}: {what}", path.display())));
        if path.is_dir() {
            return fail("is a folder; name a file");
        }
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return fail("its folder does not exist");
        }
        if paths[..index].contains(path) {
            return fail("two results go into it; name another file for one");
        }
    }
    Ok(())
}

/// Writes a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    fs::write(path, bytes).map_err(|error| file_error(path, error))
}

/// Writes JSON to a file or to standard output.
pub(super) fn write_json(path: Option<&Path>, value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::Study(StudyError::Document(error.to_string())))?;
    match path {
        Some(path) => write(path, format!("{text}\n").as_bytes()),
        None => print(&format!("{text}\n")),
    }
}

/// Writes to standard output. Whoever reads it may stop before the end.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(file_error(Path::new("standard output"), error))
        }
        _ => Ok(()),
    }
}
