//! Regular expressions of `tokenizer.json` in the syntax of `fancy_regex`.
//!
//! The `tokenizers` library runs them with Oniguruma, as Ruby writes them (`doc/RE` of Oniguruma 6.9). What both know by
//! one name and mean differently is written otherwise here; classes are those that the library finds in all of Unicode.

use std::borrow::Cow;

use fancy_regex::Expr;

/// `\w` in a class, and `[:word:]`. Rust's has U+200C and U+200D too.
const WORD_IN_CLASS: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]";
/// `\w` elsewhere, which has these digits and fractions.
const WORD: &str = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}¹²³¼½¾]";
/// `\Z`: before one line end at most.
const END_OF_TEXT: &str = r"(?=\n?\z)";
/// `$`: before every line end.
const END_OF_LINE: &str = "(?m:$)";
/// `^`: after every line end.
const START_OF_LINE: &str = "(?m:^)";
/// The same where a match may be without text: not after the line end that a text ends with.
const START_OF_FULL_LINE: &str = r"(?m:^)(?!\z)";

/// What is between `[:` and `:]`. Rust's are of ASCII alone.
const POSIX: [(&str, &str); 13] = [
    ("alnum", r"[\p{Alphabetic}\p{Nd}]"),
    ("alpha", r"[\p{Alphabetic}]"),
    ("blank", r"[\t\p{Zs}]"),
    ("cntrl", r"[\p{Cc}]"),
    ("digit", r"[\p{Nd}]"),
    ("graph", r"[^\s\p{Cc}\p{Cn}]"),
    ("lower", r"[\p{Lowercase}]"),
    ("print", r"[^\p{Cc}\p{Cn}\p{Zl}\p{Zp}]"),
    ("punct", r"[\p{P}\p{S}]"),
    ("space", r"[\s]"),
    ("upper", r"[\p{Uppercase}]"),
    ("word", WORD_IN_CLASS),
    ("xdigit", "[0-9A-Fa-f]"),
];

/// The same expression in `fancy_regex`'s syntax.
pub(super) fn translated(pattern: &str) -> String {
    let start_of_line = match may_be_empty(pattern) {
        true => START_OF_FULL_LINE,
        false => START_OF_LINE,
    };
    let mut made = String::with_capacity(pattern.len());
    let (mut rest, mut depth) = (pattern, 0_usize);
    while let Some(first) = rest.chars().next() {
        let in_class = depth > 0;
        let same = |length| (length, None);
        let (length, other) = match first {
            '\\' => escape(rest, in_class),
            '[' if in_class && posix(rest).is_some() => posix(rest).unwrap_or(same(1)),
            '[' => {
                depth += 1;
                same(opening(rest))
            }
            ']' if in_class => {
                depth -= 1;
                same(1)
            }
            _ if in_class => same(first.len_utf8()),
            '(' => group(rest),
            '^' => (1, Some(start_of_line.into())),
            '$' => (1, Some(END_OF_LINE.into())),
            _ => same(first.len_utf8()),
        };
        let (token, after) = rest.split_at(length);
        made.push_str(other.as_deref().unwrap_or(token));
        rest = after;
    }
    made
}

/// How many bytes of an expression belong together, and what is written in their place where that is another.
type Token = (usize, Option<Cow<'static, str>>);

fn escape(rest: &str, in_class: bool) -> Token {
    let Some(kind) = rest.chars().nth(1) else {
        return (1, None);
    };
    let other = match kind {
        'w' if in_class => Some(WORD_IN_CLASS.into()),
        'W' if in_class => Some(opposite(WORD_IN_CLASS).into()),
        'w' => Some(WORD.into()),
        'W' => Some(opposite(WORD).into()),
        'b' if !in_class => Some(format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))").into()),
        'B' if !in_class => Some(format!("(?:(?<={WORD})(?={WORD})|(?<!{WORD})(?!{WORD}))").into()),
        'Z' if !in_class => Some(END_OF_TEXT.into()),
        _ => None,
    };
    let name = match rest.get(2..).filter(|_| matches!(kind, 'p' | 'P')) {
        Some(name) if name.starts_with('{') => name.find('}').map_or(0, |end| end + 1),
        _ => 0,
    };
    (1 + kind.len_utf8() + name, other)
}

/// A class of the form `[:name:]` or `[:^name:]`.
fn posix(rest: &str) -> Option<Token> {
    let (name, _) = rest.strip_prefix("[:")?.split_once(":]")?;
    let plain = name.strip_prefix('^').unwrap_or(name);
    let (_, class) = POSIX.into_iter().find(|(known, _)| *known == plain)?;
    let class = match plain == name {
        true => class.into(),
        false => opposite(class).into(),
    };
    Some(("[::]".len() + name.len(), Some(class)))
}

