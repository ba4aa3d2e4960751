//! How the texts of Moodle's quizzes are marked up, in its XML and in GIFT.

use super::html;
use super::tags::{PICTURE, check_filters, linked_file};

/// The four formats of Moodle's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    Html,
    /// Moodle's own, which is HTML whose line breaks begin lines.
    Moodle,
    /// White space stays within plain text and Markdown, so that code keeps its indentation.
    Plain,
    Markdown,
}

impl Markup {
    /// What a text says to a model.
    ///
    /// # Errors
    ///
    /// What it holds that would be lost.
    pub fn read(self, raw: &str) -> Result<String, String> {
        let raw = raw.replace("\r\n", "\n").replace('\r', "\n");
        if self != Self::Plain {
            check_filters(&raw)?;
        }
        match self {
            Self::Html => html::to_text(&raw),
            Self::Moodle => html::to_lines(&raw),
            Self::Plain => Ok(raw.trim().to_owned()),
            Self::Markdown => {
                // HTML may stand in it, and is left as it is.
                html::check_readable(&raw)?;
                check_links(&raw)?;
                Ok(raw.trim().to_owned())
            }
        }
    }
}

/// Whether Markdown has no pictures, `![…](…)` or `![…][…]`, and no links to files that no text stands for.
fn check_links(text: &str) -> Result<(), String> {
    let has_references = text.contains("]:");
    // Whether each bracket that is not closed begins a picture.
    let mut open = Vec::new();
    let mut before = ' ';
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            '[' => open.push(before == '!'),
            ']' => {
                let is_picture = open.pop();
                let after = text.get(at + 1..).unwrap_or_default();
                let target = after.strip_prefix('(').map(|target| {
                    let end = target.find([')', '[', ']', ' ', '\n']);
                    target.get(..end.unwrap_or(target.len())).unwrap_or(target)
                });
                let refused = match (is_picture, target) {
                    (Some(true), Some(_)) => Some(PICTURE),
                    (Some(true), None) if has_references && after.starts_with('[') => Some(PICTURE),
                    (Some(false), Some(target)) => linked_file(target),
                    _ => None,
                };
                if let Some(what) = refused {
                    return Err(format!("holds {what}"));
                }
            }
            _ => {}
        }
        before = char;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn markdown_stays_as_it_is_but_for_what_no_model_sees() {
        for text in [
            "**a** `b[0]` <i>c</i>\n    List<T> d",
            "a[1](2)",
            "Wow![]",
            "\\![a](b)",
            "[a](b.html)",
        ] {
            assert_eq!(Markup::Markdown.read(text).unwrap(), text);
        }
        for (text, named) in [
            ("What is this? ![x](a.png)", "a picture"),
            ("![a [b] c](d)", "a picture"),
            ("![a][1]\n\n[1]: b.png", "a picture"),
            ("a <img src=\"b\">", "a picture"),
            ("[a](@@PLUGINFILE@@/1.mp3)", "a sound"),
        ] {
            let error = Markup::Markdown.read(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_moodle_filters_is_refused_but_in_plain_text() {
        for (text, named) in [
            ("«math»«mn»1«/mn»«/math»", "MathML"),
            ("{mlang en}a{mlang}{mlang fr}b{mlang}", "several languages"),
        ] {
            for markup in [Markup::Html, Markup::Moodle, Markup::Markdown] {
                let error = markup.read(text).unwrap_err();
                assert!(error.contains(named), "{error}");
            }
            assert_eq!(Markup::Plain.read(text).unwrap(), text);
        }
    }

    #[test]
    fn every_line_break_is_one() {
        assert_eq!(Markup::Plain.read("a\r\nb\rc").unwrap(), "a\nb\nc");
        assert_eq!(Markup::Moodle.read("a\r\nb\rc").unwrap(), "a\nb\nc");
        assert_eq!(Markup::Html.read("a\r\nb\rc").unwrap(), "a b c");
    }
}
