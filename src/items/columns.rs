//! Questions whose choices stand in columns of their own: `question`, `a`, `b`, … and `correct`. So they do in tables,
//! and in JSON objects made of tables ([KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU): `A` to `D`, `answer`).
//!
//! Choices are `a`, `b`, … or `option1`, `choice_b` and the like, in the order of their letters or numbers; [`super::names`]
//! has what the other columns are called. A letter or number that is left out, and a choice's name that says more, are
//! faults: the choice would be. Other columns are ignored.

use std::collections::HashSet;

use super::agree::{Said, agreed};
use super::answers::{
    Answer, AnswersFrom, Habit, Name, Number, lettered, name_and_text, reading, unmarked, whole,
};
use super::draft::{Draft, Fault};
use super::fields::{Field, Fields, Json};
use super::names::{
    ANSWERS, AnswerName, Label, Rank, SUBJECTS, Says, after_prefix, is_role, is_same, question,
    squeezed,
};
use super::placeholder::letter;
use super::text::quoted;

/// What is wrong with a row, and the number of the field.
pub(super) type Wrong = (usize, String);

/// Which column means what.
pub(super) struct Columns {
    id: Option<usize>,
    /// The question, after those of [`SUBJECTS`] that are there.
    contexts: Vec<usize>,
    choices: Vec<Column>,
    answers: Vec<(usize, &'static AnswerName)>,
    /// Why no row of such columns can be read: what they have or lack.
    pub fault: Option<String>,
}

/// A choice's column.
struct Column {
    index: usize,
    /// As [`squeezed`] makes it.
    name: String,
    label: Label,
}

/// A row's values, and what messages call its fields.
pub(super) struct Values<'a> {
    pub texts: &'a [&'a str],
    pub called: &'a dyn Fn(usize) -> String,
    /// Whether a field is an index from 0 by definition.
    pub is_index: &'a dyn Fn(usize) -> bool,
}

impl Values<'_> {
    fn text(&self, index: usize) -> &str {
        self.texts.get(index).copied().unwrap_or_default().trim()
    }
}

impl Columns {
    /// The columns of these names, if they are a question's.
    pub fn of(names: &[&str]) -> Option<Self> {
        let plain: Vec<String> = names.iter().map(|name| squeezed(name)).collect();
        let column = |wanted: &str| plain.iter().position(|name| is_same(wanted, name));
        let question = question(|name| column(name).is_some());
        let asked = match &question {
            Ok(name) => Some(column((*name)?)?),
            Err(_) => None,
        };
        // COPA has a column `question` as well, and means something else by it.
        if column("premise").is_some() {
            return None;
        }
        let (choices, gap) = choices(names, &plain, asked);
        if choices.len() < 2 {
            return None;
        }
        let answers = ANSWERS.iter();
        let answers: Vec<_> = answers
            .filter_map(|name| Some((column(name.name)?, name)))
            .collect();
        let of_choices: HashSet<&str> = choices.iter().map(|column| column.name.as_str()).collect();
        let is_choice = |name: &String| of_choices.contains(name.as_str());
        let mut seen = HashSet::new();
        let twice = (0..)
            .zip(&plain)
            .find(|(_, name)| (is_role(name) || is_choice(name)) && !seen.insert(name.as_str()));
        let twice = twice.and_then(|(index, _): (usize, _)| names.get(index));
        let twice = twice.map(|name| format!("has `{}` twice", quoted(name)));
        let unanswered = answers
            .is_empty()
            .then(|| "has no `correct` or `answer`".to_owned());
        Some(Self {
            id: column("id"),
            contexts: (SUBJECTS.iter().filter_map(|name| column(name)))
                .chain(asked)
                .collect(),
            choices,
            answers,
            fault: twice.or(question.err()).or(gap).or(unanswered),
        })
    }

    /// The columns of MMLU's files, which do not name them: question, four choices, answer.
    pub fn of_mmlu() -> Option<Self> {
        Self::of(&["question", "a", "b", "c", "d", "answer"])
    }

    /// Numbers of the columns that are read in any row.
    pub fn read(&self) -> impl Iterator<Item = usize> {
        let choices = self.choices.iter().map(|column| column.index);
        let others = self.contexts.iter().copied().chain(self.id);
        let answers = self.answers.iter();
        let answers = answers.filter(|(_, name)| name.rank < Rank::Last);
        choices
            .chain(others)
            .chain(answers.map(|(index, _)| *index))
    }

    /// Whether a column may be something else than text: true or false is a choice or an answer.
    fn is_of_choices(&self, index: usize) -> bool {
        let mut answers = self.answers.iter();
        let mut choices = self.choices.iter();
        answers.any(|(answer, _)| *answer == index) || choices.any(|column| column.index == index)
    }

