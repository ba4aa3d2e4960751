//! What needs items or scores but no model: previews, conversions, splits, comparisons.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use serde::Deserialize;

use super::CliError;
use super::files::{file_error, read_text};
use super::options::{Counting, seed};
use super::outputs::{self, Together, write, write_json};
use super::terminal::tell;
use crate::items::export::to_csv;
use crate::items::split::split;
use crate::items::{Item, ParsedItems, canonical_jsonl, parse_items_from};
use crate::scoring::paired::{flips, mismatch};
use crate::scoring::{Paired, SetScores};
use crate::study::MadeOf;
use crate::study::made_of::{Materials, Part};

/// The parts that items are dealt out to.
pub(super) const PARTS: [&str; 3] = ["attribution", "validation", "test"];
/// Their files.
const PART_FILES: [&str; 3] = ["attribution.jsonl", "validation.jsonl", "test.jsonl"];

#[derive(Subcommand)]
pub enum ItemsCommand {
    /// Format, numbers, first items and every wrong line, as JSON.
    Preview {
        /// The file.
        file: PathBuf,
        /// Items to show.
        #[arg(long, default_value_t = 5)]
        show: usize,
        #[command(flatten)]
        counting: Counting,
    },
    /// Write items as JSONL or CSV.
    Convert {
        /// The file.
        file: PathBuf,
        /// What to write.
        #[arg(long, value_enum, default_value_t = ItemsFormat::Jsonl)]
        to: ItemsFormat,
        /// Leave out wrong lines, and say how many, where they are else an error.
        #[arg(long)]
        partial: bool,
        #[command(flatten)]
        counting: Counting,
        /// Where to write; standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Deal items out to attribution.jsonl, validation.jsonl and test.jsonl, stratified by the place of the right
    /// choice.
    Split(SplitArgs),
}

#[derive(ClapArgs)]
pub struct SplitArgs {
    /// The file.
    pub file: PathBuf,
    /// Sizes of the three parts in relation to each other.
    #[arg(long, value_delimiter = ',', default_value = "1,1,1")]
    pub shares: Vec<f64>,
    /// Seed of the split.
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
    #[command(flatten)]
    pub counting: Counting,
    /// Folder for the three files.
    #[arg(long)]
    pub out: PathBuf,
    /// Replace files of these names that hold anything else.
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ItemsFormat {
    /// One JSON object a line, in canonical form.
    Jsonl,
    /// id, question, a, b, …, correct.
    Csv,
}

/// Runs a command on item files.
pub fn run(command: ItemsCommand) -> Result<(), CliError> {
    match command {
        ItemsCommand::Preview {
            file,
            show,
            counting,
        } => write_json(None, &parsed(&file, counting)?.preview(show)),
        ItemsCommand::Convert {
            file,
            to,
            partial,
            counting,
            out,
        } => {
            let items = if partial {
                read_good_items(&file, counting)?
            } else {
                read_items(&file, counting)?
            };
            let text = match to {
                ItemsFormat::Jsonl => canonical_jsonl(&items),
                ItemsFormat::Csv => to_csv(&items)?,
            };
            write(out.as_ref(), text.as_bytes())
        }
        ItemsCommand::Split(args) => split_into_files(&args),
    }
}

fn split_into_files(args: &SplitArgs) -> Result<(), CliError> {
    let SplitArgs {
        file, shares, out, ..
    } = args;
    outputs::check_folder(out, &PART_FILES, std::slice::from_ref(file))?;
    if shares.len() != PARTS.len() {
        return Err(CliError::Input(format!(
            "--shares takes {} numbers, not {}",
            PARTS.len(),
            shares.len()
        )));
    }
    let items = read_items(file, args.counting)?;
    let hint = "give it a larger share with --shares, or split more items";
    let parts = dealt(&items, shares, args.seed, hint)?;
    let parts = parts.iter().map(|part| canonical_jsonl(part));
    let files: Vec<(PathBuf, String)> = PART_FILES
        .iter()
        .map(|name| out.join(name))
        .zip(parts)
        .collect();
    if !args.force {
        files
            .iter()
            .try_for_each(|(path, text)| check_free(path, text))?;
    }
    fs::create_dir_all(out).map_err(|error| file_error(out, error))?;
    let mut results = Together::default();
    for (path, text) in &files {
        results.add(path, text.as_bytes())?;
    }
    results.place()
}

/// Refuses to replace a file that holds anything but `text`: nobody can tell whether it is an earlier split.
fn check_free(path: &Path, text: &str) -> Result<(), CliError> {
    if !path.exists() || fs::read(path).is_ok_and(|held| held == text.as_bytes()) {
        return Ok(());
    }
    Err(CliError::Input(format!(
        "{}: is there already and holds something else; name another folder with --out, or replace it with --force",
        path.display()
    )))
}

/// Items dealt out to [`PARTS`]; `hint` says what is to be done where one of them would have none.
pub(super) fn dealt(
    items: &[Item],
    shares: &[f64],
    seed: u64,
    hint: &str,
) -> Result<Vec<Vec<Item>>, CliError> {
    let parts = split(items, shares, seed)?;
    match PARTS.iter().zip(&parts).find(|(_, part)| part.is_empty()) {
        Some((name, _)) => Err(CliError::Input(format!(
            "the part {name} would get none of {} items; {hint}",
            items.len()
        ))),
        None => Ok(parts),
    }
}

/// An output of `score`; one of an older version does not say what it was made of.
#[derive(Deserialize)]
struct Scored {
    made_of: Option<Materials>,
    #[serde(flatten)]
    scores: SetScores,
}

impl Scored {
    fn made_of(&self) -> MadeOf {
        let materials = self.made_of.as_ref();
        let made_of = materials.and_then(|materials| materials.made_of(&self.scores.set));
        made_of.unwrap_or_default()
    }
}

/// Compares two outputs of `score`.
pub fn compare(before: &Path, after: &Path) -> Result<(), CliError> {
    let read = |path: &Path| -> Result<Scored, CliError> {
        serde_json::from_str(&read_text(path)?)
            .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
    };
    let (first, second) = (read(before)?, read(after)?);
    let differences = first.made_of().differences(&second.made_of());
    if differences.contains(&Part::Items) {
        tell(format_args!(
            "note: {} and {} are of other items; those of one id and the same choices are compared",
            before.display(),
            after.display()
        ));
    }
    let (before_scores, after_scores) = (first.scores, second.scores);
    let paired = Paired::of(&before_scores.items, &after_scores.items);
    if paired.items == 0 {
        return Err(CliError::Input(format!(
            "{} and {} have no item in common",
            before.display(),
            after.display()
        )));
    }
    if let Some(id) = mismatch(&before_scores.items, &after_scores.items) {
        return Err(CliError::Input(format!(
            "the item `{id}` has other choices in {} than in {}: are they scores of the same items?",
            before.display(),
            after.display()
        )));
    }
    let flipped = flips(&before_scores.items, &after_scores.items);
    write_json(
        None,
        &serde_json::json!({ "paired": paired, "flipped": flipped }),
    )
}

fn parsed(path: &Path, counting: Counting) -> Result<ParsedItems, CliError> {
    Ok(parse_items_from(&read_text(path)?, counting.answers_from))
}

/// What is to be done about a file that does not show how its right answers are counted.
fn hint(parsed: &ParsedItems) -> &'static str {
    match parsed.asks_answers_from {
        true => {
            "; --answers-from 0 or --answers-from 1 says from where its right answers are counted"
        }
        false => "",
    }
}

/// Reads an item file; a file with any wrong line is refused, the first one named.
pub fn read_items(path: &Path, counting: Counting) -> Result<Vec<Item>, CliError> {
    let parsed = parsed(path, counting)?;
    if let Some(first) = parsed.errors.first() {
        let more = match parsed.errors.len() {
            1 => String::new(),
            n => format!(" (and {} more lines)", n - 1),
        };
        return Err(CliError::Input(format!(
            "{}:{}:{}: {}{more}{}",
            path.display(),
            first.line,
            first.column,
            first.message,
            hint(&parsed)
        )));
    }
    some(parsed, path)
}

/// The good items of a file, and on standard error every wrong line and how many there are of each.
fn read_good_items(path: &Path, counting: Counting) -> Result<Vec<Item>, CliError> {
    let parsed = parsed(path, counting)?;
    let shown = path.display();
    for error in &parsed.errors {
        tell(format_args!(
            "{shown}:{}:{}: {}",
            error.line, error.column, error.message
        ));
    }
    if let Some(last) = parsed.errors.last() {
        let taken = parsed.items.len();
        let rest = match parsed.is_cut {
            true => format!("the rest from line {} on", last.line),
            false => format!("{} lines", parsed.errors.len()),
        };
        tell(format_args!(
            "{shown}: {taken} items taken, {rest} left out"
        ));
    }
    some(parsed, path)
}

fn some(parsed: ParsedItems, path: &Path) -> Result<Vec<Item>, CliError> {
    if parsed.items.is_empty() {
        let hint = hint(&parsed);
        return Err(CliError::Input(format!(
            "{}: no items{hint}",
            path.display()
        )));
    }
    Ok(parsed.items)
}
