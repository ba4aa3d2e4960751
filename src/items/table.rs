//! Items as CSV or TSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180); separated by tabs, commas or semicolons).
//!
//! With a first line that names the columns: `question`, the choices as `a`, `b`, … or `option1`, `choice_b` and the
//! like, the right one as `correct`, `correct_answer`, `answer`, `gold`, `label` or `answerKey`, and perhaps `id`; other columns are
//! ignored. Or the fields of a data set of [`shapes`]. Or without one, as [MMLU](https://github.com/hendrycks/test)'s files
//! are: question, four choices, letter.

use std::collections::HashSet;

use ::csv::{Reader, ReaderBuilder, StringRecord};

use serde_json::Value;

use super::check::check_size;
use super::placeholder::letter;
use super::read::{Draft, Fault, Found, LineCounter, answered, offset_of, quoted};
use super::shapes;

/// Separators, in the order in which they are tried.
const DELIMITERS: [u8; 3] = [b'\t', b',', b';'];
/// Names of the column of the right choice; the first that is there counts.
const ANSWERS: [&str; 6] = [
    "correct",
    "correct_answer",
    "answer",
    "gold",
    "label",
    "answerkey",
];
/// What may stand before the letter or number of a choice's column.
const CHOICE_PREFIXES: [&str; 3] = ["option", "choice", "answer"];
/// Fields of a row of MMLU's files.
const MMLU_FIELDS: usize = 6;

/// How a table's rows are to be read.
pub(super) struct Table {
    delimiter: u8,
    has_header: bool,
    fields: usize,
    /// Names of the columns, where they are the fields of a data set.
    data_set: Option<Vec<String>>,
    id: Option<usize>,
    question: usize,
    choices: Vec<Column>,
    /// None: the header names no such column.
    answer: Option<usize>,
    /// Whether choices in numbered columns are counted from 0 all the same.
    from_zero: bool,
    /// A column that is read and that the header names twice.
    twice: Option<String>,
}

/// A choice's column.
struct Column {
    index: usize,
    /// As in the header, lower case.
    name: String,
    /// The letter or number alone.
    label: String,
}

impl Table {
    /// The table that a text is, if its first row says so.
    pub fn of(text: &str) -> Option<Self> {
        let (text, _) = readable(text);
        let first = |delimiter| {
            let row = reader(text, delimiter).into_records().next()?.ok()?;
            Some((delimiter, row))
        };
        let rows: Vec<(u8, StringRecord)> = DELIMITERS.into_iter().filter_map(first).collect();
        let named = rows
            .iter()
            .find_map(|(delimiter, row)| Self::with_header(*delimiter, row));
        let named = named.map(|table| Self {
            from_zero: table.counts_from_zero(text),
            ..table
        });
        named.or_else(|| {
            rows.iter()
                .find_map(|(delimiter, row)| Self::mmlu(*delimiter, row))
        })
    }

    fn with_header(delimiter: u8, row: &StringRecord) -> Option<Self> {
        let names: Vec<String> = row.iter().map(column_name).collect();
        let column = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut choices = Vec::new();
        for (index, name) in names.iter().enumerate() {
            choices.extend(Column::of(index, name, choices.len()));
        }
        // COPA has a column `question` as well, and means something else by it.
        let is_quiz =
            choices.len() >= 2 && column("question").is_some() && column("premise").is_none();
        if !is_quiz && !shapes::is_data_set(&names) {
            return None;
        }
        let answer = ANSWERS.iter().find_map(|name| column(name));
        let is_read = |name: &str| {
            !is_quiz
                || ["id", "question"].contains(&name)
                || ANSWERS.contains(&name)
                || choices.iter().any(|column| column.name == name)
        };
        let mut seen = HashSet::new();
        let twice = (names.iter())
            .find(|name| !name.is_empty() && is_read(name) && !seen.insert(name.as_str()))
            .cloned();
        Some(Self {
            delimiter,
            has_header: true,
            twice,
            fields: names.len(),
            id: column("id"),
            question: column("question").unwrap_or(0),
            choices,
            answer: if is_quiz { answer } else { Some(0) },
            data_set: (!is_quiz).then_some(names),
            from_zero: false,
        })
    }

