//! The direction of dependencies between the engine's rooms, the folders below `src/`.
//!
//! items, weights, kernels ← model ← scoring ← attribution ← pruning ← tuning ← study ← wire ← {web, cli}. The store, where models
//! come from, stands below the study; the export stands above it, since a mask file carries its study. A room uses
//! the rooms below it, never one above it or beside it.
//!
//! The check reads the paths `crate::room` (and `secateur::room`, in the command line's program), comments and
//! strings left out.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the bottom up; those of one row do not know each other.
const ROWS: [&[&str]; 13] = [
    &["job"],
    &["items", "weights", "kernels"],
    &["model"],
    &["scoring"],
    &["attribution"],
    &["pruning"],
    &["tuning"],
    &["store"],
    &["study"],
    &["export"],
    &["wire"],
    &["cli", "web"],
    &["main"],
];

/// The crate's map, which names every room and belongs to none.
const MAP: &str = "lib.rs";

/// A use of a room that is not below its user.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    line: usize,
    room: String,
}

/// Checks every file below `src`.
///
/// # Errors
/// When a file cannot be read, lies in an unknown room, or uses a room that is not below its own.
pub fn check(src: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(src, &mut files)?;
    let mut faults = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(src).unwrap_or(file);
        if inside == Path::new(MAP) {
            continue;
        }
        let room = room_of(inside).with_context(|| format!("{} has no name", file.display()))?;
        let Some(row) = row(&room) else {
            bail!(
                "src/{} lies in the room {room}, which xtask/src/rooms.rs does not know",
                inside.display()
            );
        };
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        for violation in violations(&text, &room, row) {
            faults.push(format!(
                "src/{}:{} uses {}",
                inside.display(),
                violation.line,
                violation.room
            ));
        }
    }
    if !faults.is_empty() {
        bail!(
            "{}, which is not below it",
            faults.join(", which is not below it; ")
        );
    }
    eprintln!("{} files", files.len());
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

/// The first part of a file's path below `src`, without `.rs`.
fn room_of(inside: &Path) -> Option<String> {
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.strip_suffix(".rs").unwrap_or(first).to_owned())
}

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|rooms| rooms.contains(&room))
}

/// The uses in a file's text of rooms that are not below its own.
fn violations(text: &str, room: &str, row_of_room: usize) -> Vec<Violation> {
    rooms_used(&without_comments_and_strings(text))
        .into_iter()
        .filter(|(_, used)| used != room && row(used).is_some_and(|row| row >= row_of_room))
        .map(|(line, room)| Violation { line, room })
        .collect()
}

/// The names that follow `crate::` or `secateur::`, with their lines; of a group `crate::{a::b, c}` all.
fn rooms_used(code: &str) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for root in ["crate", "secateur"] {
        for (start, _) in code.match_indices(root) {
            let is_whole_word = !code[..start].ends_with(is_name);
            let Some(rest) = code[start + root.len()..].trim_start().strip_prefix("::") else {
                continue;
            };
            if !is_whole_word {
                continue;
            }
            let rest = rest.trim_start();
            let at = code.len() - rest.len();
            match rest.strip_prefix('{') {
                Some(group) => used.extend(group_names(code, group, at + 1)),
                None => used.push((line_of(code, at), name(rest).to_owned())),
            }
        }
    }
    used
}

/// The first names of the paths in a group, up to its closing brace. `group` begins at byte `at` of `code`.
fn group_names(code: &str, group: &str, at: usize) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut is_first = true;
    for (offset, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            _ if is_first && is_name(character) => {
                names.push((
                    line_of(code, at + offset),
                    name(&group[offset..]).to_owned(),
                ));
                is_first = false;
            }
            _ => {}
        }
    }
    names
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The name that a text begins with.
fn name(text: &str) -> &str {
    text.split(|character| !is_name(character))
        .next()
        .unwrap_or_default()
}

