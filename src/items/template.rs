//! Prompt templates: data with a version, rendered without surprises.

use serde::{Deserialize, Serialize};

use super::Item;

/// How items become prompts; the list is `templates.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Raised whenever a prompt would change.
    pub version: u32,
    /// For people.
    pub description: String,
    /// The prompt: `{context}` and, on a line of its own, `{lettered_choices}` are replaced.
    prompt: String,
    /// The continuation: `{choice}` or `{letter}` is replaced.
    continuation: String,
}

/// A prompt and one continuation per choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What the model reads.
    pub prompt: String,
    /// What is scored after it.
    pub continuations: Vec<String>,
}

/// There is no template of a name and version.
#[derive(Debug, Clone, thiserror::Error)]
#[error("there is no template `{asked}`; known are {known}")]
pub struct TemplateError {
    asked: String,
    known: String,
}

const TEMPLATES: &str = include_str!("templates.json");

impl Template {
    /// All templates.
    pub fn all() -> Vec<Self> {
        // The file is part of the program, and a test reads it.
        serde_json::from_str(TEMPLATES).unwrap_or_default()
    }

    /// A template by `name` or `name@version`.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] lists the known ones.
    pub fn named(asked: &str) -> Result<Self, TemplateError> {
        let all = Self::all();
        let fits = |template: &&Self| template.name == asked || template.id() == asked;
        all.iter().find(fits).cloned().ok_or_else(|| TemplateError {
            asked: asked.to_owned(),
            known: all.iter().map(Self::id).collect::<Vec<_>>().join(", "),
        })
    }

    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The prompt and continuations of an item.
    pub fn render(&self, item: &Item) -> Rendered {
        let lettered: Vec<String> = item
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| format!("{}. {choice}", letter(index)))
            .collect();
        // The list first: an item's own text is never searched for placeholders.
        let (before, after) = self
            .prompt
            .split_once("{context}")
            .unwrap_or((&self.prompt, ""));
        let list = lettered.join("\n");
        let fill = |part: &str| part.replace("{lettered_choices}", &list);
        Rendered {
            prompt: format!("{}{}{}", fill(before), item.context, fill(after)),
            continuations: item
                .choices
                .iter()
                .enumerate()
                .map(
                    |(index, choice)| match self.continuation.split_once("{choice}") {
                        Some((before, after)) => format!("{before}{choice}{after}"),
                        None => self
                            .continuation
                            .replace("{letter}", &letter(index).to_string()),
                    },
                )
                .collect(),
        }
    }
}

/// The letter of a choice: A, B, …
pub fn letter(index: usize) -> char {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or('?', |index| char::from(b'A' + index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            id: "1".into(),
            context: "Is {choice} {lettered_choices} text?".into(),
            choices: vec!["yes".into(), "no".into()],
            gold: 0,
        }
    }

    #[test]
    fn question_answer_is_the_harness_prompt() {
        let rendered = Template::named("question-answer@1")
            .unwrap()
            .render(&item());
        assert_eq!(
            rendered.prompt,
            "Question: Is {choice} {lettered_choices} text?\nAnswer:"
        );
        assert_eq!(rendered.continuations, [" yes", " no"]);
    }

    #[test]
    fn lettered_lists_the_choices_and_scores_the_letters() {
        let rendered = Template::named("lettered").unwrap().render(&item());
        assert!(rendered.prompt.ends_with("text?\nA. yes\nB. no\nAnswer:"));
        assert_eq!(rendered.continuations, [" A", " B"]);
    }

    #[test]
    fn an_unknown_template_names_the_known_ones() {
        let error = Template::named("question-answer@9")
            .unwrap_err()
            .to_string();
        assert!(error.contains("question-answer@1") && error.contains("plain@1"));
    }
}
