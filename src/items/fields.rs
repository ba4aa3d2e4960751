//! Fields of a JSON object, read with an error that names them. Numbers stay as they are written.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::answers::{Answer, AnswersFrom, Habit, Number, whole};
use super::check::check_text;
use super::text::quoted;

pub(super) type Fields<'a> = HashMap<String, Json<'a>>;

/// A value; what a list or an object holds is read when it is asked for.
#[derive(Clone)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    Text(String),
    List(&'a RawValue),
    Object(&'a RawValue),
}

impl<'a> Json<'a> {
    fn of(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        Ok(match raw.get().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(serde_json::from_str(raw.get())?),
            Some(b'[') => Self::List(raw),
            Some(b'{') => Self::Object(raw),
            _ => Self::Number(raw.get()),
        })
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The values of a list.
    pub fn values(&self, field: &str) -> Result<Vec<Self>, String> {
        let Self::List(raw) = self else {
            return Err(format!("`{field}` must be a list, and is {}", self.kind()));
        };
        let values: Vec<&'a RawValue> =
            serde_json::from_str(raw.get()).map_err(|error| what(&error))?;
        let values = values.into_iter().map(Self::of);
        values
            .collect::<Result<_, _>>()
            .map_err(|error| what(&error))
    }

    /// The fields of an object; none: it is something else.
    pub fn fields(&self) -> Option<Result<Fields<'a>, String>> {
        let Self::Object(raw) = self else {
            return None;
        };
        let object = serde_json::from_str(raw.get());
        Some(
            object
                .map(|Object(fields)| fields)
                .map_err(|error| what(&error)),
        )
    }
}

/// An object that names no field twice: of two values neither is more meant than the other.
pub(super) struct Object<'a>(pub(super) Fields<'a>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut fields = Fields::new();
                while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    if fields.contains_key(&name) {
                        let name = quoted(&name);
                        return Err(M::Error::custom(format!("there are two `{name}`")));
                    }
                    let value = Json::of(raw).map_err(|error| M::Error::custom(what(&error)))?;
                    fields.insert(name, value);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// What is wrong with a JSON text, without the place, whose line counts from the value's start.
pub(super) fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The text of a field that the shape must have.
pub(super) fn needed(fields: &Fields, name: &str) -> Result<String, String> {
    let value = given(fields, name).ok_or_else(|| format!("there is no `{name}`"))?;
    text(value, name)
}

/// The right choice that the first given one of `names` says, a number or a text of one, which such data sets count
/// from `first`.
pub(super) fn index(
    fields: &Fields,
    names: &[&str],
    first: AnswersFrom,
    count: usize,
) -> Result<Answer, String> {
    let (name, value) = names
        .iter()
        .find_map(|&name| given(fields, name).map(|value| (name, value)))
        .ok_or_else(|| format!("there is no `{}`", names.join("` or `")))?;
    let said = match value {
        Json::Number(number) => number,
        Json::Text(text) => text.trim(),
        other => other.kind(),
    };
    match whole(said) {
        Some(value) => Ok(Answer::Number(number(value, name, first))),
        None => {
            let first = usize::from(u8::from(first));
            Err(format!(
                "`{name}` is `{}`, and must be a number from {first} to {}",
                quoted(said),
                (first + count).saturating_sub(1)
            ))
        }
    }
}

/// The right choice as a number in the field `name`, which is counted from `first` by definition.
pub(super) fn number(value: usize, name: &str, first: AnswersFrom) -> Number {
    Number {
        value,
        field: format!("`{name}`"),
        habit: Habit::Defined(first),
        text: None,
        offset: None,
    }
}

/// A field that is there and not null: exports of tables have a null where a row has no value.
pub(super) fn given<'a, 'b>(fields: &'b Fields<'a>, name: &str) -> Option<&'b Json<'a>> {
    fields
        .get(name)
        .filter(|value| !matches!(value, Json::Null))
}

/// A text within its limit.
pub(super) fn text(value: &Json, field: &str) -> Result<String, String> {
    match value {
        Json::Text(text) => check_text(text, format_args!("`{field}`")).map(|()| text.clone()),
        other => Err(format!("`{field}` must be text, and is {}", other.kind())),
    }
}

/// A text, or a number as it is written.
pub(super) fn text_or_number(value: &Json, field: &str) -> Result<String, String> {
    match value {
        Json::Number(number) => Ok((*number).to_owned()),
        other => text(other, field),
    }
}

/// A list of texts, or of numbers as they are written.
pub(super) fn list(value: &Json, field: &str) -> Result<Vec<String>, String> {
    let values = value.values(field)?;
    values
        .iter()
        .map(|value| text_or_number(value, field))
        .collect()
}
