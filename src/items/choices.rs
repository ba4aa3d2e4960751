//! Lists of choices in JSON: texts alone, or with labels, in the ways in which data sets write them.

use std::collections::HashSet;

use super::answers::{unmarked, whole};
use super::check::check_choices;
use super::draft::Fault;
use super::fields::{Field, Fields, Json, given, text_or_number};
use super::text::quoted;

/// Choices as a field lists them.
pub(super) struct Choices {
    pub texts: Vec<String>,
    /// Names of the choices where the file gives some: `A`, `1`, ….
    pub labels: Vec<String>,
}

impl Choices {
    /// The choice of that label.
    pub fn labelled(&self, answer: &str) -> Option<usize> {
        let position = |is: &dyn Fn(&str) -> bool| self.labels.iter().position(|label| is(label));
        let number = label_number(answer);
        let plain = unmarked(answer).to_lowercase();
        position(&|label| label == answer)
            .or_else(|| position(&|label| number.is_some() && label_number(label) == number))
            .or_else(|| position(&|label| unmarked(label).to_lowercase() == plain))
    }

    /// Whether all choices are called by numbers, or all by letters: then one that is none of them is no index either.
    pub fn are_called(&self, is_such: impl Fn(&str) -> bool) -> bool {
        !self.labels.is_empty() && self.labels.iter().all(|label| is_such(label))
    }
}

/// The number that a label is, however it is written: `1`, `1.0`, `(1)`.
pub(super) fn label_number(label: &str) -> Option<usize> {
    whole(unmarked(label))
}

/// The field that lists the choices.
pub(super) fn listed_choices<'a, 'b>(fields: &'b Fields<'a>) -> Option<&'b Field<'a>> {
    ["choices", "options"]
        .into_iter()
        .find_map(|name| given(fields, name))
}

/// A list that other files call otherwise; none of one value, as the right answers of other questions are.
pub(super) fn other_list<'a, 'b>(fields: &'b Fields<'a>) -> Option<&'b Field<'a>> {
    let names = ["answers", "choice", "candidates"].into_iter();
    let mut lists = names.filter_map(|name| given(fields, name));
    lists.find(|field| field.value.values("").is_ok_and(|values| values.len() > 1))
}

/// The choices of such a field.
pub(super) fn choices(field: &Field) -> Result<Choices, Fault> {
    let name = field.called();
    let (mut texts, mut labels) = match field.value.fields() {
        Some(object) => in_object(field, &object?)?,
        None => in_list(field)?,
    };
    let count = texts.len();
    if !labels.is_empty() && labels.len() != count {
        let labels = labels.len();
        return Err(field.fault(format!("{name} has {count} texts and {labels} labels")));
    }
    // Tables with a column for each choice leave the last ones empty.
    while texts.last().is_some_and(String::is_empty) {
        texts.pop();
    }
    labels.truncate(texts.len());
    check_choices(&texts)?;
    let mut seen = HashSet::new();
    if let Some(label) = labels.iter().find(|label| !seen.insert(label.as_str())) {
        let label = quoted(label);
        return Err(field.fault(format!("two {name} have the label `{label}`")));
    }
    Ok(Choices { texts, labels })
}

/// Texts and labels of choices in an object, the value of `field`: of a list of each, or of a text for each label.
fn in_object(field: &Field, fields: &Fields) -> Result<(Vec<String>, Vec<String>), Fault> {
    let lists = (fields.get("text"), fields.get("label"));
    if let (Some(texts), Some(labels)) = lists {
        let values = texts.at(texts.value.values("text"))?;
        return Ok((choice_texts(texts, &values)?, labels.list()?));
    }
    for part in ["text", "label"] {
        if fields
            .get(part)
            .is_some_and(|part| matches!(part.value, Json::List(_)))
        {
            let name = field.called();
            return Err(field.fault(format!("{name} needs both `text` and `label`")));
        }
    }
    let mut given: Vec<&Field> = fields
        .values()
        .filter(|field| !matches!(field.value, Json::Null))
        .collect();
    // Letters and numbers say in which order the choices stand, other labels stand in theirs.
    let is_letter =
        |field: &&Field| matches!(field.name.as_bytes(), [letter] if letter.is_ascii_alphabetic());
    if given.iter().all(is_letter) {
        given.sort_by_key(|field| field.name.to_lowercase());
    } else if given.iter().all(|field| whole(&field.name).is_some()) {
        given.sort_by_key(|field| whole(&field.name));
    } else {
        given.sort_by_key(|field| field.place);
    }
    let text = |choice: &&Field| choice.at(choice_text(&choice.value, &field.name));
    let texts = given.iter().map(text).collect::<Result<_, _>>()?;
    Ok((
        texts,
        given.iter().map(|field| field.name.clone()).collect(),
    ))
}

/// Texts and labels of choices in a list, the value of `field`: of objects with both, or of texts alone.
fn in_list(field: &Field) -> Result<(Vec<String>, Vec<String>), Fault> {
    let values = field.at(field.value.values(&field.name))?;
    let objects: Option<Vec<_>> = values.iter().map(Json::fields).collect();
    let Some(objects) = objects.filter(|objects| !objects.is_empty()) else {
        return Ok((choice_texts(field, &values)?, Vec::new()));
    };
    let objects: Vec<Fields> = objects.into_iter().collect::<Result<_, _>>()?;
    let part = |names: &[&str]| -> Result<Vec<String>, Fault> {
        let of = |one: &Fields| match names.iter().find_map(|name| one.get(*name)) {
            Some(part) => part.at(choice_text(&part.value, &part.name)),
            None => Err(field.fault(format!(
                "{} has objects, and one of them no `{}`",
                field.called(),
                names.join("` or `")
            ))),
        };
        objects.iter().map(of).collect()
    };
    Ok((part(&["text"])?, part(&["label", "id", "key"])?))
}

fn choice_texts(field: &Field, values: &[Json]) -> Result<Vec<String>, Fault> {
    let texts = values.iter().map(|value| choice_text(value, &field.name));
    field.at(texts.collect())
}

/// A text, or a number, true or false as it is written. What is null is empty.
fn choice_text(value: &Json, name: &str) -> Result<String, String> {
    match value {
        Json::Null => Ok(String::new()),
        Json::Bool(value) => Ok(value.to_string()),
        other => text_or_number(other, name),
    }
}
