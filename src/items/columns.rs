//! Questions whose choices stand in columns of their own: `question`, `a`, `b`, … and `correct`. So they do in tables,
//! and in JSON objects made of tables ([KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU): `A` to `D`, `answer`).
//!
//! Choices are `a`, `b`, … or `option1`, `choice_b` and the like, the right one `correct`, `answer`, `label` or the like,
//! and there may be an `id`, and a `context`, `passage` or `article` that the question is about; other columns are ignored.

use std::collections::HashSet;

use super::answers::{Answer, AnswersFrom, Habit, Name, Number, lettered, unmarked, whole};
use super::draft::{Draft, Fault};
use super::fields::{Field, Fields, Json};
use super::placeholder::letter;
use super::text::quoted;

/// Names of the column of the right choice; the first that is there counts.
const ANSWERS: [&str; 13] = [
    "correct",
    "correct_answer",
    "answer",
    "gold",
    "label",
    "answerkey",
    "answer_key",
    "correct_option",
    "correct_choice",
    "correct_index",
    "answer_index",
    "answer_idx",
    "cop",
];
/// What may stand before the letter or number of a choice's column.
const CHOICE_PREFIXES: [&str; 4] = ["option", "choice", "answer", "op"];
/// What a question may be about, and stands before it.
pub(super) const SUBJECTS: [&str; 3] = ["context", "passage", "article"];

/// What is wrong with a row, and the number of the field.
pub(super) type Wrong = (usize, String);

/// Which column means what.
pub(super) struct Columns {
    id: Option<usize>,
    /// The question, after those of [`SUBJECTS`] that are there.
    contexts: Vec<usize>,
    choices: Vec<Column>,
    answer: Option<usize>,
    /// A column that is read and that is there twice.
    twice: Option<String>,
}

/// A choice's column.
struct Column {
    index: usize,
    /// As [`column_name`] makes it.
    name: String,
    /// The letter or number alone.
    label: String,
}

/// A row's values, and what messages call its fields.
pub(super) struct Values<'a> {
    pub texts: &'a [&'a str],
    pub called: &'a dyn Fn(usize) -> String,
}

impl Values<'_> {
    fn text(&self, index: usize) -> &str {
        self.texts.get(index).copied().unwrap_or_default().trim()
    }
}

impl Columns {
    /// The columns of these names, if they are a question's. Names are as [`column_name`] makes them.
    pub fn of(names: &[String]) -> Option<Self> {
        let column = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut choices = Vec::new();
        for (index, name) in names.iter().enumerate() {
            choices.extend(Column::of(index, name, choices.len()));
        }
        // COPA has a column `question` as well, and means something else by it.
        let question = column("question").filter(|_| column("premise").is_none())?;
        if choices.len() < 2 {
            return None;
        }
        let is_read =
            |name: &str| is_role(name) || choices.iter().any(|column: &Column| column.name == name);
        let mut seen = HashSet::new();
        let twice = names
            .iter()
            .find(|name| is_read(name) && !seen.insert(name.as_str()))
            .cloned();
        Some(Self {
            id: column("id"),
            contexts: (SUBJECTS.iter().filter_map(|name| column(name)))
                .chain([question])
                .collect(),
            answer: ANSWERS.iter().find_map(|name| column(name)),
            choices,
            twice,
        })
    }

    /// The columns of MMLU's files, which do not name them: question, four choices, answer.
    pub fn of_mmlu() -> Self {
        let choices = (0..).zip(["a", "b", "c", "d"]);
        Self {
            id: None,
            contexts: vec![0],
            choices: choices
                .filter_map(|(count, name)| Column::of(count + 1, name, count))
                .collect(),
            answer: Some(5),
            twice: None,
        }
    }

    /// Why no row of such columns can be read: what they have or lack.
    pub fn fault(&self) -> Option<String> {
        match (&self.twice, self.answer) {
            (Some(name), _) => Some(format!("has `{}` twice", quoted(name))),
            (None, None) => Some("has no `correct` or `answer`".to_owned()),
            (None, Some(_)) => None,
        }
    }

    /// Numbers of the columns that are read.
    pub fn read(&self) -> impl Iterator<Item = usize> {
        let choices = self.choices.iter().map(|column| column.index);
        let others = self.contexts.iter().copied();
        choices.chain(others).chain(self.id).chain(self.answer)
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
        let answer = self
            .answer
            .ok_or_else(|| (0, "there is no `correct` or `answer`".to_owned()))?;
        let gold = self
            .right(row.text(answer), (row.called)(answer), &choices)
            .map_err(|message| (answer, message))?;
        let id = self.id.filter(|id| !row.text(*id).is_empty());
        let id = id.map(|index| match row.texts.get(index) {
            Some(id) if id.len() <= 1000 => Ok((*id).to_owned()),
            _ => Err((index, "`id` must be a short text".to_owned())),
        });
        let contexts = self.contexts.iter().map(|index| row.text(*index));
        let contexts: Vec<&str> = contexts.filter(|text| !text.is_empty()).collect();
        let draft = Draft {
            id: id.transpose()?,
            context: contexts.join("\n"),
            choices,
            gold,
        };
        Ok((draft, answer))
    }

