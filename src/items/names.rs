//! What the fields of an object and the columns of a table are called.
//!
//! Names are compared as [`squeezed`] makes them: `Correct Option`, `correct_option` and `CorrectOption` are the same.

/// What a question may be called; the first that is there counts.
const QUESTIONS: [&str; 4] = ["question", "question_text", "question_stem", "query"];
/// What it may be called where there is none of [`QUESTIONS`]; other files call other things so.
const LATE_QUESTIONS: [&str; 3] = ["prompt", "instruction", "input"];
/// What a question may be about, and stands before it.
pub(super) const SUBJECTS: [&str; 11] = [
    "context",
    "passage",
    "article",
    "text",
    "paragraph",
    "story",
    "narrative",
    "document",
    "background",
    "hint",
    "flores_passage",
];
/// What may stand before the letter or number of a choice; the longer of two that begin alike comes first.
const CHOICE_PREFIXES: [&str; 6] = ["option", "choice", "mcanswer", "answer", "ans", "op"];

/// What the right answer may be called.
pub(super) struct AnswerName {
    pub name: &'static str,
    pub rank: Rank,
    pub says: Says,
}

/// Which of several answers counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// This project's name.
    Gold,
    /// A name that says that it is the answer.
    Answer,
    /// One that may say something else: beside another answer, a value that is none says nothing.
    Label,
    /// One that says something else where there is another answer.
    Last,
}

/// What an answer of that name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// A letter, a number or a text.
    Any,
    /// A letter, where one is as well the text of a choice.
    Letter,
    /// A letter or a number, where they are as well texts of choices.
    Number,
}

const fn answer(name: &'static str, rank: Rank, says: Says) -> AnswerName {
    AnswerName { name, rank, says }
}

/// What right answers are called, the best name first.
pub(super) const ANSWERS: [AnswerName; 23] = [
    answer("gold", Rank::Gold, Says::Any),
    answer("correct", Rank::Answer, Says::Any),
    answer("correct_answer", Rank::Answer, Says::Any),
    answer("answer", Rank::Answer, Says::Any),
    answer("right_answer", Rank::Answer, Says::Any),
    answer("correct_option", Rank::Answer, Says::Any),
    answer("correct_choice", Rank::Answer, Says::Any),
    answer("answer_key", Rank::Answer, Says::Letter),
    answer("answer_letter", Rank::Answer, Says::Letter),
    answer("correct_letter", Rank::Answer, Says::Letter),
    answer("answer_index", Rank::Answer, Says::Number),
    answer("answer_idx", Rank::Answer, Says::Number),
    answer("correct_index", Rank::Answer, Says::Number),
    answer("correct_option_number", Rank::Answer, Says::Number),
    answer("correct_answer_number", Rank::Answer, Says::Number),
    answer("correct_answer_num", Rank::Answer, Says::Number),
    answer("correct_answer_id", Rank::Answer, Says::Number),
    answer("cop", Rank::Answer, Says::Number),
    answer("label", Rank::Label, Says::Any),
    answer("target", Rank::Last, Says::Any),
    answer("key", Rank::Last, Says::Any),
    answer("ans", Rank::Last, Says::Any),
    answer("answers", Rank::Last, Says::Any),
];

/// The name of the question among those that are there, if there is one.
pub(super) fn question(is_there: impl Fn(&str) -> bool) -> Result<Option<&'static str>, String> {
    if let Some(name) = QUESTIONS.into_iter().find(|name| is_there(name)) {
        return Ok(Some(name));
    }
    let late = LATE_QUESTIONS.into_iter().filter(|name| is_there(name));
    match late.collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [name] if !is_there("context") => Ok(Some(name)),
        [name] => Err(format!("`context` and `{name}`")),
        [first, second, ..] => Err(format!("`{first}` and `{second}`")),
    }
    .map_err(|both| format!("has {both}, and each may be the question: call that one `question`"))
}

/// Whether a name, as [`squeezed`] makes it, is read as something else than a choice.
pub(super) fn is_role(name: &str) -> bool {
    let questions = QUESTIONS.iter().chain(&LATE_QUESTIONS);
    let others = ["id"].iter().chain(questions).chain(&SUBJECTS).copied();
    let mut names = others.chain(ANSWERS.iter().map(|answer| answer.name));
    names.any(|role| is_same(role, name))
}

/// Whether a name of this file, in small letters with `_` between words, is another one as [`squeezed`] makes it.
pub(super) fn is_same(role: &str, name: &str) -> bool {
    role.bytes().filter(|byte| *byte != b'_').eq(name.bytes())
}

/// A name as it is compared: in lower case, without white space and marks, and without an ending in brackets that is
/// more than a letter or a number, as `(optional)` and the `(s)` of a plural are.
pub(super) fn squeezed(name: &str) -> String {
    let chars = without_ending(name).chars();
    let kept = chars.filter(|char| !char.is_whitespace() && !"_-–.,:;?!*'\"()[]".contains(*char));
    kept.flat_map(char::to_lowercase).collect()
}

