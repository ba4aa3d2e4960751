//! Items as JSON: one object a line, one array of them, or one object over several lines.
//!
//! What an object may look like is in [`super::shapes`]. A wrong line is reported with its number and what is
//! wrong; the good ones are kept.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::check::{MAX_ITEMS, check_size};
use super::choices::listed_choices;
use super::draft::{Draft, Fault, Found};
use super::fields::{Field, Fields, Object, what};
use super::place::{LineCounter, offset_of};
use super::shapes::draft;
use super::text::quoted;

/// Whether most lines begin an object: of a quiz one or another may.
pub(super) fn fits_best(text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let (objects, all) = lines.fold((0, 0), |(objects, all), line| {
        (objects + usize::from(begins_an_object(line)), all + 1)
    });
    2 * objects > all
}

/// Whether a line begins an object; an answer of GIFT begins with a brace, but not with a quotation mark.
fn begins_an_object(line: &str) -> bool {
    let rest = line.trim_start().strip_prefix('{');
    rest.is_some_and(|rest| rest.trim_start().starts_with('"'))
}

/// Whether a text begins a list of objects, or of nothing: other formats have texts that begin with a bracket.
pub(super) fn begins_a_list(text: &str) -> bool {
    let rest = text.strip_prefix('[');
    rest.is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

/// Whether a text is one object over several lines.
pub(super) fn is_one_object(text: &str) -> bool {
    text.starts_with('{')
        && text.trim_end().contains('\n')
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Whether a text that is in no other format is to be read as JSON, for errors that say where it is none: it begins an
/// object, or a line does; or the first line is JSON, of whatever kind, and so is a text without lines.
pub(super) fn fits(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_value = |line: &str| serde_json::from_str::<&RawValue>(line).is_ok();
    text.trim_start().starts_with('{')
        || text.lines().any(begins_an_object)
        || lines.next().is_none_or(is_value)
}

/// One object a line.
pub(super) fn read_lines(text: &str) -> impl Iterator<Item = Found> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(move |(index, line)| (index + 1, item(text, line)))
}

/// One object over several lines.
pub(super) fn read_object(text: &str) -> impl Iterator<Item = Found> {
    let raw = text.trim();
    let line = LineCounter::new(text).at(offset_of(text, raw));
    std::iter::once((line, item(text, raw)))
}

/// One array of objects; those before a place where it is no JSON are read.
pub(super) fn read_array(text: &str) -> impl Iterator<Item = Found> {
    let mut values = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let end = Collect(&mut values).deserialize(&mut json);
    let end = end.and_then(|()| json.end()).err();
    located(text, values)
        .map(move |(line, raw)| (line, item(text, raw)))
        .chain(end.map(|error| broken(text, &error)))
}

/// Collects the values of a list, one more than are read of a file at most; those before an error stay.
pub(super) struct Collect<'a, 'de>(pub &'a mut Vec<&'de RawValue>);

impl<'de> DeserializeSeed<'de> for Collect<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<(), S::Error> {
        while self.0.len() <= MAX_ITEMS {
            match values.next_element()? {
                Some(value) => self.0.push(value),
                None => return Ok(()),
            }
        }
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

fn item<'a>(text: &'a str, raw: &'a str) -> Result<Draft, Fault> {
    let found = read_one(text, raw, |object: Object<'a>| draft(object.fields(text)?));
    found.map_err(|fault| items_within(text, raw).unwrap_or(fault))
}

/// What is to be done about an object that is no item and holds some: in a list, or one in an object of its own.
fn items_within<'a>(text: &'a str, raw: &'a str) -> Option<Fault> {
    let mut json = serde_json::Deserializer::from_str(raw);
    let (field, message) = json.deserialize_map(Within(text)).ok()??;
    Some(Fault::at(offset_of(text, field.get()), message))
}

/// Finds the name of the first field with items in an object of this text that has no choices itself, and says what to do.
/// Values are looked at one by one, for the object may be as large as the text.
struct Within<'a>(&'a str);

impl<'de> Visitor<'de> for Within<'de> {
    type Value = Option<(&'de RawValue, String)>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut found, mut has_choices) = (None, false);
        while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            has_choices |= matches!(name.get(), r#""choices""# | r#""options""#);
            if found.is_none() {
                found = where_items_are(self.0, name, value).map(|message| (name, message));
            }
        }
        Ok(found.filter(|_| !has_choices))
    }
}

