//! Fields of a JSON object, read with an error that names them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::check::check_text;
use super::read::quoted;

pub(super) type Fields = Map<String, Value>;

/// An object that names no field twice: of two values neither is more meant than the other.
pub(super) struct Object(pub(super) Fields);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut fields = Fields::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        let name = quoted(&name);
                        return Err(M::Error::custom(format!("there are two `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// The text of a field that the shape must have.
pub(super) fn needed(fields: &Fields, name: &str) -> Result<String, String> {
    let value = given(fields, name).ok_or_else(|| format!("there is no `{name}`"))?;
    text(value, name)
}

/// The index that the first given one of `names` is, as a number or as text, counted from `first`.
pub(super) fn index(
    fields: &Fields,
    names: &[&str],
    first: usize,
    count: usize,
) -> Result<usize, String> {
    let (name, value) = names
        .iter()
        .find_map(|&name| given(fields, name).map(|value| (name, value)))
        .ok_or_else(|| format!("there is no `{}`", names.join("` or `")))?;
    let said = match value {
        Value::Number(number) => {
            whole(number).map_or(number.to_string(), |whole| whole.to_string())
        }
        Value::String(text) => text.trim().to_owned(),
        other => kind(other).to_owned(),
    };
    said.parse::<usize>()
        .ok()
        .and_then(|index| index.checked_sub(first))
        .filter(|index| *index < count)
        .ok_or_else(|| {
            format!(
                "`{name}` is `{}`, and must be a number from {first} to {}",
                quoted(&said),
                (first + count).saturating_sub(1)
            )
        })
}

/// An index, also where a table with a gap in the column has made 1.0 of 1.
pub(super) fn whole(number: &Number) -> Option<usize> {
    let index = number.as_f64()?;
    (index >= 0.0 && index.fract() == 0.0 && index < f64::from(u32::MAX)).then_some(index as usize)
}

/// A field that is there and not null: exports of tables have a null where a row has no value.
pub(super) fn given<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A text within its limit.
pub(super) fn text(value: &Value, field: &str) -> Result<String, String> {
    match value {
        Value::String(text) => check_text(text, format_args!("`{field}`")).map(|()| text.clone()),
        other => Err(format!("`{field}` must be text, and is {}", kind(other))),
    }
}

/// A list of texts, or of numbers as they are written.
pub(super) fn list(value: &Value, field: &str) -> Result<Vec<String>, String> {
    match value {
        Value::Array(values) => values
            .iter()
            .map(|value| match value {
                Value::Number(number) => Ok(number.to_string()),
                other => text(other, field),
            })
            .collect(),
        other => Err(format!("`{field}` must be a list, and is {}", kind(other))),
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
