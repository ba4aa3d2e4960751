//! HTML as text: tags are dropped, blocks begin lines, white space is one space but within `<pre>`, entities are read.
//! Raised and lowered text keeps its meaning (`10²`, `x^n`, `H₂O`), and so do the numbers of lists, underlined gaps and
//! formulas in scripts. What text cannot say is refused by name.

use std::collections::{BTreeMap, HashMap};

use super::entities;
use super::numbering::Lists;
use super::scripts::{Script, scripted};
use super::tags::{Tag, Tags};
use super::text::{GAP, is_invisible, quoted, tidy};
use super::xml::character;

/// Most raised and lowered texts within each other.
const MAX_SCRIPTS: usize = 16;
/// Longest entity that is read, in bytes without its ends.
const MAX_ENTITY: usize = 31;
/// What Word leaves in HTML, and no browser shows.
const OF_WORD: [&str; 4] = ["<![if ", "<![endif]", "<?xml:", "</?xml:"];
/// Beginnings of words that speak of underlining.
const UNDERLINED: [&str; 7] = [
    "underlin",
    "unterstrich",
    "soulign",
    "subraya",
    "sottoline",
    "sublinha",
    "подч",
];

/// The text of HTML.
///
/// # Errors
///
/// What the HTML holds that no text stands for.
pub(super) fn to_text(html: &str) -> Result<String, String> {
    Writer::default().read(html)
}

/// The text of HTML as it is typed, in Moodle's own format: a line break begins a line, and what looks like a tag and
/// is no element of HTML is text.
///
/// # Errors
///
/// As [`to_text`], and a tag that has no other one, which may be text.
pub(super) fn to_lines(html: &str) -> Result<String, String> {
    let text = typed(html)?;
    check_pairs(html)?;
    Ok(text)
}

/// Whether text among which HTML may stand holds nothing that no text stands for.
///
/// # Errors
///
/// As [`to_text`].
pub(super) fn check_readable(text: &str) -> Result<(), String> {
    typed(text).map(|_| ())
}

fn typed(html: &str) -> Result<String, String> {
    let writer = Writer {
        is_typed: true,
        ..Writer::default()
    };
    writer.read(html)
}

/// Whether every element that needs an end tag has one, and every end tag an element: in `What does <b> do?` the tag may
/// be text.
fn check_pairs(html: &str) -> Result<(), String> {
    let mut open: BTreeMap<String, isize> = BTreeMap::new();
    for (tag, _) in Tags::default().all(html) {
        if tag.is_html() && tag.needs_end() {
            let step = if tag.is_end { -1 } else { 1 };
            *open.entry(tag.name).or_default() += step;
        }
    }
    match open.into_iter().find(|(_, count)| *count != 0) {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "has not as many `<{name}>` as `</{name}>`: write `&lt;` for a `<` of the text, or close the element"
        )),
    }
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

/// An underlined part that is not closed.
struct Underlined {
    /// Of its element.
    name: String,
    /// How many elements of that name are open within it, with itself.
    depth: usize,
    /// Where it begins in the text.
    start: usize,
}

/// The text so far.
#[derive(Default)]
struct Writer {
    /// The parts before, in which white space is as it is to be.
    done: String,
    text: String,
    /// Whether the white space of `text` stays.
    is_kept: bool,
    /// Whether a line break begins a line and what is no element is text.
    is_typed: bool,
    tags: Tags,
    /// Raised and lowered parts that are not closed, and where each begins.
    open: Vec<(Script, usize)>,
    lists: Lists,
    /// The number of an item whose text has not begun.
    marker: String,
    /// The outermost underlined part.
    underlined: Option<Underlined>,
    /// Whether words were underlined.
    has_underlined: bool,
}

