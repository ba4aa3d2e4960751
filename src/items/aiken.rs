//! Items in Aiken's format, as in [Moodle's documentation](https://docs.moodle.org/en/Aiken_format).
//!
//! The question, its choices as `A. text` or `A) text`, and `ANSWER: D`. The question may have several lines; a
//! choice is one line.

use super::placeholder::letter;
use super::read::{Draft, Found, quoted};

/// Whether a text has a choice and, after it, the line of an answer.
pub(super) fn fits(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| choice(line).is_some()) && lines.any(|line| answer(line).is_some())
}

/// The letter and text of a choice.
fn choice(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    chars.next().filter(|mark| matches!(mark, '.' | ')'))?;
    let text = chars.as_str();
    let is_apart = text.is_empty() || text.starts_with([' ', '\t']);
    is_apart.then(|| (letter, text.trim()))
}

/// What stands after `ANSWER:`.
fn answer(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(':')?;
    word.trim()
        .eq_ignore_ascii_case("answer")
        .then(|| rest.trim())
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut lines = (1..).zip(text.lines());
    let mut open: Option<Question> = None;
    std::iter::from_fn(move || {
        for (number, line) in lines.by_ref() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(answer) = answer(line) {
                return Some(match open.take() {
                    Some(question) => question.end(number, answer),
                    None => (
                        number,
                        Err("there is no question before this answer".into()),
                    ),
                });
            }
            match &mut open {
                Some(question) => {
                    if let Err(line) = question.add(number, line) {
                        let next = Question::new(number, line);
                        return open.replace(next).map(Question::unanswered);
                    }
                }
                None => open = Some(Question::new(number, line)),
            }
        }
        open.take().map(Question::unanswered)
    })
}

/// A question that is being read.
struct Question {
    line: usize,
    text: String,
    choices: Vec<String>,
    /// The first thing that is wrong with it.
    error: Option<(usize, String)>,
}

impl Question {
    fn new(line: usize, text: &str) -> Self {
        Self {
            line,
            text: text.to_owned(),
            choices: Vec::new(),
            error: None,
        }
    }

    /// Takes a line of the question or a choice; gives back a line that begins the next question.
    fn add<'a>(&mut self, number: usize, line: &'a str) -> Result<(), &'a str> {
        let expected = letter(self.choices.len());
        match choice(line) {
            Some((found, text)) if found == expected => self.choices.push(text.to_owned()),
            Some((found, _)) if !self.choices.is_empty() => {
                let message = format!("choice {found} where {expected} was expected");
                self.error.get_or_insert((number, message));
            }
            _ if self.choices.is_empty() => {
                self.text.push('\n');
                self.text.push_str(line);
            }
            _ => return Err(line),
        }
        Ok(())
    }

    fn end(self, number: usize, answer: &str) -> Found {
        if let Some((line, message)) = self.error {
            return (line, Err(message.into()));
        }
        let gold = match answer.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => {
                Some(usize::from(letter.to_ascii_uppercase() - b'A'))
            }
            _ => None,
        };
        match gold.filter(|gold| *gold < self.choices.len()) {
            Some(gold) => {
                let draft = Draft {
                    id: None,
                    context: self.text,
                    choices: self.choices,
                    gold,
                };
                (self.line, Ok(draft))
            }
            None => {
                let count = self.choices.len();
                let message = format!(
                    "the answer is `{}`, and must be the letter of one of {count} choices",
                    quoted(answer)
                );
                (number, Err(message.into()))
            }
        }
    }

    fn unanswered(self) -> Found {
        (self.line, Err("the question has no line `ANSWER:`".into()))
    }
}

#[cfg(test)]
mod tests {
    use crate::items::parse_items;

    /// The first question is the one of Moodle's documentation.
    #[test]
    fn both_marks_and_questions_of_several_lines_are_read() {
        let text = "What is the correct answer to this question?\nA. Is it this one?\nB. Maybe this answer?\n\
            C. Possibly this one?\nD. Must be this one!\nANSWER: D\n\nTwo\nlines\nA) x\nB) y\nAnswer: a";
        let parsed = parse_items(text);
        assert_eq!((parsed.format, &parsed.errors), ("aiken", &vec![]));
        assert_eq!(parsed.items[0].choices[3], "Must be this one!");
        assert_eq!(parsed.items[0].gold, 3);
        assert_eq!(parsed.items[1].context, "Two\nlines");
        assert_eq!(
            (parsed.items[1].id.as_str(), parsed.items[1].gold),
            ("line-8", 0)
        );
    }

    #[test]
    fn what_is_wrong_has_its_line_and_the_good_questions_are_kept() {
        let text = "q\nA. x\nB. y\nANSWER: C\n\nq\nA. x\nC. y\nANSWER: A\n\nq\nA. x\nB. y\n\nq\nA. x\nB. y\nANSWER: B\n\
            ANSWER: B\nq\n";
        let parsed = parse_items(text);
        assert_eq!(
            (parsed.items.len(), parsed.items[0].id.as_str()),
            (1, "line-15")
        );
        let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [4, 8, 11, 19, 20]);
        assert!(parsed.errors[1].message.contains("choice C where B"));
    }
}