    /// What an answer means: a column's name, a letter, a choice's text, or a number.
    fn right(&self, answer: &str, field: String, choices: &[String]) -> Result<Answer, String> {
        let name = column_name(answer);
        let number = whole(answer);
        let habit = self.habit();
        // Columns that are counted tell how a number is, for the whole table.
        let is_counted = number.is_some() && habit != Habit::Any;
        let is_meant =
            |column: &Column| !is_counted && (column.name == name || column.label == name);
        let count = choices.len();
        let column = self.choices.iter().take(count).position(is_meant);
        let text = choices.iter().position(|choice| choice == answer);
        if let (None, Some(value)) = (column, number) {
            return Ok(Answer::Number(Number {
                value,
                field,
                habit,
                text,
                offset: None,
            }));
        }
        let named = column.or_else(|| lettered(answer).filter(|choice| *choice < count));
        let neither = format!(
            "{field} is `{}`: neither a letter nor a number nor the text of one of {count} choices",
            quoted(answer)
        );
        Answer::said(answer, field, named.map(Name::Letter), text).ok_or(neither)
    }

    /// How the columns of the choices are numbered.
    fn habit(&self) -> Habit {
        let is_counted = |first: usize| {
            let mut labels = (first..).zip(&self.choices);
            labels.all(|(number, column)| whole(&column.label) == Some(number))
        };
        match (is_counted(0), is_counted(1)) {
            (true, _) => Habit::Header(AnswersFrom::Zero),
            (_, true) => Habit::Header(AnswersFrom::One),
            _ => Habit::Any,
        }
    }
}

impl Column {
    /// The column of that name after `count` others, if it is a choice's. A bare letter or number must be the next one.
    fn of(index: usize, name: &str, count: usize) -> Option<Self> {
        let prefix = CHOICE_PREFIXES
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        let after = prefix.unwrap_or(name);
        let label = after.trim_start_matches('_');
        let is_label = match label.as_bytes() {
            // `options` and `choices` are all of them.
            b"s" if after == label && prefix.is_some() => false,
            [byte] if prefix.is_some() => byte.is_ascii_alphanumeric(),
            [byte] if byte.is_ascii_digit() => {
                whole(label).is_some_and(|number| number == count || number == count + 1)
            }
            [byte] => char::from(*byte).eq_ignore_ascii_case(&letter(count)),
            [a, b] => prefix.is_some() && a.is_ascii_digit() && b.is_ascii_digit(),
            _ => false,
        };
        is_label.then(|| Self {
            index,
            name: name.to_owned(),
            label: label.to_owned(),
        })
    }
}

/// Whether a column of that name is read as something else than a choice.
fn is_role(name: &str) -> bool {
    ["id", "question"].contains(&name) || SUBJECTS.contains(&name) || ANSWERS.contains(&name)
}

/// A column's name as it is compared: lower case, joined by underscores, without marks around it.
pub(super) fn column_name(text: &str) -> String {
    unmarked(text).to_lowercase().replace([' ', '-'], "_")
}

/// A field of a JSON object as a column.
struct Named<'a, 'b> {
    /// As [`column_name`] makes it.
    name: String,
    own_name: &'b str,
    field: &'b Field<'a>,
}

/// The item of a JSON object whose fields are such columns; none: they are not.
pub(super) fn of_object(fields: &Fields) -> Option<Result<Draft, Fault>> {
    let fields = in_order(fields);
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let columns = Columns::of(&names)?;
    Some(match columns.fault() {
        Some(fault) => Err(format!("the item {fault}").into()),
        None => of_fields(&columns, &fields),
    })
}

/// An object's fields as columns would stand: `option2` before `option10`. What is null is absent, but of a choice it is
/// the empty one, whose place no later one takes.
fn in_order<'a, 'b>(fields: &'b Fields<'a>) -> Vec<Named<'a, 'b>> {
    let all = fields.iter().map(|(own_name, field)| Named {
        name: column_name(own_name),
        own_name,
        field,
    });
    let is_there =
        |named: &Named| !matches!(named.field.value, Json::Null) || !is_role(&named.name);
    let mut all: Vec<Named> = all.filter(is_there).collect();
    all.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    all
}

fn of_fields(columns: &Columns, fields: &[Named]) -> Result<Draft, Fault> {
    let texts = fields.iter().map(|named| match &named.field.value {
        Json::Text(text) => text.as_str(),
        Json::Number(number) => number,
        _ => "",
    });
    let mut read = columns.read().filter_map(|index| fields.get(index));
    let is_other = |named: &&Named| {
        let value = &named.field.value;
        matches!(value, Json::Bool(_) | Json::List(_) | Json::Object(_))
    };
    if let Some(Named {
        own_name, field, ..
    }) = read.find(is_other)
    {
        let kind = field.value.kind();
        let message = format!("`{}` must be text, and is {kind}", quoted(own_name));
        return Err(field.fault(message));
    }
    let row = Values {
        texts: &texts.collect::<Vec<_>>(),
        called: &|index| {
            let own_name = fields.get(index).map_or("", |named| named.own_name);
            format!("`{}`", quoted(own_name))
        },
    };
    let place = |index: usize| fields.get(index).map(|named| named.field.place);
    let fault = |(index, message): Wrong| Fault {
        message,
        offset: place(index),
    };
    let (draft, answer) = columns.draft(&row).map_err(fault)?;
    let is_index =
        |named: &Named| named.name == "gold" && matches!(named.field.value, Json::Number(_));
    let gold = match (draft.gold, fields.get(answer)) {
        // As in the other shapes of an object.
        (Answer::Number(number), Some(named)) if is_index(named) => number.value.into(),
        (gold, Some(named)) => gold.at(|| named.field.place),
        (gold, None) => gold,
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
}
