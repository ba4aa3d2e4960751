//! Items as CSV or TSV, whose rows [`super::rows`] reads.
//!
//! With a first line that names the columns: those of a question, which [`super::columns`] reads, or the fields of a
//! data set of [`shapes`]. Or without one, as [MMLU](https://github.com/hendrycks/test)'s files are: question, four
//! choices, letter.

use std::collections::HashSet;

use ::csv::StringRecord;

use super::columns::{Columns, Values, Wrong, column_name};
use super::draft::{Draft, Fault, Found};
use super::fields::{Field, Json};
use super::place::LineCounter;
use super::rows::{Dialect, Row};
use super::shapes;
use super::text::quoted;

/// Fields of a row of MMLU's files.
const MMLU_FIELDS: usize = 6;

/// How a table's rows are to be read.
pub(super) struct Table {
    dialect: Dialect,
    has_header: bool,
    /// How many a row has.
    fields: usize,
    kind: Kind,
    /// Why no row can be read: what is wrong with the first one.
    fault: Option<String>,
}

/// What a table's columns are.
enum Kind {
    /// Those of a question, and what they are called; MMLU's files do not say it.
    Quiz(Columns, Vec<String>),
    /// The fields of a data set.
    DataSet(Vec<String>),
}

impl Table {
    /// The table that a text is, if its first row says so.
    pub fn of(text: &str) -> Option<Self> {
        let first = |dialect: Dialect| Some((dialect, dialect.first_row(text)?));
        let rows: Vec<(Dialect, StringRecord)> =
            Dialect::of(text).into_iter().filter_map(first).collect();
        let tried = |read: fn(Dialect, &StringRecord) -> Option<Self>| {
            rows.iter().find_map(|(dialect, row)| read(*dialect, row))
        };
        tried(Self::with_header).or_else(|| tried(Self::mmlu))
    }

    fn with_header(dialect: Dialect, row: &StringRecord) -> Option<Self> {
        let names: Vec<String> = row.iter().map(column_name).collect();
        let (kind, fault) = match Columns::of(&names) {
            Some(columns) => {
                let fault = columns.fault();
                (Kind::Quiz(columns, names), fault)
            }
            None if shapes::is_data_set(&names) => {
                let fault = twice(&names).map(|name| format!("has `{}` twice", quoted(name)));
                (Kind::DataSet(names), fault)
            }
            None => return None,
        };
        Some(Self {
            dialect,
            has_header: true,
            fields: row.len(),
            kind,
            fault: fault.map(|fault| format!("the first row {fault}")),
        })
    }

    fn mmlu(dialect: Dialect, row: &StringRecord) -> Option<Self> {
        let is_letter = |field: &str| matches!(field.trim(), "A" | "B" | "C" | "D");
        let last = row.get(MMLU_FIELDS - 1)?;
        (row.len() == MMLU_FIELDS && is_letter(last)).then(|| Self {
            dialect,
            has_header: false,
            fields: MMLU_FIELDS,
            kind: Kind::Quiz(Columns::of_mmlu(), Vec::new()),
            fault: None,
        })
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
        // A header that lacks the right choice, or has a column twice, is one error, not one a row.
        let is_useless = self.fault.is_some();
        let rows = self.dialect.rows(text);
        rows.skip(usize::from(self.has_header && !is_useless))
            .take(if is_useless { 1 } else { usize::MAX })
            .map(move |row| match row {
                Ok(row) => (lines.at(row.offset), self.found(&row)),
                Err((offset, message)) => (lines.at(offset), Err(Fault::at(offset, message))),
            })
    }

