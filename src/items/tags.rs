//! Tags of HTML: where they end, their attributes, and what their elements mean for the text.

/// Elements that begin a line.
const BLOCKS: &str = "p br hr div li ul ol menu dir dl dt dd tr h1 h2 h3 h4 h5 h6 hgroup blockquote center section \
    article header footer aside main nav address figure figcaption details summary form fieldset legend optgroup option";
/// Elements whose tags say nothing that text could. The last ones are those of Moodle's filters and of Word.
const INLINE: &str = "a abbr acronym b base basefont bdi bdo big blink body button caption cite code col colgroup data \
    datalist dfn dialog em font frame frameset head html i input ins kbd label link map area mark marquee meta meter \
    nobr noframes noscript output param pre progress q rb rp rt rtc samp select slot small source span strong sub sup \
    search tbody td template textarea tfoot th thead time title track tt u var wbr nolink tex algebra xml";
/// Elements that have no content.
const VOID: &str =
    "area base basefont br col embed frame hr img input link meta param source track wbr";
/// Elements that end without an end tag where another one begins.
const ENDING: &str = "li dt dd option optgroup";
/// Elements whose content is no text.
const HIDDEN: &str = "script style";
pub(super) const PICTURE: &str = "a picture, which no model sees here";
const SOUND: &str = "a sound, which no model hears here";
const FILM: &str = "a film, which no model sees here";
const FILE: &str = "an embedded file, which no model sees here";
const LANGUAGES: &str =
    "text in several languages, of which Moodle shows one: leave that one alone";
const STRUCK: &str =
    "text that is struck through, whose words would say the opposite without the line";
/// Elements that no text stands for, and what they are.
const REFUSED: [(&str, &str); 19] = [
    ("img", PICTURE),
    ("image", PICTURE),
    ("imagedata", PICTURE),
    ("svg", PICTURE),
    ("picture", PICTURE),
    ("canvas", PICTURE),
    ("video", FILM),
    ("audio", SOUND),
    ("iframe", "an embedded page, which no model sees here"),
    ("object", FILE),
    ("embed", FILE),
    ("applet", FILE),
    (
        "table",
        "a table, whose rows and columns would be lost as text",
    ),
    ("math", "a formula in MathML, which would be lost as text"),
    (
        "ruby",
        "text with another one above it (`ruby`), which would be mixed up",
    ),
    ("s", STRUCK),
    ("strike", STRUCK),
    ("del", STRUCK),
    ("lang", LANGUAGES),
];
/// Endings of files with sounds and films, which Moodle shows in the place of a link to them.
const SOUNDS: &str = "aac flac m4a mp3 oga ogg wav wma";
const FILMS: &str = "avi flv m4v mov mp4 mpeg mpg ogv swf webm wmv";
/// What stands before the name of a file that belongs to a question.
const OWN_FILE: &str = "@@PLUGINFILE@@";

/// Whether a word is one of a list.
fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ').any(|one| one == word)
}

/// What a link leads to that no text stands for.
pub(super) fn linked_file(target: &str) -> Option<&'static str> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.').unwrap_or_default();
    let ending = ending.to_ascii_lowercase();
    if is_one_of(SOUNDS, &ending) {
        Some(SOUND)
    } else if is_one_of(FILMS, &ending) {
        Some(FILM)
    } else {
        let file = "a link to a file of the question, which no model sees here";
        target.contains(OWN_FILE).then_some(file)
    }
}

/// What a text holds for Moodle's filters, which work on every text that is not plain.
pub(super) fn check_filters(text: &str) -> Result<(), String> {
    for (mark, what) in [
        (
            "«math",
            "a formula in MathML, written with `«` and `»`, which would be lost as text",
        ),
        ("{mlang", LANGUAGES),
    ] {
        if text.contains(mark) {
            return Err(format!("holds {what}"));
        }
    }
    Ok(())
}

/// A tag.
pub(super) struct Tag<'a> {
    /// In small letters, without the namespace.
    pub name: String,
    has_namespace: bool,
    pub is_end: bool,
    /// Names in small letters, and values; none where no `=` follows.
    attributes: Vec<(String, Option<&'a str>)>,
    /// In bytes, with both its marks.
    pub length: usize,
}

