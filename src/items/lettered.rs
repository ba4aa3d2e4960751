//! Lines of Aiken's format, choices and answers, and lines that are nearly so: what is to be changed in them.

use super::text::is_invisible;

/// Marks that may stand after a choice's letter.
const MARKS: [char; 2] = ['.', ')'];
/// Marks that stand there in other files.
const OTHER_MARKS: [char; 5] = [':', ']', '．', '）', '、'];
/// What stands before the letter of the right choice where `ANSWER:` is to stand, in small letters.
const ANSWERS: [&str; 17] = [
    "answer",
    "answers",
    "ans",
    "the answer is",
    "correct",
    "correct answer",
    "correct option",
    "correct choice",
    "right answer",
    "answer key",
    "key",
    "réponse",
    "bonne réponse",
    "antwort",
    "respuesta",
    "risposta",
    "ответ",
];
/// Letters that look like those of `LATIN`, in the same order.
const CYRILLIC: &str = "АВСЕНІЈКМОРЅТХ";
const GREEK: &str = "ΑΒ_ΕΗΙ_ΚΜΟΡ_ΤΧ";
const LATIN: &str = "ABCEHIJKMOPSTX";
/// The full-width form of A.
const FULL_WIDTH_A: u32 = 0xff21;

/// A line without what does not show at its ends.
pub(super) fn trimmed(line: &str) -> &str {
    line.trim_matches(|char: char| char.is_whitespace() || is_invisible(char))
}

/// The letter, a large one, and the text of a choice. Where choices are tight, no space stands between them.
pub(super) fn choice(line: &str, is_tight: bool) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    chars.next().filter(|mark| MARKS.contains(mark))?;
    let text = chars.as_str();
    (is_tight || is_apart(text)).then(|| (letter, trimmed(text)))
}

/// Whether a text does not go on with the word before it.
fn is_apart(text: &str) -> bool {
    text.chars()
        .next()
        .is_none_or(|char| char.is_whitespace() || is_invisible(char))
}

/// What stands after `ANSWER:`; a brace begins the choices of GIFT there.
pub(super) fn answer(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(':')?;
    let rest = trimmed(rest);
    let is_answer = word.trim().eq_ignore_ascii_case("answer") && !rest.starts_with('{');
    is_answer.then_some(rest)
}

/// The large Latin letter that a letter looks like, and what it is itself.
pub(super) fn look_alike(letter: char) -> Option<(char, &'static str)> {
    let full_width = u32::from(letter)
        .checked_sub(FULL_WIDTH_A)
        .and_then(|index| u8::try_from(index).ok())
        .filter(|index| *index < 26);
    if let Some(index) = full_width {
        return Some((char::from(b'A' + index), "full-width"));
    }
    [(CYRILLIC, "Cyrillic"), (GREEK, "Greek")]
        .into_iter()
        .find_map(|(letters, script)| {
            let at = letters.chars().position(|other| other == letter)?;
            Some((LATIN.chars().nth(at)?, script))
        })
        .filter(|_| letter != '_')
}

/// The letter that a line would have as a choice, and what is to be changed for that.
pub(super) fn nearly_choice(line: &str) -> Option<(char, String)> {
    let inside = line.trim_start_matches(['*', '(', '[']);
    let mut chars = inside.chars();
    let first = chars.next()?;
    let (letter, script) = match look_alike(first) {
        Some((letter, script)) => (letter, Some(script)),
        None => (first.to_ascii_uppercase(), None),
    };
    if !letter.is_ascii_uppercase() {
        return None;
    }
    let mark = chars
        .next()
        .filter(|mark| MARKS.contains(mark) || OTHER_MARKS.contains(mark))?;
    let is_apart = is_apart(chars.as_str());
    let start = line.get(..line.len() - chars.as_str().len())?;
    let is_plain = start.chars().count() == 2 && MARKS.contains(&mark);
    // `e.g.` is none.
    let is_tight = is_plain && script.is_none() && first == letter;
    let message = match script {
        _ if !(is_apart || is_tight) => return None,
        _ if !is_apart => format!("a space is missing after `{start}`"),
        Some(script) => format!(
            "this `{first}` is a {script} letter: a choice begins with the Latin one, as `{letter}. ` or `{letter}) `"
        ),
        None if line.starts_with('*') && !line.starts_with("**") => format!(
            "the right choice is named in a line `ANSWER: {letter}` after the choices, not by a `*` before it"
        ),
        None if is_plain => {
            "a choice begins with a large letter in Aiken's format, as `A.` or `A)`".to_owned()
        }
        None => format!(
            "a choice begins with `{letter}. ` or `{letter}) ` in Aiken's format, not with `{start}`"
        ),
    };
    Some((letter, message))
}