    fn found(&self, row: &Row) -> Result<Draft, Fault> {
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

    /// Whether a row of several lines has one among them that is a row by itself. The last one may be: it begins within
    /// a field.
    fn swallows(&self, row: &Row) -> bool {
        let Some((before, _)) = row.raw.rsplit_once('\n') else {
            return false;
        };
        before
            .lines()
            .any(|line| self.draft(&self.dialect.unquoted(line)).is_ok())
    }

    /// The item of a row, and the number of the field with its right choice.
    fn draft(&self, row: &StringRecord) -> Result<(Draft, usize), Wrong> {
        if row.len() != self.fields {
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
        if let Some(fault) = &self.fault {
            return Err((0, fault.clone()));
        }
        match &self.kind {
            Kind::DataSet(names) => of_data_set(names, row),
            Kind::Quiz(columns, names) => columns.draft(&Values {
                texts: &row.iter().collect::<Vec<_>>(),
                called: &|index| match names.get(index) {
                    Some(name) => format!("field {} (`{}`)", index + 1, quoted(name)),
                    None => format!("field {}", index + 1),
                },
            }),
        }
    }
}

/// A name that is there twice.
fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    let mut names = names.iter().filter(|name| !name.is_empty());
    names.find(|name| !seen.insert(name.as_str()))
}

/// The item of a row whose columns are the fields of a data set, and the number of the field with its right choice.
fn of_data_set(names: &[String], row: &StringRecord) -> Result<(Draft, usize), Wrong> {
    let fields = row.iter().enumerate().map(|(place, field)| Field {
        value: Json::Text(field.to_owned()),
        place,
    });
    let fields = names.iter().cloned().zip(fields).collect();
    let wrong = |Fault { message, offset }| (offset.unwrap_or(0), message);
    let draft = shapes::draft(&fields).map_err(wrong)?;
    let answer = draft.gold.place().unwrap_or(0);
    Ok((draft, answer))
}

#[cfg(test)]
mod tests {
    use crate::items::{AnswersFrom, parse_items, parse_items_from};

    /// Where each item's right choice is; the text has no error.
    fn golds(text: &str) -> Vec<usize> {
        let parsed = parse_items(text);
        assert_eq!(parsed.errors, [], "{text}");
        parsed.items.iter().map(|item| item.gold).collect()
    }

