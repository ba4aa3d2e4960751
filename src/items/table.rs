//! Items as CSV or TSV, whose rows [`super::rows`] reads.
//!
//! With a first line that names the columns: those of a question, which [`super::columns`] reads, or the fields of a
//! data set of [`shapes`]. Or without one, as [MMLU](https://github.com/hendrycks/test)'s files are: question, four
//! choices, letter.

use std::collections::HashSet;

use ::csv::StringRecord;

use super::answers::whole;
use super::columns::{Columns, Values, Wrong};
use super::draft::{Draft, Fault, Found};
use super::fields::{Field, Json};
use super::names::{Label, is_role, squeezed};
use super::place::LineCounter;
use super::rows::{Dialect, Row};
use super::shapes;
use super::text::quoted;

/// How many rows of a text are looked at to tell whether it is a table.
const ROWS: usize = 2;
/// Fields of a row of MMLU's files.
const MMLU_FIELDS: usize = 6;

/// How a table's rows are to be read.
pub(super) struct Table {
    dialect: Dialect,
    has_header: bool,
    /// How many a row has.
    fields: usize,
    /// What its columns are, or why no row can be read.
    kind: Result<Kind, String>,
}

/// What a table's columns are.
enum Kind {
    /// Those of a question, and what they are called; MMLU's files do not say it.
    Quiz(Columns, Vec<String>),
    /// The fields of a data set.
    DataSet(Vec<String>),
}

/// The first rows of a text, as a dialect has them.
struct Beginning {
    dialect: Dialect,
    rows: Vec<StringRecord>,
}

impl Beginning {
    fn table(&self, has_header: bool, kind: Result<Kind, String>) -> Table {
        Table {
            dialect: self.dialect,
            has_header,
            fields: self.rows.first().map_or(0, StringRecord::len),
            kind,
        }
    }

    /// The text of a field.
    fn field(&self, row: usize, field: usize) -> Option<&str> {
        self.rows.get(row)?.get(field).map(str::trim)
    }
}

impl Table {
    /// The table that a text is, if its first rows say so.
    pub fn of(text: &str) -> Option<Self> {
        let beginnings = beginnings(text);
        let tried = |read: fn(&Beginning) -> Option<Self>| beginnings.iter().find_map(read);
        tried(Self::with_header).or_else(|| tried(Self::mmlu))
    }

    /// The table that a text is whose columns are none that are read, if its first rows are those of a table: names, and
    /// as many fields in the next row. `is_known`: one of the names means something, or two name choices.
    pub fn unread(text: &str, is_known: bool) -> Option<Self> {
        beginnings(text).iter().find_map(|beginning| {
            let [header, row] = &beginning.rows[..] else {
                return None;
            };
            let names = || header.iter().map(squeezed);
            let is_any_known = || {
                let labels = names().filter(|name| Label::of(name).is_some());
                names().any(|name| is_role(&name)) || labels.count() > 1
            };
            let is_table = header.len() > 2 && row.len() == header.len();
            let is_header = is_table && header.iter().all(may_be_a_name);
            (is_header && (!is_known || is_any_known()))
                .then(|| beginning.table(true, Err(what_is_needed(header))))
        })
    }

    fn with_header(beginning: &Beginning) -> Option<Self> {
        let header = beginning.rows.first()?;
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let plain: Vec<String> = names.iter().map(|name| squeezed(name)).collect();
        let own = || names.iter().map(|name| (*name).to_owned()).collect();
        let kind = match Columns::of(&names) {
            Some(columns) => match &columns.fault {
                Some(fault) => Err(fault.clone()),
                None => Ok(Kind::Quiz(columns, own())),
            },
            None if shapes::is_data_set(&plain) => match twice(&plain) {
                Some(name) => Err(format!("has `{}` twice", quoted(name))),
                None => Ok(Kind::DataSet(own())),
            },
            None => return None,
        };
        let kind = kind.map_err(|fault| format!("the first row {fault}"));
        Some(beginning.table(true, kind))
    }

