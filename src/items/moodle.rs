//! Items in Moodle's XML, as in [Moodle's documentation](https://docs.moodle.org/en/Moodle_XML_format).
//!
//! Read are questions of the type `multichoice` with `<single>true</single>`; the right choice is the one with
//! `fraction="100"`. HTML becomes text, and what no text stands for is refused; plain text and Markdown stay as they are
//! but for white space at their ends. Categories are skipped, other types
//! refused. In the XML no entity is expanded but the five of XML and numbers of characters.

use quick_xml::events::BytesStart;

use super::draft::{Draft, Fault, Found};
use super::html;
use super::markup::Markup;
use super::text::quoted;
use super::xml::{Document, Piece, attribute};

/// Whether a text is XML with a quiz.
pub(super) fn fits(text: &str) -> bool {
    text.starts_with('<') && text.contains("<quiz")
}

/// The questions of a text.
pub(super) fn read(text: &str) -> impl Iterator<Item = Found> {
    let mut quiz = Document::new(text);
    let questions = std::iter::from_fn(move || {
        let (line, found) = next_question(&mut quiz)?;
        Some((line, found.and_then(Question::draft).map_err(Fault::from)))
    });
    let mut questions = questions.peekable();
    let none = questions.peek().is_none();
    let none = none.then(|| (1, Err("the quiz holds no question".into())));
    questions.chain(none)
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
    fn plain(&self) -> Result<String, String> {
        let markup = match self.format.as_str() {
            "plain_text" => Markup::Plain,
            "markdown" => Markup::Markdown,
            "moodle_auto_format" => Markup::Moodle,
            _ => Markup::Html,
        };
        markup.read(&self.raw)
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

/// Whether the text of an element is part of an item.
fn is_read(element: &str) -> bool {
    matches!(element, "questiontext" | "answer")
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
            [field, name, .., inner] if name == "text" && is_read(field) => {
                let message = format!(
                    "`<{}>` stands within `<text>` as XML; HTML is put in `<![CDATA[…]]>`",
                    quoted(inner)
                );
                self.error.get_or_insert(message);
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
        let of_answers = self.answers.iter().map(|(_, text)| text.plain());
        let read = || -> Result<_, String> {
            let choices: Vec<String> = of_answers.collect::<Result<_, _>>()?;
            let raw: Vec<&str> = self
                .answers
                .iter()
                .map(|(_, text)| text.raw.as_str())
                .collect();
            html::check_apart(&raw, &choices)?;
            Ok((self.text.plain()?, choices))
        };
        match read() {
            Ok((context, choices)) => Ok(Draft {
                id: None,
                context,
                choices,
                gold: gold.into(),
            }),
            Err(what) => wrong(what),
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn a_quiz_without_a_question_is_an_error() {
        let category = r#"<question type="category"><category/></question>"#;
        for text in [
            "<quiz/>",
            "<quiz></quiz>",
            &format!("<quiz>{category}</quiz>"),
        ] {
            let parsed = parse_items(text);
            assert_eq!(
                (parsed.format, parsed.errors.len()),
                ("moodle-xml", 1),
                "{text}"
            );
            assert!(parsed.errors[0].message.contains("no question"));
        }
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

    /// A choice, as HTML.
    fn choice(fraction: &str, html: &str) -> String {
        format!(
            "<answer fraction=\"{fraction}\" format=\"html\"><text><![CDATA[{html}]]></text></answer>"
        )
    }

    #[test]
    fn raised_and_lowered_choices_stay_apart() {
        let answers = [
            ("0", "102"),
            ("100", "10<sup>2</sup>"),
            ("-50", "10<sub>2</sub>"),
        ]
        .map(|(fraction, html)| choice(fraction, html));
        let text = question(r#"type="multichoice""#, "true", &answers.concat());
        let parsed = parse_items(&format!("<quiz>{text}</quiz>"));
        assert_eq!(parsed.errors, []);
        assert_eq!(parsed.items[0].choices, ["102", "10²", "10₂"]);
        assert_eq!(parsed.items[0].gold, 1);
    }

    /// In HTML, however often it is escaped, the number is that of Windows-1252; in XML it is Unicode's.
    #[test]
    fn numbers_of_characters_are_read_by_the_rules_of_where_they_stand() {
        let answers = choice("100", "1 &#150; 2")
            + "<answer fraction=\"0\"><text>&lt;p&gt;1 &amp;#x97; 2&lt;/p&gt;</text></answer>"
            + "<answer fraction=\"0\" format=\"plain_text\"><text>1 &#x2013;&#150; &amp;#150;</text></answer>";
        let text = question(r#"type="multichoice""#, "true", &answers);
        let parsed = parse_items(&format!("<quiz>{text}</quiz>"));
        assert_eq!(parsed.errors, []);
        assert_eq!(
            parsed.items[0].choices,
            ["1 – 2", "1 — 2", "1 –\u{96} &#150;"]
        );
    }

    #[test]
    fn white_space_is_kept_where_it_means_something() {
        let code = "\n  if a:\n\n      b  c\n";
        for (format, text) in [
            ("plain_text", "if a:\n\n      b  c"),
            ("markdown", "if a:\n\n      b  c"),
            ("moodle_auto_format", "if a:\nb c"),
            ("html", "if a: b c"),
        ] {
            let answers = choice("100", code).replace("\"html\"", &format!("\"{format}\""))
                + &choice("0", "d");
            let text_of_quiz = question(r#"type="multichoice""#, "true", &answers);
            let parsed = parse_items(&format!("<quiz>{text_of_quiz}</quiz>"));
            assert_eq!(parsed.errors, [], "{format}");
            assert_eq!(parsed.items[0].choices[0], text, "{format}");
        }
    }

    #[test]
    fn what_is_lost_as_text_is_refused_by_name() {
        let other = choice("0", "b");
        for (answers, named) in [
            (choice("100", "<b>b</b>") + &other, "choices, 0 and 1,"),
            (
                choice("100", "<table><tr><td>a</td></tr></table>") + &other,
                "a table",
            ),
            (choice("100", "<math><mi>x</mi></math>") + &other, "MathML"),
            // HTML as XML, which Moodle does not write.
            (
                "<answer fraction=\"100\"><text>10<sup>2</sup></text></answer>".to_owned() + &other,
                "`<sup>` stands within",
            ),
            (
                "<answer fraction=\"100\"><text>a<br/>b</text></answer>".to_owned() + &other,
                "`<br>` stands within",
            ),
            (
                "<answer fraction=\"100\"/>".to_owned() + &other,
                "choice 0 is empty",
            ),
        ] {
            let text = question(r#"type="multichoice""#, "true", &answers);
            let parsed = parse_items(&format!("<quiz>{text}</quiz>"));
            assert_eq!(
                (parsed.items.len(), parsed.errors.len()),
                (0, 1),
                "{answers}"
            );
            let message = &parsed.errors[0].message;
            assert!(message.contains(named), "{message}");
        }
        // Plain text that speaks of HTML is text.
        let plain = other
            .replace("html", "plain_text")
            .replace('b', "&lt;table&gt; or <img>");
        let text = question(
            r#"type="multichoice""#,
            "true",
            &(choice("100", "a") + &plain),
        );
        let parsed = parse_items(&format!("<quiz>{text}</quiz>"));
        assert_eq!(parsed.items[0].choices[1], "&lt;table&gt; or <img>");
    }
}