    /// The item of a row, and the number of the field with its right choice.
    pub fn draft(&self, row: &Values) -> Result<(Draft, usize), Wrong> {
        let mut choices: Vec<String> = self
            .choices
            .iter()
            .map(|column| row.text(column.index).to_owned())
            .collect();
        // Questions with fewer choices than there are columns.
        while choices.last().is_some_and(String::is_empty) {
            choices.pop();
        }
        let mut pairs = self.choices.iter().zip(&choices);
        if let Some((column, _)) = pairs.find(|(_, text)| text.is_empty()) {
            let message = format!("{} is empty", (row.called)(column.index));
            return Err((column.index, message));
        }
        if let Some(first) = self.choices.first().filter(|_| choices.is_empty()) {
            return Err((first.index, "the row has no choices".to_owned()));
        }
        let said = self.answers.iter().map(|&(index, name)| {
            let (value, field) = (row.text(index), (row.called)(index));
            let right = || self.right(value, field.clone(), &choices, name.says);
            let is_index = (row.is_index)(index);
            let index_said = whole(value).filter(|_| is_index);
            Said {
                place: index,
                name,
                answer: index_said.map_or_else(right, |value| Ok(value.into())),
                field: field.clone(),
                value: quoted(value),
            }
        });
        let (answer, gold) = agreed(said.collect(), choices.len())
            .ok_or_else(|| (0, "there is no `correct` or `answer`".to_owned()))??;
        let id = self.id.filter(|id| !row.text(*id).is_empty());
        let id = id.map(|index| match row.texts.get(index) {
            Some(id) if id.len() <= 1000 => Ok((*id).to_owned()),
            _ => Err((index, "`id` must be a short text".to_owned())),
        });
        let mut contexts = Vec::new();
        for text in self.contexts.iter().map(|index| row.text(*index)) {
            if !text.is_empty() && !contexts.contains(&text) {
                contexts.push(text);
            }
        }
        let draft = Draft {
            id: id.transpose()?,
            context: contexts.join("\n"),
            choices,
            gold,
        };
        Ok((draft, answer))
    }

    /// What an answer means: a column's name, a letter, a choice's text, or a number.
    fn right(
        &self,
        answer: &str,
        field: String,
        choices: &[String],
        says: Says,
    ) -> Result<Answer, String> {
        let number = whole(answer);
        let habit = self.habit();
        let count = choices.len();
        let text = reading(choices, answer);
        // Columns that are counted tell how a number is, for the whole table.
        let is_counted = number.is_some() && habit != Habit::Any;
        let column = self.named(answer, count).filter(|_| !is_counted);
        if let (None, Some(value)) = (column, number) {
            return Ok(Answer::Number(Number {
                value,
                field,
                habit,
                text: text.filter(|_| says != Says::Number),
                offset: None,
            }));
        }
        let named = column.or_else(|| lettered(answer).filter(|choice| *choice < count));
        let text = text.filter(|_| says == Says::Any || named.is_none());
        let neither = format!(
            "{field} is `{}`: neither a letter nor a number nor the text of one of {count} choices",
            quoted(answer)
        );
        if let (None, None, Some((name, text))) = (named, text, name_and_text(answer)) {
            let choice = self.named(name, count).or_else(|| lettered(name));
            let reads = |choice: &usize| choices.get(*choice).is_some_and(|read| read == text);
            return choice.filter(reads).map(Answer::Named).ok_or(neither);
        }
        Answer::said(answer, field, named.map(Name::Letter), text).ok_or(neither)
    }

    /// The choice, of the first `count`, whose column an answer names: by its name, or by its letter or number, before
    /// which such a word as `option` may stand.
    fn named(&self, answer: &str, count: usize) -> Option<usize> {
        let name = unmarked(answer).to_lowercase().replace([' ', '_'], "");
        let label = after_prefix(&name).unwrap_or(&name);
        let is_meant = |column: &Column| column.name == name || column.label.text == label;
        self.choices.iter().take(count).position(is_meant)
    }

    /// How the columns of the choices are numbered.
    fn habit(&self) -> Habit {
        let first = self.choices.first();
        match first.and_then(|column| column.label.number()) {
            Some(0) => Habit::Header(AnswersFrom::Zero),
            Some(_) => Habit::Header(AnswersFrom::One),
            None => Habit::Any,
        }
    }
}