    /// Whether some row's right choice is 0, and that is neither the name nor the text of one: then 1 is the second
    /// choice, though a column may be called `option1` and a choice be 1.
    fn counts_from_zero(&self, text: &str) -> bool {
        let is_zero = |row: StringRecord| {
            let is = |index: usize| row.get(index).is_some_and(|field| field.trim() == "0");
            self.answer.is_some_and(is) && !self.choices.iter().any(|column| is(column.index))
        };
        self.choices.iter().all(|column| column.label != "0")
            && reader(text, self.delimiter)
                .into_records()
                .flatten()
                .any(is_zero)
    }

    fn mmlu(delimiter: u8, row: &StringRecord) -> Option<Self> {
        let is_letter = |field: &str| matches!(field.trim(), "A" | "B" | "C" | "D");
        let last = row.get(MMLU_FIELDS - 1)?;
        (row.len() == MMLU_FIELDS && is_letter(last)).then(|| Self {
            delimiter,
            has_header: false,
            fields: MMLU_FIELDS,
            data_set: None,
            from_zero: false,
            twice: None,
            id: None,
            question: 0,
            choices: (0..)
                .zip(["a", "b", "c", "d"])
                .filter_map(|(count, name)| Column::of(count + 1, name, count))
                .collect(),
            answer: Some(MMLU_FIELDS - 1),
        })
    }

    /// "csv" or "tsv".
    pub fn name(&self) -> &'static str {
        if self.delimiter == b'\t' {
            "tsv"
        } else {
            "csv"
        }
    }

    /// The item of a row; with a message the number of the field that is wrong.
    fn draft(&self, row: &StringRecord) -> Result<Draft, (usize, String)> {
        if row.len() != self.fields {
            let hint = match row.iter().any(|field| field.contains('\n')) {
                true => "; is a quotation mark not closed?",
                false => "",
            };
            let message = format!(
                "the row has {} fields, and the first has {}{hint}",
                row.len(),
                self.fields
            );
            return Err((0, message));
        }
        if let Some(name) = &self.twice {
            let message = format!("the first row names the column `{}` twice", quoted(name));
            return Err((0, message));
        }
        if let Some(names) = &self.data_set {
            let values = row.iter().map(|field| Value::String(field.to_owned()));
            let fields = names.iter().cloned().zip(values).collect();
            return shapes::draft(&fields).map_err(|message| {
                let named = message.split('`').nth(1);
                let field = names.iter().position(|name| Some(name.as_str()) == named);
                (field.unwrap_or(0), message)
            });
        }
        let field = |index: usize| row.get(index).unwrap_or_default();
        let mut choices: Vec<String> = self
            .choices
            .iter()
            .map(|column| field(column.index).trim().to_owned())
            .collect();
        // Questions with fewer choices than the table has columns.
        while choices.last().is_some_and(String::is_empty) {
            choices.pop();
        }
        if let Some((column, _)) = self
            .choices
            .iter()
            .zip(&choices)
            .find(|(_, text)| text.is_empty())
        {
            let message = format!("field {} (`{}`) is empty", column.index + 1, column.name);
            return Err((column.index, message));
        }
        let answer = self.answer.ok_or_else(|| {
            let message = "the first row names no column `correct` or `answer`";
            (0, message.to_owned())
        })?;
        let gold = self
            .right(field(answer).trim(), &choices)
            .filter(|gold| *gold < choices.len())
            .ok_or_else(|| {
                let message = format!(
                    "field {} is `{}`: neither a letter nor an index from 0 nor the text of one of {} choices",
                    answer + 1,
                    quoted(field(answer)),
                    choices.len()
                );
                (answer, message)
            })?;
        let id = self.id.map(field).filter(|id| !id.trim().is_empty());
        if id.is_some_and(|id| id.len() > 1000) {
            return Err((self.id.unwrap_or(0), "`id` must be a short text".into()));
        }
        Ok(Draft {
            id: id.map(str::to_owned),
            context: field(self.question).trim().to_owned(),
            choices,
            gold,
        })
    }

    /// The choice that an answer means: a column's name or label first, then as in JSON.
    fn right(&self, answer: &str, choices: &[String]) -> Option<usize> {
        let name = column_name(answer);
        if let Some(index) = name.parse().ok().filter(|_| self.from_zero) {
            return Some(index);
        }
        let is_meant = |column: &Column| column.label == name || column.name == name;
        self.choices
            .iter()
            .take(choices.len())
            .position(is_meant)
            .or_else(|| answered(answer, choices))
    }
}

