//! Multiple-choice items: what they are, the files they come in, the prompts they become.
//!
//! - this file: the item and its canonical form
//! - [`jsonl`]: the formats of item files
//! - [`template`]: prompts as data

pub mod jsonl;
pub mod template;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use jsonl::{LineError, ParsedItems, parse_items};
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
