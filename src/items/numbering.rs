//! Lists of HTML: the numbers before their items, as a browser shows them.

use super::tags::{Tag, Tags};
use super::text::quoted;

/// Most lists within each other.
const MAX_LISTS: usize = 16;
/// Roman numerals, the largest first.
const ROMAN: [(i64, &str); 13] = [
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
];
/// Numbers that Roman numerals are used for.
const ROMAN_RANGE: std::ops::Range<i64> = 1..4000;

/// What a style of lists may say besides.
const OTHER_STYLES: [&str; 5] = ["inside", "outside", "inherit", "initial", "!important"];

/// How items are numbered; large letters or small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    /// A dot or nothing, which text does without.
    None,
    Decimal,
    Letters {
        is_large: bool,
    },
    Roman {
        is_large: bool,
    },
}

impl Numbering {
    /// What a list or an item says of it.
    fn of(tag: &Tag) -> Result<Option<Self>, String> {
        let styles = tag
            .styles("list-style")
            .chain(tag.styles("list-style-type"));
        let kinds = styles.filter_map(|style| {
            let words = style.split_ascii_whitespace();
            let mut kinds = words.filter(|word| !OTHER_STYLES.contains(word));
            kinds.next().map(str::to_owned)
        });
        if let Some(style) = kinds.last() {
            let found = Self::styled(&style).ok_or_else(|| {
                format!(
                    "holds a list numbered in the style `{}`, which is not read: write the numbers as text",
                    quoted(&style)
                )
            })?;
            return Ok(Some(found));
        }
        Ok(match tag.attribute("type").unwrap_or_default() {
            "1" => Some(Self::Decimal),
            "a" | "A" | "i" | "I" => {
                let kind = tag.attribute("type").unwrap_or_default();
                let is_large = kind == kind.to_ascii_uppercase();
                Some(match kind.eq_ignore_ascii_case("a") {
                    true => Self::Letters { is_large },
                    false => Self::Roman { is_large },
                })
            }
            kind => matches!(
                kind.to_ascii_lowercase().as_str(),
                "disc" | "circle" | "square"
            )
            .then_some(Self::None),
        })
    }

    /// By the names of CSS.
    fn styled(name: &str) -> Option<Self> {
        let is_large = name.starts_with("upper");
        Some(match name {
            "none" | "disc" | "circle" | "square" => Self::None,
            "decimal" => Self::Decimal,
            "lower-alpha" | "lower-latin" | "upper-alpha" | "upper-latin" => {
                Self::Letters { is_large }
            }
            "lower-roman" | "upper-roman" => Self::Roman { is_large },
            _ => return None,
        })
    }

    /// What stands before an item.
    fn marker(self, number: i64) -> Option<String> {
        let (numeral, is_large) = match self {
            Self::None => return None,
            Self::Letters { is_large } if number > 0 => (letters(number), is_large),
            Self::Roman { is_large } if ROMAN_RANGE.contains(&number) => (roman(number), is_large),
            _ => (number.to_string(), false),
        };
        Some(match is_large {
            true => format!("{}. ", numeral.to_ascii_uppercase()),
            false => format!("{numeral}. "),
        })
    }
}

/// a to z, aa, ab, …
fn letters(number: i64) -> String {
    let mut left = number;
    let mut letters = Vec::new();
    while left > 0 {
        left -= 1;
        letters.push(char::from(b'a' + (left % 26) as u8));
        left /= 26;
    }
    letters.into_iter().rev().collect()
}

fn roman(number: i64) -> String {
    let mut left = number;
    let mut numeral = String::new();
    for (value, digits) in ROMAN {
        while left >= value {
            numeral.push_str(digits);
            left -= value;
        }
    }
    numeral
}

/// A list that is not closed.
struct List {
    /// Of its element.
    name: String,
    numbering: Numbering,
    /// The number of the next item.
    next: i64,
    step: i64,
}

/// The lists that are not closed, the outermost first.
#[derive(Default)]
pub(super) struct Lists(Vec<List>);

impl Lists {
    /// Takes a tag that may begin or end a list, before the text `after` it; gives what stands before the item that it begins.
    ///
    /// # Errors
    ///
    /// A list that is numbered in another way, or too many within each other.
    pub fn take(&mut self, tag: &Tag, after: &str) -> Result<Option<String>, String> {
        match (tag.name.as_str(), tag.is_end) {
            ("ol" | "ul" | "menu" | "dir", false) => self.begin(tag, after)?,
            ("ol" | "ul" | "menu" | "dir", true) => {
                let open = self.0.iter().rposition(|list| list.name == tag.name);
                self.0.truncate(open.unwrap_or(self.0.len()));
            }
            ("li", false) => return self.item(tag),
            _ => {}
        }
        Ok(None)
    }