/// The columns of the choices, in the order of their letters or numbers, and what is wrong with that order. `plain` is
/// the names as [`squeezed`] makes them, `question` the place of the question.
fn choices(
    names: &[&str],
    plain: &[String],
    question: Option<usize>,
) -> (Vec<Column>, Option<String>) {
    let column = |(index, name): (usize, &String)| {
        let label = Label::of(name).filter(|_| !is_role(name))?;
        Some(Column {
            index,
            name: name.clone(),
            label,
        })
    };
    let mut columns: Vec<Column> = (0..).zip(plain).filter_map(column).collect();
    let has_letters = columns.iter().any(|column| column.label.letter().is_some());
    columns.retain(|Column { index, label, .. }| {
        let is_other = has_letters || question.is_some_and(|question| *index < question);
        !(label.is_bare && label.number().is_some() && is_other)
    });
    // What is neither comes last.
    let place = |label: &Label| match has_letters {
        true => label.letter().unwrap_or(usize::MAX),
        false => label.number().unwrap_or(usize::MAX),
    };
    columns.sort_by_key(|column| place(&column.label));
    let first = columns.first().map_or(0, |column| place(&column.label));
    let first = first.min(usize::from(!has_letters));
    let own_name = |index: usize| quoted(names.get(index).copied().unwrap_or_default());
    let mut gap = None;
    let mut next = first;
    for (at, column) in columns.iter().enumerate() {
        let (place, own) = (place(&column.label), own_name(column.index));
        if place == next {
            next += 1;
            continue;
        }
        // A single letter or digit far from the others is no choice's, as `n` or `q`.
        if column.label.is_bare && place >= first + 2 * columns.len() && place != usize::MAX {
            columns.truncate(at);
            break;
        }
        let before = columns.get(at.wrapping_sub(1));
        gap = Some(match before.filter(|_| place < next) {
            Some(before) if before.name == column.name => break,
            Some(before) => format!(
                "has `{}` and `{own}`, which both name the same choice",
                own_name(before.index)
            ),
            None => {
                let missing = match has_letters {
                    true => letter(next).to_string(),
                    false => next.to_string(),
                };
                format!("has `{own}`, and no choice {missing} before it")
            }
        });
        break;
    }
    let labels: HashSet<&str> = columns
        .iter()
        .map(|column| column.label.text.as_str())
        .collect();
    let with_more = || {
        names.iter().find_map(|name| {
            let label = Label::with_more(name)?;
            let message = "whose name says more than which choice it is: keep the letter or number alone, as in `option_a`";
            (!labels.contains(label.text.as_str()))
                .then(|| format!("has `{}`, {message}", quoted(name)))
        })
    };
    let gap = gap.or_else(with_more);
    (columns, gap)
}

/// The item of a JSON object whose fields, by their squeezed names, are such columns; none: they are not.
pub(super) fn of_object(fields: &Fields) -> Option<Result<Draft, Fault>> {
    let fields = in_order(fields);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let columns = Columns::of(&names)?;
    Some(match &columns.fault {
        Some(fault) => Err(format!("the item {fault}").into()),
        None => of_fields(&columns, &fields),
    })
}

/// An object's fields as columns would stand. What is null is absent, but of a choice it is the empty one, whose place no
/// later one takes.
fn in_order<'a, 'b>(fields: &'b Fields<'a>) -> Vec<&'b Field<'a>> {
    let is_there =
        |(name, field): &(&String, &Field)| !matches!(field.value, Json::Null) || !is_role(name);
    let there = fields.iter().filter(is_there);
    let mut all: Vec<&Field> = there.map(|(_, field)| field).collect();
    all.sort_by_key(|field| field.place);
    all
}

fn of_fields(columns: &Columns, fields: &[&Field]) -> Result<Draft, Fault> {
    let texts = fields.iter().map(|field| match &field.value {
        Json::Text(text) => text.as_str(),
        Json::Number(number) => number,
        Json::Bool(true) => "true",
        Json::Bool(false) => "false",
        Json::Null | Json::List(_) | Json::Object(_) => "",
    });
    let is_other = |index: &usize| {
        let value = fields.get(*index).map(|field| &field.value);
        match value {
            Some(Json::Bool(_)) => !columns.is_of_choices(*index),
            Some(value) => matches!(value, Json::List(_) | Json::Object(_)),
            None => false,
        }
    };
    let other = columns.read().find(is_other);
    if let Some(field) = other.and_then(|index| fields.get(index)) {
        let (name, kind) = (field.called(), field.value.kind());
        return Err(field.fault(format!("{name} must be text, and is {kind}")));
    }
    let row = Values {
        texts: &texts.collect::<Vec<_>>(),
        called: &|index| {
            fields
                .get(index)
                .map_or_else(String::new, |field| field.called())
        },
        // As in the other shapes of an object.
        is_index: &|index| {
            let field = fields.get(index);
            field.is_some_and(|field| {
                squeezed(&field.name) == "gold" && matches!(field.value, Json::Number(_))
            })
        },
    };
    let place = |index: usize| fields.get(index).map(|field| field.place);
    let fault = |(index, message): Wrong| Fault {
        message,
        offset: place(index),
    };
    let (draft, answer) = columns.draft(&row).map_err(fault)?;
    let gold = match place(answer) {
        Some(place) => draft.gold.at(|| place),
        None => draft.gold,
    };
    Ok(Draft { gold, ..draft })
}

