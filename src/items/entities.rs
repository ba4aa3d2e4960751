//! Named characters of HTML.
//!
//! `entities.txt` holds [all of them](https://html.spec.whatwg.org/multipage/named-characters.html), each with its code
//! points, as Python knows them:
//!
//! ```sh
//! python3 -c 'from html.entities import html5; [print(n[:-1], *(f"{ord(c):x}" for c in t)) for n, t in sorted(html5.items()) if n.endswith(";")]'
//! ```

use std::collections::HashMap;
use std::sync::LazyLock;

static NAMED: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let named = |line: &'static str| {
        let (name, codes) = line.split_once(' ')?;
        let char = |code| char::from_u32(u32::from_str_radix(code, 16).ok()?);
        let text: Option<String> = codes.split(' ').map(char).collect();
        Some((name, text?))
    };
    let lines = include_str!("entities.txt").lines();
    lines.filter_map(named).collect()
});

/// The text that a name stands for, which is without `&` and `;`.
pub(super) fn named(name: &str) -> Option<&'static str> {
    NAMED.get(name).map(String::as_str)
}

/// Names that HTML reads without `;` as well.
const UNENDED: &str = "AElig AMP Aacute Acirc Agrave Aring Atilde Auml COPY Ccedil ETH Eacute Ecirc Egrave Euml GT Iacute Icirc \
    Igrave Iuml LT Ntilde Oacute Ocirc Ograve Oslash Otilde Ouml QUOT REG THORN Uacute Ucirc Ugrave Uuml Yacute \
    aacute acirc acute aelig agrave amp aring atilde auml brvbar ccedil cedil cent copy curren deg divide eacute \
    ecirc egrave eth euml frac12 frac14 frac34 gt iacute icirc iexcl igrave iquest iuml laquo lt macr micro \
    middot nbsp not ntilde oacute ocirc ograve ordf ordm oslash otilde ouml para plusmn pound quot raquo reg \
    sect shy sup1 sup2 sup3 szlig thorn times uacute ucirc ugrave uml uuml yacute yen yuml";

/// The text that a name without `;` stands for.
pub(super) fn unended(name: &str) -> Option<&'static str> {
    let is_known = UNENDED.split(' ').any(|known| known == name);
    named(name).filter(|_| is_known)
}

/// What the numbers 128 to 159 stand for: the characters of Windows-1252, as
/// [HTML has it](https://html.spec.whatwg.org/multipage/parsing.html#numeric-character-reference-end-state). Five of them
/// have none, and are what Unicode has there.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The character that a number stands for in HTML, where it is `char` in XML.
pub(super) fn numbered(char: char) -> char {
    let place = u32::from(char).checked_sub(0x80);
    let known = place.and_then(|place| WINDOWS_1252.get(place as usize));
    known.copied().unwrap_or(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_standard_stands_for_its_characters() {
        assert_eq!(NAMED.len(), 2125);
        for (name, text) in [
            ("alpha", "α"),
            ("Omega", "Ω"),
            ("ccaron", "č"),
            ("pi", "π"),
            ("amp", "&"),
            ("nbsp", "\u{a0}"),
            ("NotEqualTilde", "\u{2242}\u{338}"),
            ("CounterClockwiseContourIntegral", "∳"),
        ] {
            assert_eq!(named(name), Some(text));
        }
        assert_eq!(named("bogus"), None);
        assert_eq!(UNENDED.split(' ').count(), 106);
        assert_eq!(unended("nbsp"), Some("\u{a0}"));
        assert_eq!(unended("alpha"), None);
    }
}
