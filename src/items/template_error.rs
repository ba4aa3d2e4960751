//! What can be wrong with a template or with the prompt that it makes.

/// Longest prompt with one choice, in bytes: more than the longest context holds.
pub(super) const MAX_PROMPT: usize = 1 << 20;

/// Why there is no such template, or no such prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no template of a name and version.
    #[error("there is no template `{asked}`; known are {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// Every template there is.
        known: String,
    },
    /// A template of one's own cannot be used.
    #[error("the template's {part}: {message}")]
    Own {
        /// Which of its fields.
        part: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The template asks for something that an item lacks.
    #[error("{0}")]
    Item(String),
    /// A prompt would be longer than any model reads.
    #[error(
        "the template `{template}` would make a prompt of more than {MAX_PROMPT} bytes of it ({bytes} so far)"
    )]
    TooLong {
        /// The template's name and version.
        template: String,
        /// How long the prompt would be, as far as it was counted.
        bytes: usize,
    },
}
