//! The command line: the same engine and the same study document as the page.
//!
//! - [`args`]: what can be asked
//! - [`commands`]: which subcommand does what, and what they share. The subcommands with their arguments are in `forward`: a forward
//!   pass laid open; `scores`: answers; `attribute`: scores of neurons; `portray`: what a neuron and a word do; `critique`; `items`:
//!   those that need no model; `masks`, `prune`, `search`, `tune`; `studies`: whole studies
//! - [`options`]: what several of them take
//! - [`files`]: text, in; `outputs`: results, out; `places`: what a path means; `earlier`: what an earlier run left;
//!   [`terminal`]: progress on standard error
//!
//! Results go to files or standard output as JSON, progress and notes to standard error. Exit codes: 0 done,
//! 2 wrong input (one line says what and where), 1 anything else, a study that did not reproduce included.

mod args;
mod attribute;
mod commands;
mod critique;
mod earlier;
mod files;
mod forward;
mod items;
mod masks;
mod options;
mod outputs;
mod places;
mod portray;
mod prune;
mod scores;
mod search;
mod studies;
mod terminal;
mod tune;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::export::ExportError;
use crate::items::ItemsError;
use crate::model::ModelError;
use crate::scoring::RunError;
use crate::study::StudyError;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// What the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    /// A re-run did not give what was expected.
    #[error("not reproduced: {0}")]
    Different(String),
    /// A panic, of this crate or of one that it uses.
    #[error(
        "a fault of this program stopped it: {0}. Please report it with the command and its input"
    )]
    Fault(String),
    #[error(transparent)]
    Items(#[from] ItemsError),
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            // Everything but a failing device is something the user can mend.
            Self::Study(error) if error.is_device_fault() || error.is_cancelled() => 1,
            Self::Different(_) | Self::Fault(_) => 1,
            Self::File { error, .. } if error.kind() != std::io::ErrorKind::NotFound => 1,
            _ => 2,
        }
    }
}

macro_rules! from_below {
    ($($error:ty),*) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Study(error.into())
            }
        }
    )*};
}
from_below!(ModelError, RunError);

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let args = args::Args::parsed();
    match guarded(|| commands::run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::tell(format_args!("secateur: {}", one_line(&error.to_string())));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Turns a panic into an error like others; where it was, the panic itself has said on standard error.
fn guarded(command: impl FnOnce() -> Result<(), CliError>) -> Result<(), CliError> {
    // Nothing that the command left half done is used after it.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(CliError::Fault(text.unwrap_or_else(|| "a panic".into())))
    })
}

/// A message as one line. What files call their tensors and items does not reach the terminal as its own commands, and
/// marks that are not seen are written out: one name is not taken for another.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for char in message.chars() {
        if char.is_control() {
            line.extend(char.escape_default());
        } else if is_unseen(char) {
            line.extend(char.escape_unicode());
        } else {
            line.push(char);
        }
    }
    line
}

/// Characters without a width, and those that turn the direction of writing.
fn is_unseen(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_in_which_every_mark_is_seen() {
        assert_eq!(one_line("a\n\u{1b}[2J"), "a\\n\\u{1b}[2J");
        assert_eq!(one_line("gp\u{200b}t2\u{202e}"), "gp\\u{200b}t2\\u{202e}");
        assert_eq!(one_line("é – 猫"), "é – 猫");
    }

    #[test]
    fn a_panic_is_an_error_with_its_own_words() {
        for (command, words) in [
            (panics as fn() -> Result<(), CliError>, "index 3"),
            (|| panic!("no kernel"), "no kernel"),
        ] {
            let error = guarded(command).unwrap_err();
            assert_eq!(error.exit_code(), 1);
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(guarded(|| Ok(())).is_ok());
    }

    fn panics() -> Result<(), CliError> {
        panic!("index {}", 3)
    }
}
