//! Texts for messages, and texts without what an item does not need.

use std::borrow::Cow;

/// A place of a text where an answer is wanted.
pub(super) const GAP: &str = "_____";
/// Longest part of a wrong value that a message repeats, in characters.
const QUOTED: usize = 60;

/// The beginning of a text, for a message.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Lines without white space around them and without the empty ones.
pub(super) fn tidy(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a character shows nothing and takes no room: soft hyphens, and what stands where a word may be parted or
/// not. Joiners, which change letters, are none of these.
pub(super) fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A text whose lines end as everywhere: a `\r` alone is a `\n`, which is as long, so that places stay.
pub(super) fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let is_alone = |(at, _): (usize, &str)| {
        let after = text.get(at + 1..).unwrap_or_default();
        !after.starts_with('\n')
    };
    if !text.match_indices('\r').any(is_alone) {
        return Cow::Borrowed(text);
    }
    let mut chars = text.chars().peekable();
    let mut lines = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        lines.push(match char {
            '\r' if chars.peek() != Some(&'\n') => '\n',
            char => char,
        });
    }
    Cow::Owned(lines)
}