    /// MMLU's files: the first two rows end with a letter. A header may do so too, where it names the choices.
    fn mmlu(beginning: &Beginning) -> Option<Self> {
        let row = beginning.rows.first()?;
        let is_letter = |field: &str| matches!(field, "A" | "B" | "C" | "D");
        let ends_with_one = |row: usize| {
            let last = beginning.field(row, MMLU_FIELDS - 1);
            last.is_none_or(is_letter)
        };
        let is_header = row.iter().map(str::trim).skip(2).eq(["A", "B", "C", "D"]);
        if row.len() != MMLU_FIELDS || is_header || !ends_with_one(0) || !ends_with_one(1) {
            return None;
        }
        let number = |row: usize| beginning.field(row, 0).and_then(whole);
        let is_running = number(0).is_some_and(|first| number(1) == Some(first + 1));
        let kind = match is_running {
            true => Err("the first field of a row is its number, and MMLU's files have the question there: take it out, or \
                name the columns in a first row"
                .to_owned()),
            false => Ok(Kind::Quiz(Columns::of_mmlu()?, Vec::new())),
        };
        Some(beginning.table(false, kind))
    }

    /// "csv" or "tsv".
    pub fn name(&self) -> &'static str {
        if self.dialect.delimiter == b'\t' {
            "tsv"
        } else {
            "csv"
        }
    }

    /// The items of a text, row by row.
    pub fn read<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Found> + 'a {
        let mut lines = LineCounter::new(text);
        // Columns that cannot be read are one error, not one a row.
        let is_useless = self.kind.is_err();
        let rows = self.dialect.rows(text);
        rows.skip(usize::from(self.has_header && !is_useless))
            .take(if is_useless { 1 } else { usize::MAX })
            .map(move |row| match row {
                Ok(row) => (lines.at(row.offset), self.found(&row)),
                Err((offset, message)) => (lines.at(offset), Err(Fault::at(offset, message))),
            })
    }

    fn found(&self, row: &Row) -> Result<Draft, Fault> {
        if let Err(fault) = &self.kind {
            return Err(Fault::at(row.offset, fault.clone()));
        }
        if let Some((place, message)) = self.dialect.quote_fault(row.raw) {
            return Err(Fault::at(row.offset + place, message));
        }
        let offset_of = |field| row.offset + self.dialect.field_offset(row.raw, field);
        let wrong = |(field, message): Wrong| Fault::at(offset_of(field), message);
        if self.swallows(row) {
            let field = row.fields.iter().position(|field| field.contains('\n'));
            let lines = row.raw.lines().count();
            let message = format!(
                "the quotation mark of this field joins {lines} lines, and a row is among them: does it belong to the text?"
            );
            return Err(wrong((field.unwrap_or(0), message)));
        }
        let (draft, answer) = self.draft(&row.fields).map_err(wrong)?;
        Ok(Draft {
            gold: draft.gold.at(|| offset_of(answer)),
            ..draft
        })
    }

    /// Whether a row of several lines has one among them that is a row by itself, and whose answer is one of its choices.
    /// The last one may be: it begins within a field.
    fn swallows(&self, row: &Row) -> bool {
        let Some((before, _)) = row.raw.rsplit_once('\n') else {
            return false;
        };
        before.lines().any(|line| {
            let draft = self.draft(&self.dialect.unquoted(line));
            draft.is_ok_and(|(draft, _)| !draft.gold.meanings(draft.choices.len()).is_empty())
        })
    }

    /// The item of a row, and the number of the field with its right choice.
    fn draft(&self, row: &StringRecord) -> Result<(Draft, usize), Wrong> {
        if row.len() > self.fields || self.lacks_a_field(row.len()) {
            let hint = match self.name() {
                "tsv" => "; in a table parted by tabs a field holds no tab and no line break",
                _ if row.iter().any(|field| field.contains('\n')) => {
                    "; is a quotation mark not closed?"
                }
                _ => "",
            };
            let message = format!(
                "the row has {} fields, and the first has {}{hint}",
                row.len(),
                self.fields
            );
            return Err((0, message));
        }
        match &self.kind {
            Err(fault) => Err((0, fault.clone())),
            Ok(Kind::DataSet(names)) => of_data_set(names, row),
            Ok(Kind::Quiz(columns, names)) => columns.draft(&Values {
                texts: &row.iter().collect::<Vec<_>>(),
                called: &|index| match names.get(index) {
                    Some(name) => format!("field {} (`{}`)", index + 1, quoted(name)),
                    None => format!("field {}", index + 1),
                },
                is_index: &|_| false,
            }),
        }
    }

    /// Whether a row of so many fields ends before a column that is read.
    fn lacks_a_field(&self, fields: usize) -> bool {
        match &self.kind {
            Ok(Kind::Quiz(columns, _)) => columns.read().any(|index| index >= fields),
            Ok(Kind::DataSet(names)) => names.iter().skip(fields).any(|name| !name.is_empty()),
            Err(_) => false,
        }
    }
}

