//! Rows of a table: what parts its fields, and whether quotation marks stand around them.
//!
//! A table parted by commas or semicolons has quoted fields as in [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180). One
//! parted by tabs has none ([IANA](https://www.iana.org/assignments/media-types/text/tab-separated-values)), unless it
//! shows that it has. A quotation mark that is not closed where a field ends is a fault of its row: what stands after it
//! would be read as part of the field, lines and all.

use ::csv::{Reader, ReaderBuilder, StringRecord};

use super::check::check_size;
use super::place::offset_of;

/// Separators, in the order in which they are tried.
const DELIMITERS: [u8; 3] = [b'\t', b',', b';'];
const QUOTE: u8 = b'"';

/// How a text is parted into rows, and those into fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub delimiter: u8,
    has_quotes: bool,
    /// Byte at which the rows begin.
    start: usize,
}

/// A row and where it stands.
pub(super) struct Row<'a> {
    pub fields: StringRecord,
    /// As it is in the text.
    pub raw: &'a str,
    /// Byte of the text at which it begins.
    pub offset: usize,
}

impl Dialect {
    /// Those that a text may be in, in the order in which they are tried; first the one that its first line names, as
    /// Excel writes it (`sep=;`).
    pub fn of(text: &str) -> Vec<Self> {
        let named = named_separator(text);
        let start = named.map_or(0, |(_, end)| end);
        let delimiters = named.into_iter().map(|(delimiter, _)| delimiter);
        let dialect = |delimiter| Self {
            delimiter,
            has_quotes: delimiter != b'\t' || has_quotes(text.get(start..).unwrap_or_default()),
            start,
        };
        delimiters.chain(DELIMITERS).map(dialect).collect()
    }

    fn reader<'a>(&self, text: &'a str) -> Reader<&'a [u8]> {
        ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.has_quotes)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
    }

    /// The rows of a text up to one that is too long to be taken apart, which is an error with its place, and the last.
    pub fn rows<'a>(self, text: &'a str) -> impl Iterator<Item = Result<Row<'a>, (usize, String)>> {
        let (readable, problem) = readable(text);
        let body = readable.get(self.start..).unwrap_or_default();
        let mut reader = self.reader(body);
        let mut problem = problem.map(Err);
        std::iter::from_fn(move || {
            let begin = place_of(&reader);
            let mut fields = StringRecord::new();
            match reader.read_record(&mut fields) {
                Ok(true) => {
                    let raw = body.get(begin..place_of(&reader)).unwrap_or_default();
                    // The reader counts line breaks before a row as part of it.
                    let raw = raw.trim_matches(['\r', '\n']);
                    let offset = offset_of(text, raw);
                    Some(Ok(Row {
                        fields,
                        raw,
                        offset,
                    }))
                }
                Ok(false) => problem.take(),
                Err(error) => Some(Err((self.start + begin, error.to_string()))),
            }
        })
    }

    /// The first row of a text.
    pub fn first_row(self, text: &str) -> Option<StringRecord> {
        self.rows(text).next()?.ok().map(|row| row.fields)
    }

    /// The fields of a line as if no quotation mark meant anything.
    pub fn unquoted(self, line: &str) -> StringRecord {
        line.split(char::from(self.delimiter)).collect()
    }

    /// Bytes from the beginning of a row to that of one of its fields.
    pub fn field_offset(self, raw: &str, index: usize) -> usize {
        self.fields(raw).nth(index).map_or(0, |field| field.start)
    }

    /// The first field of a row whose quotation mark is not closed at its end: its place in the row, and what is wrong.
    pub fn quote_fault(self, raw: &str) -> Option<(usize, String)> {
        let is_wrong = |field: &Field| !matches!(field.end, End::Bare | End::Closed);
        let Field { start, end, .. } = self.fields(raw).find(is_wrong)?;
        if end == End::Spaced {
            let message = "a space stands before the quotation mark of this field; remove it";
            return Some((start, message.to_owned()));
        }
        let swallowed = |at: usize| raw.get(start..at).unwrap_or_default().matches('\n').count();
        let message = match end {
            End::Stray(at) if swallowed(at) == 0 => {
                "its quotation mark is closed before this field ends".to_owned()
            }
            End::Stray(at) => format!(
                "the quotation mark that begins this field takes in {}",
                match swallowed(at) {
                    1 => "the next line".to_owned(),
                    lines => format!("the next {lines} lines"),
                }
            ),
            _ => "the quotation mark that begins this field is not closed; the rest is left out"
                .to_owned(),
        };
        let rule = "a field with a quotation mark in its text is put in quotation marks, and that mark is written twice";
        Some((start, format!("{message} ({rule})")))
    }

    /// The fields of a row as they are in the text.
    fn fields(self, raw: &str) -> impl Iterator<Item = Field> {
        let bytes = raw.as_bytes();
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let start = next?;
            let is_quoted = self.has_quotes && bytes.get(start) == Some(&QUOTE);
            let (end, from) = match is_quoted {
                true => self.quoted_end(bytes, start + 1),
                false => (End::Bare, start),
            };
            let rest = bytes.get(from..).unwrap_or_default();
            let found = rest.iter().position(|byte| *byte == self.delimiter);
            let stop = found.map_or(bytes.len(), |found| from + found);
            next = found.map(|_| stop + 1);
            let length = stop - start;
            let is_spaced = self.has_quotes && !is_quoted && {
                let field = raw.get(start..stop).unwrap_or_default().trim();
                let quoted = field.strip_prefix('"');
                let quoted = quoted.and_then(|field| field.strip_suffix('"'));
                // One that has further marks may be a text that begins and ends with quoted words.
                quoted.is_some_and(|inside| !inside.replace("\"\"", "").contains('"'))
            };
            let end = if is_spaced { End::Spaced } else { end };
            Some(Field { start, length, end })
        })
    }

    /// How a field ends whose text begins at `start`, after a quotation mark, and from where its end is to be looked for.
    fn quoted_end(self, bytes: &[u8], start: usize) -> (End, usize) {
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = rest.iter().position(|byte| *byte == QUOTE) else {
                return (End::Open, bytes.len());
            };
            at += found + 1;
            let rest = bytes.get(at..).unwrap_or_default();
            match rest.iter().find(|byte| **byte != b' ') {
                _ if rest.first() == Some(&QUOTE) => at += 1,
                Some(byte) if *byte != self.delimiter => return (End::Stray(at), at),
                _ => return (End::Closed, at),
            }
        }
    }
}

