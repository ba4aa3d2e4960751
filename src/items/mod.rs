//! Multiple-choice items: what they are, the files they come in, the prompts they become.
//!
//! - this file: the item and its canonical form
//! - `check`: what every item is held to
//! - `read`: which format a text is in; `draft`: what a format yields; `collect`: how drafts become items, with ids,
//!   limits, errors at their `place`; `parsed`: what comes of it
//! - `text`: what messages repeat of a text
//! - `answers`: right answers that only the whole file explains; `agree`: those that several fields of an item give
//! - `names`: what fields and columns are called
//! - `jsonl`, `big_bench`: JSON; `shapes`: what a JSON object of an item looks like, by its `fields`; `listed`: the shape with a
//!   list of `choices`
//! - `columns`: questions whose choices have columns of their own; `table`: CSV and TSV, and its `rows`
//! - `aiken`, of `lettered` lines, `gift`, `moodle`: the formats of quizzes; `markup`: how their texts are marked up; `html`: what is text in
//!   it, with its `tags`, `entities`, the `numbering` of lists and `scripts`
//! - `copa_xml`: Balanced COPA; `xml`: documents read element by element
//! - [`template`]: prompts as data, with a [`placeholder`] for each part of an item; [`few_shot`]: solved items before them
//! - [`order`]: orders of the choices; [`split`]: parts of a set; [`export`]: items as files

#![warn(clippy::indexing_slicing, reason = "files come from anyone")]

mod agree;
mod aiken;
mod answers;
mod big_bench;
mod check;
mod choices;
mod collect;
mod columns;
mod copa_xml;
mod draft;
mod entities;
pub mod export;
pub mod few_shot;
mod fields;
mod gift;
mod html;
mod jsonl;
mod lettered;
mod listed;
mod markup;
mod moodle;
mod names;
mod numbering;
pub mod order;
mod parsed;
mod place;
pub mod placeholder;
mod read;
mod rows;
mod scripts;
mod shapes;
pub mod split;
mod table;
mod tags;
pub mod template;
mod template_error;
mod text;
mod xml;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use answers::AnswersFrom;
pub use check::{ItemsError, MAX_BYTES, MAX_CHOICES, MAX_ITEMS, MAX_SHOTS, MAX_TEXT, check_items};
pub use few_shot::{FewShot, Prompts};
pub use parsed::{LineError, MAX_ERRORS, ParsedItems, Preview};
pub use read::{parse_items, parse_items_from};
pub use split::SplitPart;
pub use template::{Rendered, RenderedChoice, Template, TemplateSpec};
pub use template_error::TemplateError;

/// One multiple-choice question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Item {
    /// Unique within its set.
    pub id: String,
    /// The question or context; may be empty.
    pub context: String,
    /// At least two answers.
    pub choices: Vec<String>,
    /// Index of the right one.
    pub gold: usize,
}

/// Items as JSONL with the fields in the order `id, context, choices, gold`.
pub fn canonical_jsonl(items: &[Item]) -> String {
    items
        .iter()
        .filter_map(|item| serde_json::to_string(item).ok())
        .map(|line| line + "\n")
        .collect()
}

/// SHA-256 of the canonical JSONL, lower-case hexadecimal.
pub fn items_sha256(items: &[Item]) -> String {
    format!("{:x}", Sha256::digest(canonical_jsonl(items)))
}
