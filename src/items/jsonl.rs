//! Item files: one JSON object a line, or one JSON array of them.
//!
//! Two shapes of object: ours (`id`, `context` or `question`, `choices`, `gold`) and that of
//! lm-evaluation-harness' tasks (`question`, `choices`, `answer`, the answer as an index, a letter or the
//! choice's text). A wrong line is reported with its number and what is wrong; the good ones are kept.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Item;

/// Largest text accepted, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most items of one file.
pub const MAX_ITEMS: usize = 100_000;
/// Most choices of one item: there are 26 letters.
pub const MAX_CHOICES: usize = 26;
/// Longest text of a context or choice, in bytes.
pub const MAX_TEXT: usize = 100_000;
/// Most wrong lines reported one by one.
pub const MAX_ERRORS: usize = 1000;
/// Longest part of a wrong value that a message repeats, in characters.
const QUOTED: usize = 60;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// What a text held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParsedItems {
    /// The good items.
    pub items: Vec<Item>,
    /// The wrong lines.
    pub errors: Vec<LineError>,
    /// "jsonl" or "json".
    pub format: &'static str,
}

/// Reads items from text.
pub fn parse_items(text: &str) -> ParsedItems {
    let text = text.trim_start_matches('\u{feff}');
    let mut parsed = ParsedItems {
        items: Vec::new(),
        errors: Vec::new(),
        format: if text.trim_start().starts_with('[') {
            "json"
        } else {
            "jsonl"
        },
    };
    if text.len() > MAX_BYTES {
        parsed.errors.push(LineError {
            line: 1,
            message: format!(
                "the text has {} bytes, at most {MAX_BYTES} are read",
                text.len()
            ),
        });
        return parsed;
    }
    let mut ids = HashSet::new();
    let mut take = |line: usize, result: Result<Value, String>| {
        let stop = |message| Err(LineError { line, message });
        if parsed.items.len() >= MAX_ITEMS {
            return stop(format!("more than {MAX_ITEMS} items; the rest is left out"));
        }
        if parsed.errors.len() >= MAX_ERRORS {
            return stop(format!(
                "more than {MAX_ERRORS} wrong lines; the rest is left out"
            ));
        }
        let item = result
            .and_then(|value| item(&value, line))
            .and_then(|item| {
                if ids.insert(item.id.clone()) {
                    Ok(item)
                } else {
                    Err(format!("the id `{}` is there twice", quoted(&item.id)))
                }
            });
        match item {
            Ok(item) => parsed.items.push(item),
            Err(message) => parsed.errors.push(LineError { line, message }),
        }
        Ok(())
    };
    let mut all: Box<dyn Iterator<Item = (usize, Result<Value, String>)>> =
        if parsed.format == "json" {
            match serde_json::from_str::<Vec<&serde_json::value::RawValue>>(text) {
                Ok(values) => {
                    // Lines are counted from one value to the next.
                    let (mut line, mut counted) = (1, 0);
                    Box::new(values.into_iter().map(move |raw| {
                        let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
                        line += text[counted..start].matches('\n').count();
                        counted = start;
                        let value = serde_json::from_str(raw.get());
                        (line, value.map_err(|error| what(&error)))
                    }))
                }
                Err(error) => Box::new(std::iter::once((
                    error.line(),
                    Err(format!(
                        "not JSON at column {}: {}",
                        error.column(),
                        what(&error)
                    )),
                ))),
            }
        } else {
            Box::new(
                text.lines()
                    .enumerate()
                    .filter(|(_, line)| !line.trim().is_empty())
                    .map(|(index, line)| {
                        let value = serde_json::from_str(line).map_err(|error| {
                            format!("not JSON at column {}: {}", error.column(), what(&error))
                        });
                        (index + 1, value)
                    }),
            )
        };
    let end = all.try_for_each(|(line, value)| take(line, value));
    drop(all);
    if let Err(error) = end {
        parsed.errors.push(error);
    }
    parsed
}

