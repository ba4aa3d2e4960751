//! Reading of item files: the format is told from the text, and every format's items pass the same checks.

use super::answers::AnswersFrom;
use super::check::MAX_BYTES;
use super::collect::Collector;
use super::draft::Found;
use super::parsed::ParsedItems;
use super::table::Table;
use super::text::with_line_feeds;
use super::{aiken, big_bench, copa_xml, gift, jsonl, moodle};

/// What is said of a text that is in none of the formats.
const NO_FORMAT: &str = "no item file: read are JSON objects, one a line or in one list; BIG-bench's JSON; CSV or TSV \
    whose first line names the columns `question`, `a`, `b`, … and `correct`, or MMLU's without such a line; Aiken; \
    GIFT; Moodle XML; COPA's XML";

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
    let text = &*with_line_feeds(text);
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
    JsonObject,
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
        if jsonl::begins_a_list(start) {
            Self::Json
        } else if moodle::fits(start) {
            Self::Moodle
        } else if copa_xml::fits(start) {
            Self::CopaXml
        } else if big_bench::fits(start) {
            Self::BigBench
        } else if jsonl::is_one_object(start) {
            Self::JsonObject
        } else if jsonl::fits_best(text) {
            Self::Jsonl
        } else if let Some(table) = Table::of(text).or_else(|| Table::unread(text, true)) {
            Self::Table(table)
        } else if aiken::fits(text) {
            Self::Aiken
        } else if gift::fits(text) {
            Self::Gift
        } else if jsonl::fits(text) {
            Self::Jsonl
        } else if let Some(table) = Table::unread(text, false) {
            Self::Table(table)
        } else {
            Self::Unknown
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Json | Self::JsonObject => "json",
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
            Self::JsonObject => Box::new(jsonl::read_object(text)),
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