fn opposite(class: &str) -> String {
    match class.strip_prefix("[^") {
        Some(rest) => format!("[{rest}"),
        None => class.replacen('[', "[^", 1),
    }
}

/// How many bytes begin a class: a bracket that follows at once is one of its characters.
fn opening(rest: &str) -> usize {
    ["[^]", "[^", "[]"]
        .into_iter()
        .find(|start| rest.starts_with(start))
        .map_or(1, str::len)
}

/// A comment, or flags, of which Ruby's `m` lets `.` match a line end.
fn group(rest: &str) -> Token {
    let Some(inner) = rest.strip_prefix("(?") else {
        return (1, None);
    };
    if inner.starts_with('#') {
        return (inner.find(')').map_or(rest.len(), |end| 2 + end), None);
    }
    let is_flag = |c: char| c.is_ascii_alphabetic() || c == '-';
    let flags = &inner[..inner.find(|c| !is_flag(c)).unwrap_or(inner.len())];
    let length = 2 + flags.len();
    (
        length,
        Some(format!("(?{}", flags.replace('m', "s")).into()),
    )
}

/// Whether a match of an expression may be without text; true where that is not known.
pub(super) fn may_be_empty(pattern: &str) -> bool {
    // What is matched before it does not count.
    let forgets = pattern.contains(r"\K");
    forgets || Expr::parse_tree(pattern).map_or(true, |tree| is_empty(&tree.expr))
}

fn is_empty(expression: &Expr) -> bool {
    match expression {
        Expr::Any { .. } => false,
        Expr::Literal { val, .. } => val.is_empty(),
        Expr::Delegate { size, .. } => *size == 0,
        Expr::Concat(parts) => parts.iter().all(is_empty),
        Expr::Alt(branches) => branches.iter().any(is_empty),
        Expr::Group(inner) | Expr::AtomicGroup(inner) => is_empty(inner),
        Expr::Repeat { child, lo, .. } => *lo == 0 || is_empty(child),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value as Json;
    use tokenizers::{
        NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
        PreTokenizer,
    };

    use super::*;
    use crate::model::tokenizer::steps::{Cutter, Normaliser};

    /// `tests/fixtures/tokenizers/patterns.json`, by the library with Oniguruma.
    #[derive(Deserialize)]
    struct Golden {
        pre_tokenizer: Vec<Case>,
        normalizer: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        step: Json,
        texts: Vec<Text>,
    }

    #[derive(Deserialize)]
    struct Text {
        text: String,
        pieces: Vec<String>,
    }

    impl Case {
        fn hold(self, run: impl Fn(&Json, &str) -> Vec<String>) {
            for Text { text, pieces } in self.texts {
                assert_eq!(run(&self.step, &text), pieces, "{} of {text:?}", self.step);
            }
        }
    }

    #[test]
    fn expressions_match_what_they_match_in_the_tokenizers_library() {
        let golden = include_str!("../../../tests/fixtures/tokenizers/patterns.json");
        let golden: Golden = serde_json::from_str(golden).unwrap();
        for case in golden.pre_tokenizer {
            case.hold(|step, text| {
                let mut text = PreTokenizedString::from(text);
                let cutter = Cutter::deserialize(step).unwrap();
                cutter.pre_tokenize(&mut text).unwrap();
                let pieces = text.get_splits(OffsetReferential::Original, OffsetType::Byte);
                let pieces = pieces.into_iter().map(|(piece, ..)| piece.to_owned());
                pieces.collect()
            });
        }
        for case in golden.normalizer {
            case.hold(|step, text| {
                let mut text = NormalizedString::from(text);
                let normaliser = Normaliser::deserialize(step).unwrap();
                normaliser.normalize(&mut text).unwrap();
                vec![text.get().to_owned()]
            });
        }
    }

    #[test]
    fn an_expression_that_always_takes_text_is_told_from_one_that_may_not() {
        for pattern in [
            "a",
            "a+b?",
            "(a|bc)",
            "[^a]",
            r"(?<=a)b",
            "^a",
            "a$",
            r"\p{L}{2,}",
        ] {
            assert!(!may_be_empty(pattern), "{pattern}");
        }
        for pattern in [
            "", "a*", "a|", "(a?)", "(?=a)", "^", r"\b", r"a\K", "a{0,3}", "(a)?", "[",
        ] {
            assert!(may_be_empty(pattern), "{pattern}");
        }
    }
}
