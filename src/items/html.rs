//! HTML as text: tags are dropped, blocks begin lines, white space is one space but within `<pre>`, entities are read.
//! Raised and lowered text keeps its meaning (`10²`, `x^n`, `H₂O`). What text cannot say is refused by name.

use std::collections::HashMap;

use super::entities;
use super::text::{quoted, tidy};
use super::xml::character;

/// Elements that begin a line.
const BLOCKS: &[&str] = &[
    "p",
    "br",
    "hr",
    "div",
    "li",
    "ul",
    "ol",
    "menu",
    "dl",
    "dt",
    "dd",
    "tr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hgroup",
    "blockquote",
    "center",
    "section",
    "article",
    "header",
    "footer",
    "aside",
    "main",
    "nav",
    "address",
    "figure",
    "figcaption",
    "details",
    "summary",
    "form",
    "fieldset",
    "legend",
    "optgroup",
    "option",
];
/// Elements whose content is no text.
const HIDDEN: [&str; 2] = ["script", "style"];
/// Elements that no text stands for, and what they are.
const REFUSED: [(&str, &str); 13] = [
    ("img", "a picture, which no model sees here"),
    ("svg", "a picture, which no model sees here"),
    ("picture", "a picture, which no model sees here"),
    ("canvas", "a picture, which no model sees here"),
    ("video", "a film, which no model sees here"),
    ("audio", "a sound, which no model hears here"),
    ("iframe", "an embedded page, which no model sees here"),
    ("object", "an embedded file, which no model sees here"),
    ("embed", "an embedded file, which no model sees here"),
    ("applet", "an embedded file, which no model sees here"),
    (
        "table",
        "a table, whose rows and columns would be lost as text",
    ),
    ("math", "a formula in MathML, which would be lost as text"),
    (
        "ruby",
        "text with another one above it (`ruby`), which would be mixed up",
    ),
];
/// Digits and signs, and what they are raised and lowered.
const SCRIPTS: [(char, char, char); 16] = [
    ('0', '⁰', '₀'),
    ('1', '¹', '₁'),
    ('2', '²', '₂'),
    ('3', '³', '₃'),
    ('4', '⁴', '₄'),
    ('5', '⁵', '₅'),
    ('6', '⁶', '₆'),
    ('7', '⁷', '₇'),
    ('8', '⁸', '₈'),
    ('9', '⁹', '₉'),
    ('+', '⁺', '₊'),
    ('-', '⁻', '₋'),
    ('−', '⁻', '₋'),
    ('=', '⁼', '₌'),
    ('(', '⁽', '₍'),
    (')', '⁾', '₎'),
];
/// Endings of ordinal numbers in English, which are often raised.
const ORDINALS: [&str; 4] = ["st", "nd", "rd", "th"];
/// Most raised and lowered texts within each other.
const MAX_SCRIPTS: usize = 16;
/// Longest entity that is read, in bytes without its ends.
const MAX_ENTITY: usize = 31;

/// The text of HTML.
///
/// # Errors
///
/// What the HTML holds that no text stands for.
pub(super) fn to_text(html: &str) -> Result<String, String> {
    Writer::default().read(html)
}

/// The text of HTML in which a line break begins a line, as in Moodle's own format.
///
/// # Errors
///
/// As [`to_text`].
pub(super) fn to_lines(html: &str) -> Result<String, String> {
    let writer = Writer {
        begins_lines: true,
        ..Writer::default()
    };
    writer.read(html)
}

/// Whether texts that differ are still different once they are read: two choices that become one have lost what told
/// them apart.
///
/// # Errors
///
/// Which two have not stayed so.
pub(super) fn check_apart(raw: &[&str], texts: &[String]) -> Result<(), String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, text) in texts.iter().enumerate() {
        let first = *seen.entry(text).or_insert(index);
        if raw.get(first) != raw.get(index) {
            return Err(format!(
                "has choices, {first} and {index}, that differ in the file and become the same text, `{}`",
                quoted(text)
            ));
        }
    }
    Ok(())
}

/// Whether text is raised or lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Raised,
    Lowered,
}