/// What to do about a field that holds items, by its name and value: a list of them, a list of objects with an item
/// each, or an item.
fn where_items_are<'a>(text: &'a str, name: &'a RawValue, value: &'a RawValue) -> Option<String> {
    let name: String = serde_json::from_str(name.get()).ok()?;
    let name = quoted(&name);
    let Some(first) = first_of_list(value) else {
        let is_item = fields_of(text, value).is_some_and(|fields| draft(fields).is_ok());
        return is_item.then(|| format!("the item is in `{name}`: give that alone"));
    };
    if is_item(text, first) {
        return Some(format!(
            "the items are in the list `{name}`: give that list alone"
        ));
    }
    let fields = fields_of(text, first)?;
    let is_item = |field: &&Field| {
        let inner = field.value.fields().and_then(Result::ok);
        inner.is_some_and(has_item)
    };
    let inner = fields.values().filter(is_item);
    let inner = quoted(&inner.min_by_key(|field| field.place)?.name);
    Some(format!(
        "the items are in the fields `{inner}` of the list `{name}`: give those alone"
    ))
}

fn first_of_list(value: &RawValue) -> Option<&RawValue> {
    let values = value.get().strip_prefix('[')?;
    let mut values = serde_json::Deserializer::from_str(values).into_iter::<&RawValue>();
    values.next().and_then(Result::ok)
}

/// Whether a value is an item, or has choices as one.
pub(super) fn is_item<'a>(text: &'a str, value: &'a RawValue) -> bool {
    fields_of(text, value).is_some_and(has_item)
}

fn has_item(fields: Fields) -> bool {
    listed_choices(&fields).is_some() || draft(fields).is_ok()
}

/// The fields of a value that is an object, and short enough to be taken apart.
fn fields_of<'a>(text: &'a str, value: &'a RawValue) -> Option<Fields<'a>> {
    let raw = value.get();
    check_size(raw).ok()?;
    serde_json::from_str::<Object<'a>>(raw)
        .ok()?
        .fields(text)
        .ok()
}

/// What `draft` makes of a value of a text; a fault without a place has that of the value.
pub(super) fn read_one<'a, T: Deserialize<'a>>(
    text: &str,
    raw: &'a str,
    draft: impl FnOnce(T) -> Result<Draft, Fault>,
) -> Result<Draft, Fault> {
    let start = offset_of(text, raw);
    check_size(raw).map_err(|message| Fault::at(start, message))?;
    let value = serde_json::from_str::<T>(raw)
        .map_err(|error| Fault::at(start + place(raw, &error), not_json(&error)))?;
    draft(value).map_err(|fault| Fault {
        offset: fault.offset.or(Some(start)),
        ..fault
    })
}

/// A text that is not JSON at all.
pub(super) fn broken(text: &str, error: &serde_json::Error) -> Found {
    let fault = Fault::at(place(text, error), not_json(error));
    (error.line(), Err(fault))
}

/// The values of a text, each with its line.
pub(super) fn located<'a>(
    text: &'a str,
    values: Vec<&'a RawValue>,
) -> impl Iterator<Item = (usize, &'a str)> {
    let mut lines = LineCounter::new(text);
    values
        .into_iter()
        .map(move |raw| (lines.at(offset_of(text, raw.get())), raw.get()))
}

/// The byte at which a text is found not to be what it should.
fn place(text: &str, error: &serde_json::Error) -> usize {
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    start + error.column().saturating_sub(1)
}

/// Why a text is not JSON; the place is told apart. JSON of another shape than the wanted one is not called so.
fn not_json(error: &serde_json::Error) -> String {
    match error.is_data() {
        true => what(error),
        false => format!("not JSON: {}", what(error)),
    }
}