    fn begin(&mut self, tag: &Tag, after: &str) -> Result<(), String> {
        if self.0.len() >= MAX_LISTS {
            return Err(format!(
                "holds more than {MAX_LISTS} lists within each other"
            ));
        }
        let is_ordered = tag.name == "ol";
        let usual = match is_ordered {
            true => Numbering::Decimal,
            false => Numbering::None,
        };
        let start = number(tag, "start").filter(|_| is_ordered);
        let is_reversed = is_ordered && tag.attribute("reversed").is_some();
        self.0.push(List {
            name: tag.name.clone(),
            numbering: Numbering::of(tag)?.unwrap_or(usual),
            next: match (start, is_reversed) {
                (Some(start), _) => start,
                (None, true) => items_of(after),
                (None, false) => 1,
            },
            step: if is_reversed { -1 } else { 1 },
        });
        Ok(())
    }

    fn item(&mut self, tag: &Tag) -> Result<Option<String>, String> {
        let Some(list) = self.0.last_mut() else {
            return Ok(None);
        };
        let found = number(tag, "value").unwrap_or(list.next);
        list.next = found + list.step;
        Ok(Numbering::of(tag)?.unwrap_or(list.numbering).marker(found))
    }
}

/// The whole number of an attribute.
fn number(tag: &Tag, name: &str) -> Option<i64> {
    let number: i32 = tag.attribute(name)?.trim().parse().ok()?;
    Some(number.into())
}

/// How many items the list has that begins before a text.
fn items_of(text: &str) -> i64 {
    let (mut depth, mut items) = (1, 0);
    for (tag, _) in Tags::default().all(text) {
        match (tag.name.as_str(), tag.is_end) {
            ("ol" | "ul" | "menu" | "dir", false) => depth += 1,
            ("ol" | "ul" | "menu" | "dir", true) => depth -= 1,
            ("li", false) if depth == 1 => items += 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::html::to_text;

    #[test]
    fn numbers_are_written_as_a_browser_shows_them() {
        let letters = Numbering::Letters { is_large: false };
        let roman = Numbering::Roman { is_large: true };
        for (numbering, number, marker) in [
            (letters, 1, "a. "),
            (letters, 26, "z. "),
            (letters, 27, "aa. "),
            (letters, 703, "aaa. "),
            (letters, 0, "0. "),
            (roman, 4, "IV. "),
            (roman, 1994, "MCMXCIV. "),
            (roman, 4000, "4000. "),
            (Numbering::Decimal, -1, "-1. "),
        ] {
            assert_eq!(numbering.marker(number).as_deref(), Some(marker));
        }
    }

    #[test]
    fn items_of_ordered_lists_have_their_numbers() {
        for (html, text) in [
            (
                "Which?<ol type=\"I\"><li>Water is wet</li><li>Ice is hot</ol>I?",
                "Which?\nI. Water is wet\nII. Ice is hot\nI?",
            ),
            (
                "<ol start=3><li><p>a</p><p>b</p></li><li>c</ol>",
                "3. a\nb\n4. c",
            ),
            (
                "<ol reversed><li>a<ol><li>x</ol><li>b</ol>",
                "2. a\n1. x\n1. b",
            ),
            (
                "<ol><li value=\"5\">a<li>b<li value=x>c</ol>",
                "5. a\n6. b\n7. c",
            ),
            (
                "<ol type=a><li>x<ul><li>y</ul><li>z</ol><li>w",
                "a. x\ny\nb. z\nw",
            ),
            ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
            (
                "<ol style='list-style-type: lower-roman;'><li>a<li type=A>b</ol>",
                "i. a\nB. b",
            ),
            ("<ol style='list-style: none inside'><li>a</ol>", "a"),
            ("<ul style='list-style-type:decimal'><li>a</ul>", "1. a"),
            ("<ol><li></li><li>b</ol>c", "1.\n2. b\nc"),
            ("<ol><li><ol><li>a</ol></ol>", "1. 1. a"),
            ("<ol><li><sup>2</sup><li><pre>x</pre></ol>", "1. ²\n2.\nx"),
        ] {
            assert_eq!(to_text(html).unwrap(), text, "{html}");
        }
    }

    #[test]
    fn a_list_with_numbers_of_another_kind_is_refused() {
        let error = to_text("<ol style='list-style-type: lower-greek'><li>a</ol>").unwrap_err();
        assert!(error.contains("`lower-greek`"), "{error}");
        let error = to_text(&"<ol reversed>".repeat(17)).unwrap_err();
        assert!(error.contains("16 lists"), "{error}");
    }
}