/// What a piece of HTML means for the text.
enum Meaning {
    Nothing,
    Char(char),
    Text(&'static str),
    /// A block begins or ends.
    Line,
    /// White space stays as it is from here on, or does so no more.
    Kept(bool),
    Open(Script),
    Close(Script),
    Refused(&'static str),
}

/// The text so far.
#[derive(Default)]
struct Writer {
    /// The parts before, in which white space is as it is to be.
    done: String,
    text: String,
    /// Whether the white space of `text` stays.
    is_kept: bool,
    /// Whether a line break begins a line.
    begins_lines: bool,
    /// Raised and lowered parts that are not closed, and where each begins.
    open: Vec<(Script, usize)>,
}

impl Writer {
    fn read(mut self, html: &str) -> Result<String, String> {
        let mut rest = html;
        // Whether anything is closed further on is asked once, or the time would grow with the square of the text.
        let (tags_end, comments_end) = (html.rfind('>'), html.rfind("-->"));
        while let Some(at) = rest.find(['<', '&', '\n', '\r', '\t']) {
            let (before, special) = rest.split_at(at);
            self.text.push_str(before);
            let place = html.len() - special.len();
            let is_closed = |end: Option<usize>| end.is_some_and(|end| end > place);
            let markup = match special.starts_with("<!--") {
                true if is_closed(comments_end) => comment(special),
                false if is_closed(tags_end) => tag(special),
                _ => None,
            };
            let (meaning, length) = markup
                .or_else(|| entity(special))
                .unwrap_or_else(|| (self.plain(special.as_bytes().first()), 1));
            self.take(meaning)?;
            rest = special.get(length..).unwrap_or_default();
        }
        self.text.push_str(rest);
        self.end_part();
        Ok(self.done)
    }

    /// What a character means that begins no markup.
    fn plain(&self, byte: Option<&u8>) -> Meaning {
        match byte {
            Some(b'\n') if self.begins_lines && !self.is_kept => Meaning::Line,
            Some(byte) if self.is_kept || matches!(byte, b'<' | b'&') => {
                Meaning::Char(char::from(*byte))
            }
            _ => Meaning::Char(' '),
        }
    }

    /// Ends the part in which white space has one meaning.
    fn end_part(&mut self) {
        self.close_all();
        let text = std::mem::take(&mut self.text);
        let part = match self.is_kept {
            true => {
                let text = text.trim_start_matches(['\r', '\n']).trim_end();
                text.replace('\u{a0}', " ")
            }
            false => {
                let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
                tidy(&text.lines().map(words).collect::<Vec<_>>().join("\n"))
            }
        };
        if !self.done.is_empty() && !part.is_empty() {
            self.done.push('\n');
        }
        self.done.push_str(&part);
    }

    fn take(&mut self, meaning: Meaning) -> Result<(), String> {
        match meaning {
            Meaning::Nothing => {}
            Meaning::Char(char) => self.text.push(char),
            Meaning::Text(text) => self.text.push_str(text),
            Meaning::Line => {
                self.close_all();
                self.text.push('\n');
            }
            Meaning::Kept(is_kept) => {
                self.end_part();
                self.is_kept = is_kept;
            }
            Meaning::Open(_) if self.open.len() >= MAX_SCRIPTS => {
                return Err(format!(
                    "holds more than {MAX_SCRIPTS} raised or lowered texts within each other"
                ));
            }
            Meaning::Open(script) => self.open.push((script, self.text.len())),
            Meaning::Close(script) => {
                if self.open.iter().any(|(open, _)| *open == script) {
                    while self.close() != Some(script) {}
                }
            }
            Meaning::Refused(what) => return Err(format!("holds {what}")),
        }
        Ok(())
    }

    fn close_all(&mut self) {
        while self.close().is_some() {}
    }

    /// Ends the innermost raised or lowered part.
    fn close(&mut self) -> Option<Script> {
        let (script, start) = self.open.pop()?;
        let inner = self.text.split_off(start.min(self.text.len()));
        let words = inner.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_after_digit = self.text.ends_with(|char: char| char.is_ascii_digit());
        let is_ordinal = is_after_digit && ORDINALS.contains(&words.to_lowercase().as_str());
        match script {
            Script::Raised if is_ordinal => self.text.push_str(&words),
            _ => self.text.push_str(&scripted(&words, script)),
        }
        Some(script)
    }
}

/// A text raised or lowered: with characters that are so, else after `^` or `_`.
fn scripted(text: &str, script: Script) -> String {
    let of = |char: char| {
        let (_, raised, lowered) = SCRIPTS.iter().find(|(plain, ..)| *plain == char)?;
        Some(match script {
            Script::Raised => *raised,
            Script::Lowered => *lowered,
        })
    };
    let mark = match script {
        Script::Raised => '^',
        Script::Lowered => '_',
    };
    match text.chars().map(of).collect::<Option<String>>() {
        Some(scripted) => scripted,
        None if text.chars().count() == 1 => format!("{mark}{text}"),
        None => format!("{mark}({text})"),
    }
}

/// A comment means nothing; and its length.
fn comment(text: &str) -> Option<(Meaning, usize)> {
    let end = "-->";
    Some((Meaning::Nothing, text.find(end)? + end.len()))
}

/// What the tag at the beginning of a text means, and its length, with its content where that is no text.
fn tag(text: &str) -> Option<(Meaning, usize)> {
    let inside = text.strip_prefix('<')?;
    let is_end = inside.starts_with('/');
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    inside
        .starts_with(|char: char| char.is_ascii_alphabetic())
        .then_some(())?;
    let length = text.find('>')? + 1;
    let end = inside.find(|char: char| !char.is_ascii_alphanumeric() && char != ':')?;
    let (name, attributes) = inside.split_at(end);
    // A namespace tells nothing more.
    let name = name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase();
    if HIDDEN.contains(&name.as_str()) && !is_end {
        return Some((Meaning::Nothing, end_of(text, length, &name)));
    }
    let attributes = attributes.split('>').next().unwrap_or_default();
    let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
    let meaning = match (name.as_str(), refused) {
        (_, Some((_, what))) => Meaning::Refused(what),
        ("sup", _) if is_end => Meaning::Close(Script::Raised),
        ("sup", _) => Meaning::Open(Script::Raised),
        ("sub", _) if is_end => Meaning::Close(Script::Lowered),
        ("sub", _) => Meaning::Open(Script::Lowered),
        _ if is_scripted(attributes) => {
            Meaning::Refused("text that its style raises or lowers: use `<sup>` or `<sub>`")
        }
        ("td" | "th", _) => Meaning::Char(' '),
        ("pre", _) => Meaning::Kept(!is_end),
        (name, _) if BLOCKS.contains(&name) => Meaning::Line,
        _ => Meaning::Nothing,
    };
    Some((meaning, length))
}

/// Whether the style among an element's attributes raises or lowers its text.
fn is_scripted(attributes: &str) -> bool {
    let attributes = attributes.to_ascii_lowercase();
    let mut aligned = attributes.split("vertical-align").skip(1);
    aligned.any(|value| {
        let value = value.trim_start().trim_start_matches(':').trim_start();
        value.starts_with("super") || value.starts_with("sub")
    })
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

/// What the entity at the beginning of a text stands for, and its length.
fn entity(text: &str) -> Option<(Meaning, usize)> {
    let inside = text.strip_prefix('&')?;
    let end = inside
        .bytes()
        .take(MAX_ENTITY + 1)
        .position(|byte| byte == b';')?;
    let name = inside.get(..end)?;
    let meaning = match entities::named(name) {
        Some(text) => Meaning::Text(text),
        None => Meaning::Char(entities::numbered(character(name)?)),
    };
    Some((meaning, end + 2))
}

#[cfg(test)]
mod tests {
    use super::{check_apart, to_lines, to_text};

    #[test]
    fn html_that_is_none_stays_as_it_is() {
        for (html, text) in [
            ("a < b > c & d", "a < b > c & d"),
            ("a<br/>b<!-- > <table> -->c", "a\nbc"),
            ("<b", "<b"),
            ("<!-- a <i>", "<!-- a"),
            ("&#65;&#x42;&#0;&bogus;&", "AB&#0;&bogus;&"),
            ("&ééééé;", "&ééééé;"),
            ("&eacute;&rsquo;&frac12;&nbsp;&amp;lt;", "é’½ &lt;"),
            ("&alpha;&Omega;&ccaron;&NotEqualTilde;", "αΩč≂̸"),
            ("a<script>if (a < b) {}</SCRIPT>b<style>p{}", "ab"),
        ] {
            assert_eq!(to_text(html).unwrap(), text);
        }
    }

    #[test]
    fn white_space_stays_within_pre_alone() {
        for (html, text) in [
            (
                "Read\n  this:<pre class=\"c\">\nfor x in y:\n\n    z(<b>x</b>)\t&lt; 1<br>end\n</pre>  Why\n so?",
                "Read this:\nfor x in y:\n\n    z(x)\t< 1\nend\nWhy so?",
            ),
            ("<pre>  a\n&nbsp;b</pre>", "  a\n b"),
            ("<pre>a\n b", "a\n b"),
            ("a</pre>  b<pre> \n</pre>c", "a\nb\nc"),
            ("<sup>2<pre>  x</sup></pre>", "²\n  x"),
        ] {
            assert_eq!(to_text(html).unwrap(), text, "{html}");
        }
    }

    #[test]
    fn blocks_begin_lines() {
        for block in [
            "h4",
            "h5",
            "h6",
            "blockquote",
            "dl",
            "dt",
            "dd",
            "section",
            "article",
            "header",
            "footer",
            "aside",
            "main",
            "address",
            "figure",
            "figcaption",
            "center",
            "details",
            "summary",
            "fieldset",
            "legend",
            "option",
        ] {
            let html = format!("a<{block}>b</{block}>c");
            assert_eq!(to_text(&html).unwrap(), "a\nb\nc");
        }
        assert_eq!(to_text("a<hr>b<hr/>c").unwrap(), "a\nb\nc");
    }

    #[test]
    fn line_breaks_begin_lines_where_they_are_to() {
        let html = "a\n<b\nclass=\"x\">b</b>  c\n\n<pre>d\n\ne</pre>f";
        assert_eq!(to_lines(html).unwrap(), "a\nb c\nd\n\ne\nf");
        assert_eq!(to_text(html).unwrap(), "a b c\nd\n\ne\nf");
    }

    /// The standard's table, as Python's `html.unescape` has it.
    #[test]
    fn numbers_of_windows_1252_stand_for_its_characters() {
        let numbers: String = (128..160).map(|number| format!("&#{number};")).collect();
        assert_eq!(
            to_text(&numbers).unwrap(),
            "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ"
        );
        assert_eq!(
            to_text("a &#x96; b&#X85;&#127;&#160;é").unwrap(),
            "a – b…\u{7f} é"
        );
    }

    #[test]
    fn raised_and_lowered_text_keeps_its_meaning() {
        for (html, text) in [
            (
                "10<sup>3</sup> &times; 10<SUP class=\"x\">&minus;1</SUP>",
                "10³ × 10⁻¹",
            ),
            ("10<sub>2</sub>", "10₂"),
            ("<b>x<sup> n </sup></b>+y<sub>i</sub>", "x^n+y_i"),
            ("e<sup>-x/2</sup>, x<sub>max</sub>", "e^(-x/2), x_(max)"),
            ("e<sup>i&pi;</sup>, x<sub>&alpha;</sub>", "e^(iπ), x_α"),
            ("2<sup>2<sup>n</sup></sup>", "2^(2^n)"),
            ("2<sup>x<sub>1</sub></sup>", "2^(x₁)"),
            ("SO<sub>4</sub><sup>2&#8722;</sup>", "SO₄²⁻"),
            ("the 20<sup>th</sup>, a<sup>th</sup>", "the 20th, a^(th)"),
            ("<p>10<sup>2</p><p>3</sup></p>", "10²\n3"),
            ("a<sup>b<sub>c</sup>d</sub>", "a^(b_c)d"),
            ("a<sup></sup><sub>2", "a₂"),
            ("a<sup><b>2</b><br>3</sup>", "a²\n3"),
        ] {
            assert_eq!(to_text(html).unwrap(), text, "{html}");
        }
    }

    #[test]
    fn what_no_text_stands_for_is_refused_by_name() {
        for (html, named) in [
            ("a <IMG src='x'>", "a picture"),
            ("<table><tr><td>1</td></tr></table>", "a table"),
            ("<math><mi>x</mi></math>", "MathML"),
            ("<m:math xmlns:m=\"x\"/>", "MathML"),
            (
                "a<span style=\"Vertical-Align : super; color: red\">2</span>",
                "its style",
            ),
            ("<audio src='x'></audio>", "a sound"),
            ("<sup>x".repeat(17).as_str(), "within each other"),
        ] {
            let error = to_text(html).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(to_text("&lt;table&gt; <i style='vertical-align: top'>").is_ok());
    }

    #[test]
    fn choices_that_become_one_are_an_error() {
        let texts = ["a", "b", "a"].map(str::to_owned);
        assert!(check_apart(&["a", "b", "a"], &texts).is_ok());
        let error = check_apart(&["a", "b", "<p>a</p>"], &texts).unwrap_err();
        assert!(error.contains("choices, 0 and 2,"), "{error}");
    }
}