/// The line, counted from one, of a byte offset.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Rust source with comments, strings and characters blanked; lines stay where they are.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blank = blank_length(rest, code.chars().last());
        let skipped = &rest[..blank];
        if skipped.is_empty() {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(
                skipped
                    .chars()
                    .map(|character| if character == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[blank..];
        }
    }
    code
}

/// The length in bytes of the comment, string or character that a text begins with; 0 where it begins with code.
fn blank_length(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('"') {
        return escaped_length(text, '"');
    }
    if !before.is_some_and(is_name)
        && let Some(length) = raw_string_length(text)
    {
        return length;
    }
    // `'a'` and `'\n'` are characters, `'a` is a lifetime.
    if let Some(inner) = text.strip_prefix('\'') {
        let closes = inner.chars().nth(1) == Some('\'');
        if closes || inner.starts_with('\\') {
            return escaped_length(text, '\'');
        }
    }
    0
}

/// The length of a nested block comment.
fn block_comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a string or character with escapes, quotes included.
fn escaped_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// The length of a raw string `r"…"` or `r#"…"#`; none where the text does not begin with one.
fn raw_string_length(text: &str) -> Option<usize> {
    let after = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_at = text.len() - body.len();
    Some(
        body.find(&end)
            .map_or(text.len(), |at| body_at + at + end.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, room: &str) -> Vec<(usize, String)> {
        let row = row(room).expect("a known room");
        violations(text, room, row)
            .into_iter()
            .map(|violation| (violation.line, violation.room))
            .collect()
    }

    #[test]
    fn lower_rooms_may_be_used() {
        let text =
            "use crate::items::Item;\nuse crate::model::{Config, Decoder};\nuse crate::job::Job;\n";
        assert_eq!(found(text, "scoring"), []);
        assert_eq!(found("use crate::scoring::Metrics;", "scoring"), []);
    }

    #[test]
    fn a_higher_room_is_found_with_its_line() {
        assert_eq!(
            found("use crate::items;\nuse crate::study::Study;\n", "scoring"),
            [(2, "study".into())]
        );
        assert_eq!(
            found("let x = crate :: pruning::mask();", "model"),
            [(1, "pruning".into())]
        );
    }

    #[test]
    fn rooms_of_one_row_do_not_know_each_other() {
        assert_eq!(
            found("use crate::weights::Source;", "items"),
            [(1, "weights".into())]
        );
        assert_eq!(
            found("use secateur::web::Engine;", "cli"),
            [(1, "web".into())]
        );
    }

    #[test]
    fn the_export_stands_above_the_study_and_the_store_below() {
        let both = "use crate::store::Catalogue;\nuse crate::export::MaskFile;";
        assert_eq!(found(both, "study"), [(2, "export".into())]);
    }

    #[test]
    fn every_path_of_a_group_is_read() {
        let text = "use crate::{\n    items::{self, study},\n    tuning::Gains,\n    web,\n};\nuse crate::cli;";
        assert_eq!(
            found(text, "attribution"),
            [(3, "tuning".into()), (4, "web".into()), (6, "cli".into())]
        );
    }

    #[test]
    fn comments_and_strings_are_no_uses() {
        let text = r##"
            //! [`crate::study`]
            /* crate::cli /* crate::web */ crate::cli */
            const A: &str = "crate::study \" crate::web";
            const B: &str = r#"crate::study " crate::web"#;
            const C: char = '"';
            fn f<'a>(x: &'a str) -> char { '\'' }
            use crate::tuning::Gains;
        "##;
        assert_eq!(found(text, "model"), [(8, "tuning".into())]);
    }

    #[test]
    fn names_that_only_look_like_it_are_no_uses() {
        assert_eq!(
            found(
                "use mycrate::study; use crate::studying; use crate::Error;",
                "model"
            ),
            []
        );
    }

    #[test]
    fn a_file_belongs_to_its_first_folder() {
        assert_eq!(
            room_of(Path::new("model/decoder.rs")).as_deref(),
            Some("model")
        );
        assert_eq!(room_of(Path::new("job.rs")).as_deref(), Some("job"));
    }
}
