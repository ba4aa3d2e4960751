//! Items in Aiken's format, as in [Moodle's documentation](https://docs.moodle.org/en/Aiken_format).
//!
//! The question, its choices as `A. text` or `A) text`, and `ANSWER: D`, after which the choice's text may stand. The
//! question may have several lines without an empty one between them; a choice is one line, and its letter a large one.
//! Remarks on an answer that call themselves so (`Explanation:`) are skipped.

use super::draft::{Draft, Found};
use super::gift;
use super::lettered::{answer, choice, look_alike, nearly_answer, nearly_choice, trimmed};
use super::placeholder::letter;
use super::text::quoted;

/// Words that begin a remark on the answer before it, in small letters.
const REMARKS: [&str; 7] = [
    "explanation",
    "feedback",
    "general feedback",
    "rationale",
    "points",
    "marks",
    "difficulty",
];

/// Whether a text has a choice, be it with a small letter, and after it the line of an answer; or two lines that are choices
/// or nearly so, one after the other, and is none of GIFT.
pub(super) fn fits(text: &str) -> bool {
    let mut lines = text.lines().map(trimmed);
    // Three characters tell: a letter, its mark, and what parts it from the text.
    let beginning = |line: &str| {
        line.chars()
            .take(3)
            .collect::<String>()
            .to_ascii_uppercase()
    };
    let is_lettered = |line: &str| choice(&beginning(line), false).is_some();
    let has_answer = lines.any(is_lettered) && lines.any(|line| answer(line).is_some());
    has_answer || (follow(text, letter_of) && !gift::fits(text))
}

/// The letter of a line that is a choice or nearly so.
fn letter_of(line: &str) -> Option<char> {
    let choice = choice(line, true).map(|(letter, _)| letter);
    choice.or_else(|| nearly_choice(line).map(|(letter, _)| letter))
}

/// Whether a line of the letter A is followed by one of the letter B.
fn follow(text: &str, letter_of: impl Fn(&str) -> Option<char>) -> bool {
    let lines = text.lines().map(trimmed).filter(|line| !line.is_empty());
    let mut before = None;
    for found in lines.map(letter_of) {
        if (before, found) == (Some('A'), Some('B')) {
            return true;
        }
        before = found;
    }
    false
}

/// Whether no choice of a text has a space after its mark.
fn is_tight(text: &str) -> bool {
    let tight = |line: &str| choice(line, true).map(|(letter, _)| letter);
    let mut lines = text.lines().map(trimmed);
    follow(text, tight) && !lines.any(|line| choice(line, false).is_some())
}

/// Whether a line is of nothing but marks that part it.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && line
            .chars()
            .all(|char| matches!(char, '-' | '_' | '=' | '*'))
}

/// Whether a line that follows an answer is a remark on it.
fn is_remark(line: &str) -> bool {
    let word = line
        .split_once(':')
        .map(|(word, _)| word.trim().to_lowercase());
    is_rule(line) || word.is_some_and(|word| REMARKS.contains(&word.as_str()))
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let is_tight = is_tight(text);
    let mut lines = (1..).zip(text.lines());
    let mut open: Option<Question> = None;
    let mut has_answer = false;
    std::iter::from_fn(move || {
        for (number, line) in lines.by_ref() {
            let line = trimmed(line);
            if line.is_empty() {
                if let Some(question) = &mut open {
                    question.is_parted = true;
                }
                continue;
            }
            if let Some(answer) = answer(line) {
                has_answer = true;
                return Some(match open.take() {
                    Some(question) => question.end(number, answer),
                    None => (
                        number,
                        Err("there is no question before this answer".into()),
                    ),
                });
            }
            let has_choices = open.as_ref().is_some_and(Question::has_choices);
            if has_choices && let Some(letter) = nearly_answer(line) {
                open = None;
                let message = format!("in Aiken's format this line reads `ANSWER: {letter}`");
                return Some((number, Err(message.into())));
            }
            match &mut open {
                Some(question) => {
                    if let Some(next) = question.add(number, line, choice(line, is_tight)) {
                        return open.replace(next).map(Question::unanswered);
                    }
                }
                None => {
                    let mut question = Question::new(number, line);
                    question.is_remark = has_answer && is_remark(line);
                    open = Some(question);
                }
            }
        }
        let left = open.take();
        left.filter(|question| !question.is_remark || question.has_choices())
            .map(Question::unanswered)
    })
}

/// A question that is being read.
struct Question {
    line: usize,
    text: String,
    /// Whether its first line is a remark on the answer before it.
    is_remark: bool,
    choices: Vec<String>,
    /// Lines after a choice that are none: they go on with it, or begin the next question.
    stray: Option<Box<Question>>,
    /// Whether an empty line stands after the last line.
    is_parted: bool,
    /// The first of its lines, in the text, that would be a choice, and what is to be changed for that.
    near: Option<(usize, String)>,
    /// Whether an empty line stands between lines of its text.
    has_parts: bool,
    /// The first thing that is wrong with it.
    error: Option<(usize, String)>,
}

