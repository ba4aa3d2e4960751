//! What a template's text says in braces, and what that becomes for an item.

use std::borrow::Cow;

use super::Item;
use super::template_error::TemplateError;

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

    fn fill(self, item: &Item, choice: usize) -> Result<Cow<'_, str>, TemplateError> {
        let context = item.context.as_str();
        Ok(Cow::Borrowed(match self {
            Self::Context => context,
            Self::TrimmedContext => context.trim(),
            Self::Passage => context.rsplit_once('\n').map_or("", |(passage, _)| passage),
            Self::Question => context.rsplit_once('\n').map_or(context, |(_, line)| line),
            Self::BeforeBlank => blank(context)?.0,
            Self::AfterBlank => blank(context)?.1.trim(),
            Self::Rest => blank(context)?.1,
            Self::Choice => item.choices.get(choice).map_or("", String::as_str),
            Self::Letter => return Ok(letter(choice).to_string().into()),
            Self::LetteredChoices => {
                let lines = item.choices.iter().enumerate();
                let lines = lines.map(|(index, choice)| format!("{}. {choice}", letter(index)));
                return Ok(lines.collect::<Vec<_>>().join("\n").into());
            }
        }))
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

/// A template's pieces with what stands in them for a choice of an item. How long that is is known before it is made.
pub(super) struct Filling<'a> {
    pieces: &'a [Piece<'a>],
    /// Each is found once, however often it is asked for.
    values: Vec<(Placeholder, Cow<'a, str>)>,
}

impl<'a> Filling<'a> {
    /// # Errors
    ///
    /// [`TemplateError::Item`] when the item lacks what the template asks for.
    pub(super) fn of(
        pieces: &'a [Piece<'a>],
        item: &'a Item,
        choice: usize,
    ) -> Result<Self, TemplateError> {
        let mut values: Vec<(Placeholder, Cow<'a, str>)> = Vec::new();
        for piece in pieces {
            if let Piece::Filled(placeholder) = piece
                && !values.iter().any(|(known, _)| known == placeholder)
            {
                values.push((*placeholder, placeholder.fill(item, choice)?));
            }
        }
        Ok(Self { pieces, values })
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Filled(placeholder) => {
                let found = self.values.iter().find(|(known, _)| known == placeholder);
                found.map_or("", |(_, value)| value.as_ref())
            }
        })
    }

    /// Length of the text, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.parts().map(str::len).fold(0, usize::saturating_add)
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        self.parts().collect()
    }
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
