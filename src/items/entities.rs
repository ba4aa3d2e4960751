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
    }
}