impl Question {
    fn new(line: usize, text: &str) -> Self {
        let mut question = Self {
            line,
            text: String::new(),
            is_remark: false,
            choices: Vec::new(),
            stray: None,
            is_parted: false,
            near: None,
            has_parts: false,
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
        if self.near.is_none() && choice(line, false).is_none() {
            self.near = nearly_choice(line).map(|(_, message)| (number, message));
        }
    }

    /// Whether it has choices, or lines that are nearly so.
    fn has_choices(&self) -> bool {
        !self.choices.is_empty() || self.near.is_some()
    }

    /// Takes a line of the question, or a choice as which it is read; gives back the next question where the line shows that it has
    /// begun.
    fn add(&mut self, number: usize, line: &str, choice: Option<(char, &str)>) -> Option<Self> {
        let was_parted = std::mem::take(&mut self.is_parted);
        let expected = letter(self.choices.len());
        match (choice, &mut self.stray) {
            // A first choice after lines that were none: those are a question, and this one has no answer.
            (Some(('A', _)), Some(_)) => {
                let mut next = *self.stray.take()?;
                next.add(number, line, choice);
                return Some(next);
            }
            (Some((found, text)), _) if found == expected => {
                if self.choices.is_empty() {
                    self.end_remark(number, was_parted);
                }
                self.choices.push(text.to_owned());
            }
            (Some((found, _)), _) if !self.choices.is_empty() => {
                let message = format!("choice {found} where {expected} was expected");
                self.error.get_or_insert((number, message));
            }
            _ if self.choices.is_empty() => self.go_on(number, line, was_parted),
            _ if was_parted => return Some(Self::new(number, line)),
            (_, Some(stray)) => stray.add_text(number, line),
            (_, None) => match nearly_choice(line).filter(|(found, _)| *found == expected) {
                Some((_, message)) => {
                    self.error.get_or_insert((number, message));
                    self.choices.push(line.to_owned());
                }
                None => self.stray = Some(Box::new(Self::new(number, line))),
            },
        }
        None
    }

    /// Takes a line of the text; a remark before it ends where an empty line parts them.
    fn go_on(&mut self, number: usize, line: &str, was_parted: bool) {
        if self.is_remark && (was_parted || is_rule(line)) {
            *self = Self::new(number, line);
            self.is_remark = is_remark(line);
            return;
        }
        self.has_parts |= was_parted;
        self.add_text(number, line);
    }

    /// Takes a remark from the text before the first choice.
    fn end_remark(&mut self, number: usize, was_parted: bool) {
        if !self.is_remark {
            return;
        }
        let error = match self.text.split_once('\n') {
            Some((first, text)) if is_rule(first) || !text.contains('\n') => {
                (self.line, self.text) = (self.line + 1, text.to_owned());
                return;
            }
            Some(_) => (
                self.line,
                "it cannot be told where this remark ends: put an empty line between it and the question",
            ),
            // A question may begin with the word of a remark.
            None if !was_parted && !is_rule(&self.text) => return,
            None => (number, "there is no question before this choice"),
        };
        self.error.get_or_insert((error.0, error.1.to_owned()));
    }

    fn end(self, number: usize, answer: &str) -> Found {
        let near = self.near.filter(|_| self.choices.is_empty());
        let stray = self.stray.map(|stray| {
            let wrapped = "this line is neither a choice nor `ANSWER:`; a choice is one line";
            let message = stray.near.map(|(_, message)| message);
            (stray.line, message.unwrap_or_else(|| wrapped.to_owned()))
        });
        let parts = self.has_parts.then(|| {
            let message = "an empty line parts this from the question: take that line out if this belongs to the \
                question, else take this out";
            (self.line, message.to_owned())
        });
        if let Some((line, message)) = self.error.or(near).or(stray) {
            return (line, Err(message.into()));
        }
        match (right(answer, &self.choices), parts) {
            (Ok(_), Some((line, message))) => (line, Err(message.into())),
            (Ok(gold), None) => {
                let draft = Draft {
                    id: None,
                    context: self.text,
                    choices: self.choices,
                    gold: gold.into(),
                };
                (self.line, Ok(draft))
            }
            (Err(message), _) => (number, Err(message.into())),
        }
    }

    fn unanswered(self) -> Found {
        let message = "the question has no line `ANSWER: B`, with the letter of the right choice, after its choices";
        (self.line, Err(message.into()))
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
    if let Some((letter, script)) = answer.chars().next().and_then(look_alike) {
        return Err(format!(
            "the answer is `{}`, a {script} letter: write the Latin `{letter}`",
            quoted(answer)
        ));
    }
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
    fn what_is_nearly_aiken_says_what_to_change() {
        for (text, line, named) in [
            ("q\nA. x\nВ. y\nC. z\nANSWER: B\n", 3, "Cyrillic"),
            ("q\nА. x\nВ. y\nANSWER: В\n", 2, "Cyrillic"),
            ("q\nA. x\nB. y\nANSWER: Ｂ\n", 4, "full-width letter"),
            ("q\nA. x\nB.y\nC. z\nANSWER: B\n", 3, "a space is missing"),
            ("q\nA.x\nB. y\nANSWER: B\n", 2, "a space is missing"),
            ("q\n(A) x\n(B) y\nAnswer: (B)\n", 2, "not with `(A)`"),
            ("q\nA. x\nB. y\nANSWER B\n", 4, "reads `ANSWER: B`"),
            ("q\nA. x\nB. y\n**ANSWER: B**\n", 4, "reads `ANSWER: B`"),
            ("q\nA. x\nB. y\nCorrect answer: A\n", 4, "reads `ANSWER: A`"),
            (
                "1. q\na. x\n*b. y\n\n2. r\n*a. x\nb. y\n",
                1,
                "no line `ANSWER: B`",
            ),
        ] {
            let parsed = parse_items(text);
            assert_eq!((parsed.format, parsed.items.len()), ("aiken", 0), "{text}");
            let error = &parsed.errors[0];
            assert_eq!((parsed.errors.len(), error.line), (1, line), "{text}");
            assert!(error.message.contains(named), "{}", error.message);
        }
        let key = "1. q\nA. x\nB. y\n\n2. r\nA. x\nB. y\n\nAnswers:\n1. B\n2. A\n";
        let lines: Vec<usize> = parse_items(key)
            .errors
            .iter()
            .map(|error| error.line)
            .collect();
        assert_eq!(lines, [1, 5, 9]);
    }

    #[test]
    fn white_space_and_what_does_not_show_is_none_of_a_text() {
        let parsed = parse_items(
            "\u{200b}q\nA.\u{a0}x\n\u{feff}B)\u{2003}y\u{200b}\nANSWER:\u{a0}B\u{200b}\n",
        );
        assert_eq!(parsed.errors, []);
        assert_eq!(parsed.items[0].context, "q");
        assert_eq!(
            (&*parsed.items[0].choices, parsed.items[0].gold),
            (&["x".to_owned(), "y".to_owned()][..], 1)
        );
    }

    #[test]
    fn choices_may_do_without_a_space_where_all_of_them_do() {
        let parsed = parse_items("U.S. law?\nA.x\nB)y z\nANSWER: B\n\nr\nA)x\nB)y\nANSWER: A\n");
        assert_eq!((parsed.format, &parsed.errors), ("aiken", &vec![]));
        assert_eq!(parsed.items[0].choices, ["x", "y z"]);
        assert_eq!(parsed.items[0].context, "U.S. law?");
    }

    #[test]
    fn remarks_on_an_answer_are_none_of_the_next_question() {
        let choices = "A. x\nB. y\nANSWER: A\n";
        for between in [
            "Explanation: x is right.\n\n",
            "Feedback: x is\nright.\n\n",
            "\nRationale: x\n\nPoints: 2\n\n",
            "Points: 2\n",
            "---\n",
            "Explanation: x is\nright.\n======\n",
        ] {
            let parsed = parse_items(&format!(
                "q\n{choices}{between}r\n{choices}Explanation: x\n"
            ));
            assert_eq!(parsed.errors, [], "{between}");
            assert_eq!(parsed.items[1].context, "r", "{between}");
            let line = 5 + between.lines().count();
            assert_eq!(parsed.items[1].id, format!("line-{line}"));
        }
        let first = parse_items(&format!("Feedback: what is it?\n{choices}"));
        assert_eq!(first.items[0].context, "Feedback: what is it?");
    }

    #[test]
    fn what_may_or_may_not_belong_to_a_question_is_an_error() {
        let choices = "A. x\nB. y\nANSWER: A\n";
        for (text, line, named) in [
            (
                format!("q\n{choices}End of part 1\n\nr\n{choices}"),
                5,
                "an empty line parts",
            ),
            (
                format!("q\n{choices}\nPart 2\n\nr\n{choices}"),
                6,
                "an empty line parts",
            ),
            (
                format!("A quiz\nName: ___\n\nr\n{choices}\nq\n{choices}"),
                1,
                "an empty line parts",
            ),
            (
                format!("q\n{choices}Feedback: x\ny\nr\n{choices}"),
                5,
                "this remark ends",
            ),
            (
                format!("q\n{choices}Feedback: x\n\n{choices}"),
                7,
                "no question before",
            ),
        ] {
            let parsed = parse_items(&text);
            assert_eq!(parsed.items.len(), 1, "{text}");
            assert_eq!(parsed.items[0].context, "q");
            assert_eq!(
                (parsed.errors.len(), parsed.errors[0].line),
                (1, line),
                "{text}"
            );
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{message}");
        }
        let parsed = parse_items(&format!("\nq\n\n{}", choices.replace('\n', "\n\n")));
        assert_eq!((parsed.errors, parsed.items.len()), (vec![], 1));
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
