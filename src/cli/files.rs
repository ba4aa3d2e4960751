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
    decoded(bytes).map_err(|message| CliError::Input(format!("{}: {message}", path.display())))
}

/// Beginnings of files that are no text, and what is to be done about them.
const NO_TEXT: [(&[u8], &str); 4] = [
    (b"PAR1", "a Parquet file: export it as JSONL or CSV"),
    (
        b"\x1f\x8b",
        "compressed by gzip: unpack it first (`gunzip`)",
    ),
    (
        b"PK\x03\x04",
        "an Excel file, another document or a ZIP archive: save its table as CSV, or unpack it first",
    ),
    (b"%PDF-", "a PDF: copy its text into a text file"),
];

/// Text in UTF-8, or in UTF-16 where its byte order mark says so; a mark is left out.
fn decoded(mut bytes: Vec<u8>) -> Result<String, String> {
    if let Some((_, what)) = NO_TEXT.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err((*what).to_owned());
    }
    let utf_16 = |unit: fn([u8; 2]) -> u16| {
        let (units, left) = bytes.as_chunks();
        let units: Vec<u16> = units.iter().skip(1).map(|pair| unit(*pair)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| left.is_empty());
        text.ok_or_else(|| "not UTF-16, as it says; save it as UTF-8".to_owned())
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => return utf_16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return utf_16(u16::from_be_bytes),
        _ if bytes.starts_with("\u{feff}".as_bytes()) => {
            bytes.drain(..3);
        }
        _ => {}
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("not UTF-8 (byte {at}); save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn text_is_read_in_utf_8_and_where_it_says_so_in_utf_16() {
        let text = "é,😀\n";
        let marked = format!("\u{feff}{text}");
        let little = marked.encode_utf16().flat_map(u16::to_le_bytes);
        let big = marked.encode_utf16().flat_map(u16::to_be_bytes);
        for bytes in [
            text.into(),
            marked.clone().into_bytes(),
            little.collect(),
            big.collect(),
        ] {
            assert_eq!(decoded(bytes).unwrap(), text);
        }
        for (bytes, named) in [
            (&b"a\xe9"[..], "not UTF-8 (byte 1)"),
            (b"\xff\xfea", "not UTF-16"),
            (b"\xfe\xff\xd8\x00", "not UTF-16"),
            (b"PAR1", "Parquet"),
            (b"\x1f\x8b\x08", "gunzip"),
            (b"PK\x03\x04", "as CSV"),
            (b"%PDF-1.7", "a PDF"),
        ] {
            let error = decoded(bytes.to_vec()).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
