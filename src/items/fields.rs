//! Fields of a JSON object, read with an error that names them and has their place. Numbers stay as they are written.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::answers::{Answer, AnswersFrom, Habit, Number, whole};
use super::check::check_text;
use super::draft::Fault;
use super::names::{Label, is_role, squeezed};
use super::place::offset_of;
use super::text::quoted;

pub(super) type Fields<'a> = HashMap<String, Field<'a>>;

/// A field of an object, or of a row that is read as one.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// As the file writes it.
    pub name: String,
    pub value: Json<'a>,
    /// Byte of the whole text at which its name begins; of a row's, the number of its column.
    pub place: usize,
}

impl Field<'_> {
    /// Whether it is an empty text, or one of white space.
    pub fn is_blank(&self) -> bool {
        matches!(&self.value, Json::Text(text) if text.trim().is_empty())
    }

    /// What is wrong with it has its place.
    pub fn at<T>(&self, result: Result<T, String>) -> Result<T, Fault> {
        result.map_err(|message| self.fault(message))
    }

    pub fn fault(&self, message: String) -> Fault {
        Fault::at(self.place, message)
    }

    /// What messages call it.
    pub fn called(&self) -> String {
        format!("`{}`", quoted(&self.name))
    }

    /// A text within its limit.
    pub fn text(&self) -> Result<String, Fault> {
        self.at(text(&self.value, &self.name))
    }

    /// A list of texts, or of numbers as they are written.
    pub fn list(&self) -> Result<Vec<String>, Fault> {
        let texts = |values: Vec<Json>| {
            let text = |value: &Json| text_or_number(value, &self.name);
            values.iter().map(text).collect()
        };
        self.at(self.value.values(&self.name).and_then(texts))
    }
}

/// A value; what a list or an object holds is read when it is asked for.
#[derive(Clone)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    Text(String),
    List(Part<'a>),
    Object(Part<'a>),
}

/// A value as it stands in a text.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    raw: &'a RawValue,
    /// The whole text, whose bytes places are.
    text: &'a str,
}

impl<'a> Json<'a> {
    fn of(Part { raw, text }: Part<'a>) -> Result<Self, serde_json::Error> {
        Ok(match raw.get().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(serde_json::from_str(raw.get())?),
            Some(b'[') => Self::List(Part { raw, text }),
            Some(b'{') => Self::Object(Part { raw, text }),
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
        let Self::List(Part { raw, text }) = self else {
            return Err(format!("`{field}` must be a list, and is {}", self.kind()));
        };
        let values: Vec<&'a RawValue> =
            serde_json::from_str(raw.get()).map_err(|error| what(&error))?;
        let values = values.into_iter().map(|raw| Self::of(Part { raw, text }));
        values
            .collect::<Result<_, _>>()
            .map_err(|error| what(&error))
    }

    /// The fields of an object; none: it is something else.
    pub fn fields(&self) -> Option<Result<Fields<'a>, Fault>> {
        let Self::Object(Part { raw, text }) = self else {
            return None;
        };
        let object = serde_json::from_str::<Object>(raw.get());
        let object = object.map_err(|error| Fault::at(offset_of(text, raw.get()), what(&error)));
        Some(object.and_then(|object| object.fields(text)))
    }
}

/// An object's names and values as they stand in a text.
pub(super) struct Object<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The fields of an object of `text`. None is there twice: of two values neither is more meant than the other.
    pub fn fields(self, text: &'a str) -> Result<Fields<'a>, Fault> {
        let mut fields = Fields::with_capacity(self.0.len());
        for (name, raw) in self.0 {
            let place = offset_of(text, name.get());
            let fault = |error: serde_json::Error| Fault::at(place, what(&error));
            let name: String = serde_json::from_str(name.get()).map_err(fault)?;
            let value = Json::of(Part { raw, text }).map_err(fault)?;
            if fields.contains_key(&name) {
                let name = quoted(&name);
                return Err(Fault::at(place, format!("there are two `{name}`")));
            }
            let field = Field {
                name: name.clone(),
                value,
                place,
            };
            fields.insert(name, field);
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
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
pub(super) fn needed(fields: &Fields, name: &str) -> Result<String, Fault> {
    let field = given(fields, name).ok_or_else(|| format!("there is no `{name}`"))?;
    field.text()
}

/// Fields by their names as [`squeezed`] makes them. What is null gives way to another field of the same name, and of two
/// that are read neither is more meant than the other.
pub(super) fn by_squeezed_name(fields: Fields) -> Result<Fields, Fault> {
    let mut in_order: Vec<Field> = fields.into_values().collect();
    in_order.sort_by_key(|field| field.place);
    let mut fields = Fields::with_capacity(in_order.len());
    for field in in_order {
        let name = squeezed(&field.name);
        let known = given(&fields, &name);
        if known.is_some() && (is_role(&name) || Label::of(&name).is_some()) {
            if !matches!(field.value, Json::Null) {
                return Err(field.fault(format!("the item has {} twice", field.called())));
            }
        } else if known.is_none() {
            fields.insert(name, field);
        }
    }
    Ok(fields)
}

/// The value itself, or the only one of a list.
pub(super) fn single<'a>(value: &Json<'a>) -> Json<'a> {
    let only = value.values("").ok().filter(|values| values.len() == 1);
    let only = only.and_then(|mut values| values.pop());
    only.unwrap_or_else(|| value.clone())
}

/// The right choice that the first given one of `names` says, a number or a text of one, which such data sets count
/// from `first`.
pub(super) fn index(
    fields: &Fields,
    names: &[&str],
    first: AnswersFrom,
    count: usize,
) -> Result<Answer, Fault> {
    let field = names
        .iter()
        .find_map(|name| given(fields, name))
        .ok_or_else(|| format!("there is no `{}`", names.join("` or `")))?;
    let said = match &field.value {
        Json::Number(number) => number,
        Json::Text(text) => text.trim(),
        other => other.kind(),
    };
    match whole(said) {
        Some(value) => Ok(Answer::Number(number(value, field, Habit::Defined(first)))),
        None => {
            let first = usize::from(u8::from(first));
            Err(field.fault(format!(
                "{} is `{}`, and must be a number from {first} to {}",
                field.called(),
                quoted(said),
                (first + count).saturating_sub(1)
            )))
        }
    }
}

/// The right choice as a number in a field.
pub(super) fn number(value: usize, field: &Field, habit: Habit) -> Number {
    Number {
        value,
        field: field.called(),
        habit,
        text: None,
        offset: Some(field.place),
    }
}

/// A field, of those by their squeezed names, that is there and not null: exports of tables have a null where a row has no
/// value.
pub(super) fn given<'a, 'b>(fields: &'b Fields<'a>, name: &str) -> Option<&'b Field<'a>> {
    fields
        .get(&name.replace('_', ""))
        .filter(|field| !matches!(field.value, Json::Null))
}

/// A text within its limit.
fn text(value: &Json, field: &str) -> Result<String, String> {
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