fn without_ending(name: &str) -> &str {
    let name = name.trim();
    let inside = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once('('));
    match inside {
        Some((before, inside))
            if before.contains(char::is_alphanumeric)
                && (inside.chars().count() > 2 || inside == "s") =>
        {
            before
        }
        _ => name,
    }
}

/// What a name says of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// The letter or number alone.
    pub text: String,
    /// Whether nothing stands before it.
    pub is_bare: bool,
}

impl Label {
    /// The letter or number of the choice of a name, as [`squeezed`] makes it; none: it is no choice's.
    pub fn of(name: &str) -> Option<Self> {
        let (after, is_bare) = match after_prefix(name) {
            Some(after) => (after, false),
            None => (name, true),
        };
        let mut chars = after.chars();
        let is_label = match (chars.next()?, chars.next(), chars.next()) {
            // `options` and `choices` are all of them.
            ('s', None, _) => is_bare,
            (char, None, _) => {
                latin(char).is_ascii_alphanumeric() || (is_bare && is_greek_or_cyrillic(char))
            }
            (a, Some(b), None) => !is_bare && a.is_ascii_digit() && b.is_ascii_digit(),
            _ => false,
        };
        let text = after.chars().map(latin).collect();
        is_label.then_some(Self { text, is_bare })
    }

    /// The same of a name that says more: of `Answer 1 - up to 75 characters`.
    pub fn with_more(name: &str) -> Option<Self> {
        let name = without_ending(name).to_lowercase();
        let mut words = name.split(|char: char| !char.is_alphanumeric());
        let first = words.next()?;
        let label = match after_prefix(first)? {
            "" => Self::of(&(first.to_owned() + words.next()?)),
            _ => Self::of(first),
        };
        label.filter(|_| words.any(|word| !word.is_empty()))
    }

    /// How many letters there are before it, if it is one.
    pub fn letter(&self) -> Option<usize> {
        match self.text.as_bytes() {
            [letter @ b'a'..=b'z'] => Some(usize::from(letter - b'a')),
            _ => None,
        }
    }

    /// The number that it is, if it is one.
    pub fn number(&self) -> Option<usize> {
        self.text.parse().ok()
    }
}

/// What follows such words as `option` in a name.
pub(super) fn after_prefix(name: &str) -> Option<&str> {
    let mut prefixes = CHOICE_PREFIXES.iter();
    prefixes.find_map(|prefix| name.strip_prefix(prefix))
}

fn is_greek_or_cyrillic(char: char) -> bool {
    ('\u{370}'..='\u{52f}').contains(&char) && char.is_alphabetic()
}

/// The small Latin letter or digit that a letter of another alphabet looks like when it is large, or a wide one is; else
/// the letter itself.
fn latin(char: char) -> char {
    const ALIKE: [(char, &str); 13] = [
        ('a', "\u{430}\u{3b1}"),
        ('b', "\u{432}\u{3b2}"),
        ('c', "\u{441}"),
        ('e', "\u{435}\u{3b5}"),
        ('h', "\u{43d}\u{3b7}"),
        ('i', "\u{456}\u{3b9}"),
        ('j', "\u{458}"),
        ('k', "\u{43a}\u{3ba}"),
        ('m', "\u{43c}\u{3bc}"),
        ('o', "\u{43e}\u{3bf}"),
        ('p', "\u{440}\u{3c1}"),
        ('t', "\u{442}\u{3c4}"),
        ('x', "\u{445}\u{3c7}"),
    ];
    if ('\u{ff10}'..='\u{ff5a}').contains(&char) {
        return char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char);
    }
    let found = ALIKE.iter().find(|(_, others)| others.contains(char));
    found.map_or(char, |(latin, _)| *latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_what_stands_between_words() {
        for name in [
            "correct_option",
            "Correct Option",
            "correctOption",
            " CORRECT-OPTION: ",
            "Correct\u{a0}Option(s)",
            "Correct Option (Required)",
        ] {
            assert_eq!(squeezed(name), "correctoption");
        }
        for (name, other) in [
            ("% correct", "%correct"),
            ("(A)", "a"),
            ("Option (A)", "optiona"),
            ("#", "#"),
        ] {
            assert_eq!(squeezed(name), other);
        }
    }

    #[test]
    fn a_choices_name_has_a_letter_or_a_number() {
        for (name, label) in [
            ("a", Some("a")),
            ("option_b", Some("b")),
            ("Answer 12", Some("12")),
            ("ans0", Some("0")),
            ("\u{421}", Some("c")),
            ("\u{ff24}", Some("d")),
            ("\u{413}", Some("\u{433}")),
            ("options", None),
            ("answer", None),
            ("12", None),
            ("explanation", None),
        ] {
            let found = Label::of(&squeezed(name)).map(|label| label.text);
            assert_eq!(found.as_deref(), label, "{name}");
        }
        for (name, label) in [
            ("Answer 1 - up to 75 characters", Some("1")),
            ("option_b image", Some("b")),
            ("Option A (text)", None),
            ("answer key", None),
        ] {
            let found = Label::with_more(name).map(|label| label.text);
            assert_eq!(found.as_deref(), label, "{name}");
        }
    }
}
