//! Drafts become items: ids, limits, errors, and right answers that only the whole file explains.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::Item;
use super::answers::{Answer, AnswersFrom, Either, Habit, Name, Number, Reading};
use super::check::{MAX_ITEMS, check_choices, check_gold, check_text};
use super::draft::{Draft, Fault};
use super::parsed::{LineError, MAX_ERRORS, ParsedItems};
use super::place::Places;
use super::text::quoted;

/// Turns drafts into items.
pub(super) struct Collector<'a> {
    parsed: ParsedItems,
    places: Places<'a>,
    /// Ids that the file gives.
    ids: HashSet<String>,
    /// Items without one, by their index.
    unnamed: Vec<usize>,
    /// Line of each item.
    lines: Vec<usize>,
    /// Items whose right choice is yet to be told from a number, by their index.
    numbered: Vec<(usize, Number)>,
    /// Items whose right answer names one choice and is the text of another one, by their index.
    either: Vec<(usize, Either)>,
    /// Whether an answer names a choice and can be no text of one.
    has_names: bool,
    /// Whether an answer is the text of a choice and can be no name of one.
    has_texts: bool,
}

impl<'a> Collector<'a> {
    pub fn new(format: &'static str, text: &'a str) -> Self {
        Self {
            places: Places::new(text),
            parsed: ParsedItems {
                items: Vec::new(),
                errors: Vec::new(),
                format,
                answers_from: None,
                asks_answers_from: false,
                is_cut: false,
            },
            ids: HashSet::new(),
            unnamed: Vec::new(),
            lines: Vec::new(),
            numbered: Vec::new(),
            either: Vec::new(),
            has_names: false,
            has_texts: false,
        }
    }

    pub fn refuse(&mut self, line: usize, fault: Fault) {
        let (line, column) = match fault.offset {
            Some(offset) => self.places.of(offset),
            None => (line, self.places.first_character(line)),
        };
        self.parsed.errors.push(LineError {
            line,
            column,
            message: fault.message,
        });
    }

    /// Takes one draft; breaks when no more are wanted.
    pub fn take(&mut self, line: usize, draft: Result<Draft, Fault>) -> ControlFlow<()> {
        if self.parsed.items.len() >= MAX_ITEMS {
            let message = format!("more than {MAX_ITEMS} items; the rest is left out");
            return self.cut(line, message);
        }
        if self.parsed.errors.len() >= MAX_ERRORS {
            return self.cut(line, too_many_errors());
        }
        match draft.and_then(|draft| Ok(self.item(draft)?)) {
            Ok(item) => {
                self.parsed.items.push(item);
                self.lines.push(line);
            }
            Err(fault) => self.refuse(line, fault),
        }
        ControlFlow::Continue(())
    }

    fn cut(&mut self, line: usize, message: String) -> ControlFlow<()> {
        self.refuse(line, message.into());
        self.parsed.is_cut = true;
        ControlFlow::Break(())
    }

    fn item(&mut self, draft: Draft) -> Result<Item, String> {
        check_text(&draft.context, "the context")?;
        check_choices(&draft.choices)?;
        if let Answer::Choice(gold) | Answer::Named(gold) | Answer::Text(gold) = draft.gold {
            check_gold(gold, &draft.choices)?;
        }
        let index = self.parsed.items.len();
        match &draft.id {
            Some(id) if !self.ids.insert(id.clone()) => {
                return Err(format!("the id `{}` is there twice", quoted(id)));
            }
            Some(_) => {}
            None => self.unnamed.push(index),
        }
        let gold = match draft.gold {
            Answer::Choice(gold) => gold,
            Answer::Named(gold) => {
                self.has_names = true;
                gold
            }
            Answer::Text(gold) => {
                self.has_texts = true;
                gold
            }
            Answer::Number(number) => {
                let is_index = number.value <= draft.choices.len();
                self.has_names |= is_index && number.text.is_none();
                self.has_texts |= !is_index && number.text.is_some();
                self.numbered.push((index, number));
                0
            }
            Answer::Either(either) => {
                let gold = either.text;
                self.either.push((index, either));
                gold
            }
        };
        Ok(Item {
            id: draft.id.unwrap_or_default(),
            context: draft.context,
            choices: draft.choices,
            gold,
        })
    }

