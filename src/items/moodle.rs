//! Items in Moodle's XML, as in [Moodle's documentation](https://docs.moodle.org/en/Moodle_XML_format).
//!
//! Read are questions of the type `multichoice` with `<single>true</single>`; the right choice is the one with
//! `fraction="100"`. HTML becomes text, and a picture is refused. Categories are skipped, other types refused. In the XML no entity is expanded but the
//! five of XML and numbers of characters.

use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::BytesStart;

use super::read::{Draft, Fault, Found, quoted, tidy};
use super::xml::{Document, Piece, attribute, character};

/// Elements of HTML that begin a line.
const BLOCKS: [&str; 12] = [
    "p", "br", "div", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "pre",
];
/// Elements of HTML that stand beside each other.
const CELLS: [&str; 2] = ["td", "th"];
/// Elements of HTML whose content is no text.
const HIDDEN: [&str; 2] = ["script", "style"];
/// Longest entity of HTML that is read, in bytes without its ends.
const MAX_ENTITY: usize = 31;

/// Whether a text is XML with a quiz.
pub(super) fn fits(text: &str) -> bool {
    text.starts_with('<') && text.contains("<quiz")
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut quiz = Document::new(text);
    std::iter::from_fn(move || {
        let (line, found) = next_question(&mut quiz)?;
        Some((line, found.and_then(Question::draft).map_err(Fault::from)))
    })
}

/// Reads to the end of the next question that is not a category; an error is broken XML.
fn next_question(quiz: &mut Document) -> Option<(usize, Result<Question, String>)> {
    let mut question = Question::default();
    let mut line = 1;
    let is_question = |path: &[String]| matches!(path, [_, name] if name == "question");
    loop {
        match quiz.next()? {
            Err((line, message)) => return Some((line, Err(message))),
            Ok(Piece::Start(element, start)) => {
                if is_question(quiz.path()) {
                    line = start;
                    question = Question::default();
                    question.kind = attribute(&element, "type");
                } else {
                    question.open(inner(quiz.path()), &element);
                }
            }
            Ok(Piece::End) => {
                if is_question(quiz.path()) && question.kind != "category" {
                    return Some((line, Ok(question)));
                }
            }
            Ok(Piece::Text(text)) => question.add(inner(quiz.path()), &text),
            Ok(Piece::Unknown(message)) => {
                question.error.get_or_insert(message);
            }
        }
    }
}

/// The path within a question.
fn inner(path: &[String]) -> &[String] {
    path.get(2..).unwrap_or_default()
}

/// A text and what is to be made of it.
#[derive(Default)]
struct Text {
    /// "html" or none, "plain_text", "markdown", "moodle_auto_format".
    format: String,
    raw: String,
}

impl Text {
    fn plain(&self) -> String {
        match self.format.as_str() {
            "plain_text" | "markdown" => tidy(&self.raw),
            _ => html_to_text(&self.raw),
        }
    }
}

#[derive(Default)]
struct Question {
    kind: String,
    name: String,
    text: Text,
    single: String,
    answers: Vec<(String, Text)>,
    error: Option<String>,
}

impl Question {
    fn open(&mut self, path: &[String], element: &BytesStart) {
        match path {
            [field] if field == "questiontext" => self.text.format = attribute(element, "format"),
            [field] if field == "answer" => {
                let format = attribute(element, "format");
                let raw = String::new();
                let text = Text { format, raw };
                self.answers.push((attribute(element, "fraction"), text));
            }
            _ => {}
        }
    }

    fn add(&mut self, path: &[String], text: &str) {
        let is_text = |name: &String| name == "text";
        let place = match path {
            [field] if field == "single" => Some(&mut self.single),
            [field, name] if is_text(name) => match field.as_str() {
                "name" => Some(&mut self.name),
                "questiontext" => Some(&mut self.text.raw),
                "answer" => self.answers.last_mut().map(|(_, text)| &mut text.raw),
                _ => None,
            },
            _ => None,
        };
        if let Some(place) = place {
            place.push_str(text);
        }
    }

