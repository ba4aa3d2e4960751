//! Multiple-choice items: what they are, the files they come in, the prompts they become.
//!
//! - this file: the item and its canonical form
//! - `read`: which format a text is in, and what all formats have in common: ids, limits, errors
//! - `jsonl`, `big_bench`: JSON; `shapes`: what a JSON object of an item looks like
//! - `table`: CSV and TSV
//! - `aiken`, `gift`, `moodle`: the formats of quizzes
//! - [`template`]: prompts as data

mod aiken;
mod big_bench;
mod gift;
mod jsonl;
mod moodle;
mod read;
mod shapes;
mod table;
pub mod template;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use read::{
    LineError, MAX_BYTES, MAX_CHOICES, MAX_ERRORS, MAX_ITEMS, MAX_TEXT, ParsedItems, parse_items,
};
pub use template::{Rendered, Template, TemplateError};

/// One multiple-choice question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    Sha256::digest(canonical_jsonl(items).as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