impl Writer {
    fn read(mut self, html: &str) -> Result<String, String> {
        let mut rest = html;
        // Whether a comment is closed further on is asked once, or the time would grow with the square of the text.
        let comments_end = html.rfind("-->");
        while let Some(at) = rest.find(['<', '&', '\n', '\r', '\t']) {
            let (before, special) = rest.split_at(at);
            self.push(before);
            let place = html.len() - special.len();
            let is_comment =
                special.starts_with("<!--") && comments_end.is_some_and(|end| end > place);
            let length = if is_comment {
                special.find("-->").map_or(special.len(), |at| at + 3)
            } else if let Some(length) = of_word(special) {
                length
            } else if let Some(tag) = self.tag(special)? {
                let after = special.get(tag.length..).unwrap_or_default();
                tag.length + self.element(&tag, after)?
            } else if let Some((text, length)) = entity(special) {
                self.push(&text);
                length
            } else {
                self.plain(special.chars().next().unwrap_or(' '));
                1
            };
            rest = special.get(length..).unwrap_or_default();
        }
        self.push(rest);
        self.end_part();
        let lowered = self.done.to_lowercase();
        if self.has_underlined && UNDERLINED.iter().any(|word| lowered.contains(word)) {
            let what = "underlined words, of which the text speaks and whose line would be lost";
            return Err(format!("holds {what}"));
        }
        Ok(self.done)
    }

    /// The tag at the beginning of a text.
    fn tag<'a>(&mut self, text: &'a str) -> Result<Option<Tag<'a>>, String> {
        match self.tags.read(text) {
            Some(tag) if !tag.is_html() && self.is_typed => Ok(None),
            Some(tag) if !tag.is_html() => Err(format!(
                "holds `{}`, which is no tag of HTML: write `&lt;` for a `<` of the text",
                quoted(text.get(..tag.length).unwrap_or_default())
            )),
            tag => Ok(tag),
        }
    }

    /// Writes a character that begins no markup.
    fn plain(&mut self, char: char) {
        match char {
            '\n' if self.is_typed && !self.is_kept => self.begin_line(),
            '\n' | '\r' | '\t' if !self.is_kept => self.text.push(' '),
            _ => self.push(char.encode_utf8(&mut [0; 4])),
        }
    }

    /// Writes text, and before it the number of the item that it begins.
    fn push(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.begin_item();
        }
        self.text.push_str(text);
    }

    fn begin_item(&mut self) {
        self.text.push_str(&std::mem::take(&mut self.marker));
    }

    fn begin_line(&mut self) {
        self.close_all();
        self.text.push('\n');
    }

    /// Does what the tag of an element means, before the text `after` it; gives how much of that is no text.
    fn element(&mut self, tag: &Tag, after: &str) -> Result<usize, String> {
        if let Some(what) = tag.refused() {
            return Err(format!("holds {what}"));
        }
        if tag.is_raw() {
            let content = raw_content(after, &tag.name);
            self.push(&formula(tag, content));
            return Ok(content.len());
        }
        if tag.is_hidden() {
            return hidden_content(after, tag)
                .ok_or_else(|| format!("holds a hidden `<{}>` that is not closed", tag.name));
        }
        if tag.is_block() {
            self.begin_line();
        }
        if let Some(marker) = self.lists.take(tag, after)? {
            // An item without text, unless a list begins within it.
            self.marker.push_str(&marker);
        }
        match (tag.name.as_str(), tag.is_end) {
            ("sup", false) => self.open(Script::Raised)?,
            ("sub", false) => self.open(Script::Lowered)?,
            ("sup", true) => self.close_until(Script::Raised),
            ("sub", true) => self.close_until(Script::Lowered),
            ("td" | "th", _) => self.text.push(' '),
            ("li", true) => self.begin_item(),
            ("pre", is_end) => {
                self.begin_item();
                self.end_part();
                self.is_kept = !is_end;
            }
            _ => {}
        }
        self.underline(tag);
        Ok(0)
    }

    /// Begins, goes on with or ends an underlined part.
    fn underline(&mut self, tag: &Tag) {
        match &mut self.underlined {
            Some(open) if open.name == tag.name => {
                match tag.is_end {
                    true => open.depth -= 1,
                    false => open.depth += 1,
                }
                if open.depth == 0 {
                    self.end_underlined();
                }
            }
            None if tag.is_underlined() && !tag.is_void() => {
                self.begin_item();
                self.underlined = Some(Underlined {
                    name: tag.name.clone(),
                    depth: 1,
                    start: self.text.len(),
                });
            }
            _ => {}
        }
    }

    /// Ends an underlined part; spaces with a line under them are a gap.
    fn end_underlined(&mut self) {
        let Some(open) = self.underlined.take() else {
            return;
        };
        let inner = self.text.get(open.start..).unwrap_or_default();
        if is_gap(inner) {
            self.text.truncate(open.start);
            self.text.push_str(GAP);
        } else {
            self.has_underlined |= inner.contains(char::is_alphanumeric);
        }
    }

    /// Ends the part in which white space has one meaning.
    fn end_part(&mut self) {
        self.close_all();
        self.end_underlined();
        let mut text = std::mem::take(&mut self.text);
        text.retain(|char| !is_invisible(char));
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

    fn open(&mut self, script: Script) -> Result<(), String> {
        if self.open.len() >= MAX_SCRIPTS {
            return Err(format!(
                "holds more than {MAX_SCRIPTS} raised or lowered texts within each other"
            ));
        }
        self.begin_item();
        self.open.push((script, self.text.len()));
        Ok(())
    }

    fn close_until(&mut self, script: Script) {
        if self.open.iter().any(|(open, _)| *open == script) {
            while self.close() != Some(script) {}
        }
    }

    fn close_all(&mut self) {
        while self.close().is_some() {}
    }

    /// Ends the innermost raised or lowered part.
    fn close(&mut self) -> Option<Script> {
        let (script, start) = self.open.pop()?;
        let inner = self.text.split_off(start.min(self.text.len()));
        let words = inner.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = scripted(&words, script, &self.text);
        self.text.push_str(&text);
        Some(script)
    }
}