impl Column {
    /// The column of that name after `count` others, if it is a choice's. A bare letter must be the next one.
    fn of(index: usize, name: &str, count: usize) -> Option<Self> {
        let prefix = CHOICE_PREFIXES
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        let label = prefix.unwrap_or(name).trim_start_matches('_');
        let is_label = match label.as_bytes() {
            [byte] if prefix.is_some() => byte.is_ascii_alphanumeric(),
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

/// A column's name as it is compared: lower case, joined by underscores.
fn column_name(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

fn reader(text: &str, delimiter: u8) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// A text up to a line that is too long to be taken apart, and that line's number and what is wrong with it.
fn readable(text: &str) -> (&str, Option<(usize, String)>) {
    let long = (1..).zip(text.lines()).find_map(|(number, line)| {
        let problem = check_size(line).err()?;
        Some((line, (number, problem)))
    });
    match long {
        Some((line, problem)) => (&text[..offset_of(text, line)], Some(problem)),
        None => (text, None),
    }
}

/// The rows of a table.
pub(super) fn read<'a>(table: &'a Table, text: &'a str) -> impl Iterator<Item = Found> + 'a {
    let (text, problem) = readable(text);
    let cut = problem.map(|(line, problem)| {
        let message = format!("{problem}; the rest is left out");
        (line, Err(message.into()))
    });
    let mut lines = LineCounter::new(text);
    // A header that lacks the right choice, or has a column twice, is one error, not one a row.
    let is_useless = table.answer.is_none() || table.twice.is_some();
    let rows = reader(text, table.delimiter).into_records();
    rows.skip(usize::from(table.has_header && !is_useless))
        .take(if is_useless { 1 } else { usize::MAX })
        .map(move |row| match row {
            Ok(row) => {
                let start = row.position().map_or(0, |position| position.byte());
                let first = first_byte(text, start);
                let wrong = |(field, message): (usize, String)| {
                    Fault::at(
                        first + field_offset(text, first, table.delimiter, field),
                        message,
                    )
                };
                (lines.at(first), table.draft(&row).map_err(wrong))
            }
            Err(error) => (lines.at(0), Err(error.to_string().into())),
        })
        .chain(cut)
}

/// Where a row begins: the reader counts line breaks before it as part of it.
fn first_byte(text: &str, start: u64) -> usize {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let breaks = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    start.saturating_add(breaks)
}

/// Bytes from a row's beginning to that of one of its fields.
fn field_offset(text: &str, row: usize, delimiter: u8, field: usize) -> usize {
    let rest = text.as_bytes().get(row..).unwrap_or_default();
    let (mut passed, mut is_quoted) = (0, false);
    let ends = |&(_, byte): &(usize, &u8)| {
        is_quoted ^= *byte == b'"';
        if *byte == delimiter && !is_quoted {
            passed += 1;
        }
        passed == field
    };
    match field {
        0 => 0,
        _ => rest
            .iter()
            .enumerate()
            .find(ends)
            .map_or(0, |(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use crate::items::parse_items;

    #[test]
    fn a_header_names_the_columns_whatever_parts_them() {
        for (delimiter, format) in [(",", "csv"), (";", "csv"), ("\t", "tsv")] {
            let text =
                "Question|A|B|C|subject|Correct\nq|x|\"y|\nz\"|w|s|b\nq|x|y||s|0\nq|x|y|w|s|w\n";
            let parsed = parse_items(&text.replace('|', delimiter));
            assert_eq!((parsed.format, &parsed.errors), (format, &vec![]));
            let golds: Vec<usize> = parsed.items.iter().map(|item| item.gold).collect();
            assert_eq!(golds, [1, 0, 2]);
            let lengths: Vec<usize> = parsed.items.iter().map(|item| item.choices.len()).collect();
            assert_eq!(lengths, [3, 2, 3]);
            assert_eq!(parsed.items[1].id, "line-4");
        }
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
        let golds = |text: &str| {
            let parsed = parse_items(text);
            assert_eq!(parsed.errors, []);
            parsed
                .items
                .iter()
                .map(|item| item.gold)
                .collect::<Vec<_>>()
        };
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
            (7, "field 5 is `?`"),
            (8, "is a quotation mark not closed?"),
        ];
        assert_eq!(errors.len(), wanted.len(), "{errors:?}");
        let columns: Vec<usize> = parsed.errors.iter().map(|error| error.column).collect();
        assert_eq!(columns, [5, 1, 9, 1]);
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