/// The letter of a line that names the right choice in other words than `ANSWER: B`.
pub(super) fn nearly_answer(line: &str) -> Option<char> {
    let decoration = |char: char| char.is_whitespace() || matches!(char, '*' | '_' | '`' | '#');
    let line = line.trim_matches(decoration);
    let (words, letter) = line
        .split_once([':', '：', '=', '-', '–'])
        .or_else(|| line.rsplit_once(char::is_whitespace))?;
    let words = words.trim_matches(decoration).to_lowercase();
    let around = |char: char| decoration(char) || matches!(char, '(' | ')' | '[' | ']' | '.');
    let mut letters = letter.trim_matches(around).chars();
    let letter = letters.next().filter(|_| letters.next().is_none())?;
    let letter = look_alike(letter).map_or(letter, |(letter, _)| letter);
    let is_answer = letter.is_ascii_alphabetic() && ANSWERS.contains(&words.as_str());
    is_answer.then(|| letter.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_a_large_letter_a_mark_and_a_space() {
        for (line, found) in [
            ("A. x", Some(('A', "x"))),
            ("Z)\u{a0}x y", Some(('Z', "x y"))),
            ("B.\u{200b} x", Some(('B', "x"))),
            ("C.", Some(('C', ""))),
            ("a. x", None),
            ("A.x", None),
            ("A x", None),
        ] {
            assert_eq!(choice(line, false), found, "{line}");
        }
        assert_eq!(choice("A)x", true), Some(('A', "x")));
    }

    #[test]
    fn what_is_nearly_a_choice_has_its_letter_and_what_to_change() {
        for (line, letter, named) in [
            ("b) x", 'B', "large letter"),
            ("В. x", 'B', "Cyrillic"),
            ("Β. x", 'B', "Greek"),
            ("Ｃ. x", 'C', "full-width"),
            ("A.Lyon", 'A', "a space is missing after `A.`"),
            ("(A) x", 'A', "not with `(A)`"),
            ("A: x", 'A', "not with `A:`"),
            ("D） x", 'D', "not with `D）`"),
            ("*b. x", 'B', "`ANSWER: B`"),
            ("**B. x**", 'B', "not with `**B.`"),
        ] {
            let (found, message) = nearly_choice(line).unwrap();
            assert_eq!(found, letter, "{line}");
            assert!(message.contains(named), "{message}");
        }
        for line in [
            "e.g. x", "i.e.", "1. x", "Д. x", "_. x", "(A)x", "x", "*", "",
        ] {
            assert_eq!(nearly_choice(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_nearly_an_answer_has_its_letter() {
        for line in [
            "ANSWER B",
            "**ANSWER: B**",
            "**Answer:** b",
            "ANSWER：B",
            "Correct answer: (B).",
            "Réponse : B",
            "Answer - В",
        ] {
            assert_eq!(nearly_answer(line), Some('B'), "{line}");
        }
        for line in ["answer", "Answer: yes", "Plan B", "Vitamin: B", ""] {
            assert_eq!(nearly_answer(line), None, "{line}");
        }
    }
}
