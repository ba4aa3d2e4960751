//! What a template's text says in braces, and what that becomes for an item.

use super::Item;
use super::template::TemplateError;

/// What stands in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Context,
    TrimmedContext,
    Passage,
    Question,
    BeforeBlank,
    AfterBlank,
    Rest,
    LetteredChoices,
    Choice,
    Letter,
}

/// The placeholders: names, what they become, and what for.
pub const PLACEHOLDERS: [(&str, &str); 10] = [
    ("context", "the item's context"),
    (
        "trimmed_context",
        "the context without white space around it",
    ),
    ("passage", "the context without its last line"),
    ("question", "the context's last line"),
    (
        "before_blank",
        "the context up to its blank (`_`, or several)",
    ),
    (
        "after_blank",
        "the context after its blank, without white space around it",
    ),
    ("rest", "the context after its blank, as it is"),
    ("lettered_choices", "the choices as lines `A. …`"),
    ("choice", "the choice"),
    ("letter", "the choice's letter"),
];

impl Placeholder {
    const ALL: [Self; 10] = [
        Self::Context,
        Self::TrimmedContext,
        Self::Passage,
        Self::Question,
        Self::BeforeBlank,
        Self::AfterBlank,
        Self::Rest,
        Self::LetteredChoices,
        Self::Choice,
        Self::Letter,
    ];

    fn named(name: &str) -> Option<Self> {
        let index = PLACEHOLDERS.iter().position(|(known, _)| *known == name)?;
        Self::ALL.get(index).copied()
    }

    /// Whether it is another text for each choice.
    pub(super) fn differs(self) -> bool {
        matches!(self, Self::Choice | Self::Letter)
    }

    fn fill(self, item: &Item, choice: usize) -> Result<String, TemplateError> {
        let context = item.context.as_str();
        Ok(match self {
            Self::Context => context.to_owned(),
            Self::TrimmedContext => context.trim().to_owned(),
            Self::Passage => context
                .rsplit_once('\n')
                .map_or("", |(passage, _)| passage)
                .to_owned(),
            Self::Question => context
                .rsplit_once('\n')
                .map_or(context, |(_, line)| line)
                .to_owned(),
            Self::BeforeBlank => blank(context)?.0.to_owned(),
            Self::AfterBlank => blank(context)?.1.trim().to_owned(),
            Self::Rest => blank(context)?.1.to_owned(),
            Self::LetteredChoices => {
                let lines = item.choices.iter().enumerate();
                let lines = lines.map(|(index, choice)| format!("{}. {choice}", letter(index)));
                lines.collect::<Vec<_>>().join("\n")
            }
            Self::Choice => item.choices.get(choice).cloned().unwrap_or_default(),
            Self::Letter => letter(choice).to_string(),
        })
    }
}

/// A context before and after its first run of underscores.
fn blank(context: &str) -> Result<(&str, &str), TemplateError> {
    let (before, after) = context.split_once('_').ok_or_else(|| {
        TemplateError::Item("the context has no blank (`_`), which this template fills".into())
    })?;
    Ok((before, after.trim_start_matches('_')))
}

/// A piece of a template's text.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Filled(Placeholder),
}

/// A template's text in pieces; `{{` and `}}` are braces.
pub(super) fn pieces<'a>(
    text: &'a str,
    part: &'static str,
) -> Result<Vec<Piece<'a>>, TemplateError> {
    let fail = |at: usize, message: String| {
        let character = text.get(..at).unwrap_or_default().chars().count() + 1;
        Err(TemplateError::Own {
            part,
            message: format!("{message} (character {character})"),
        })
    };
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(offset) = text.get(start..).and_then(|rest| rest.find(['{', '}'])) {
        let at = start + offset;
        let rest = text.get(at..).unwrap_or_default();
        found.push(Piece::Text(text.get(start..at).unwrap_or_default()));
        if rest.starts_with("{{") || rest.starts_with("}}") {
            found.push(Piece::Text(rest.get(..1).unwrap_or_default()));
            start = at + 2;
            continue;
        }
        if rest.starts_with('}') {
            return fail(
                at,
                "a `}` without its `{`; a brace itself is written `}}`".into(),
            );
        }
        let Some(end) = rest.find('}') else {
            return fail(
                at,
                "a `{` without its `}`; a brace itself is written `{{`".into(),
            );
        };
        let name = rest.get(1..end).unwrap_or_default();
        let Some(placeholder) = Placeholder::named(name.trim()) else {
            let known: Vec<String> = PLACEHOLDERS
                .iter()
                .map(|(name, _)| format!("{{{name}}}"))
                .collect();
            let shown: String = name.chars().take(40).collect();
            return fail(
                at,
                format!(
                    "`{{{shown}}}` is no placeholder; known are {}",
                    known.join(", ")
                ),
            );
        };
        found.push(Piece::Filled(placeholder));
        start = at + end + 1;
    }
    found.push(Piece::Text(text.get(start..).unwrap_or_default()));
    Ok(found)
}

pub(super) fn fill(
    pieces: &[Piece<'_>],
    item: &Item,
    choice: usize,
) -> Result<String, TemplateError> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Filled(placeholder) => text.push_str(&placeholder.fill(item, choice)?),
        }
    }
    Ok(text)
}

pub(super) fn holds(pieces: &[Piece<'_>], wanted: impl Fn(Placeholder) -> bool) -> bool {
    let mut filled = pieces.iter();
    filled.any(|piece| matches!(piece, Piece::Filled(placeholder) if wanted(*placeholder)))
}

/// The letter of a choice: A, B, …
pub fn letter(index: usize) -> char {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or('?', |index| char::from(b'A' + index))
}
