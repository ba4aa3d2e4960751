//! Right answers of which one alone does not say what it means, and the whole file does.
//!
//! A number may count the choices from 0 or from 1. The numbers of a file tell where one of them is 0, or as high as the
//! number of its choices; where none is, and where both are, somebody has to say it.
//!
//! A text may name one choice, by a letter, a column or a number, and be the text of another one. The other answers of the
//! file tell where all of them name choices, or all of them are texts; else it is an error.

use serde::{Deserialize, Serialize};

use super::check::ItemsError;
use super::text::quoted;

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

impl AnswersFrom {
    /// Index of the choice of that number, if it is not below the first one's.
    fn index(self, number: usize) -> Option<usize> {
        number.checked_sub(usize::from(u8::from(self)))
    }
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
    /// A text that names this choice, and that none reads.
    Named(usize),
    /// The text of this choice, which names none.
    Text(usize),
    /// A text that may be either, which the whole file's texts explain.
    Either(Either),
}

impl Answer {
    /// What a text means that names a choice, or is the text of one, or both; none: it is neither. `field` is what
    /// messages call its field.
    pub fn said(
        answer: &str,
        field: String,
        name: Option<Name>,
        text: Option<usize>,
    ) -> Option<Self> {
        Some(match (name, text) {
            (None, None) => return None,
            (None, Some(text)) => Self::Text(text),
            (Some(Name::Letter(choice) | Name::Index(choice)), None) => Self::Named(choice),
            (Some(Name::Number(value, habit)), None) => Self::Number(Number {
                value,
                field,
                habit,
                text: None,
                offset: None,
            }),
            (Some(Name::Letter(choice) | Name::Index(choice)), Some(text)) if choice == text => {
                Self::Choice(text)
            }
            (Some(name), Some(text)) => Self::Either(Either {
                answer: quoted(answer),
                field,
                name,
                text,
                offset: None,
            }),
        })
    }

    /// The choices that it may mean, of so many.
    pub fn meanings(&self, choices: usize) -> Vec<usize> {
        let counted = |value: usize| [Some(value), value.checked_sub(1)];
        let (named, text) = match self {
            Self::Choice(choice) | Self::Named(choice) | Self::Text(choice) => {
                ([Some(*choice), None], None)
            }
            Self::Number(Number { value, text, .. }) => (counted(*value), *text),
            Self::Either(Either { name, text, .. }) => match name {
                Name::Letter(choice) | Name::Index(choice) => ([Some(*choice), None], Some(*text)),
                Name::Number(value, _) => (counted(*value), Some(*text)),
            },
        };
        let all = named.into_iter().chain([text]).flatten();
        all.filter(|choice| *choice < choices).collect()
    }

    /// The same with its byte of the whole text, where what it means is yet to be told.
    pub fn at(mut self, place: impl FnOnce() -> usize) -> Self {
        match &mut self {
            Self::Number(Number { offset, .. }) | Self::Either(Either { offset, .. }) => {
                *offset = Some(place());
            }
            Self::Choice(_) | Self::Named(_) | Self::Text(_) => {}
        }
        self
    }

    /// Byte of the whole text at which it stands, where that is known.
    pub fn place(&self) -> Option<usize> {
        match self {
            Self::Number(Number { offset, .. }) | Self::Either(Either { offset, .. }) => *offset,
            Self::Choice(_) | Self::Named(_) | Self::Text(_) => None,
        }
    }
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

/// A right answer that names one choice and is the text of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Either {
    /// The beginning of it.
    pub answer: String,
    /// What messages call its field.
    pub field: String,
    pub name: Name,
    /// The choice that reads so.
    pub text: usize,
    /// Byte of the whole text at which it stands.
    pub offset: Option<usize>,
}

/// What a text names beside a choice that reads so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A choice, by its letter or column.
    Letter(usize),
    /// A choice, by its number from 0.
    Index(usize),
    /// A number, which is counted by this habit.
    Number(usize, Habit),
}