/// What is wrong with a JSON text, without the place, whose line counts from the value's start.
fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The beginning of a text, for a message.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A field that is there and not null: exports of tables have a null where a row has no value.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn item(value: &Value, line: usize) -> Result<Item, String> {
    let Value::Object(fields) = value else {
        return Err("not a JSON object".into());
    };
    let choices = choices(fields)?;
    let context = match (given(fields, "context"), given(fields, "question")) {
        (Some(context), Some(question)) => {
            let (context, question) = (text(context, "context")?, text(question, "question")?);
            if context.is_empty() {
                question
            } else {
                format!("{context}\n{question}")
            }
        }
        (Some(value), None) => text(value, "context")?,
        (None, Some(value)) => text(value, "question")?,
        (None, None) => return Err("there is neither `context` nor `question`".into()),
    };
    let id = match given(fields, "id") {
        None => format!("line-{line}"),
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 1000 => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err("`id` must be a short text or a number".into()),
    };
    let gold = gold(fields, &choices)?;
    Ok(Item {
        id,
        context,
        choices: choices.texts,
        gold,
    })
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    match value {
        Value::String(text) if text.len() > MAX_TEXT => Err(format!(
            "`{field}` has {} bytes, at most {MAX_TEXT} are read",
            text.len()
        )),
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("`{field}` must be text, and is {}", kind(other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

struct Choices {
    texts: Vec<String>,
    /// Names of the choices where the file gives some: `A`, `1`, ….
    labels: Vec<String>,
}

fn choices(fields: &Map<String, Value>) -> Result<Choices, String> {
    let value = given(fields, "choices").ok_or("there is no `choices`")?;
    let list = |value: &Value, field: &str| match value {
        Value::Array(values) => values.iter().map(|value| text(value, field)).collect(),
        other => Err(format!("`{field}` must be a list, and is {}", kind(other))),
    };
    let (texts, labels): (Vec<String>, Vec<String>) = match value {
        Value::Object(both) => {
            let part = |name: &str| {
                let value = both.get(name).ok_or(format!("`choices` has no `{name}`"))?;
                list(value, name)
            };
            (part("text")?, part("label")?)
        }
        other => (list(other, "choices")?, Vec::new()),
    };
    if texts.len() < 2 || texts.len() > MAX_CHOICES {
        return Err(format!(
            "an item has 2 to {MAX_CHOICES} choices, and this one {}",
            texts.len()
        ));
    }
    if !labels.is_empty() && labels.len() != texts.len() {
        return Err(format!(
            "`choices` has {} texts and {} labels",
            texts.len(),
            labels.len()
        ));
    }
    if let Some(empty) = texts.iter().position(|text| text.trim().is_empty()) {
        return Err(format!("choice {empty} is empty"));
    }
    Ok(Choices { texts, labels })
}

fn gold(fields: &Map<String, Value>, choices: &Choices) -> Result<usize, String> {
    let (name, value) = ["gold", "answer", "answerKey", "label"]
        .iter()
        .find_map(|&name| given(fields, name).map(|value| (name, value)))
        .ok_or("there is neither `gold` nor `answer`")?;
    let count = choices.texts.len();
    let index = match value {
        Value::Number(number) => number
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .ok_or(format!("`{name}` must be an index from 0, and is {number}"))?,
        Value::String(answer) => {
            let same = |text: &String| text == answer;
            let letter = match answer.trim().as_bytes() {
                [letter] if letter.is_ascii_alphabetic() => {
                    Some(usize::from(letter.to_ascii_uppercase() - b'A'))
                }
                _ => None,
            };
            let index = choices
                .labels
                .iter()
                .position(same)
                .or_else(|| choices.texts.iter().position(same))
                .or(letter)
                .or_else(|| answer.trim().parse().ok());
            index.ok_or_else(|| {
                format!(
                    "`{name}` is `{}`: neither a choice nor a letter nor an index",
                    quoted(answer)
                )
            })?
        }
        other => {
            return Err(format!(
                "`{name}` must be an index or a letter, and is {}",
                kind(other)
            ));
        }
    };
    if index >= count {
        return Err(format!(
            "`{name}` is {index}, and there are {count} choices (the first is 0)"
        ));
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Item, String> {
        let parsed = parse_items(line);
        match (parsed.items.first(), parsed.errors.first()) {
            (Some(item), None) => Ok(item.clone()),
            (_, Some(error)) => Err(error.message.clone()),
            _ => Err("nothing".into()),
        }
    }

    #[test]
    fn both_shapes_give_the_same_item() {
        let ours = one(r#"{"id":"x","context":"q","choices":["a","b"],"gold":1}"#).unwrap();
        for answer in ["1", r#""B""#, r#""b""#] {
            let line =
                format!(r#"{{"id":"x","question":"q","choices":["a","b"],"answer":{answer}}}"#);
            assert_eq!(one(&line).unwrap(), ours);
        }
        let labelled = r#"{"id":"x","question":"q","choices":{"text":["a","b"],"label":["1","2"]},"answerKey":"2"}"#;
        assert_eq!(one(labelled).unwrap(), ours);
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong_and_the_good_lines_are_kept() {
        let good = r#"{"context":"q","choices":["a","b"],"gold":0}"#;
        let text = format!(
            "\u{feff}{good}\r\n\r\nnonsense\r\n{}\r\n{}\r\n{good}\r\n",
            r#"{"context":"q","choices":["a"],"gold":0}"#,
            r#"{"context":"q","choices":["a","b"],"gold":2}"#,
        );
        let parsed = parse_items(&text);
        let ids: Vec<&str> = parsed.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["line-1", "line-6"]);
        let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3, 4, 5]);
        assert!(parsed.errors[0].message.contains("column"));
        assert!(parsed.errors[1].message.contains("2 to 26"));
        assert!(parsed.errors[2].message.contains("`gold` is 2"));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (line, named) in [
            (r#"{"choices":["a","b"],"gold":0}"#, "`context`"),
            (
                r#"{"context":1,"choices":["a","b"],"gold":0}"#,
                "`context` must be text",
            ),
            (
                r#"{"context":"q","choices":"ab","gold":0}"#,
                "`choices` must be a list",
            ),
            (
                r#"{"context":"q","choices":["a",2],"gold":0}"#,
                "must be text",
            ),
            (
                r#"{"context":"q","choices":["a"," "],"gold":0}"#,
                "choice 1 is empty",
            ),
            (r#"{"context":"q","choices":["a","b"]}"#, "`gold`"),
            (r#"{"context":"q","choices":["a","b"],"gold":-1}"#, "from 0"),
            (
                r#"{"context":"q","choices":["a","b"],"answer":"z?"}"#,
                "neither a choice",
            ),
            ("7", "not a JSON object"),
        ] {
            let error = one(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn an_array_is_read_as_well_and_its_errors_have_lines() {
        let parsed =
            parse_items("[\n{\"context\":\"q\",\"choices\":[\"a\",\"b\"],\"gold\":0},\n{}\n]");
        assert_eq!((parsed.format, parsed.items.len()), ("json", 1));
        assert_eq!(parsed.errors[0].line, 3);
        assert_eq!(parse_items("[1,").errors.len(), 1);
    }

    #[test]
    fn an_id_may_be_there_once() {
        let line = r#"{"id":"x","context":"q","choices":["a","b"],"gold":1}"#;
        let parsed = parse_items(&format!("{line}\n{line}"));
        assert_eq!(parsed.items.len(), 1);
        assert!(parsed.errors[0].message.contains("twice"));
    }
}