    fn draft(self) -> Result<Draft, String> {
        let wrong = |what: String| {
            Err(format!(
                "the question `{}` {what}",
                quoted(self.name.trim())
            ))
        };
        if let Some(error) = self.error {
            return wrong(format!("cannot be read: {error}"));
        }
        if self.kind != "multichoice" {
            return wrong(format!(
                "is of the type `{}`; only `multichoice` is read",
                quoted(&self.kind)
            ));
        }
        // Moodle, too, takes a question that does not say so as one with a single answer.
        if !matches!(self.single.trim(), "" | "true" | "1") {
            return wrong("has several right choices: `single` is not true".into());
        }
        let is_right = |fraction: &str| fraction.trim().parse() == Ok(100.0_f64);
        let mut right = (0..)
            .zip(&self.answers)
            .filter(|(_, (fraction, _))| is_right(fraction));
        let gold = match (right.next(), right.next()) {
            (Some((gold, _)), None) => gold,
            (None, _) => return wrong("has no choice with the fraction 100".into()),
            _ => return wrong("has several choices with the fraction 100".into()),
        };
        let texts = || {
            [&self.text]
                .into_iter()
                .chain(self.answers.iter().map(|(_, text)| text))
        };
        if texts().any(|text| has_picture(&text.raw)) {
            return wrong("holds a picture, which no model sees here".into());
        }
        Ok(Draft {
            id: None,
            context: self.text.plain(),
            choices: self.answers.iter().map(|(_, text)| text.plain()).collect(),
            gold,
        })
    }
}

/// The text of HTML: tags are dropped, blocks begin lines, white space is one space, entities are read.
pub(super) fn html_to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    // Whether anything is closed further on is asked once, or the time would grow with the square of the text.
    let (tags_end, comments_end) = (html.rfind('>'), html.rfind("-->"));
    while let Some(at) = rest.find(['<', '&', '\n', '\r', '\t']) {
        let (before, special) = rest.split_at(at);
        out.push_str(before);
        let place = html.len() - special.len();
        let is_closed = |end: Option<usize>| end.is_some_and(|end| end > place);
        let markup = match special.starts_with("<!--") {
            true if is_closed(comments_end) => comment(special),
            false if is_closed(tags_end) => tag(special),
            _ => None,
        };
        let (text, length) = markup.or_else(|| entity(special)).unwrap_or_else(|| {
            match special.as_bytes().first() {
                Some(byte @ (b'<' | b'&')) => (char::from(*byte), 1),
                _ => (' ', 1),
            }
        });
        if text != '\0' {
            out.push(text);
        }
        rest = special.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    tidy(&out.lines().map(words).collect::<Vec<_>>().join("\n"))
}

/// A comment becomes nothing; and its length.
fn comment(text: &str) -> Option<(char, usize)> {
    let end = "-->";
    Some(('\0', text.find(end)? + end.len()))
}

/// What the tag at the beginning of a text becomes, white space or nothing, and its length, with its content where that
/// is no text.
fn tag(text: &str) -> Option<(char, usize)> {
    let inside = text.strip_prefix('<')?;
    let name = inside.strip_prefix('/').unwrap_or(inside);
    name.starts_with(|char: char| char.is_ascii_alphabetic())
        .then_some(())?;
    let length = text.find('>')? + 1;
    let end = name.find(|char: char| !char.is_ascii_alphanumeric())?;
    let name = name.get(..end)?.to_ascii_lowercase();
    if HIDDEN.contains(&name.as_str()) && !inside.starts_with('/') {
        return Some(('\0', end_of(text, length, &name)));
    }
    let is_one_of = |names: &[&str]| names.contains(&name.as_str());
    let becomes = match (is_one_of(&BLOCKS), is_one_of(&CELLS)) {
        (true, _) => '\n',
        (_, true) => ' ',
        _ => '\0',
    };
    Some((becomes, length))
}

