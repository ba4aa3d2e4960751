//! Raised and lowered text: digits and signs that are so, other text after `^` and `_`.

/// Whether text is raised or lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Raised,
    Lowered,
}

/// Digits and signs, and what they are raised and lowered.
const SCRIPTS: [(char, char, char); 16] = [
    ('0', '⁰', '₀'),
    ('1', '¹', '₁'),
    ('2', '²', '₂'),
    ('3', '³', '₃'),
    ('4', '⁴', '₄'),
    ('5', '⁵', '₅'),
    ('6', '⁶', '₆'),
    ('7', '⁷', '₇'),
    ('8', '⁸', '₈'),
    ('9', '⁹', '₉'),
    ('+', '⁺', '₊'),
    ('-', '⁻', '₋'),
    ('−', '⁻', '₋'),
    ('=', '⁼', '₌'),
    ('(', '⁽', '₍'),
    (')', '⁾', '₎'),
];
/// Endings of ordinal numbers in English, which are often raised.
const ORDINALS: [&str; 4] = ["st", "nd", "rd", "th"];

/// A text raised or lowered that stands after `before`.
pub(super) fn scripted(text: &str, script: Script, before: &str) -> String {
    let is_after_digit = before.ends_with(|char: char| char.is_ascii_digit());
    let is_ordinal = is_after_digit && ORDINALS.contains(&text.to_lowercase().as_str());
    match script {
        Script::Raised if is_ordinal => text.to_owned(),
        _ => marked(text, script),
    }
}

/// A text raised or lowered: with characters that are so, else after `^` or `_`.
fn marked(text: &str, script: Script) -> String {
    let of = |char: char| {
        let (_, raised, lowered) = SCRIPTS.iter().find(|(plain, ..)| *plain == char)?;
        Some(match script {
            Script::Raised => *raised,
            Script::Lowered => *lowered,
        })
    };
    let mark = match script {
        Script::Raised => '^',
        Script::Lowered => '_',
    };
    match text.chars().map(of).collect::<Option<String>>() {
        Some(scripted) => scripted,
        None if text.chars().count() == 1 => format!("{mark}{text}"),
        None => format!("{mark}({text})"),
    }
}
