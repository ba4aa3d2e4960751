//! Right answers that are numbers: whether a file counts the choices from 0 or from 1.
//!
//! One number alone rarely says. Those of a whole file do where one of them is 0, or as high as the number of its
//! choices; where none is, and where both are, somebody has to say it.

use serde::{Deserialize, Serialize};

use super::check::ItemsError;

/// Number of the first choice, where right answers are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "0 | 1"))]
#[serde(into = "u8", try_from = "u8")]
pub enum AnswersFrom {
    /// The first choice is 0.
    Zero,
    /// The first choice is 1.
    One,
}

impl From<AnswersFrom> for u8 {
    fn from(first: AnswersFrom) -> Self {
        match first {
            AnswersFrom::Zero => 0,
            AnswersFrom::One => 1,
        }
    }
}

impl TryFrom<u8> for AnswersFrom {
    type Error = ItemsError;

    fn try_from(first: u8) -> Result<Self, ItemsError> {
        match first {
            0 => Ok(Self::Zero),
            1 => Ok(Self::One),
            other => Err(ItemsError::AnswersFrom(other)),
        }
    }
}

/// What a file says of the right choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Which one it is.
    Choice(usize),
    /// A number, which the whole file's numbers explain.
    Number(Number),
}

impl From<usize> for Answer {
    fn from(choice: usize) -> Self {
        Self::Choice(choice)
    }
}

/// A right answer that is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    pub value: usize,
    /// What messages call its field.
    pub field: String,
    pub habit: Habit,
    /// The choice that reads so, where an answer may be a text.
    pub text: Option<usize>,
    /// Byte of the whole text at which it stands.
    pub offset: Option<usize>,
}

/// How files of a kind count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// One way or the other.
    Any,
    /// As the columns of the choices are numbered; another count is believed where the answers show it.
    Header(AnswersFrom),
    /// As the format or data set is defined; where the answers contradict that, it is asked.
    Defined(AnswersFrom),
}

/// What the numbers of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The choices that read so.
    Texts,
    /// Choices, counted from there.
    From(AnswersFrom),
    /// It is not known, and why.
    Open(&'static str),
}

impl Reading {
    /// What the numbers of one habit mean together; each comes with how many choices its item has.
    pub fn of<'a>(habit: Habit, numbers: impl Iterator<Item = (&'a Number, usize)>) -> Self {
        let (mut only_text, mut only_index, mut either) = (false, false, false);
        let (mut is_zero, mut is_highest) = (false, false);
        for (number, choices) in numbers {
            let is_index = number.value <= choices;
            match (number.text.is_some(), is_index) {
                (true, true) => either = true,
                (true, false) => only_text = true,
                (false, true) => only_index = true,
                (false, false) => {}
            }
            is_zero |= number.value == 0;
            is_highest |= number.value == choices;
        }
        let are_texts = match habit {
            Habit::Any => only_text || (either && !only_index),
            // A numbered column is what an answer names first.
            Habit::Header(_) | Habit::Defined(_) => only_text && !only_index,
        };
        if are_texts {
            return Self::Texts;
        }
        let shown = match (is_zero, is_highest) {
            (true, false) => Some(AnswersFrom::Zero),
            (false, true) => Some(AnswersFrom::One),
            _ => None,
        };
        match (habit, shown) {
            (Habit::Defined(first), Some(shown)) if first != shown => Self::Open(match shown {
                AnswersFrom::Zero => "this kind of file counts from 1, and an answer is 0",
                AnswersFrom::One => {
                    "this kind of file counts from 0, no answer is 0, and one is as high as there are choices"
                }
            }),
            (Habit::Defined(first), _) => Self::From(first),
            (Habit::Any | Habit::Header(_), Some(shown)) => Self::From(shown),
            _ if is_zero => Self::Open("one answer is 0, and one is as high as there are choices"),
            (Habit::Header(first), None) => Self::From(first),
            // None could be right either way: each is an error of its own.
            (Habit::Any, None) if !(either || only_index) => Self::From(AnswersFrom::Zero),
            (Habit::Any, None) => {
                Self::Open("no answer is 0, and none is as high as there are choices")
            }
        }
    }

    /// The choice that a number means, or what is wrong with it.
    pub fn choice(self, number: &Number, choices: usize) -> Result<usize, String> {
        let Number { value, field, .. } = number;
        let (choice, why) = match self {
            Self::Texts => {
                let why =
                    format!("none of the {choices} choices reads so, as those of other items do");
                (number.text, why)
            }
            Self::From(first) => {
                let first = u8::from(first);
                let index = value.checked_sub(usize::from(first));
                let why = format!("there are {choices} choices (the first is {first})");
                (index.filter(|index| *index < choices), why)
            }
            Self::Open(why) => (None, why.to_owned()),
        };
        choice.ok_or_else(|| format!("{field} is {value}, and {why}"))
    }
}

/// A whole number from 0, also where a table with a gap in the column has made 1.0 of 1.
pub(super) fn whole(text: &str) -> Option<usize> {
    let number: f64 = text.trim().parse().ok()?;
    (number >= 0.0 && number.fract() == 0.0 && number < f64::from(u32::MAX))
        .then_some(number as usize)
}

/// A letter or number as files write it: without the marks around it, as of `(B)` and `B.`.
pub(super) fn unmarked(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || ".:()[]".contains(char))
}

/// The choice that a text names: the one that reads so, else the one of that letter.
pub(super) fn named(answer: &str, choices: &[String]) -> Option<usize> {
    let letter = match unmarked(answer).as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            Some(usize::from(letter.to_ascii_uppercase() - b'A'))
        }
        _ => None,
    };
    choices
        .iter()
        .position(|choice| choice == answer)
        .or(letter)
}
