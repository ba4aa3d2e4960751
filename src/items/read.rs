//! Reading of item files: the format is told from the text, and every format's items pass the same checks.
//!
//! A format yields drafts one by one, each with its line; ids, limits and errors are here alone.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde::Serialize;

use super::check::{check_choices, check_gold, check_text};
use super::table::{self, Table};
use super::{Item, aiken, big_bench, copa_xml, gift, jsonl, moodle};

/// Largest text accepted, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most items of one file.
pub const MAX_ITEMS: usize = 100_000;
/// Most wrong lines reported one by one.
pub const MAX_ERRORS: usize = 1000;
/// Longest part of a wrong value that a message repeats, in characters.
const QUOTED: usize = 60;
/// What is said of a text that is in none of the formats.
const NO_FORMAT: &str = "no item file: read are JSON objects, one a line or in one list; BIG-bench's JSON; CSV or TSV \
    whose first line names the columns `question`, `a`, `b`, … and `correct`, or MMLU's without such a line; Aiken; \
    GIFT; Moodle XML; COPA's XML";

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineError {
    /// Line number, from 1.
    pub line: usize,
    /// Character of that line, from 1: where the wrong part begins, or the line where that is not known.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// What a text held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParsedItems {
    /// The good items.
    pub items: Vec<Item>,
    /// The wrong lines.
    pub errors: Vec<LineError>,
    /// "jsonl", "json", "big-bench", "csv", "tsv", "aiken", "gift", "moodle-xml", "copa-xml", or "unknown".
    pub format: &'static str,
    /// Whether the reading ended before the text did, at a limit; the last error says at which.
    #[serde(skip)]
    pub is_cut: bool,
}

/// What there is to see of a file before it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview<'a> {
    /// As in [`ParsedItems`].
    pub format: &'static str,
    /// How many good items.
    pub items: usize,
    /// Fewest and most choices of an item; none without items.
    pub choices: Option<(usize, usize)>,
    /// How often each place holds the right choice.
    pub gold: Vec<usize>,
    /// The first items.
    pub first: &'a [Item],
    /// The wrong lines.
    pub errors: &'a [LineError],
}

impl ParsedItems {
    /// A look at it, with the first `show` items.
    pub fn preview(&self, show: usize) -> Preview<'_> {
        let counts = self.items.iter().map(|item| item.choices.len());
        let widest = counts.clone().max();
        let mut gold = vec![0; widest.unwrap_or(0)];
        for item in &self.items {
            if let Some(count) = gold.get_mut(item.gold) {
                *count += 1;
            }
        }
        Preview {
            format: self.format,
            items: self.items.len(),
            choices: counts.min().zip(widest),
            gold,
            first: self.items.get(..show).unwrap_or(&self.items),
            errors: &self.errors,
        }
    }
}

/// An item as a format gives it, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// The file's own id.
    pub id: Option<String>,
    pub context: String,
    pub choices: Vec<String>,
    pub gold: usize,
}

/// What is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub message: String,
    /// Byte of the whole text at which the wrong part begins; none: that of the draft's line.
    pub offset: Option<usize>,
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self {
            message,
            offset: None,
        }
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Fault {
    pub fn at(offset: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset: Some(offset),
        }
    }
}

/// A draft, or what is wrong with it, and its line.
pub(super) type Found = (usize, Result<Draft, Fault>);

/// Reads items from text; its format is told from the text alone.
///
/// The formats, each with its source in its file: JSON ([lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness)
/// and the data sets of `shapes`), [BIG-bench](https://github.com/google/BIG-bench/blob/main/docs/doc.md), CSV and TSV
/// ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), [Aiken](https://docs.moodle.org/en/Aiken_format),
/// [GIFT](https://docs.moodle.org/en/GIFT_format), [Moodle XML](https://docs.moodle.org/en/Moodle_XML_format).
pub fn parse_items(text: &str) -> ParsedItems {
    let text = text.trim_start_matches('\u{feff}');
    if text.len() > MAX_BYTES {
        let mut collector = Collector::new(Format::Unknown.name(), "");
        let message = format!(
            "the text has {} bytes, at most {MAX_BYTES} are read",
            text.len()
        );
        collector.refuse(1, message.into());
        return collector.parsed;
    }
    let format = Format::of(text);
    let mut collector = Collector::new(format.name(), text);
    for (line, draft) in format.read(text) {
        if collector.take(line, draft).is_break() {
            break;
        }
    }
    collector.parsed
}

