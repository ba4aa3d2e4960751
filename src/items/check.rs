//! What every item is held to, whether it was read from a file or stands in a study.

use std::collections::HashSet;
use std::fmt::Display;

use super::Item;
use super::text::quoted;

/// Largest text accepted, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most items of one file.
pub const MAX_ITEMS: usize = 100_000;
/// Most choices of one item: there are 26 letters.
pub const MAX_CHOICES: usize = 26;
/// Longest text of a context or choice, in bytes.
pub const MAX_TEXT: usize = 100_000;

/// Most shots of a prompt.
pub const MAX_SHOTS: usize = 64;

/// Longest item as it stands in a file, in bytes: as long as its texts may be together.
pub(super) const MAX_ITEM: usize = MAX_TEXT * MAX_CHOICES;

/// Why items, or what is asked of a set of them, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemsError {
    /// There are more than are read.
    #[error("{0} items, at most {MAX_ITEMS} are read")]
    TooMany(usize),
    /// An item is not one that could have been read.
    #[error("item `{id}`: {message}")]
    Item {
        /// The beginning of its id.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// Right answers that are numbers cannot be counted so.
    #[error("answers are counted from 0 or 1, not from {0}")]
    AnswersFrom(u8),
    /// A number of shots is out of range.
    #[error("`few_shot` has 1 to {MAX_SHOTS} shots, not {0}")]
    Shots(usize),
    /// A split has parts that there cannot be.
    #[error("{0}")]
    Split(String),
    /// A table could not be written.
    #[error("CSV: {0}")]
    Csv(String),
}

/// Whether items could have been read from a file: their texts, choices, right choices and ids.
///
/// # Errors
///
/// [`ItemsError::TooMany`], or [`ItemsError::Item`] for the first wrong one.
pub fn check_items(items: &[Item]) -> Result<(), ItemsError> {
    if items.len() > MAX_ITEMS {
        return Err(ItemsError::TooMany(items.len()));
    }
    let mut ids = HashSet::new();
    for item in items {
        let named = |message: String| ItemsError::Item {
            id: quoted(&item.id),
            message,
        };
        check_text(&item.context, "the context").map_err(named)?;
        check_choices(&item.choices).map_err(named)?;
        check_gold(item.gold, &item.choices).map_err(named)?;
        if !ids.insert(item.id.as_str()) {
            return Err(named("this id is there twice".into()));
        }
    }
    Ok(())
}

/// Whether the right choice is one of the choices.
pub(super) fn check_gold(gold: usize, choices: &[String]) -> Result<(), String> {
    match gold < choices.len() {
        true => Ok(()),
        false => Err(format!(
            "the right choice is {gold}, and there are {} choices (the first is 0)",
            choices.len()
        )),
    }
}

/// Whether an item's part of a file is short enough to be taken apart.
pub(super) fn check_size(part: &str) -> Result<(), String> {
    match part.len() {
        bytes if bytes > MAX_ITEM => Err(format!(
            "the item has {bytes} bytes in the file, at most {MAX_ITEM} are read"
        )),
        _ => Ok(()),
    }
}

/// Whether a text is short enough; `what` names it.
pub(super) fn check_text(text: &str, what: impl Display) -> Result<(), String> {
    match text.len() {
        bytes if bytes > MAX_TEXT => Err(format!(
            "{what} has {bytes} bytes, at most {MAX_TEXT} are read"
        )),
        _ => Ok(()),
    }
}

/// Whether there are 2 to 26 choices, none of them empty or too long.
pub(super) fn check_choices(choices: &[String]) -> Result<(), String> {
    if choices.len() < 2 || choices.len() > MAX_CHOICES {
        return Err(format!(
            "an item has 2 to {MAX_CHOICES} choices, and this one {}",
            choices.len()
        ));
    }
    for (index, choice) in choices.iter().enumerate() {
        if choice.trim().is_empty() {
            return Err(format!("choice {index} is empty"));
        }
        check_text(choice, format_args!("choice {index}"))?;
    }
    Ok(())
}
