//! Items in COPA's XML, as of [COPA](https://people.ict.usc.edu/~gordon/copa.html) and
//! [Balanced COPA](https://balanced-copa.github.io) (Kavumba et al., 2019).
//!
//! `<item id="1" asks-for="cause" most-plausible-alternative="1"><p>…</p><a1>…</a1><a2>…</a2></item>`. Premise and
//! choices are made as those of COPA in JSON; ids stay, since Balanced COPA pairs an item with the one of id + 1000.

use quick_xml::events::BytesStart;

use super::draft::{Draft, Fault, Found};
use super::shapes::copa_draft;
use super::text::quoted;
use super::xml::{Document, Piece, attribute};

/// Whether a text is XML with a corpus of COPA.
pub(super) fn fits(text: &str) -> bool {
    text.starts_with('<') && text.contains("<item") && text.contains("most-plausible-alternative")
}

/// The items of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut corpus = Document::new(text);
    std::iter::from_fn(move || {
        let (line, found) = next_item(&mut corpus)?;
        Some((line, found.and_then(Entry::draft).map_err(Fault::from)))
    })
}

/// One item as it stands in the file.
#[derive(Default)]
struct Entry {
    id: String,
    asks_for: String,
    right: String,
    premise: String,
    choices: [String; 2],
    error: Option<String>,
}

/// Reads to the end of the next item; an error is broken XML.
fn next_item(corpus: &mut Document) -> Option<(usize, Result<Entry, String>)> {
    let mut open: Option<(usize, Entry)> = None;
    loop {
        let piece = corpus.next()?;
        let name = corpus.path().last().map_or("", String::as_str);
        match (piece, &mut open) {
            (Err((line, message)), _) => return Some((line, Err(message))),
            (Ok(Piece::Start(element, line)), None) if name == "item" => {
                open = Some((line, Entry::new(&element)));
            }
            (Ok(Piece::End), Some(_)) if name == "item" => {
                return open.map(|(line, entry)| (line, Ok(entry)));
            }
            (Ok(Piece::Text(text)), Some((_, entry))) => entry.add(name, &text),
            (Ok(Piece::Unknown(message)), Some((_, entry))) => {
                entry.error.get_or_insert(message);
            }
            _ => {}
        }
    }
}

impl Entry {
    fn new(element: &BytesStart) -> Self {
        Self {
            id: attribute(element, "id"),
            asks_for: attribute(element, "asks-for"),
            right: attribute(element, "most-plausible-alternative"),
            ..Self::default()
        }
    }

    /// Text of one of the item's elements.
    fn add(&mut self, element: &str, text: &str) {
        let [first, second] = &mut self.choices;
        match element {
            "p" => self.premise.push_str(text),
            "a1" => first.push_str(text),
            "a2" => second.push_str(text),
            _ => {}
        }
    }

    fn draft(self) -> Result<Draft, String> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let gold = match self.right.trim() {
            "1" => 0_usize,
            "2" => 1,
            other => {
                return Err(format!(
                    "`most-plausible-alternative` is `{}`, and must be 1 or 2",
                    quoted(other)
                ));
            }
        };
        let [first, second] = self.choices;
        let draft = copa_draft(
            ("asks-for", self.asks_for.trim()),
            self.premise.trim(),
            [first.trim(), second.trim()],
            gold.into(),
        )?;
        let id = self.id.trim();
        if id.len() > 1000 {
            return Err("`id` must be a short text".into());
        }
        Ok(Draft {
            id: (!id.is_empty()).then(|| id.to_owned()),
            ..draft
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::items::parse_items;

    /// The first item of COPA, its mirror in Balanced COPA's manner, and two wrong ones.
    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<copa-corpus version="1.0">
<item id="1" asks-for="cause" most-plausible-alternative="1">
<p>My body cast a shadow over the grass.</p>
<a1>The sun was rising.</a1>
<a2>The grass was cut.</a2>
</item>
<item id="1001" asks-for="effect" most-plausible-alternative="2" mirrored="true">
<p>The garden looked well-groomed &amp; new.</p><a1>The sun rose.</a1><a2>We liked it.</a2></item>
<item id="3" asks-for="why" most-plausible-alternative="1"><p>a.</p><a1>b</a1><a2>c</a2></item>
<item id="4" asks-for="cause" most-plausible-alternative="3"><p>a.</p><a1>b</a1><a2>c</a2></item>
</copa-corpus>"#;

    #[test]
    fn copas_xml_is_asked_as_copas_json() {
        let parsed = parse_items(XML);
        assert_eq!((parsed.format, parsed.items.len()), ("copa-xml", 2));
        let [first, mirrored] = &parsed.items[..] else {
            panic!()
        };
        assert_eq!((first.id.as_str(), first.gold), ("1", 0));
        assert_eq!(
            first.context,
            "My body cast a shadow over the grass because"
        );
        assert_eq!(first.choices, ["the sun was rising.", "the grass was cut."]);
        assert_eq!((mirrored.id.as_str(), mirrored.gold), ("1001", 1));
        assert_eq!(
            mirrored.context,
            "The garden looked well-groomed & new therefore"
        );
    }

    #[test]
    fn a_wrong_item_is_named_with_its_line() {
        let errors = parse_items(XML).errors;
        let named: Vec<(usize, bool)> = errors
            .iter()
            .map(|error| (error.line, error.message.contains("must be")))
            .collect();
        assert_eq!(named, [(10, true), (11, true)]);
        let cut = parse_items(&XML[..XML.len() - 30]);
        assert_eq!(cut.items.len(), 2);
        assert!(cut.errors.last().unwrap().message.contains("not closed"));
    }
}
