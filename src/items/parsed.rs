//! What a text of items held.

use serde::Serialize;

use super::Item;
use super::answers::AnswersFrom;

/// Most wrong lines reported one by one.
pub const MAX_ERRORS: usize = 1000;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
#[cfg_attr(test, derive(ts_rs::TS))]
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