/// A field as it is in the text.
struct Field {
    /// Bytes from the row's beginning.
    start: usize,
    /// In bytes, with its quotation marks.
    length: usize,
    end: End,
}

/// How a field ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is in no quotation marks.
    Bare,
    /// It is in quotation marks before which a space stands, so that they are taken for text.
    Spaced,
    /// With its quotation mark.
    Closed,
    /// Later than its quotation mark, after which stands this byte of the row.
    Stray(usize),
    /// Not at all: its quotation mark is not closed.
    Open,
}

fn place_of(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// The separator that the first line names, and where that line ends. Programs that take it for a row leave separators
/// after it, or put it in quotation marks.
fn named_separator(text: &str) -> Option<(u8, usize)> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let said = line.trim_start_matches('"');
    let is_named = said.get(..4)?.eq_ignore_ascii_case("sep=");
    let (separator, rest) = said.as_bytes().get(4..)?.split_first()?;
    let is_separator =
        *separator != QUOTE && (*separator == b'\t' || separator.is_ascii_punctuation());
    let is_nothing = rest.iter().all(|byte| b",;\t\" ".contains(byte));
    (is_named && is_separator && is_nothing)
        .then(|| (*separator, offset_of(text, line) + line.len()))
}

/// Whether a table parted by tabs has quoted fields, though such tables have none: a column's name is quoted; or every
/// quoted field is closed on its line, and one needs it, for it holds a tab or a quotation mark written twice; or every
/// field is quoted.
fn has_quotes(text: &str) -> bool {
    let dialect = Dialect {
        delimiter: b'\t',
        has_quotes: true,
        start: 0,
    };
    let mut lines = text
        .split(['\r', '\n'])
        .filter(|line| !line.trim().is_empty());
    let Some(header) = lines.next().filter(|header| header.contains('\t')) else {
        return false;
    };
    if dialect.fields(header).any(|field| field.end == End::Closed) {
        return true;
    }
    let (mut is_needed, mut are_all, mut is_some) = (false, true, false);
    for line in lines {
        for Field { start, length, end } in dialect.fields(line) {
            match end {
                End::Bare | End::Spaced => are_all &= length == 0,
                End::Closed => {
                    let field = line.get(start..start + length).unwrap_or_default();
                    let inner = field.trim_end().trim_matches('"');
                    is_needed |= inner.contains(['\t', '"']);
                    is_some = true;
                }
                End::Stray(_) | End::Open => return false,
            }
        }
    }
    is_needed || (are_all && is_some)
}

/// A text up to a line that is too long to be taken apart, and where that line begins and what is wrong with it.
fn readable(text: &str) -> (&str, Option<(usize, String)>) {
    let long = text.lines().find_map(|line| {
        let problem = check_size(line).err()?;
        Some((offset_of(text, line), problem))
    });
    match long {
        Some((start, problem)) => (
            text.get(..start).unwrap_or_default(),
            Some((start, format!("{problem}; the rest is left out"))),
        ),
        None => (text, None),
    }
}