    /// Calls items after their line: `line-7`, and `line-7.2` the second one of the same line; the next such name where
    /// the file has given one to another item.
    fn name_unnamed(&mut self) {
        let (mut last, mut count) = (0, 0);
        for index in std::mem::take(&mut self.unnamed) {
            let line = self.lines.get(index).copied().unwrap_or(1);
            if line != last {
                (last, count) = (line, 0);
            }
            let id = loop {
                count += 1;
                let id = match count {
                    1 => format!("line-{line}"),
                    _ => format!("line-{line}.{count}"),
                };
                if !self.ids.contains(&id) {
                    break id;
                }
            };
            if let Some(item) = self.parsed.items.get_mut(index) {
                item.id = id;
            }
        }
    }

    /// What the text held, once all of it was taken. `answers_from` says how it counts, where that is known.
    pub fn finish(mut self, answers_from: Option<AnswersFrom>) -> ParsedItems {
        self.name_unnamed();
        let unexplained = self.explain();
        let numbered = std::mem::take(&mut self.numbered);
        let readings = self.readings(&numbered, answers_from);
        let open = readings.iter().find_map(|(habit, reading)| match reading {
            Reading::Open(why) => Some((*habit, *why)),
            _ => None,
        });
        match open {
            Some((habit, why)) => {
                if let Some(first) = numbered.iter().find(|(_, number)| number.habit == habit) {
                    self.ask(first, why);
                }
            }
            None => self.settle(&numbered, &readings, &unexplained),
        }
        self.parsed
    }

    /// Gives the items whose right answer could mean two choices the one that the other answers show, and gives back
    /// those where they do not.
    fn explain(&mut self) -> Vec<(usize, Either)> {
        let mut unexplained = Vec::new();
        for (index, either) in std::mem::take(&mut self.either) {
            match (either.is_text(self.has_names, self.has_texts), either.name) {
                (None, _) => unexplained.push((index, either)),
                // As it was taken.
                (Some(true), _) => {}
                (Some(false), Name::Letter(choice) | Name::Index(choice)) => {
                    if let Some(item) = self.parsed.items.get_mut(index) {
                        item.gold = choice;
                    }
                }
                (Some(false), Name::Number(value, habit)) => {
                    let number = Number {
                        value,
                        field: either.field,
                        habit,
                        text: None,
                        offset: either.offset,
                    };
                    self.numbered.push((index, number));
                }
            }
        }
        self.numbered.sort_by_key(|(index, _)| *index);
        unexplained
    }

    /// What the numbers of each habit mean. Shapes of JSON may be mixed, and count differently.
    fn readings(
        &self,
        numbered: &[(usize, Number)],
        answers_from: Option<AnswersFrom>,
    ) -> Vec<(Habit, Reading)> {
        let mut readings: Vec<(Habit, Reading)> = Vec::new();
        for (_, Number { habit, .. }) in numbered {
            if readings.iter().any(|(known, _)| known == habit) {
                continue;
            }
            let alike = numbered.iter().filter(|(_, other)| other.habit == *habit);
            let counted = alike.map(|(index, number)| (number, self.choices(*index)));
            let are_texts = self.has_texts && !self.has_names;
            let read = || Reading::of(*habit, counted, are_texts);
            let reading = answers_from.map_or_else(read, Reading::From);
            readings.push((*habit, reading));
        }
        readings
    }

    fn choices(&self, index: usize) -> usize {
        let item = self.parsed.items.get(index);
        item.map_or(0, |item| item.choices.len())
    }

