//! Reading of item files: the format is told from the text, and every format's items pass the same checks.
//!
//! A format yields drafts one by one, each with its line; [`super::collect`] makes items of them.

use serde::Serialize;

use super::answers::{Answer, AnswersFrom};
use super::collect::Collector;
use super::table::Table;
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
    /// From where right answers that are numbers were counted, where there are some.
    pub answers_from: Option<AnswersFrom>,
    /// Whether right answers are numbers that could be counted from 0 or from 1: no item is taken until that is said.
    pub asks_answers_from: bool,
    /// Whether the reading ended before the text did, at a limit; the last error says at which.
    #[serde(skip)]
    pub is_cut: bool,
}

/// What there is to see of a file before it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview<'a> {
    /// As in [`ParsedItems`].
    pub format: &'static str,
    /// As in [`ParsedItems`].
    pub answers_from: Option<AnswersFrom>,
    /// As in [`ParsedItems`].
    pub asks_answers_from: bool,
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
            answers_from: self.answers_from,
            asks_answers_from: self.asks_answers_from,
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
    pub gold: Answer,
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
    parse_items_from(text, None)
}

/// The same where it is known from where the text counts right answers that are numbers; `gold` of a JSON object is
/// counted from 0 all the same.
pub fn parse_items_from(text: &str, answers_from: Option<AnswersFrom>) -> ParsedItems {
    let text = text.trim_start_matches('\u{feff}');
    if text.len() > MAX_BYTES {
        let mut collector = Collector::new(Format::Unknown.name(), "");
        let message = format!(
            "the text has {} bytes, at most {MAX_BYTES} are read",
            text.len()
        );
        collector.refuse(1, message.into());
        return collector.finish(answers_from);
    }
    let format = Format::of(text);
    let mut collector = Collector::new(format.name(), text);
    for (line, draft) in format.read(text) {
        if collector.take(line, draft).is_break() {
            break;
        }
    }
    collector.finish(answers_from)
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
            Self::Table(table) => Box::new(table.read(text)),
            Self::Jsonl => Box::new(jsonl::read_lines(text)),
            Self::Aiken => Box::new(aiken::read(text)),
            Self::Gift => Box::new(gift::read(text)),
            Self::Unknown => Box::new(std::iter::once((1, Err(NO_FORMAT.to_owned().into())))),
        }
    }
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