#[cfg(test)]
mod tests {
    use crate::items::{AnswersFrom, Item, parse_items, parse_items_from};

    fn one(line: &str) -> Item {
        let parsed = parse_items(line);
        assert_eq!(parsed.errors, [], "{line}");
        parsed.items[0].clone()
    }

    /// The fields of [KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU), whose answers are 1 to 4.
    #[test]
    fn choices_in_fields_of_their_own_are_read_as_a_tables_columns() {
        let line = |answer: &str| {
            let fields = r#""question":"q","A":"w","B":"x","C":"y","D":"z","Category":"c","Human Accuracy":0.5"#;
            format!("{{\"answer\":{answer},{fields}}}\n")
        };
        for (answers, golds, first) in [
            (["2", "4", "1"], [1, 3, 0], Some(AnswersFrom::One)),
            (["2.0", "4.0", "\"1\""], [1, 3, 0], Some(AnswersFrom::One)),
            (["2", "0", "1"], [2, 0, 1], Some(AnswersFrom::Zero)),
            (["\"B\"", "\"d\"", "\"w\""], [1, 3, 0], None),
        ] {
            let lines = answers.map(line);
            for text in [lines.concat(), format!("[{}]", lines.join(","))] {
                let parsed = parse_items(&text);
                let found: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
                assert_eq!(
                    (found, parsed.answers_from),
                    (golds.to_vec(), first),
                    "{text}"
                );
                assert_eq!(parsed.items[0].choices, ["w", "x", "y", "z"]);
            }
        }
        let open = line("3") + &line("1");
        let parsed = parse_items(&open);
        assert!(parsed.asks_answers_from && parsed.items.is_empty());
        let error = &parsed.errors[0];
        assert_eq!((error.line, error.column), (1, 2), "where `answer` stands");
        assert!(error.message.contains("(3 is `z` from 0, and `y` from 1)"));
        for (first, golds) in [(AnswersFrom::Zero, [3, 1]), (AnswersFrom::One, [2, 0])] {
            let parsed = parse_items_from(&open, Some(first));
            let found: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
            assert_eq!(found, golds);
        }
        // `gold` is an index from 0 here, too.
        let gold = line("1").replace("answer", "gold");
        let parsed = parse_items_from(&gold, Some(AnswersFrom::One));
        assert_eq!(parsed.items[0].gold, 1);
    }