/// Where the element that was begun ends: at its end tag, else with the text, as in a browser.
fn end_of(text: &str, start: usize, name: &str) -> usize {
    let is_end = |at: &usize| {
        let found = text.get(at + 2..at + 2 + name.len());
        *at >= start && found.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let ends = text.match_indices("</").map(|(at, _)| at);
    ends.into_iter().find(is_end).unwrap_or(text.len())
}

/// Whether HTML holds a picture, which no model reads here.
pub(super) fn has_picture(html: &str) -> bool {
    let of_tag = |(at, _): (usize, &str)| html.get(at + 1..at + 4);
    html.match_indices('<')
        .filter_map(of_tag)
        .any(|name| name.eq_ignore_ascii_case("img"))
}

/// The character of the entity at the beginning of a text, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let inside = text.strip_prefix('&')?;
    let end = inside
        .bytes()
        .take(MAX_ENTITY + 1)
        .position(|byte| byte == b';')?;
    let name = inside.get(..end)?;
    let named = || {
        let mut chars = resolve_html5_entity(name)?.chars();
        // Few stand for two.
        chars.next().filter(|_| chars.next().is_none())
    };
    let char = character(name).or_else(named);
    Some((char?, end + 2))
}

#[cfg(test)]
mod tests {
    use super::html_to_text;
    use crate::items::parse_items;

    const ANSWERS: &str = r#"<answer fraction="0"><text>x &amp; y</text></answer>
        <answer fraction="100" format="html"><text><![CDATA[<p>y</p>]]></text><feedback><text>f</text></feedback></answer>"#;

    fn question(attributes: &str, single: &str, answers: &str) -> String {
        format!(
            "<question {attributes}><name><text>N</text></name>\n<questiontext format=\"html\"><text>\
            <![CDATA[<p>What <b>is</b>\n1 &lt; 2?</p><p>So&nbsp;it</p>]]></text></questiontext>\n\
            <single>{single}</single>{answers}</question>\n"
        )
    }

    #[test]
    fn the_fraction_of_100_is_right_and_html_becomes_text() {
        let category =
            r#"<question type="category"><category><text>c</text></category></question>"#;
        let one = question(r#"type="multichoice""#, "true", ANSWERS);
        let parsed = parse_items(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a comment -->\r\n<quiz>{category}\r\n{one}</quiz>\r\n"
        ));
        assert_eq!((parsed.format, &parsed.errors), ("moodle-xml", &vec![]));
        let item = &parsed.items[0];
        assert_eq!(item.context, "What is 1 < 2?\nSo it");
        assert_eq!(item.choices, ["x & y", "y"]);
        assert_eq!((item.gold, item.id.as_str()), (1, "line-4"));
    }

    #[test]
    fn other_questions_are_refused_by_name_and_the_good_ones_are_kept() {
        let multichoice = r#"type="multichoice""#;
        let none = ANSWERS.replace("100", "50");
        let foreign = ANSWERS.replace("&amp;", "&lol;");
        let picture = ANSWERS.replace("<p>y</p>", "<p>y</p><IMG src='y.png'>");
        let text = [
            "<quiz>\n".to_owned(),
            question(r#"type="essay""#, "", ""),
            question(multichoice, "false", ANSWERS),
            question(multichoice, "true", &none),
            question(multichoice, "true", &foreign),
            question(multichoice, "true", &picture),
            question(multichoice, "true", ANSWERS),
            "<question><oops></question></quiz>".to_owned(),
        ];
        let parsed = parse_items(&text.concat());
        assert_eq!(parsed.items.len(), 1);
        let named = [
            "`N` is of the type `essay`",
            "single",
            "100",
            "`&lol;`",
            "a picture",
            "not XML",
        ];
        assert_eq!(parsed.errors.len(), named.len(), "{:?}", parsed.errors);
        for (error, named) in parsed.errors.iter().zip(named) {
            assert!(error.message.contains(named), "{}", error.message);
        }
        assert_eq!(parsed.errors[0].line, 2);
        assert_eq!(parsed.errors[1].line, 6);
    }

    #[test]
    fn html_that_is_none_stays_as_it_is() {
        for (html, text) in [
            ("a < b > c & d", "a < b > c & d"),
            ("a<br/>b<!-- > -->c", "a\nbc"),
            ("<b", "<b"),
            ("<!-- a <i>", "<!-- a"),
            ("&#65;&#x42;&#0;&bogus;&", "AB&#0;&bogus;&"),
            ("&ééééé;", "&ééééé;"),
            ("&eacute;&rsquo;&frac12;&nbsp;&amp;lt;", "é’½ &lt;"),
            ("<tr><td>1</td><td>2</td></tr>", "1 2"),
            ("a<script>if (a < b) {}</SCRIPT>b<style>p{}", "ab"),
        ] {
            assert_eq!(html_to_text(html), text);
        }
    }
}