/// The first rows of a text in each dialect that it may be in.
fn beginnings(text: &str) -> Vec<Beginning> {
    let dialects = Dialect::of(text).into_iter();
    let beginning = |dialect: Dialect| Beginning {
        dialect,
        rows: dialect.first_rows(text, ROWS),
    };
    dialects.map(beginning).collect()
}

/// What a table of those columns lacks.
fn what_is_needed(header: &StringRecord) -> String {
    const SHOWN: usize = 8;
    let names = header.iter().map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(|name| format!("`{}`", quoted(name))).collect();
    let shown = names.get(..SHOWN).unwrap_or(&names).join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!(
        "a table with the columns {shown}{more}; it needs `question`, a column for each choice (`a`, `b`, … or `option1`, …), \
            and `correct` or `answer`"
    )
}

/// Whether a field of a first row may be a column's name, or the place of an unnamed one: a sentence, a number and what
/// other formats begin with are none.
fn may_be_a_name(field: &str) -> bool {
    let is_first = |char: char| char.is_alphabetic() || "_#%".contains(char);
    field.chars().count() <= 40
        && !field.contains(['{', '}', '=', '~', '"'])
        && field.trim().chars().next().is_none_or(is_first)
}

/// A name that is there twice.
fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    let mut names = names.iter().filter(|name| !name.is_empty());
    names.find(|name| !seen.insert(name.as_str()))
}

