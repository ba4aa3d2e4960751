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

    /// The rows of a text that have a field which is not empty, up to one that is too long to be taken apart, which is an
    /// error with its place, and the last.
    pub fn rows<'a>(self, text: &'a str) -> impl Iterator<Item = Result<Row<'a>, (usize, String)>> {
        let (readable, problem) = readable(text);
        let body = readable.get(self.start..).unwrap_or_default();
        let mut reader = self.reader(body);
        let mut problem = problem.map(Err);
        let rows = std::iter::from_fn(move || {
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
        });
        let is_blank = |row: &Row| row.fields.iter().all(|field| field.trim().is_empty());
        rows.filter(move |row| !row.as_ref().is_ok_and(is_blank))
    }

    /// The first rows of a text, at most so many.
    pub fn first_rows(self, text: &str, count: usize) -> Vec<StringRecord> {
        let rows = self.rows(text).map_while(Result::ok);
        rows.take(count).map(|row| row.fields).collect()
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
/// field is quoted; or, as Excel does it, those with commas, tabs and quotation marks are, and no others.
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
    let (mut is_needed, mut are_all, mut is_excels, mut is_some) = (false, true, true, false);
    for line in lines {
        for Field { start, length, end } in dialect.fields(line) {
            let field = line.get(start..start + length).unwrap_or_default();
            match end {
                End::Bare | End::Spaced => {
                    are_all &= length == 0;
                    is_excels &= !field.contains([',', '"']);
                }
                End::Closed => {
                    let inner = field.trim_end().trim_matches('"');
                    is_needed |= inner.contains(['\t', '"']);
                    is_excels &= inner.contains([',', '\t', '"']);
                    is_some = true;
                }
                End::Stray(_) | End::Open => return false,
            }
        }
    }
    is_needed || ((are_all || is_excels) && is_some)
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

#[cfg(test)]
mod tests {
    use crate::items::parse_items;
    use crate::items::table::tests::{fault, golds};

    /// The contexts of a table parted by tabs that has no error.
    fn contexts_of(text: &str) -> Vec<String> {
        let parsed = parse_items(text);
        assert_eq!((parsed.format, &parsed.errors), ("tsv", &vec![]), "{text}");
        let items = parsed.items.into_iter();
        items.map(|item| item.context).collect()
    }

    #[test]
    fn the_first_line_may_name_what_parts_the_fields() {
        let rows = "question|a|b|c|correct\r\nWhich one floats?|cork|anvil|brick|a\r\nWhich, is a metal?|oak|tin|glass|b\r\n";
        for (first, delimiter) in [
            ("sep=;", ";"),
            ("SEP=,", ","),
            ("\u{feff}\"sep=;\"", ";"),
            ("sep=\t", "\t"),
            ("sep=|", "|"),
            ("sep=;;;;;", ";"),
            ("\r\nsep=,,,,,", ","),
            ("sep=,", ";"),
        ] {
            let rows = rows.replace(", is", if delimiter == "," { " is" } else { ", is" });
            let text = format!("{first}\r\n{}", rows.replace('|', delimiter));
            assert_eq!(golds(&text), [0, 1], "{first}");
            let wrong = text.replace(&format!("{delimiter}a\r\n"), &format!("{delimiter}?\r\n"));
            assert_eq!(
                fault(&wrong).0,
                3 + usize::from(first.starts_with('\r')),
                "{first}"
            );
        }
        for first in ["sep=", "sep=;x", "sep=a", "separator"] {
            assert_eq!(parse_items(&format!("{first}\n{rows}")).format, "unknown");
        }
    }

    #[test]
    fn a_table_parted_by_tabs_has_no_quotation_marks_around_fields() {
        let header = "question\ta\tb\tcorrect\n";
        for (rows, contexts) in [
            (
                "\"Ahoy\" is said by whom?\ta sailor\ta baker\ta\nWhat is 12\" in feet?\tone\ttwo\ta\n",
                &["\"Ahoy\" is said by whom?", "What is 12\" in feet?"][..],
            ),
            (
                "\"Tis the season for what?\tholly\tsand\ta\nWhich one floats?\tcork\tanvil\ta\r\nWho wrote \"Ahoy\"?\tMaria\tIvan\tb\n",
                &[
                    "\"Tis the season for what?",
                    "Which one floats?",
                    "Who wrote \"Ahoy\"?",
                ],
            ),
            ("\"Ahoy\"\tx\ty\ta\n", &["\"Ahoy\""]),
            // One field that is closed needs its quotation marks, and another is not closed.
            (
                "\"a \"\"b\"\"\"\tx\ty\ta\n\"c\tx\ty\ta\n",
                &["\"a \"\"b\"\"\"", "\"c"],
            ),
        ] {
            assert_eq!(contexts_of(&format!("{header}{rows}")), contexts);
        }
    }

    #[test]
    fn a_table_parted_by_tabs_may_show_that_its_fields_are_quoted() {
        for text in [
            "question\ta\tb\tcorrect\n\"a \"\"b\"\"\"\tx\ty\ta\n\"c\"\tx\ty\ta\n",
            "question\ta\tb\tcorrect\n\"a \"\"b\"\"\"\t\"x\"\t\"y\"\t\"a\"\n\"c\"\t\"x\"\t\"y\"\t\"a\"\n",
            "\"question\"\t\"a\"\t\"b\"\t\"correct\"\n\"a \"\"b\"\"\"\tx\ty\ta\n\"c\"\tx\ty\ta\n",
        ] {
            assert_eq!(contexts_of(text), ["a \"b\"", "c"], "{text}");
            assert_eq!(parse_items(text).items[0].choices, ["x", "y"]);
        }
        // A field that goes over lines is no field of such a table.
        let (line, _, message) = fault("question\ta\tb\tcorrect\nq\tx\ty\ta\n\"q\tx\n");
        assert_eq!(line, 3);
        assert!(message.contains("parted by tabs"), "{message}");
    }

    #[test]
    fn a_quotation_mark_that_swallows_lines_is_named() {
        let header = "question,a,b,correct\n";
        let good = "Which one floats?,cork,anvil,a\n";
        for (rows, line, column, named) in [
            // Closed within a field of a later line.
            (
                format!(
                    "\"Tis the season for what?,holly,sand,a\n{good}Who wrote \"Ahoy\"?,Maria,Ivan,b\n"
                ),
                2,
                1,
                "the next 2 lines",
            ),
            // Closed where a field of a later line ends.
            (
                format!("\"Tis the season,holly,sand,a\n{good}Who said \"ho\",Maria,Ivan,b\n"),
                2,
                1,
                "the next 2 lines",
            ),
            (
                format!("\"12 is,x,y,a\n{good}feet and 6\",x,y,b\n"),
                2,
                1,
                "joins 3 lines",
            ),
            (
                format!("{good}What,\"12 in,y,a\n{good}feet and 6\",y,a\n"),
                3,
                6,
                "joins 3 lines",
            ),
            // Not closed at all, and yet as many fields as the first row has.
            (format!("{good}q,x,y,\"a\n{good}"), 3, 7, "not closed"),
            (
                format!("\"Ahoy\" is said by whom?,a sailor,a baker,a\n{good}"),
                2,
                1,
                "closed before this field ends",
            ),
        ] {
            let (at_line, at_column, message) = fault(&format!("{header}{rows}"));
            assert_eq!((at_line, at_column), (line, column), "{rows}{message}");
            assert!(message.contains(named), "{message}");
        }
        // A quoted field may go over lines.
        let parsed = parse_items(
            "question,a,b,correct\n\"One, with, three, commas\nand\n\"\"more\"\"\" ,x,y,a\n",
        );
        assert_eq!(parsed.errors, []);
        assert_eq!(
            parsed.items[0].context,
            "One, with, three, commas\nand\n\"more\""
        );
    }

    #[test]
    fn a_space_before_a_quotation_mark_is_named() {
        let header = "question,a,b,correct\n";
        let good = "Which one floats?,cork,\"anvil\",a\n";
        let text = format!("{header}{good}Which floats?, \"cork\", \"anvil\", a\n");
        let (line, column, message) = fault(&text);
        assert_eq!((line, column), (3, 15));
        assert!(message.contains("remove it"), "{message}");
        // What does not end with the mark is text, and so is all of it where no field is quoted.
        assert_eq!(golds(&format!("{header}q, \"x\" and y,z,b\n")), [1]);
        assert_eq!(golds(&format!("{header}q, \"x\" or \"y\",z,b\n")), [1]);
        assert_eq!(golds("question\ta\tb\tcorrect\nq\t \"x\"\ty\tb\n"), [1]);
    }

    #[test]
    fn excels_tabs_part_fields_whose_commas_are_quoted() {
        let header = "question\ta\tb\tcorrect\n";
        let parsed = parse_items(&format!(
            "{header}\"Red, white?\"\tx\t\"y, z\"\ta\nq\tx\ty\tb\n"
        ));
        assert_eq!(parsed.items[0].context, "Red, white?");
        assert_eq!(parsed.items[0].choices, ["x", "y, z"]);
        let parsed = parse_items(&format!("{header}\"Red, white?\"\tx\ty, z\ta\n"));
        assert_eq!(parsed.items[0].context, "\"Red, white?\"");
    }

    #[test]
    fn a_series_of_numbers_within_a_field_is_no_row() {
        let text =
            "question,A,B,C,D,answer\n\"What comes next?\n1, 2, 4, 8, 16, 32\n\",64,48,50,33,A\n";
        assert_eq!(golds(text), [0]);
    }
}