    /// Takes no item, for nobody has said how the answers are counted.
    fn ask(&mut self, (index, number): &(usize, Number), why: &str) {
        let mut message = format!(
            "the right answers are numbers, which may count the choices from 0 or from 1: {why}"
        );
        if let Some(item) = self.parsed.items.get(*index) {
            let read = |first| {
                let choice = Reading::From(first)
                    .choice(number, item.choices.len())
                    .ok()?;
                item.choices.get(choice).map(|choice| quoted(choice))
            };
            if let (Some(zero), Some(one)) = (read(AnswersFrom::Zero), read(AnswersFrom::One)) {
                let value = number.value;
                message += &format!(" ({value} is `{zero}` from 0, and `{one}` from 1)");
            }
        }
        self.parsed.items.clear();
        self.parsed.asks_answers_from = true;
        self.refuse_answer(*index, number.offset, message);
        self.sort_errors();
    }

    /// Gives the items their right choices, and leaves out those whose number is none, and those whose answer nothing
    /// explains.
    fn settle(
        &mut self,
        numbered: &[(usize, Number)],
        readings: &[(Habit, Reading)],
        unexplained: &[(usize, Either)],
    ) {
        // No more are made than can be reported, and one by which the report is cut.
        let mut most = MAX_ERRORS + 1;
        let mut wrong = HashSet::new();
        for (index, either) in unexplained {
            wrong.insert(*index);
            if wrong.len() <= most {
                let item = self.parsed.items.get(*index);
                let message = item.map_or_else(String::new, |item| either.problem(&item.choices));
                self.refuse_answer(*index, either.offset, message);
            }
        }
        most += wrong.len();
        for (index, number) in numbered {
            let choices = self.choices(*index);
            let found = readings.iter().find(|(habit, _)| *habit == number.habit);
            let reading = found.map_or(Reading::Texts, |(_, reading)| *reading);
            match (
                reading.choice(number, choices),
                self.parsed.items.get_mut(*index),
            ) {
                (Ok(gold), Some(item)) => item.gold = gold,
                (Err(message), _) => {
                    wrong.insert(*index);
                    if wrong.len() <= most {
                        self.refuse_answer(*index, number.offset, message);
                    }
                }
                _ => {}
            }
        }
        self.parsed.answers_from = match readings {
            [
                (_, Reading::From(first) | Reading::Both(first)),
                others @ ..,
            ] => Some(*first).filter(|_| {
                let is_same = |(_, other): &(Habit, Reading)| *other == Reading::From(*first);
                others.iter().all(is_same)
            }),
            _ => None,
        };
        if !wrong.is_empty() {
            self.leave_out(&wrong);
        }
    }

    fn refuse_answer(&mut self, index: usize, offset: Option<usize>, message: String) {
        let line = self.lines.get(index).copied().unwrap_or(1);
        self.refuse(line, Fault { message, offset });
    }

    /// Leaves out items that turned out to be wrong, and what comes after more wrong lines than are reported.
    fn leave_out(&mut self, wrong: &HashSet<usize>) {
        self.sort_errors();
        let errors = &mut self.parsed.errors;
        let mut end = usize::MAX;
        if let Some(first) = errors.get(MAX_ERRORS).filter(|_| !self.parsed.is_cut) {
            let cut = LineError {
                message: too_many_errors(),
                ..first.clone()
            };
            end = cut.line;
            errors.truncate(MAX_ERRORS);
            errors.push(cut);
            self.parsed.is_cut = true;
        }
        let mut places = (0..).zip(&self.lines);
        self.parsed.items.retain(|_| {
            let place = places.next();
            place.is_none_or(|(index, line)| !wrong.contains(&index) && *line < end)
        });
    }

    fn sort_errors(&mut self) {
        let errors = &mut self.parsed.errors;
        errors.sort_by_key(|error| (error.line, error.column));
    }
}

fn too_many_errors() -> String {
    format!("more than {MAX_ERRORS} wrong lines; the rest is left out")
}