/// The formats, in the order in which a text is tried.
enum Format {
    Json,
    Moodle,
    CopaXml,
    BigBench,
    Table(Table),
    Jsonl,
    Aiken,
    Gift,
    Unknown,
}

impl Format {
    fn of(text: &str) -> Self {
        let start = text.trim_start();
        if start.starts_with('[') && !gift::starts_with_markup(start) {
            Self::Json
        } else if moodle::fits(start) {
            Self::Moodle
        } else if copa_xml::fits(start) {
            Self::CopaXml
        } else if big_bench::fits(start) {
            Self::BigBench
        } else if start.starts_with('{') {
            Self::Jsonl
        } else if let Some(table) = Table::of(text) {
            Self::Table(table)
        } else if jsonl::fits(text) {
            Self::Jsonl
        } else if aiken::fits(text) {
            Self::Aiken
        } else if gift::fits(text) {
            Self::Gift
        } else if jsonl::begins_with_a_value(text) {
            Self::Jsonl
        } else {
            Self::Unknown
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Moodle => "moodle-xml",
            Self::CopaXml => "copa-xml",
            Self::BigBench => "big-bench",
            Self::Table(table) => table.name(),
            Self::Jsonl => "jsonl",
            Self::Aiken => "aiken",
            Self::Gift => "gift",
            Self::Unknown => "unknown",
        }
    }

    fn read<'a>(&'a self, text: &'a str) -> Box<dyn Iterator<Item = Found> + 'a> {
        match self {
            Self::Json => Box::new(jsonl::read_array(text)),
            Self::Moodle => Box::new(moodle::read(text)),
            Self::CopaXml => Box::new(copa_xml::read(text)),
            Self::BigBench => Box::new(big_bench::read(text)),
            Self::Table(table) => Box::new(table::read(table, text)),
            Self::Jsonl => Box::new(jsonl::read_lines(text)),
            Self::Aiken => Box::new(aiken::read(text)),
            Self::Gift => Box::new(gift::read(text)),
            Self::Unknown => Box::new(std::iter::once((1, Err(NO_FORMAT.to_owned().into())))),
        }
    }
}

/// Turns drafts into items.
struct Collector<'a> {
    parsed: ParsedItems,
    places: Places<'a>,
    ids: HashSet<String>,
    /// The last line whose item was called after it, and how many were.
    called: (usize, usize),
}

impl<'a> Collector<'a> {
    fn new(format: &'static str, text: &'a str) -> Self {
        Self {
            places: Places::new(text),
            parsed: ParsedItems {
                items: Vec::new(),
                errors: Vec::new(),
                format,
                is_cut: false,
            },
            ids: HashSet::new(),
            called: (0, 0),
        }
    }

    fn refuse(&mut self, line: usize, fault: Fault) {
        let (line, column) = match fault.offset {
            Some(offset) => self.places.of(offset),
            None => (line, self.places.first_character(line)),
        };
        self.parsed.errors.push(LineError {
            line,
            column,
            message: fault.message,
        });
    }

    /// Takes one draft; breaks when no more are wanted.
    fn take(&mut self, line: usize, draft: Result<Draft, Fault>) -> ControlFlow<()> {
        if self.parsed.items.len() >= MAX_ITEMS {
            let message = format!("more than {MAX_ITEMS} items; the rest is left out");
            return self.cut(line, message);
        }
        if self.parsed.errors.len() >= MAX_ERRORS {
            let message = format!("more than {MAX_ERRORS} wrong lines; the rest is left out");
            return self.cut(line, message);
        }
        match draft.and_then(|draft| Ok(self.item(draft, line)?)) {
            Ok(item) => self.parsed.items.push(item),
            Err(fault) => self.refuse(line, fault),
        }
        ControlFlow::Continue(())
    }