impl Either {
    /// Whether it is the text of a choice, by what the other answers of the file are; none: they do not tell. Digits are
    /// texts where all of them read so.
    pub fn is_text(&self, has_names: bool, has_texts: bool) -> Option<bool> {
        match (has_names, has_texts, self.name) {
            (false, false, Name::Letter(_)) | (true, true, _) => None,
            (is_name, ..) => Some(!is_name),
        }
    }

    /// What is wrong with it where that is not told.
    pub fn problem(&self, choices: &[String]) -> String {
        let Self { answer, field, .. } = self;
        let names = match self.name {
            Name::Letter(choice) => {
                let choice = choices.get(choice).map(|choice| quoted(choice));
                format!("names the choice `{}`", choice.unwrap_or_default())
            }
            Name::Index(_) | Name::Number(..) => "may be the number of a choice".to_owned(),
        };
        format!(
            "{field} is `{answer}`, which {names} and is the text of another one, and the other answers do not show which is meant: write the letter of the right one in brackets, as in `(A)`"
        )
    }
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
    /// The same where every number is the text of a choice as well: those that are the text of another one are wrong.
    Both(AnswersFrom),
    /// It is not known, and why.
    Open(&'static str),
}

impl Reading {
    /// What the numbers of one habit mean together; each comes with how many choices its item has. `are_others_texts`:
    /// the file's answers that are no numbers are texts of choices, and none names one.
    pub fn of<'a>(
        habit: Habit,
        numbers: impl Iterator<Item = (&'a Number, usize)>,
        are_others_texts: bool,
    ) -> Self {
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
            Habit::Header(_) => (only_text || (either && are_others_texts)) && !only_index,
            Habit::Defined(_) => only_text && !only_index,
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
            (Habit::Header(first), _) if either && !only_index && !(is_zero && is_highest) => {
                Self::Both(shown.unwrap_or(first))
            }
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
                let why = format!(
                    "there are {choices} choices (the first is {})",
                    u8::from(first)
                );
                (first.index(*value).filter(|index| *index < choices), why)
            }
            Self::Both(first) => {
                let why = "is both the number of a choice and the text of another one: write the letter of the right one in brackets, as in `(A)`, or say from where numbers count";
                let index = first.index(*value);
                (index.filter(|_| index == number.text), why.to_owned())
            }
            Self::Open(why) => (None, why.to_owned()),
        };
        choice.ok_or_else(|| format!("{field} is {value}, and {why}"))
    }
}

/// The choice that an answer reads as: as it is, without white space around it, as another spelling of true or false
/// (`TRUE`, as Excel has it), or as the whole number that a table with gaps has written as `2.0`.
pub(super) fn reading(choices: &[String], answer: &str) -> Option<usize> {
    let position = |reads: &dyn Fn(&str) -> bool| choices.iter().position(|choice| reads(choice));
    let said = answer.trim();
    let is_truth = ["true", "false"].contains(&said.to_ascii_lowercase().as_str());
    let number = whole(said).filter(|_| said.contains('.'));
    position(&|choice| choice == answer)
        .or_else(|| position(&|choice| choice.trim() == said))
        .or_else(|| position(&|choice| is_truth && choice.trim().eq_ignore_ascii_case(said)))
        .or_else(|| position(&|choice| number.is_some_and(|n| choice.trim() == n.to_string())))
}

/// The letter or number before the text of an answer, and that text: of `B. tin`, `(B) tin` or `2 - tin`.
pub(super) fn name_and_text(answer: &str) -> Option<(&str, &str)> {
    let answer = answer.trim().trim_start_matches(['(', '[']);
    let end = answer.find(|char: char| !char.is_ascii_alphanumeric())?;
    let (name, rest) = answer.split_at_checked(end)?;
    let rest = rest.trim_start();
    let text = rest.trim_start_matches(['.', ')', ']', ':', '-']).trim();
    (name.len() <= 2 && text.len() < rest.len()).then_some((name, text))
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

/// The choice whose letter a text is, be there as many or not.
pub(super) fn lettered(answer: &str) -> Option<usize> {
    match unmarked(answer).as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            Some(usize::from(letter.to_ascii_uppercase() - b'A'))
        }
        _ => None,
    }
}
