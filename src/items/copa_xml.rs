//! Items in COPA's XML, as of [COPA](https://people.ict.usc.edu/~gordon/copa.html) and
//! [Balanced COPA](https://balanced-copa.github.io) (Kavumba et al., 2019).
//!
//! `<item id="1" asks-for="cause" most-plausible-alternative="1"><p>…</p><a1>…</a1><a2>…</a2></item>`. Premise and
//! choices are made as those of COPA in JSON; ids stay, since Balanced COPA pairs an item with the one of id + 1000.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::moodle::{attribute, character};
use super::read::{Draft, Fault, Found, LineCounter, quoted};
use super::shapes::copa_draft;

/// Deepest element; the format needs three.
const MAX_DEPTH: usize = 32;

/// Whether a text is XML with a corpus of COPA.
pub(super) fn fits(text: &str) -> bool {
    text.starts_with('<') && text.contains("<item") && text.contains("most-plausible-alternative")
}

/// The items of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut corpus = Corpus {
        reader: Reader::from_str(text),
        lines: LineCounter::new(text),
        path: Vec::new(),
    };
    let mut is_broken = false;
    std::iter::from_fn(move || {
        if is_broken {
            return None;
        }
        let (line, found) = corpus.next_item()?;
        // After broken XML nothing is known of what follows.
        is_broken = found.is_err();
        Some((line, found.and_then(Entry::draft).map_err(Fault::from)))
    })
}

struct Corpus<'a> {
    reader: Reader<&'a [u8]>,
    lines: LineCounter<'a>,
    /// Names of the open elements.
    path: Vec<String>,
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

impl Corpus<'_> {
    fn line_of(&mut self, position: u64) -> usize {
        self.lines
            .at(usize::try_from(position).unwrap_or(usize::MAX))
    }

    /// Reads to the end of the next item; an error is broken XML.
    fn next_item(&mut self) -> Option<(usize, Result<Entry, String>)> {
        let mut open: Option<(usize, Entry)> = None;
        loop {
            let start = self.reader.buffer_position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    let position = self.reader.error_position();
                    return Some((self.line_of(position), Err(format!("not XML: {error}"))));
                }
            };
            match event {
                Event::Start(element) => {
                    if self.path.len() >= MAX_DEPTH {
                        let message = format!("more than {MAX_DEPTH} elements within each other");
                        return Some((self.line_of(start), Err(message)));
                    }
                    let name = element.name().as_ref().to_owned();
                    if name == "item" && open.is_none() {
                        open = Some((self.line_of(start), Entry::new(&element)));
                    }
                    self.path.push(name);
                }
                Event::End(_) => {
                    if self.path.pop().as_deref() == Some("item")
                        && let Some((line, entry)) = open.take()
                    {
                        return Some((line, Ok(entry)));
                    }
                }
                Event::Text(text) => self.add(open.as_mut(), &text.xml10_content()),
                Event::CData(text) => self.add(open.as_mut(), &text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content();
                    match (character(&name), &mut open) {
                        (Some(char), _) => self.add(open.as_mut(), char.encode_utf8(&mut [0; 4])),
                        (None, Some((_, entry))) => {
                            let message = format!("`&{};` is no entity of XML", quoted(&name));
                            entry.error.get_or_insert(message);
                        }
                        (None, None) => {}
                    }
                }
                Event::Eof => {
                    let name = self.path.last().map(|name| quoted(name))?;
                    let message = format!("not XML: `<{name}>` is not closed");
                    return Some((self.line_of(start), Err(message)));
                }
                Event::Empty(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }

    fn add(&self, open: Option<&mut (usize, Entry)>, text: &str) {
        let (Some((_, entry)), Some(name)) = (open, self.path.last()) else {
            return;
        };
        let [first, second] = &mut entry.choices;
        match name.as_str() {
            "p" => entry.premise.push_str(text),
            "a1" => first.push_str(text),
            "a2" => second.push_str(text),
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

    fn draft(self) -> Result<Draft, String> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let gold = match self.right.trim() {
            "1" => 0,
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
            gold,
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