    fn cut(&mut self, line: usize, message: String) -> ControlFlow<()> {
        self.refuse(line, message.into());
        self.parsed.is_cut = true;
        ControlFlow::Break(())
    }

    fn item(&mut self, draft: Draft, line: usize) -> Result<Item, String> {
        check_text(&draft.context, "the context")?;
        check_choices(&draft.choices)?;
        check_gold(draft.gold, &draft.choices)?;
        let id = draft.id.unwrap_or_else(|| self.name(line));
        if !self.ids.insert(id.clone()) {
            return Err(format!("the id `{}` is there twice", quoted(&id)));
        }
        Ok(Item {
            id,
            context: draft.context,
            choices: draft.choices,
            gold: draft.gold,
        })
    }

    /// `line-7`, and `line-7.2` for the second one of the same line.
    fn name(&mut self, line: usize) -> String {
        let count = match self.called {
            (last, count) if last == line => count + 1,
            _ => 1,
        };
        self.called = (line, count);
        match count {
            1 => format!("line-{line}"),
            _ => format!("line-{line}.{count}"),
        }
    }
}

/// The choice that an answer means: one with that text, else the one of that letter, else of that index from 0.
pub(super) fn answered(answer: &str, choices: &[String]) -> Option<usize> {
    let trimmed = answer.trim();
    let letter = match trimmed.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            Some(usize::from(letter.to_ascii_uppercase() - b'A'))
        }
        _ => None,
    };
    choices
        .iter()
        .position(|choice| choice == answer)
        .or(letter)
        .or_else(|| trimmed.parse().ok())
}

/// The beginning of a text, for a message.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Lines without white space around them and without the empty ones.
pub(super) fn tidy(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Lines and columns of places, asked for in ascending order for the most part: going back begins anew.
struct Places<'a> {
    text: &'a str,
    line: usize,
    /// Where that line begins.
    start: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            start: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Goes on to the next line as long as `wanted` says so of its number and beginning.
    fn advance(&mut self, wanted: impl Fn(usize, usize) -> bool) {
        while let Some(end) = self.rest().find('\n') {
            let next = (self.line + 1, self.start + end + 1);
            if !wanted(next.0, next.1) {
                break;
            }
            (self.line, self.start) = next;
        }
    }

    /// Line and column, from 1, of a byte.
    fn of(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.start {
            (self.line, self.start) = (1, 0);
        }
        self.advance(|_, start| start <= offset);
        let before = self.rest().char_indices();
        let column = before
            .take_while(|(at, _)| self.start + at < offset)
            .count();
        (self.line, column + 1)
    }

    /// Column of the first character of a line that is no white space.
    fn first_character(&mut self, line: usize) -> usize {
        if line < self.line {
            (self.line, self.start) = (1, 0);
        }
        self.advance(|number, _| number <= line);
        let blank = self
            .rest()
            .chars()
            .take_while(|char| matches!(char, ' ' | '\t'));
        blank.count() + 1
    }
}

/// The byte of `text` at which `part`, a piece of it, begins.
pub(super) fn offset_of(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Line numbers of places that are asked for in ascending order: the text is read once.
pub(super) struct LineCounter<'a> {
    text: &'a str,
    line: usize,
    counted: usize,
}

impl<'a> LineCounter<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            counted: 0,
        }
    }

    /// The line, from 1, of the byte at `start`.
    pub fn at(&mut self, start: usize) -> usize {
        let passed = self.text.as_bytes().get(self.counted..start);
        if let Some(passed) = passed {
            self.line += passed.iter().filter(|byte| **byte == b'\n').count();
            self.counted = start;
        }
        self.line
    }
}
