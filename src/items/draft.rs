//! What a format yields: drafts of items, one by one, each with its line, and what is wrong with them.
//! [`super::collect`] makes items of them.

use super::answers::Answer;

/// An item as a format gives it, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// The file's own id.
    pub id: Option<String>,
    pub context: String,
    pub choices: Vec<String>,
    pub gold: Answer,
}

impl Draft {
    /// One whose id is yet to be read.
    pub fn unnamed(context: String, choices: Vec<String>, gold: Answer) -> Self {
        Self {
            id: None,
            context,
            choices,
            gold,
        }
    }
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
