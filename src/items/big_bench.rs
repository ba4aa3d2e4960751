//! BIG-bench's task files: one JSON document with a list of examples.
//!
//! `{"examples": [{"input": …, "target_scores": {choice: score, …}}, …]}`, as in BIG-bench's
//! [docs/doc.md](https://github.com/google/BIG-bench/blob/main/docs/doc.md). The right choice is the one with the
//! highest score. Prefixes of the task are not added to the input.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::draft::{Draft, Fault, Found};
use super::jsonl::{Collect, broken, is_item, located, read_one};

#[derive(Deserialize)]
struct Example {
    input: String,
    target_scores: Scores,
}

/// Choices and scores in the document's order, which a map would not keep.
struct Scores(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Scores;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("`target_scores`, an object of choices and their scores")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Scores, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Scores(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A document's examples, as far as it can be read.
#[derive(Default)]
struct Document<'a> {
    /// There is the list, and nothing follows the document, as the next line of JSONL would.
    has_examples: bool,
    examples: Vec<&'a RawValue>,
    error: Option<serde_json::Error>,
}

impl<'a> Document<'a> {
    fn of(text: &'a str) -> Self {
        let mut found = Self::default();
        let mut json = serde_json::Deserializer::from_str(text);
        found.error = match json.deserialize_map(&mut found) {
            Err(error) => Some(error),
            Ok(()) => json.end().inspect_err(|_| found.has_examples = false).err(),
        };
        found
    }
}

impl<'de> Visitor<'de> for &mut Document<'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `examples`")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "examples" {
                let list = map.next_value_seed(Collect(&mut self.examples));
                self.has_examples = list.is_ok() || !self.examples.is_empty();
                list?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Whether a text is one JSON object with `examples`, or the broken beginning of one. Items of another shape in such a
/// list are not BIG-bench's.
pub(super) fn fits(text: &str) -> bool {
    if !text.starts_with('{') {
        return false;
    }
    let is_cut = |line: &str| {
        serde_json::from_str::<&RawValue>(line).is_err_and(|error| error.is_eof())
            && text.contains("\"target_scores\"")
    };
    let document = Document::of(text);
    let first = document.examples.first();
    let is_other = first.is_some_and(|first| is_item(text, first));
    (document.has_examples && !is_other) || text.lines().next().is_some_and(is_cut)
}

/// The examples of a document; those before a place where it is no JSON are read.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let Document {
        examples, error, ..
    } = Document::of(text);
    let examples = located(text, examples).enumerate();
    let found = examples.map(move |(index, (line, raw))| {
        let number = index + 1;
        let found = read_one(text, raw, |found: Example| example(found, number));
        let named = |fault: Fault| Fault {
            message: format!("example {number}: {}", fault.message),
            ..fault
        };
        (line, found.map_err(named))
    });
    found.chain(error.map(|error| broken(text, &error)))
}

fn example(example: Example, number: usize) -> Result<Draft, Fault> {
    let Scores(scores) = example.target_scores;
    let highest = scores
        .iter()
        .map(|(_, score)| *score)
        .fold(0.0_f64, f64::max);
    if highest <= 0.0 {
        return Err("no choice has a score above 0".into());
    }
    let mut right = (0..)
        .zip(&scores)
        .filter(|(_, (_, score))| *score >= highest);
    let gold = right.next().map_or(0, |(index, _)| index);
    if right.next().is_some() {
        return Err(format!("several choices have the highest score, {highest}").into());
    }
    Ok(Draft {
        id: Some(format!("example-{number}")),
        context: example.input,
        choices: scores.into_iter().map(|(choice, _)| choice).collect(),
        gold: gold.into(),
    })
}

#[cfg(test)]
mod tests {
    use crate::items::parse_items;

    #[test]
    fn the_choice_of_the_highest_score_is_right_and_ties_are_errors() {
        let parsed = parse_items(
            r#"{
            "name": "toy",
            "examples": [
                {"input": "q", "target_scores": {"z": 0, "b": 1, "a": 0.5}},
                {"input": "q", "target_scores": {"a": 1, "b": 1}},
                {"input": "q", "target_scores": {"a": 0, "b": -1}},
                {"input": "q", "target": "a"}
            ]}"#,
        );
        assert_eq!(parsed.format, "big-bench");
        assert_eq!(parsed.items[0].choices, ["z", "b", "a"]);
        assert_eq!(
            (parsed.items[0].id.as_str(), parsed.items[0].gold),
            ("example-1", 1)
        );
        let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [5, 6, 7]);
        for (error, named) in
            parsed
                .errors
                .iter()
                .zip(["example 2: several", "example 3: no", "example 4: missing"])
        {
            assert!(error.message.starts_with(named), "{}", error.message);
        }
    }

    #[test]
    fn an_item_with_a_field_of_that_name_is_an_item() {
        let line = r#"{"context":"q","choices":["a","b"],"gold":0,"examples":EXAMPLES}"#;
        for examples in ["[1,2]", "0"] {
            let line = line.replace("EXAMPLES", examples);
            let parsed = parse_items(&format!("{line}\n{line}"));
            assert_eq!((parsed.format, parsed.items.len()), ("jsonl", 2), "{line}");
        }
    }

    #[test]
    fn a_cut_document_is_one_error() {
        let cut = "{\"examples\": [\n{\"input\": \"q\",\n\"target_scores\": {";
        let parsed = parse_items(cut);
        assert_eq!((parsed.format, parsed.errors.len()), ("big-bench", 1));
        assert_eq!(parsed.errors[0].line, 3);
    }
}