/// The item of a row whose columns are the fields of a data set, and the number of the field with its right choice.
fn of_data_set(names: &[String], row: &StringRecord) -> Result<(Draft, usize), Wrong> {
    let named = names.iter().zip(row).enumerate();
    let fields = named.map(|(place, (name, field))| Field {
        name: name.clone(),
        value: Json::Text(field.to_owned()),
        place,
    });
    let fields = fields.map(|field| (field.name.clone(), field)).collect();
    let wrong = |Fault { message, offset }| (offset.unwrap_or(0), message);
    let draft = shapes::draft(fields).map_err(wrong)?;
    let answer = draft.gold.place().unwrap_or(0);
    Ok((draft, answer))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::items::{AnswersFrom, parse_items, parse_items_from};

    /// Where each item's right choice is; the text has no error.
    pub(in crate::items) fn golds(text: &str) -> Vec<usize> {
        let parsed = parse_items(text);
        assert_eq!(parsed.errors, [], "{text}");
        parsed.items.iter().map(|item| item.gold).collect()
    }

    /// Line, column and message of the only error of a text.
    pub(in crate::items) fn fault(text: &str) -> (usize, usize, String) {
        let parsed = parse_items(text);
        let [error] = &parsed.errors[..] else {
            panic!("{text}: {:?}", parsed.errors)
        };
        (error.line, error.column, error.message.clone())
    }

    #[test]
    fn a_header_names_the_columns_whatever_parts_them() {
        for (delimiter, format) in [(",", "csv"), (";", "csv"), ("\t", "tsv")] {
            let text =
                "Question|A|B|C|subject|Correct\nq|x|\"y|z\"|w|s|b\nq|x|y||s|0\nq|x|y|w|s|w\n";
            let parsed = parse_items(&text.replace('|', delimiter));
            assert_eq!((parsed.format, &parsed.errors), (format, &vec![]));
            let golds: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
            assert_eq!(golds, [1, 0, 2]);
            let lengths: Vec<usize> = parsed.items.iter().map(|item| item.choices.len()).collect();
            assert_eq!(lengths, [3, 2, 3]);
            assert_eq!(parsed.items[0].choices[1], format!("y{delimiter}z"));
            assert_eq!(parsed.items[1].id, "line-3");
        }
    }

    /// A letter that is the text of another choice.
    #[test]
    fn a_letter_that_is_a_text_as_well_is_what_the_other_answers_are() {
        let header = "question,a,b,c,d,answer\n";
        let either = "Which blood type?,O,A,B,AB,A\n";
        let text = "Which one floats?,cork,tin,brick,anvil,cork\n";
        let letter = "Which one floats?,cork,tin,brick,anvil,C\n";
        assert_eq!(golds(&format!("{header}{either}{text}")), [1, 0]);
        assert_eq!(golds(&format!("{header}{letter}{either}")), [2, 0]);
        for others in [String::new(), format!("{text}{letter}")] {
            let (line, column, message) = fault(&format!("{header}{either}{others}"));
            assert_eq!((line, column), (2, 28));
            assert!(
                message.contains("names the choice `O` and is the text of another one"),
                "{message}"
            );
        }
        for (said, gold) in [("(A)", 0), ("(B)", 1)] {
            let row = either.replace(",A\n", &format!(",{said}\n"));
            assert_eq!(golds(&format!("{header}{row}")), [gold]);
        }
        // The same of numbers, where columns are called by them.
        let header = "question,option1,option2,option3,answer\n";
        let (line, column, message) = fault(&format!("{header}q,2,3,1,2\n"));
        assert_eq!((line, column), (2, 9));
        assert!(message.contains("both the number"), "{message}");
        assert_eq!(golds(&format!("{header}q,2,3,1,2\nr,x,y,z,3\n")), [1, 2]);
        assert_eq!(golds(&format!("{header}q,2,3,1,(B)\n")), [1]);
    }

    /// The columns of [KMMLU](https://huggingface.co/datasets/HAERAE-HUB/KMMLU), whose answers are 1 to 4.
    #[test]
    fn numbers_are_counted_from_where_the_whole_column_shows() {
        let header = "question,answer,A,B,C,D,Category,Human Accuracy\n";
        let table = |answers: &[&str]| {
            let row = |answer: &&str| format!("q,{answer},w,x,y,z,c,0.5\n");
            header.to_owned() + &answers.iter().map(row).collect::<String>()
        };
        for (answers, wanted, first) in [
            (&["2", "4", "1"][..], vec![1, 3, 0], AnswersFrom::One),
            (&["2.0", "4.0"], vec![1, 3], AnswersFrom::One),
            (&["2", "0", "1"], vec![2, 0, 1], AnswersFrom::Zero),
            (&["C", "2", "0"], vec![2, 2, 0], AnswersFrom::Zero),
        ] {
            assert_eq!(golds(&table(answers)), wanted);
            assert_eq!(parse_items(&table(answers)).answers_from, Some(first));
        }
        // The number of choices is each row's own.
        let rows = format!("{header}q,2,w,x,y,z,c,1\nq,2,w,x,,,c,1\n");
        assert_eq!(golds(&rows), [1, 1]);
        // What no count explains is wrong by itself.
        let parsed = parse_items(&table(&["4", "7", "0.5", "1"]));
        let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!((lines, parsed.items.len()), (vec![3, 4], 2));
    }

    #[test]
    fn columns_may_be_called_by_numbers() {
        for (names, answers, wanted) in [
            ("option1,option2,option3", ["1", "2", "2"], [0, 1, 1]),
            (
                "Choice 1,Choice 2,Choice 3",
                ["2", "choice 1", "1"],
                [1, 0, 0],
            ),
            ("1,2,3", ["1", "2", "2"], [0, 1, 1]),
            ("0,1,2", ["1", "2", "1"], [1, 2, 1]),
            ("choice_0,choice_1,choice_2", ["1", "2", "3"], [0, 1, 2]),
            ("(1),(2),(3)", ["1", "(2)", "3"], [0, 1, 2]),
            ("A),B),C)", ["A)", "b", "(C)"], [0, 1, 2]),
        ] {
            let rows = answers.map(|answer| format!("q,x,y,z,{answer}\n")).concat();
            assert_eq!(golds(&format!("question,{names},answer\n{rows}")), wanted);
        }
    }

    #[test]
    fn numbers_that_could_be_counted_either_way_are_asked_about() {
        for rows in [
            "q,w,x,y,z,3\nq,w,x,y,z,1\n",
            "q,w,x,y,z,0\nq,w,x,y,z,4\n",
            "q,w,x,y,z,b\nq,w,x,y,z,2\n",
        ] {
            let text = format!("question,A,B,C,D,answer\n{rows}");
            let parsed = parse_items(&text);
            assert!(
                parsed.asks_answers_from && parsed.items.is_empty(),
                "{rows}"
            );
            assert_eq!(parsed.answers_from, None);
            assert!(fault(&text).2.contains("from 0 or from 1"));
        }
        let text = "question,A,B,C,D,answer\nq,w,x,y,z,3\nq,w,x,y,z,1\n";
        assert_eq!(
            fault(text),
            (
                2,
                11,
                "the right answers are numbers, which may count the choices from 0 or from 1: no answer is 0, and none is \
                as high as there are choices (3 is `z` from 0, and `y` from 1)"
                    .to_owned()
            )
        );
        for (first, golds) in [(AnswersFrom::Zero, [3, 1]), (AnswersFrom::One, [2, 0])] {
            let parsed = parse_items_from(text, Some(first));
            assert_eq!((parsed.errors.len(), parsed.asks_answers_from), (0, false));
            let found: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
            assert_eq!(found, golds);
        }
        let text = "question,A,B,C,D,answer\nq,w,x,y,z,0\nq,w,x,y,z,4\n";
        let parsed = parse_items_from(text, Some(AnswersFrom::One));
        assert_eq!((parsed.items.len(), parsed.errors[0].line), (1, 2));
        assert!(parsed.errors[0].message.contains("the first is 1"));
    }

    /// A data set counts as it is defined; answers that it cannot have are not guessed at.
    #[test]
    fn a_data_sets_numbers_are_asked_about_where_they_are_none_of_it() {
        let copa = "premise,choice1,choice2,question,label\nIt rained.,Wet.,Dry.,effect,1\nHe fell.,Ice.,Sun.,cause,2\n";
        assert!(parse_items(copa).asks_answers_from);
        let parsed = parse_items_from(copa, Some(AnswersFrom::One));
        assert_eq!((parsed.items[0].gold, parsed.items[1].gold), (0, 1));
        let jsonl = r#"{"sentence":"The _ fell.","option1":"cup","option2":"sky","answer":"0"}"#;
        assert!(parse_items(jsonl).asks_answers_from);
        assert_eq!(
            parse_items_from(jsonl, Some(AnswersFrom::Zero)).items[0].gold,
            0
        );
    }

    #[test]
    fn a_column_that_is_named_twice_is_one_error() {
        for header in ["question,a,a,b,correct", "Question,a,b,c,question"] {
            let parsed = parse_items(&format!("{header}\nq,x,y,z,b\nq,x,y,z,b\n"));
            assert!(parsed.items.is_empty() && parsed.errors.len() == 1);
            assert!(parsed.errors[0].message.contains("twice"));
        }
        // What is not read may be.
        let other = parse_items("question,a,b,note,note,correct\nq,x,y,1,2,b\n");
        assert_eq!((other.items.len(), other.errors), (1, vec![]));
    }

    #[test]
    fn what_a_question_is_about_stands_before_it() {
        let header = "question,answerA,answerB,correct,context,passage,options,answers";
        let parsed = parse_items(&format!("{header}\nq,x,y,B,c,,o,a\nq,x,y,B,,p,o,a\n"));
        assert_eq!(parsed.errors, []);
        let contexts = parsed.items.iter().map(|item| item.context.as_str());
        assert_eq!(contexts.collect::<Vec<_>>(), ["c\nq", "p\nq"]);
        assert_eq!(parsed.items[0].choices, ["x", "y"], "`options` is none");
    }

    #[test]
    fn numbered_columns_are_meant_by_their_number() {
        let parsed = parse_items("id,question,option1,Choice 2,answer\nx,q,a,b,2\n");
        assert_eq!(parsed.errors, []);
        assert_eq!(
            (parsed.items[0].id.as_str(), parsed.items[0].gold),
            ("x", 1)
        );
    }

    #[test]
    fn numbered_columns_are_counted_from_zero_where_a_row_says_zero() {
        let rows = "q,a,b,c,0\nr,a,b,c,1\ns,a,b,c,2\nt,a,b,c,option1\n";
        let text = format!("question,option1,option2,option3,label\n{rows}");
        assert_eq!(golds(&text), [0, 1, 2, 0]);
        // Where choices are numbers, an index is not mistaken for one of them, nor one of them for an index.
        let indices = "q,5,7,9,0\nr,2,1,5,1\ns,1,2,0,2\n";
        for header in [
            "question,option1,option2,option3,label",
            "question,a,b,c,label",
        ] {
            assert_eq!(golds(&format!("{header}\n{indices}")), [0, 1, 2]);
        }
        assert_eq!(
            golds("question,a,b,c,correct\nq,5,7,9,7\nr,2,0,5,0\n"),
            [1, 1]
        );
    }

    #[test]
    fn a_table_of_a_data_sets_fields_is_read_as_that_data_set() {
        let copa = parse_items(
            "premise,choice1,choice2,question,idx,label\nIt rained.,Wet.,Dry.,effect,7,0\nHe fell.,Ice.,Sun.,cause,8,1\n",
        );
        assert_eq!((copa.format, &copa.errors), ("csv", &vec![]));
        assert_eq!(copa.items[0].context, "It rained therefore");
        assert_eq!((copa.items[0].gold, copa.items[1].gold), (0, 1));
        let piqa = parse_items(
            "goal\tsol1\tsol2\tlabel\nTo cut\tknife\tspoon\t0\nTo cut\tspoon\tknife\tx\n",
        );
        assert_eq!(
            (piqa.format, piqa.items[0].context.as_str()),
            ("tsv", "To cut")
        );
        assert_eq!((piqa.errors[0].line, piqa.items.len()), (3, 1));
    }

    #[test]
    fn a_table_without_a_header_is_one_of_mmlu() {
        let parsed = parse_items("\"Is it, then?\",1,2,3,4,C\r\nq,a,b,c,d,A\r\nq,a,b,c,d,E\r\n");
        assert_eq!((parsed.format, parsed.items.len()), ("csv", 2));
        assert_eq!((parsed.items[0].gold, parsed.items[1].gold), (2, 0));
        assert_eq!(parsed.errors[0].line, 3);
        assert!(parsed.errors[0].message.contains("field 6"));
    }

    #[test]
    fn a_wrong_row_is_named_with_its_field_and_the_good_ones_are_kept() {
        let text = "\nquestion,a,b,c,correct\r\n\r\nq,x,,z,a\r\nq,x,y\r\nq,x,y,z,c\r\nq,x,y,z,?\r\nq,\"x\r\ny,z,a\r\n";
        let parsed = parse_items(text);
        assert_eq!(parsed.items.len(), 1);
        let errors: Vec<(usize, &str)> = parsed
            .errors
            .iter()
            .map(|error| (error.line, error.message.as_str()))
            .collect();
        let wanted = [
            (4, "field 3 (`b`) is empty"),
            (5, "3 fields"),
            (7, "field 5 (`correct`) is `?`"),
            (8, "is not closed"),
        ];
        assert_eq!(errors.len(), wanted.len(), "{errors:?}");
        let columns: Vec<usize> = parsed.errors.iter().map(|error| error.column).collect();
        assert_eq!(columns, [5, 1, 9, 3]);
        for ((line, message), (wanted_line, named)) in errors.iter().zip(wanted) {
            assert_eq!(*line, wanted_line);
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn a_header_without_the_right_choice_is_one_error() {
        let parsed = parse_items("question,a,b\nq,x,y\nq,x,y\n");
        assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1));
        assert!(parsed.errors[0].message.contains("`correct`"));
    }

    #[test]
    fn a_table_whose_columns_are_not_read_is_told_what_it_needs() {
        for text in [
            "id,question,answer\n0,What is $A^{T}$?,x\n1,Why?,y\n",
            "prompt,choices,answer\na {T} b,x,y\n",
            "Frage;Richtig;A;B;C;D\nStadt?;B;Lyon;Paris;Nice;Lille\n",
            "No;Frage;A;B;C;D\n1;q;x;y;z;B\n",
            "Pregunta,Primera,Segunda,Respuesta\nq,x,y,A\n",
            "Question,Correct Answer,Wrong Answer 1,Wrong Answer 2\nq,x,y,z\n",
        ] {
            let (line, _, message) = fault(text);
            assert_eq!(line, 1);
            assert!(message.contains("it needs `question`"), "{message}");
        }
        // A quiz may have as many commas in two lines.
        let aiken = "Red, white, and blue is the flag\nof Cuba, Chile, and which other state?\nA. France\nB. Japan\nANSWER: A\n";
        assert_eq!(parse_items(aiken).format, "aiken");
    }

    #[test]
    fn rows_without_names_of_columns_must_all_look_like_mmlus() {
        let (_, _, message) =
            fault("1,Which floats?,cork,tin,lead,A\n2,Which sinks?,cork,tin,wood,B\n");
        assert!(message.contains("is its number"), "{message}");
        assert_eq!(golds("Which?,w,x,y,z,A\nWhy?,w,x,y,z,D\n"), [0, 3]);
        assert_ne!(
            parse_items("Frage,Richtig,x,A,B,C\nq,B,v,w,x,y\n").errors,
            []
        );
    }

    #[test]
    fn whole_numbers_may_have_a_point_and_truth_any_case() {
        let header = "question,A,B,C,answer\n";
        let rows = "q,1,2,3,2.0\nq,2,3,4,3.0\nq,True,False,both,TRUE\n";
        assert_eq!(golds(&format!("{header}{rows}")), [1, 1, 0]);
    }

    #[test]
    fn numbers_are_texts_where_all_other_answers_are() {
        let header = "question,option1,option2,option3,answer\n";
        let rows = "q,Rome,Bern,Oslo,Bern\nq,2,3,4,3\n";
        assert_eq!(golds(&format!("{header}{rows}")), [1, 1]);
    }

    #[test]
    fn empty_rows_and_ends_of_rows_that_are_not_read_may_be_left_out() {
        let header = "question,a,b,correct,explanation,\n";
        assert_eq!(
            golds(&format!(
                "{header}q,x,y,a\n,,,,,\nq,x,y,b,\"be, cause\"\n,,,\n"
            )),
            [0, 1]
        );
        let (line, _, message) = fault(&format!("{header}Chapter 1,,,,,\n"));
        assert_eq!((line, message.as_str()), (2, "the row has no choices"));
        assert!(fault(&format!("{header}q,x,y\n")).2.contains("3 fields"));
    }
}