impl<'a> Tag<'a> {
    /// `inside` stands between `<` and `>`.
    fn new(inside: &'a str) -> Option<Self> {
        let length = inside.len() + 2;
        let (is_end, inside) = match inside.strip_prefix('/') {
            Some(inside) => (true, inside),
            None => (false, inside),
        };
        inside
            .starts_with(|char: char| char.is_ascii_alphabetic())
            .then_some(())?;
        let end = inside.find(|char: char| char.is_ascii_whitespace() || char == '/');
        let (name, attributes) = inside.split_at(end.unwrap_or(inside.len()));
        let name = name.to_ascii_lowercase();
        let local = name.rsplit_once(':').map(|(_, local)| local.to_owned());
        Some(Self {
            has_namespace: local.is_some(),
            name: local.unwrap_or(name),
            is_end,
            attributes: attributes_of(attributes),
            length,
        })
    }

    /// Whether HTML has such an element. `List<String>` holds none, nor does `a<b and c>d`, where attributes of an
    /// element of one letter are words.
    pub fn is_html(&self) -> bool {
        let is_word = |(name, value): &(String, Option<&str>)| {
            value.is_none() && !matches!(name.as_str(), "hidden" | "download")
        };
        let is_variable = self.name.len() == 1 && self.attributes.iter().any(is_word);
        let is_known = self.has_namespace
            || [BLOCKS, INLINE, HIDDEN]
                .iter()
                .any(|list| is_one_of(list, &self.name))
            || self.refused_element().is_some();
        is_known && !is_variable
    }

    /// The value of an attribute; empty where it has none.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let found = self.attributes.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.unwrap_or_default())
    }

    /// The values, in small letters, that the style gives a property.
    pub fn styles(&self, property: &str) -> impl Iterator<Item = String> {
        let style = self
            .attribute("style")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let declared = style.split(';').filter_map(|declaration| {
            let (name, value) = declaration.split_once(':')?;
            (name.trim() == property).then(|| value.trim().to_owned())
        });
        declared.collect::<Vec<_>>().into_iter()
    }

    fn is_styled(&self, property: &str, value: &str) -> bool {
        self.styles(property).any(|found| found.contains(value))
    }

    fn is_decorated(&self, line: &str) -> bool {
        self.is_styled("text-decoration", line) || self.is_styled("text-decoration-line", line)
    }

    pub fn is_block(&self) -> bool {
        !self.has_namespace && is_one_of(BLOCKS, &self.name)
    }

    pub fn is_void(&self) -> bool {
        is_one_of(VOID, &self.name)
    }

    pub fn needs_end(&self) -> bool {
        !self.has_namespace && !self.is_void() && !is_one_of(ENDING, &self.name)
    }

    /// Whether the content up to the end tag is no text.
    pub fn is_raw(&self) -> bool {
        !self.is_end && is_one_of(HIDDEN, &self.name)
    }

    /// Whether a browser shows neither the element nor its content.
    pub fn is_hidden(&self) -> bool {
        let is_hidden = self.attribute("hidden").is_some()
            || self.is_styled("display", "none")
            || self.is_styled("visibility", "hidden");
        is_hidden && !self.is_end
    }

    pub fn is_underlined(&self) -> bool {
        let is_so = matches!(self.name.as_str(), "u" | "ins") || self.is_decorated("underline");
        is_so && !self.is_end
    }

    fn refused_element(&self) -> Option<&'static str> {
        let refused = REFUSED.iter().find(|(name, _)| *name == self.name);
        refused.map(|(_, what)| *what)
    }

    /// What the element is, where no text stands for it.
    pub fn refused(&self) -> Option<&'static str> {
        let of_class = |class: &str| is_one_of(self.attribute("class").unwrap_or_default(), class);
        let of_script = |kind: &str| self.attribute("type").unwrap_or_default().starts_with(kind);
        let link = || linked_file(self.attribute("href").filter(|_| self.name == "a")?);
        let raised = "text that its style raises or lowers: use `<sup>` or `<sub>`";
        let formula = "a formula of a script, which would be lost as text";
        if let Some(what) = self.refused_element() {
            return Some(what);
        }
        match () {
            () if self.styles("vertical-align").any(is_script) => Some(raised),
            () if self.is_decorated("line-through") => Some(STRUCK),
            () if of_class("multilang") => Some(LANGUAGES),
            () if of_script("math/") && !of_script("math/tex") => Some(formula),
            () => link(),
        }
    }
}

/// Whether a value of `vertical-align` raises or lowers the text.
fn is_script(value: String) -> bool {
    value.starts_with("super") || value.starts_with("sub")
}

