//! The right answer of an item whose fields give several: they must mean the same choice.
//!
//! One that could mean two choices is explained by another one: the answer C of the choices D, C and B is its text where
//! `answer_letter` is B.

use super::answers::Answer;
use super::names::{AnswerName, Rank};

/// What one of the fields says that may hold the right answer.
pub(super) struct Said<T> {
    /// Which field it is.
    pub place: T,
    pub name: &'static AnswerName,
    /// What messages call it.
    pub field: String,
    /// The beginning of it.
    pub value: String,
    /// What it means, or why it is no answer.
    pub answer: Result<Answer, String>,
}

impl<T> Said<T> {
    /// The choices that it may mean, of so many.
    fn meanings(&self, choices: usize) -> Vec<usize> {
        let answer = self.answer.as_ref();
        answer.map_or(Vec::new(), |answer| answer.meanings(choices))
    }

    fn found(self) -> Result<(T, Answer), (T, String)> {
        match self.answer {
            Ok(answer) => Ok((self.place, answer)),
            Err(message) => Err((self.place, message)),
        }
    }

    /// Whether it may say of somebody's answer whether that is right, as logs of evaluations do: in a word or in a number.
    fn flag(&self) -> Option<Flag> {
        let is_text = matches!(self.answer, Ok(Answer::Text(_)));
        match self.value.to_lowercase().as_str() {
            _ if self.name.name != "correct" || is_text => None,
            "true" | "false" => Some(Flag::Word),
            "0" | "1" => Some(Flag::Number),
            _ => None,
        }
    }
}

enum Flag {
    Word,
    Number,
}

/// The field and the answer that count, of so many choices; or the field that is wrong, and why. None: no field says
/// anything.
pub(super) fn agreed<T>(
    mut said: Vec<Said<T>>,
    choices: usize,
) -> Option<Result<(T, Answer), (T, String)>> {
    if said.iter().any(|one| !one.value.is_empty()) {
        said.retain(|one| !one.value.is_empty());
    }
    let has = |rank: Rank| {
        said.iter().any(|one| {
            one.flag().is_none() && one.name.rank <= rank && !one.meanings(choices).is_empty()
        })
    };
    let (has_answer, has_label) = (has(Rank::Answer), has(Rank::Label));
    said.retain(|one| match one.flag() {
        Some(Flag::Word) => !has_label,
        Some(Flag::Number) => !has_answer,
        None => true,
    });
    let best = said.iter().map(|one| one.name.rank).min()?;
    said.retain(|one| {
        let is_answer = one.name.rank < Rank::Last && !one.meanings(choices).is_empty();
        one.name.rank == best || is_answer
    });
    let wrong = said.iter().position(|one| one.answer.is_err());
    match wrong {
        Some(wrong) => Some(said.swap_remove(wrong).found()),
        None => one_choice(said, choices),
    }
}

/// The one among answers that all mean the same choice which says it most plainly.
fn one_choice<T>(
    mut said: Vec<Said<T>>,
    choices: usize,
) -> Option<Result<(T, Answer), (T, String)>> {
    let all: Vec<Vec<usize>> = said.iter().map(|one| one.meanings(choices)).collect();
    let (first, others) = all.split_first()?;
    if others.is_empty() {
        return Some(said.pop()?.found());
    }
    let is_common = |choice: &&usize| others.iter().all(|other| other.contains(choice));
    let common: Vec<usize> = first.iter().filter(is_common).copied().collect();
    if common.is_empty() {
        let is_other = |other: &Vec<usize>| !first.iter().any(|choice| other.contains(choice));
        let other = others.iter().position(is_other).unwrap_or(0);
        let other = said.swap_remove(other + 1);
        let one = said.swap_remove(0);
        let message = format!(
            "{} is `{}` and {} is `{}`, which are different choices: leave out the one that is not the right answer",
            one.field, one.value, other.field, other.value
        );
        return Some(Err((one.place, message)));
    }
    let is_plain = |one: &Said<T>| {
        let answer = one.answer.as_ref();
        answer.is_ok_and(|answer| !matches!(answer, Answer::Number(_) | Answer::Either(_)))
    };
    let plain = said.iter().position(is_plain);
    let found = said.swap_remove(plain.unwrap_or(0)).found();
    Some(match (plain, &common[..]) {
        (None, [choice]) => found.map(|(place, _)| (place, Answer::Choice(*choice))),
        _ => found,
    })
}
