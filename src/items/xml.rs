//! XML read element by element, as quizzes and corpora bring it: bounded depth, no entity but the five of XML and
//! numbers of characters, every element with its line.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::place::LineCounter;
use super::text::quoted;

/// Deepest element; the formats need five.
const MAX_DEPTH: usize = 32;

/// What comes next in a document.
pub(super) enum Piece<'a> {
    /// An element begins, on this line; it is the last of the path.
    Start(BytesStart<'a>, usize),
    /// The last element of the path ends.
    End,
    /// Text of the last element of the path.
    Text(String),
    /// An entity of no known meaning, and what is wrong with it.
    Unknown(String),
}

/// A document and how far it is read.
pub(super) struct Document<'a> {
    reader: Reader<&'a [u8]>,
    lines: LineCounter<'a>,
    /// Names of the open elements.
    path: Vec<String>,
    is_closing: bool,
    /// The last element of the path ends where it began.
    is_empty: bool,
    is_broken: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            reader: Reader::from_str(text),
            lines: LineCounter::new(text),
            path: Vec::new(),
            is_closing: false,
            is_empty: false,
            is_broken: false,
        }
    }

    /// Names of the open elements, the outermost first.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// The next piece, or the line and message of what is no XML. After that nothing is known of what follows, and
    /// nothing comes.
    pub(super) fn next(&mut self) -> Option<Result<Piece<'a>, (usize, String)>> {
        if std::mem::take(&mut self.is_closing) {
            self.path.pop();
        }
        if std::mem::take(&mut self.is_empty) {
            self.is_closing = true;
            return Some(Ok(Piece::End));
        }
        while !self.is_broken {
            let start = self.reader.buffer_position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    let position = self.reader.error_position();
                    return self.broken(position, format!("not XML: {error}"));
                }
            };
            return Some(Ok(match event {
                Event::Start(_) | Event::Empty(_) if self.path.len() >= MAX_DEPTH => {
                    let message = format!("more than {MAX_DEPTH} elements within each other");
                    return self.broken(start, message);
                }
                Event::Start(element) => self.begin(element, start),
                Event::Empty(element) => {
                    self.is_empty = true;
                    self.begin(element, start)
                }
                Event::End(_) => {
                    self.is_closing = true;
                    Piece::End
                }
                Event::Text(text) => Piece::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Piece::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content();
                    match character(&name) {
                        Some(char) => Piece::Text(char.into()),
                        None => {
                            let message = format!("`&{};` is no entity of XML", quoted(&name));
                            Piece::Unknown(message)
                        }
                    }
                }
                Event::Eof => {
                    let name = self.path.last().map(|name| quoted(name))?;
                    return self.broken(start, format!("not XML: `<{name}>` is not closed"));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            }));
        }
        None
    }

    fn begin(&mut self, element: BytesStart<'a>, start: u64) -> Piece<'a> {
        self.path.push(element.name().as_ref().to_owned());
        Piece::Start(element, self.line_of(start))
    }

    fn broken(
        &mut self,
        position: u64,
        message: String,
    ) -> Option<Result<Piece<'a>, (usize, String)>> {
        self.is_broken = true;
        Some(Err((self.line_of(position), message)))
    }

    fn line_of(&mut self, position: u64) -> usize {
        self.lines
            .at(usize::try_from(position).unwrap_or(usize::MAX))
    }
}

/// An attribute of an element; empty where there is none.
pub(super) fn attribute(element: &BytesStart, name: &str) -> String {
    let attribute = element.try_get_attribute(name).ok().flatten();
    attribute.map_or_else(String::new, |attribute| attribute.value.into_owned())
}

/// The character of one of XML's five entities or of a number.
pub(super) fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        let char = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        (char != '\0').then_some(char)
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#')? {
            digits if digits.starts_with(['x', 'X']) => number(digits.get(1..)?, 16),
            digits => number(digits, 10),
        },
    }
}