/// The attributes of a tag, from what follows its name.
fn attributes_of(text: &str) -> Vec<(String, Option<&str>)> {
    let is_space = |char: char| char.is_ascii_whitespace();
    let mut attributes = Vec::new();
    let mut rest = text.trim_start_matches(|char| is_space(char) || char == '/');
    while !rest.is_empty() {
        let ends = |char: char| is_space(char) || matches!(char, '/' | '=');
        // A name may begin with `=`, which is a mistake.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest.get(first..).and_then(|rest| rest.find(ends));
        let (name, after) = rest.split_at(end.map_or(rest.len(), |end| first + end));
        let after = after.trim_start_matches(is_space);
        let value = after
            .strip_prefix('=')
            .map(|value| value.trim_start_matches(is_space));
        let (value, after) = match value {
            None => (None, after),
            Some(text) => {
                let (value, after) = quoted_value(text)
                    .unwrap_or_else(|| text.split_at(text.find(is_space).unwrap_or(text.len())));
                (Some(value), after)
            }
        };
        attributes.push((name.to_ascii_lowercase(), value));
        rest = after.trim_start_matches(|char| is_space(char) || char == '/');
    }
    attributes
}

/// A value in quotation marks, and what follows them.
fn quoted_value(text: &str) -> Option<(&str, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|char| matches!(char, '"' | '\''))?;
    text.get(1..)?.split_once(quote)
}

/// Reads the tags of a text.
#[derive(Default)]
pub(super) struct Tags {
    /// Whether a quotation mark was found that belongs to no value. From there on none is heeded, or the time would
    /// grow with the square of the text.
    ignores_quotes: bool,
}

impl Tags {
    /// The tag at the beginning of a text, if there is one.
    pub fn read<'a>(&mut self, text: &'a str) -> Option<Tag<'a>> {
        let inside = text.strip_prefix('<')?;
        let letter = inside.strip_prefix('/').unwrap_or(inside).chars().next()?;
        letter.is_ascii_alphabetic().then_some(())?;
        Tag::new(inside.get(..self.end(inside)?)?)
    }

    /// Where the `>` is that no quotation marks stand around; none where another `<` comes first.
    fn end(&mut self, inside: &str) -> Option<usize> {
        let mut quote = None;
        let mut has_quotes = false;
        let mut before = b' ';
        for (at, byte) in inside.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open != byte => continue,
                (Some(_), _) => quote = None,
                (None, b'"' | b'\'') if before == b'=' && !self.ignores_quotes => {
                    (quote, has_quotes) = (Some(byte), true);
                }
                (None, b'>') => return Some(at),
                (None, b'<') => break,
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                before = byte;
            }
        }
        if has_quotes {
            self.ignores_quotes = true;
            return self.end(inside);
        }
        None
    }

    /// The tags of a text, one after the other, each with the text after it.
    pub fn all<'a>(mut self, text: &'a str) -> impl Iterator<Item = (Tag<'a>, &'a str)> {
        let mut rest = text;
        std::iter::from_fn(move || {
            loop {
                let at = rest.find('<')?;
                let found = rest.get(at..)?;
                if let Some(tag) = self.read(found) {
                    rest = found.get(tag.length..)?;
                    return Some((tag, rest));
                }
                rest = found.get(1..)?;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Option<Tag<'_>> {
        Tags::default().read(text)
    }

    #[test]
    fn a_tag_ends_where_no_quotation_marks_stand_around() {
        for (text, length) in [
            ("<b>x", Some(3)),
            ("<a title=\"1 > 2\" lang='>'>", Some(26)),
            ("<a title = '\"'>", Some(15)),
            ("<a it's>x'>", Some(8)),
            ("<a title=\"1>2", Some(12)),
            ("<a <b>", None),
            ("<1>", None),
            ("<", None),
            ("</", None),
            ("<b", None),
        ] {
            assert_eq!(tag(text).map(|tag| tag.length), length, "{text}");
        }
    }

    #[test]
    fn attributes_have_the_values_that_a_browser_sees() {
        let tag = tag("<OL/ TYPE = 'I' start=3 reversed data-x=\"a b\"class=c/d =e>").unwrap();
        assert_eq!((tag.name.as_str(), tag.is_end), ("ol", false));
        for (name, value) in [
            ("type", Some("I")),
            ("start", Some("3")),
            ("reversed", Some("")),
            ("data-x", Some("a b")),
            ("class", Some("c/d")),
            ("hidden", None),
        ] {
            assert_eq!(tag.attribute(name), value, "{name}");
        }
    }

    #[test]
    fn only_elements_of_html_are_elements() {
        for (text, is_html) in [
            ("<p class=\"a\">", true),
            ("<p hidden>", true),
            ("</SPAN>", true),
            ("<o:p>", true),
            ("<h1>", true),
            ("<String>", false),
            ("<stdio.h>", false),
            ("<b$ and $c>", false),
            ("<b and c>", false),
            ("<h7>", false),
        ] {
            assert_eq!(tag(text).unwrap().is_html(), is_html, "{text}");
        }
    }
}
