//! Text files, read whole and within a limit.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::CliError;

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
    let file = fs::File::open(path).map_err(|error| file_error(path, error))?;
    let size = file.metadata().map_or(0, |found| found.len());
    text_of(file, size, path)
}

/// What stands on standard input.
pub(super) fn read_standard_input() -> Result<String, CliError> {
    text_of(std::io::stdin().lock(), 0, Path::new("standard input"))
}

/// All of a text of about `size` bytes, called `path` in errors.
fn text_of(source: impl Read, size: u64, path: &Path) -> Result<String, CliError> {
    // One more than it has: a file that grows is noticed without a larger buffer.
    let mut bytes = Vec::with_capacity(size.min(LARGEST_TEXT) as usize + 1);
    let mut source = source.take(LARGEST_TEXT + 1);
    let read = source.read_to_end(&mut bytes);
    read.map_err(|error| file_error(path, error))?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(CliError::Input(format!(
            "{}: more than {} MiB, which is no text that is read here",
            path.display(),
            LARGEST_TEXT >> 20
        )));
    }
    // As items, a document may begin with a byte order mark.
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::Input(format!(
            "{}: not UTF-8 (byte {at}); save it as UTF-8",
            path.display()
        ))
    })
}