#[cfg(test)]
mod tests {
    use crate::items::{Item, parse_items};

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
        assert!(parsed.errors[0].message.contains("not JSON"));
        let columns: Vec<usize> = parsed.errors.iter().map(|error| error.column).collect();
        assert_eq!(columns, [2, 1, 36], "where `gold` stands");
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
                r#"{"context":"q","choices":["a",["b"]],"gold":0}"#,
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
            ("7", "expected a JSON object"),
            (
                r#"{"context":"q","choices":["a","b"],"gold":0,"gold":1}"#,
                "two `gold`",
            ),
        ] {
            let error = one(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn an_error_stands_where_the_field_does_not_where_its_name_is_read_first() {
        for (line, wrong) in [
            (
                r#"{"context":"gold","choices":["a","b"],"gold":2}"#,
                r#""gold":2"#,
            ),
            (
                r#"{"id":"label","question":"q","choices":{"text":["a","b"],"label":3},"answer":0}"#,
                r#""label":3"#,
            ),
            (
                r#"{"context":"q","choices":["a","b"],"g\u006fld":2}"#,
                r#""g\u006fld""#,
            ),
            (
                r#"{"question":"answer","A":"x","B":"y","answer":"z?"}"#,
                r#""answer":"z"#,
            ),
            (
                r#"{"context":"id","id":true,"choices":["a","b"],"gold":0}"#,
                r#""id":true"#,
            ),
        ] {
            let found = parse_items(line);
            let place = line.find(wrong).expect("it is there");
            assert_eq!(found.errors[0].column, place + 1, "{line}");
        }
    }

    #[test]
    fn an_array_is_read_as_well_and_its_errors_have_lines() {
        let parsed =
            parse_items("[\n{\"context\":\"q\",\"choices\":[\"a\",\"b\"],\"gold\":0},\n{}\n]");
        assert_eq!((parsed.format, parsed.items.len()), ("json", 1));
        assert_eq!(parsed.errors[0].line, 3);
        let cut = parse_items("[{},").errors;
        assert_eq!(cut.len(), 2);
        assert!(cut[1].message.contains("not JSON"));
    }

    #[test]
    fn an_object_over_several_lines_is_an_item() {
        let text =
            "\n{\n  \"question\": \"q\",\n  \"choices\": [\"a\", \"b\"],\n  \"answer\": \"B\"\n}\n";
        let parsed = parse_items(text);
        assert_eq!((parsed.format, &parsed.errors), ("json", &vec![]));
        let item = &parsed.items[0];
        assert_eq!((item.id.as_str(), item.gold), ("line-2", 1));
    }

    #[test]
    fn an_object_that_holds_a_list_of_items_is_told_so() {
        let item = r#"{"question":"q","choices":["a","b"],"answer":"B"}"#;
        for (text, line) in [
            (
                format!("{{\n\"title\": \"t\",\n\"questions\": [\n{item},\n{item}\n]\n}}\n"),
                3,
            ),
            (format!("{{\"questions\": [{item}]}}"), 1),
            // Longer than an item may be.
            (
                format!(
                    "{{\n\"title\": \"{}\",\n\"questions\": [{item}]\n}}",
                    "x".repeat(3_000_000)
                ),
                3,
            ),
        ] {
            let parsed = parse_items(&text);
            assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1));
            assert_eq!(
                (parsed.errors[0].line, parsed.errors[0].message.as_str()),
                (
                    line,
                    "the items are in the list `questions`: give that list alone"
                )
            );
        }
        // Another list says nothing of where the items are.
        let parsed = parse_items("{\n\"question\": \"q\",\n\"answers\": [{\"text\": \"a\"}]\n}");
        assert_eq!(parsed.errors[0].message, "there is no `choices`");
    }

    #[test]
    fn a_bracket_alone_is_no_list() {
        let parsed = parse_items("[1] Which one floats?\nA. cork\nB. anvil\nANSWER: A\n");
        assert_eq!((parsed.format, parsed.items.len()), ("aiken", 1));
        assert_eq!(parse_items("[ ]").format, "json");
        assert!(
            parse_items("[1, 2]").errors[0]
                .message
                .contains("expected a JSON object")
        );
    }

    #[test]
    fn an_id_may_be_there_once() {
        let line = r#"{"id":"x","context":"q","choices":["a","b"],"gold":1}"#;
        let parsed = parse_items(&format!("{line}\n{line}"));
        assert_eq!(parsed.items.len(), 1);
        assert!(parsed.errors[0].message.contains("twice"));
    }

    #[test]
    fn items_within_other_objects_are_told_where_they_are() {
        let item = r#"{"question":"q","choices":["a","b"],"answer":"B"}"#;
        for (text, named) in [
            (format!(r#"{{"examples":[{item}]}}"#), "the list `examples`"),
            (
                format!(r#"{{"rows":[{{"row_idx":0,"row":{item}}}]}}"#),
                "the fields `row` of the list `rows`",
            ),
            (
                format!(r#"{{"doc_id":0,"doc":{item}}}"#),
                "the item is in `doc`",
            ),
        ] {
            let parsed = parse_items(&text);
            assert_eq!((parsed.items.len(), parsed.errors.len()), (0, 1));
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{message}");
        }
    }
}