    #[test]
    fn fields_of_choices_may_be_called_otherwise_and_be_null() {
        let item =
            one(r#"{"id":7,"question":"q","option2":0.50,"option1":"x","option3":null,"label":2}"#);
        assert_eq!((item.id.as_str(), item.gold), ("7", 1));
        assert_eq!(item.choices, ["x", "0.50"]);
        let item = one(
            r#"{"context":"c","question":"q","answerA":"x","answerB":"y","answerC":"z","correct":"B"}"#,
        );
        assert_eq!((item.context.as_str(), item.gold), ("c\nq", 1));
        let ten: String = (1..=10)
            .map(|at| format!(r#""choice{at}":"c{at}","#))
            .collect();
        let item = one(&format!(r#"{{{ten}"question":"q","answer":10}}"#));
        assert_eq!((item.choices[9].as_str(), item.gold), ("c10", 9));
        for (fields, named) in [
            (r#""A":"x","B":"y""#, "no `correct` or `answer`"),
            (r#""A":"x","B":"y","b":"z","answer":"A""#, "has `b` twice"),
            (r#""A":"x","B":["y"],"answer":"A""#, "`B` must be text"),
            (r#""A":"x","B":null,"C":"z","answer":"A""#, "`B` is empty"),
            (r#""A":"x","B":"y","answer":"C""#, "`answer` is `C`"),
        ] {
            let parsed = parse_items(&format!(r#"{{"question":"q",{fields}}}"#));
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{message}");
        }
    }

    /// Items of a table with these columns and this row, or what is wrong with it.
    fn read(header: &str, row: &str) -> Result<Item, String> {
        let parsed = parse_items(&format!("{header}\n{row}\n"));
        match (parsed.items.first(), parsed.errors.first()) {
            (Some(item), None) => Ok(item.clone()),
            (_, error) => Err(error.map_or_else(String::new, |error| error.message.clone())),
        }
    }

    #[test]
    fn answers_in_several_columns_must_mean_the_same_choice() {
        let header = "question,A,B,C,D";
        for (columns, values, gold) in [
            ("answer,correct", "C,1", 2),
            ("answer,correct", "C,True", 2),
            ("answer,answer_idx", "D,(C)", 2),
            ("answer,correct", "C,3", 2),
            ("label,correct option", "easy,C", 2),
            ("label,answer key", "12,C", 2),
            ("key,answer", "A,C", 2),
        ] {
            // The text of the third choice is the letter of the fourth one.
            let item = read(
                &format!("{header},{columns}"),
                &format!("q,w,x,D,z,{values}"),
            );
            assert_eq!(item.map(|item| item.gold), Ok(gold), "{columns}: {values}");
        }
        for (columns, values) in [
            ("Answer,Correct", "A,4"),
            ("Answer,Correct", "A,12"),
            ("Label,Correct Option", "A,B"),
            ("Correct,Answer", "B,A"),
        ] {
            let message = read(
                &format!("{header},{columns}"),
                &format!("q,w,x,y,z,{values}"),
            );
            let message = message.unwrap_err();
            for (name, value) in columns.split(',').zip(values.split(',')) {
                let said = format!("(`{name}`) is `{value}`");
                assert!(message.contains(&said), "{message}");
            }
        }
    }

    #[test]
    fn columns_of_choices_are_all_read_or_named_in_an_error() {
        for header in [
            "question,A,B,C,answer",
            "question,A,B,\u{421},answer",
            "Question,Correct,Option A,Option B (text),Option C",
            "1,Question,A,B,C,Correct",
            "Question,A,A image,B,B image,C,Correct",
            "Question,Option A,Option A image,Option B,Option C,Correct",
            "question,C,B,A,answer",
            "question,A,B,C,answer,n",
            "prompt,ans0,ans1,ans2,answer",
            "Question Text,optionA,optionB,optionC,correctAnswer",
            "instruction,mc_answer1,mc_answer2,mc_answer3,correct_answer_num",
        ] {
            let value = |name: &str| match name.to_lowercase().as_str() {
                "answer" | "correct" | "correctanswer" | "correct_answer_num" => "(B)".to_owned(),
                _ => format!("<{name}>"),
            };
            let row: Vec<String> = header.split(',').map(value).collect();
            let item = read(header, &row.join(",")).unwrap();
            assert_eq!((item.choices.len(), item.gold), (3, 1), "{header}");
        }
        for (header, named) in [
            ("question,A,B,C,E,answer", "`E`, and no choice D"),
            ("question,A,B,D,answer", "`D`, and no choice C"),
            ("question,\u{410},\u{411},\u{412},answer", "`\u{411}`"),
            (
                "Question,Correct Answer,Answer 2,Answer 3",
                "`Answer 2`, and no choice 1",
            ),
            (
                "Question,Option 1,Option 2,Correct,Answer 1",
                "both name the same choice",
            ),
            ("question,A,B,Option C of old,answer", "`Option C of old`"),
            (
                "Question,Answer 1,Answer 2,Answer 3 - or none,Correct",
                "`Answer 3 - or none`",
            ),
        ] {
            let row = vec!["1"; header.split(',').count()].join(",");
            let message = read(header, &row).unwrap_err();
            assert!(message.contains(named), "{header}: {message}");
        }
    }

    #[test]
    fn an_answer_may_say_more_than_a_letter() {
        for (header, answer) in [
            ("question,A,B,C,answer", "Option B"),
            ("question,A,B,C,answer", "choice b"),
            ("question,A,B,C,answer", "B. tin"),
            ("question,A,B,C,answer", "(B) tin"),
            ("question,A,B,C,answer", "B - tin"),
            ("question,option1,option2,option3,answer", "Option 2"),
            ("question,option1,option2,option3,answer", "2) tin"),
        ] {
            let item = read(header, &format!("q,oak,tin,elm,{answer}"));
            assert_eq!(item.map(|item| item.gold), Ok(1), "{answer}");
        }
        let message = read("question,A,B,answer", "q,oak,tin,B. oak").unwrap_err();
        assert!(message.contains("neither a letter"), "{message}");
    }
}