/// Whether underlined text is a gap: more than one space, and one at least that HTML does not take away.
fn is_gap(text: &str) -> bool {
    let is_space = |char: char| char.is_whitespace() && char != '\n';
    text.chars().all(is_space)
        && text.chars().nth(1).is_some()
        && text.contains(|char: char| !char.is_ascii())
}

/// The length of what Word left at the beginning of a text.
fn of_word(text: &str) -> Option<usize> {
    OF_WORD.iter().find(|start| text.starts_with(**start))?;
    // Where another `<` comes first, it has no end.
    let end = text.get(1..)?.find(['<', '>'])? + 1;
    text.get(end..)?.starts_with('>').then_some(end + 1)
}

/// The formula of a script, between the marks of TeX; nothing for other content that is no text.
fn formula(tag: &Tag, content: &str) -> String {
    let kind = tag.attribute("type").unwrap_or_default();
    let is_formula = tag.name == "script" && kind.starts_with("math/tex");
    match kind.contains("mode=display") {
        _ if !is_formula => String::new(),
        true => format!("\\[{}\\]", content.trim()),
        false => format!("\\({}\\)", content.trim()),
    }
}

/// What stands up to the end tag of an element whose content is no text, else the whole, as in a browser.
fn raw_content<'a>(text: &'a str, name: &str) -> &'a str {
    let is_end = |at: &usize| {
        let found = text.get(at + 2..at + 2 + name.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let end = text.match_indices("</").map(|(at, _)| at).find(is_end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// How long the content of a hidden element is, if it ends.
fn hidden_content(text: &str, tag: &Tag) -> Option<usize> {
    if tag.is_void() {
        return Some(0);
    }
    let mut depth = 1;
    let mut same = Tags::default()
        .all(text)
        .filter(|(found, _)| found.name == tag.name);
    same.find_map(|(found, after)| {
        match found.is_end {
            true => depth -= 1,
            false => depth += 1,
        }
        (depth == 0).then_some(text.len() - after.len())
    })
}

/// What the entity at the beginning of a text stands for, and its length.
fn entity(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix('&')?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let end = inside
        .bytes()
        .take(MAX_ENTITY + 1)
        .take_while(is_name)
        .count();
    let (name, after) = inside.split_at(end);
    if after.starts_with(';') {
        let text = match entities::named(name) {
            Some(text) => text.to_owned(),
            None => entities::numbered(character(name)?).into(),
        };
        return Some((text, end + 2));
    }
    // As HTML has it in attributes, so that `&section=2` stays.
    let text = entities::unended(name).filter(|_| !after.starts_with('='))?;
    Some((text.to_owned(), end + 1))
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
            ("caf&eacute, a&nbsp&amp b&lt", "café, a & b<"),
            ("a&section=1&sect=2&alpha", "a&section=1&sect=2&alpha"),
            (
                "a<![if !lists]>1.<![endif]><?xml:namespace ns=\"o\" />b<o:p></o:p>c",
                "a1.bc",
            ),
            ("a<?php b ?><![c]>", "a<?php b ?><![c]>"),
            ("<![if a<b>c", "<![if ac"),
            (
                "so&shy;ft\u{200b}er\u{feff}, می\u{200c}خواهم",
                "softer, می\u{200c}خواهم",
            ),
            ("<i title=\"a > b\">c</i>", "c"),
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
            ("<a href='x/1.MP3?y'>x</a>", "a sound"),
            ("<a href=\"@@PLUGINFILE@@/1.pdf\">x</a>", "a link to a file"),
            ("<del>not</del>", "struck through"),
            (
                "<i style='text-decoration-line:line-through'>",
                "struck through",
            ),
            ("<i class='a multilang' lang=en>", "several languages"),
            ("<script type=math/mml></script>", "a formula"),
            ("What is underlined? <u>a</u>", "underlined words"),
            ("<sup>x".repeat(17).as_str(), "within each other"),
        ] {
            let error = to_text(html).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(to_text("a <u>word</u>, <a href='https://x.org/mp3'>b</a>").is_ok());
        assert!(to_text("&lt;table&gt; <i style='vertical-align: top'>").is_ok());
    }

    #[test]
    fn what_is_no_tag_is_text_where_it_is_typed_and_refused_in_html() {
        for text in [
            "if x<y and y>z",
            "List<String> a = b;",
            "$a<b$ and $c>d$",
            "a <b and c> d",
        ] {
            assert_eq!(to_lines(text).unwrap(), text);
            let error = to_text(text).unwrap_err();
            assert!(error.contains("write `&lt;`"), "{error}");
        }
        assert_eq!(to_text("a <b and <i>c</i>").unwrap(), "a <b and c");
        for text in ["What does <b> do?", "the end tag </P>"] {
            let error = to_lines(text).unwrap_err();
            assert!(error.contains("write `&lt;`"), "{error}");
        }
        assert_eq!(to_lines("<ul><li>a<li>b</ul><br>c").unwrap(), "a\nb\nc");
    }

    #[test]
    fn spaces_with_a_line_under_them_are_a_gap() {
        for (html, text) in [
            ("at <u>&nbsp; &nbsp;</u> degrees", "at _____ degrees"),
            (
                "x<span style=\"text-decoration: underline;\"><span>&nbsp;</span>&nbsp;</span>y",
                "x_____y",
            ),
            ("<ol><li><u>&nbsp;&nbsp;</u></ol>", "1. _____"),
            ("<u>a</u><u>&nbsp;</u><u>b</u> <u>  </u>", "a b"),
            ("<u>____</u><u></u>", "____"),
            ("<u>&nbsp;<pre>&nbsp;</u></pre>", ""),
        ] {
            assert_eq!(to_text(html).unwrap(), text, "{html}");
        }
    }

    #[test]
    fn formulas_of_scripts_stand_between_the_marks_of_tex() {
        let html = "a <script type=\"math/tex\">x<y</script>\
            <script type=\"math/tex; mode=display\"> \\frac12 </script><script>z</script>";
        assert_eq!(to_text(html).unwrap(), "a \\(x<y\\)\\[\\frac12\\]");
    }

    #[test]
    fn what_a_browser_hides_is_not_read() {
        for (html, text) in [
            ("<p style='display:none'>a<p>b</p></p>c", "c"),
            ("<span hidden>a<table></span>b", "b"),
            ("a<input hidden>b", "ab"),
            ("a<i style='Visibility: Hidden'>b</i>", "a"),
        ] {
            assert_eq!(to_text(html).unwrap(), text, "{html}");
        }
        let error = to_text("<p hidden>a<p>b</p>").unwrap_err();
        assert!(error.contains("hidden `<p>`"), "{error}");
    }

    #[test]
    fn choices_that_become_one_are_an_error() {
        let texts = ["a", "b", "a"].map(str::to_owned);
        assert!(check_apart(&["a", "b", "a"], &texts).is_ok());
        let error = check_apart(&["a", "b", "<p>a</p>"], &texts).unwrap_err();
        assert!(error.contains("choices, 0 and 2,"), "{error}");
    }
}
