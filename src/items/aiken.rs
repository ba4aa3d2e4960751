//! Items in Aiken's format, as in [Moodle's documentation](https://docs.moodle.org/en/Aiken_format).
//!
//! The question, its choices as `A. text` or `A) text`, and `ANSWER: D`, after which the choice's text may stand. The
//! question may have several lines; a choice is one line, and its letter a large one.

use super::draft::{Draft, Found};
use super::placeholder::letter;
use super::text::quoted;

/// Whether a text has a choice, be it with a small letter, and after it the line of an answer.
pub(super) fn fits(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| lettered(line).is_some()) && lines.any(|line| answer(line).is_some())
}

/// The letter, large or small, and the text of a line that may be a choice.
fn lettered(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    chars.next().filter(|mark| matches!(mark, '.' | ')'))?;
    let text = chars.as_str();
    let is_apart = text.is_empty() || text.starts_with([' ', '\t']);
    is_apart.then(|| (letter, text.trim()))
}

/// The letter and text of a choice.
fn choice(line: &str) -> Option<(char, &str)> {
    lettered(line).filter(|(letter, _)| letter.is_ascii_uppercase())
}

/// What stands after `ANSWER:`; a brace begins the choices of GIFT there.
fn answer(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(':')?;
    let rest = rest.trim();
    let is_answer = word.trim().eq_ignore_ascii_case("answer") && !rest.starts_with('{');
    is_answer.then_some(rest)
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut lines = (1..).zip(text.lines());
    let mut open: Option<Question> = None;
    std::iter::from_fn(move || {
        for (number, line) in lines.by_ref() {
            let line = line.trim();
            if line.is_empty() {
                if let Some(question) = &mut open {
                    question.is_parted = true;
                }
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
                    if let Some(next) = question.add(number, line) {
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
    /// Lines after a choice that are none: they go on with it, or begin the next question.
    stray: Option<Box<Question>>,
    /// Whether an empty line stands after the last line.
    is_parted: bool,
    /// The first of its lines, in the text, that would be a choice with a large letter.
    small: Option<usize>,
    /// The first thing that is wrong with it.
    error: Option<(usize, String)>,
}

impl Question {
    fn new(line: usize, text: &str) -> Self {
        let mut question = Self {
            line,
            text: String::new(),
            choices: Vec::new(),
            stray: None,
            is_parted: false,
            small: None,
            error: None,
        };
        question.add_text(line, text);
        question
    }

    fn add_text(&mut self, number: usize, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        if choice(line).is_none() && lettered(line).is_some() {
            self.small.get_or_insert(number);
        }
    }

    /// Takes a line of the question or a choice; gives back the next question where the line shows that it has begun.
    fn add(&mut self, number: usize, line: &str) -> Option<Self> {
        let was_parted = std::mem::take(&mut self.is_parted);
        let expected = letter(self.choices.len());
        match (choice(line), &mut self.stray) {
            // A first choice after lines that were none: those are a question, and this one has no answer.
            (Some(('A', _)), Some(_)) => {
                let mut next = *self.stray.take()?;
                next.add(number, line);
                return Some(next);
            }
            (Some((found, text)), _) if found == expected => self.choices.push(text.to_owned()),
            (Some((found, _)), _) if !self.choices.is_empty() => {
                let message = format!("choice {found} where {expected} was expected");
                self.error.get_or_insert((number, message));
            }
            _ if self.choices.is_empty() => self.add_text(number, line),
            _ if was_parted => return Some(Self::new(number, line)),
            (_, Some(stray)) => stray.add_text(number, line),
            (_, stray) => *stray = Some(Box::new(Self::new(number, line))),
        }
        None
    }

    fn end(mut self, number: usize, answer: &str) -> Found {
        let small = "a choice begins with a large letter in Aiken's format, as `A.` or `A)`";
        if let (true, Some(line)) = (self.choices.is_empty(), self.small) {
            self.error.get_or_insert((line, small.to_owned()));
        }
        if let Some(stray) = self.stray.take() {
            let wrapped = "this line is neither a choice nor `ANSWER:`; a choice is one line";
            let message = stray.small.map_or(wrapped, |_| small);
            self.error.get_or_insert((stray.line, message.to_owned()));
        }
        if let Some((line, message)) = self.error {
            return (line, Err(message.into()));
        }
        match right(answer, &self.choices) {
            Ok(gold) => {
                let draft = Draft {
                    id: None,
                    context: self.text,
                    choices: self.choices,
                    gold: gold.into(),
                };
                (self.line, Ok(draft))
            }
            Err(message) => (number, Err(message.into())),
        }
    }

    fn unanswered(self) -> Found {
        (self.line, Err("the question has no line `ANSWER:`".into()))
    }
}

/// The choice that stands after `ANSWER:`: its letter, and perhaps its text as well.
fn right(answer: &str, choices: &[String]) -> Result<usize, String> {
    let mut chars = answer.chars();
    let index = chars
        .next()
        .filter(char::is_ascii_alphabetic)
        .and_then(|found| {
            (0..choices.len()).find(|index| letter(*index) == found.to_ascii_uppercase())
        });
    let rest = chars.as_str();
    let text = rest.trim_start_matches(['.', ')', ':']).trim();
    let is_apart = !rest.starts_with(|char: char| char.is_alphanumeric());
    let (Some(index), true) = (index, is_apart) else {
        return Err(format!(
            "the answer is `{}`, and must be the letter of one of {} choices",
            quoted(answer),
            choices.len()
        ));
    };
    let is_its_text = choices
        .get(index)
        .is_some_and(|choice| choice.eq_ignore_ascii_case(text));
    if text.is_empty() || is_its_text {
        return Ok(index);
    }
    Err(format!(
        "the answer is `{}`, and choice {} does not read so",
        quoted(answer),
        letter(index)
    ))
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

    #[test]
    fn the_text_of_the_answer_may_follow_its_letter() {
        for (answer, gold) in [
            ("A)", 0),
            ("B. tin", 1),
            ("A ", 0),
            ("b.", 1),
            ("A) OAK", 0),
            ("B tin", 1),
        ] {
            let parsed = parse_items(&format!("q\nA) oak\nB) tin\nANSWER: {answer}\n"));
            assert_eq!(
                (&parsed.errors, parsed.items[0].gold),
                (&vec![], gold),
                "{answer}"
            );
        }
        for (answer, named) in [
            ("B. oak", "choice B does not read so"),
            ("A or B", "choice A does not read so"),
            ("A, B", "choice A does not read so"),
            ("AB", "the letter of one"),
            ("tin", "the letter of one"),
            ("C", "the letter of one"),
            ("", "the letter of one"),
        ] {
            let parsed = parse_items(&format!("q\nA) oak\nB) tin\nANSWER: {answer}\n"));
            assert_eq!(
                (parsed.items.len(), parsed.errors[0].line),
                (0, 4),
                "{answer}"
            );
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn choices_with_small_letters_are_an_error_that_says_so() {
        for (text, line) in [
            ("q\na) cork\nb) anvil\nANSWER: a\n", 2),
            ("q\nA) cork\nb) anvil\nANSWER: A\n", 3),
            ("q\n\na. cork\n\nb. anvil\n\nANSWER: A\n", 3),
        ] {
            let parsed = parse_items(text);
            assert_eq!(
                (parsed.format, parsed.items.len(), parsed.errors.len()),
                ("aiken", 0, 1)
            );
            assert_eq!(parsed.errors[0].line, line);
            assert!(parsed.errors[0].message.contains("large letter"));
        }
        // In the question they are text.
        let parsed = parse_items("Which?\na) cork\nb) anvil\nA) only a\nB) only b\nANSWER: A\n");
        assert_eq!(parsed.errors, []);
        assert_eq!(parsed.items[0].context, "Which?\na) cork\nb) anvil");
    }

    #[test]
    fn a_choice_of_two_lines_is_one_error_and_the_next_question_is_kept() {
        let next = "r\nA) oak\nB) tin\nANSWER: B\n";
        for (first, line) in [
            ("q\nA) a cork that is\nlight\nB) anvil\nANSWER: A\n\n", 3),
            (
                "q\nA) cork\nB) an anvil\nthat is heavy\nand black\nANSWER: A\n",
                4,
            ),
            // A question without its answer.
            ("q\nA) cork\nB) anvil\n", 1),
        ] {
            let parsed = parse_items(&format!("{first}{next}"));
            assert_eq!(
                (parsed.items.len(), parsed.errors.len()),
                (1, 1),
                "{:?}",
                parsed.errors
            );
            assert_eq!(
                (parsed.errors[0].line, parsed.items[0].context.as_str()),
                (line, "r")
            );
        }
        let parsed = parse_items(
            "Complete the name:\nA. Milne is also known as\nA) Alan\nB) Albert\nANSWER: A\n",
        );
        assert_eq!((parsed.items.len(), parsed.errors[0].line), (0, 3));
    }
}