    /// Line, column and message of the only error of a text.
    fn fault(text: &str) -> (usize, usize, String) {
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

    #[test]
    fn the_first_line_may_name_what_parts_the_fields() {
        let rows = "question|a|b|c|correct\r\nWhich one floats?|cork|anvil|brick|a\r\nWhich, is a metal?|oak|tin|glass|b\r\n";
        for (first, delimiter) in [
            ("sep=;", ";"),
            ("SEP=,", ","),
            ("\u{feff}\"sep=;\"", ";"),
            ("sep=\t", "\t"),
            ("sep=|", "|"),
            ("sep=;;;;;", ";"),
            ("\r\nsep=,,,,,", ","),
            ("sep=,", ";"),
        ] {
            let rows = rows.replace(", is", if delimiter == "," { " is" } else { ", is" });
            let text = format!("{first}\r\n{}", rows.replace('|', delimiter));
            assert_eq!(golds(&text), [0, 1], "{first}");
            let wrong = text.replace(&format!("{delimiter}a\r\n"), &format!("{delimiter}?\r\n"));
            assert_eq!(
                fault(&wrong).0,
                3 + usize::from(first.starts_with('\r')),
                "{first}"
            );
        }
        for first in ["sep=", "sep=;x", "sep=a", "separator"] {
            assert_eq!(parse_items(&format!("{first}\n{rows}")).format, "unknown");
        }
    }

    #[test]
    fn a_table_parted_by_tabs_has_no_quotation_marks_around_fields() {
        let header = "question\ta\tb\tcorrect\n";
        for (rows, contexts) in [
            (
                "\"Ahoy\" is said by whom?\ta sailor\ta baker\ta\nWhat is 12\" in feet?\tone\ttwo\ta\n",
                &["\"Ahoy\" is said by whom?", "What is 12\" in feet?"][..],
            ),
            (
                "\"Tis the season for what?\tholly\tsand\ta\nWhich one floats?\tcork\tanvil\ta\r\nWho wrote \"Ahoy\"?\tMaria\tIvan\tb\n",
                &[
                    "\"Tis the season for what?",
                    "Which one floats?",
                    "Who wrote \"Ahoy\"?",
                ],
            ),
            ("\"Ahoy\"\tx\ty\ta\n", &["\"Ahoy\""]),
            // One field that is closed needs its quotation marks, and another is not closed.
            (
                "\"a \"\"b\"\"\"\tx\ty\ta\n\"c\tx\ty\ta\n",
                &["\"a \"\"b\"\"\"", "\"c"],
            ),
        ] {
            let parsed = parse_items(&format!("{header}{rows}"));
            assert_eq!((parsed.format, &parsed.errors), ("tsv", &vec![]));
            let found: Vec<&str> = parsed
                .items
                .iter()
                .map(|item| item.context.as_str())
                .collect();
            assert_eq!(found, contexts);
        }
    }

    #[test]
    fn a_table_parted_by_tabs_may_show_that_its_fields_are_quoted() {
        for text in [
            "question\ta\tb\tcorrect\n\"a \"\"b\"\"\"\tx\ty\ta\n\"c\"\tx\ty\ta\n",
            "question\ta\tb\tcorrect\n\"a \"\"b\"\"\"\t\"x\"\t\"y\"\t\"a\"\n\"c\"\t\"x\"\t\"y\"\t\"a\"\n",
            "\"question\"\t\"a\"\t\"b\"\t\"correct\"\n\"a \"\"b\"\"\"\tx\ty\ta\n\"c\"\tx\ty\ta\n",
        ] {
            let parsed = parse_items(text);
            assert_eq!((parsed.format, &parsed.errors), ("tsv", &vec![]));
            let found: Vec<&str> = parsed
                .items
                .iter()
                .map(|item| item.context.as_str())
                .collect();
            assert_eq!(found, ["a \"b\"", "c"], "{text}");
            assert_eq!(parsed.items[0].choices, ["x", "y"]);
        }
        // A field that goes over lines is no field of such a table.
        let (line, _, message) = fault("question\ta\tb\tcorrect\nq\tx\ty\ta\n\"q\tx\n");
        assert_eq!(line, 3);
        assert!(message.contains("parted by tabs"), "{message}");
    }

    #[test]
    fn a_quotation_mark_that_swallows_lines_is_named() {
        let header = "question,a,b,correct\n";
        let good = "Which one floats?,cork,anvil,a\n";
        for (rows, line, column, named) in [
            // Closed within a field of a later line.
            (
                format!(
                    "\"Tis the season for what?,holly,sand,a\n{good}Who wrote \"Ahoy\"?,Maria,Ivan,b\n"
                ),
                2,
                1,
                "the next 2 lines",
            ),
            // Closed where a field of a later line ends.
            (
                format!("\"Tis the season,holly,sand,a\n{good}Who said \"ho\",Maria,Ivan,b\n"),
                2,
                1,
                "the next 2 lines",
            ),
            (
                format!("\"12 is,x,y,a\n{good}feet and 6\",x,y,b\n"),
                2,
                1,
                "joins 3 lines",
            ),
            (
                format!("{good}What,\"12 in,y,a\n{good}feet and 6\",y,a\n"),
                3,
                6,
                "joins 3 lines",
            ),
            // Not closed at all, and yet as many fields as the first row has.
            (format!("{good}q,x,y,\"a\n{good}"), 3, 7, "not closed"),
            (
                format!("\"Ahoy\" is said by whom?,a sailor,a baker,a\n{good}"),
                2,
                1,
                "closed before this field ends",
            ),
        ] {
            let (at_line, at_column, message) = fault(&format!("{header}{rows}"));
            assert_eq!((at_line, at_column), (line, column), "{rows}{message}");
            assert!(message.contains(named), "{message}");
        }
        // A quoted field may go over lines.
        let parsed = parse_items(
            "question,a,b,correct\n\"One, with, three, commas\nand\n\"\"more\"\"\" ,x,y,a\n",
        );
        assert_eq!(parsed.errors, []);
        assert_eq!(
            parsed.items[0].context,
            "One, with, three, commas\nand\n\"more\""
        );
    }

    #[test]
    fn a_space_before_a_quotation_mark_is_named() {
        let header = "question,a,b,correct\n";
        let good = "Which one floats?,cork,\"anvil\",a\n";
        let text = format!("{header}{good}Which floats?, \"cork\", \"anvil\", a\n");
        let (line, column, message) = fault(&text);
        assert_eq!((line, column), (3, 15));
        assert!(message.contains("remove it"), "{message}");
        // What does not end with the mark is text, and so is all of it where no field is quoted.
        assert_eq!(golds(&format!("{header}q, \"x\" and y,z,b\n")), [1]);
        assert_eq!(golds(&format!("{header}q, \"x\" or \"y\",z,b\n")), [1]);
        assert_eq!(golds("question\ta\tb\tcorrect\nq\t \"x\"\ty\tb\n"), [1]);
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
}
