//! Prompt templates: data with a version, rendered without surprises.
//!
//! The built-in ones are `templates.json`, and follow
//! [lm-evaluation-harness 0.4.13](https://github.com/EleutherAI/lm-evaluation-harness/tree/v0.4.13/lm_eval/tasks); a
//! test compares what they make with the requests of the harness' own tasks. A study may bring its own.

use std::fmt::Formatter;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Item;
use super::placeholder::{Filling, Placeholder, holds, pieces};
use super::template_error::{MAX_PROMPT, TemplateError};

/// How items become prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Raised whenever a prompt would change.
    pub version: u32,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Stands once before everything, shots included; nothing in it is replaced (the harness' `description`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preamble: String,
    /// The prompt, with placeholders. One that holds `{choice}` or `{letter}` makes a prompt for each choice.
    pub prompt: String,
    /// What joins prompt and choice (the harness' `target_delimiter`).
    #[serde(default = "space")]
    pub delimiter: String,
    /// What is scored after prompt and delimiter, with placeholders.
    pub choice: String,
}

fn space() -> String {
    " ".to_owned()
}

/// A template by name, or in full: how a study refers to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(untagged)]
pub enum TemplateSpec {
    /// `name@version` of a built-in one.
    Named(String),
    /// One that the study brings along.
    Own(Template),
}

// Derived, it would not say what is wrong with a template in full.
impl<'de> Deserialize<'de> for TemplateSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = TemplateSpec;

            fn expecting(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
                out.write_str("`name@version` of a built-in template, or a template in full")
            }

            fn visit_str<E>(self, name: &str) -> Result<TemplateSpec, E> {
                Ok(TemplateSpec::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TemplateSpec, A::Error> {
                Template::deserialize(MapAccessDeserializer::new(map)).map(TemplateSpec::Own)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl TemplateSpec {
    /// The shortest way to name a template.
    pub fn of(template: &Template) -> Self {
        match Template::named(&template.id()) {
            Ok(known) if known == *template => Self::Named(template.id()),
            _ => Self::Own(template.clone()),
        }
    }

    /// The template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for an unknown name or a template that cannot be used.
    pub fn resolve(&self) -> Result<Template, TemplateError> {
        match self {
            Self::Named(name) => Template::named(name),
            Self::Own(template) => template.clone().checked(),
        }
    }
}

/// One choice as the model gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedChoice {
    /// What the model reads.
    pub context: String,
    /// What is scored after it: delimiter and choice.
    pub continuation: String,
    /// The text whose length `acc_norm` and `acc_bytes` divide by, and which `acc_mutual_info` scores without the
    /// context: the choice, or where each choice has its own prompt, that prompt (as in the harness).
    pub measured: String,
}

/// An item as the model gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// In the item's order.
    pub choices: Vec<RenderedChoice>,
}

impl Rendered {
    /// The beginning that all contexts share: all of it, unless each choice has a prompt of its own.
    pub fn prompt(&self) -> &str {
        let Some(first) = self.choices.first() else {
            return "";
        };
        let shared = self
            .choices
            .iter()
            .fold(first.context.len(), |shared, choice| {
                let pairs = first.context.bytes().zip(choice.context.bytes());
                let same = pairs.take_while(|(a, b)| a == b).count();
                shared.min(same)
            });
        // The bytes agree; the end of a character may not be among them.
        let end = (0..=shared)
            .rev()
            .find(|end| first.context.is_char_boundary(*end));
        first.context.get(..end.unwrap_or(0)).unwrap_or_default()
    }
}

const TEMPLATES: &str = include_str!("templates.json");
/// Longest text of a template, in bytes.
const MAX_BYTES: usize = 20_000;
/// Longest name of a template, in characters.
const MAX_NAME: usize = 60;

impl Template {
    /// All built-in templates.
    pub fn all() -> Vec<Self> {
        // The file is part of the program, and a test reads it.
        serde_json::from_str(TEMPLATES).unwrap_or_default()
    }

    /// A built-in template by `name` or `name@version`.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Unknown`] lists the known ones.
    pub fn named(asked: &str) -> Result<Self, TemplateError> {
        let all = Self::all();
        let fits = |template: &&Self| template.name == asked || template.id() == asked;
        all.iter()
            .find(fits)
            .cloned()
            .ok_or_else(|| TemplateError::Unknown {
                asked: asked.to_owned(),
                known: all.iter().map(Self::id).collect::<Vec<_>>().join(", "),
            })
    }

    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The template, if it can be used.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Own`] names the field and what is wrong with it.
    pub fn checked(self) -> Result<Self, TemplateError> {
        let fail = |part, message: &str| {
            Err(TemplateError::Own {
                part,
                message: message.to_owned(),
            })
        };
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.contains('@') {
            return fail("name", "1 to 60 characters, and no `@`");
        }
        for (part, text) in [
            ("preamble", &self.preamble),
            ("prompt", &self.prompt),
            ("delimiter", &self.delimiter),
            ("choice", &self.choice),
            ("description", &self.description),
        ] {
            if text.len() > MAX_BYTES {
                return fail(part, "longer than 20,000 bytes");
            }
        }
        let prompt = pieces(&self.prompt, "prompt")?;
        let choice = pieces(&self.choice, "choice")?;
        if self.choice.trim().is_empty() {
            return fail("choice", "empty, so nothing would be scored");
        }
        if !holds(&prompt, Placeholder::differs) && !holds(&choice, Placeholder::differs) {
            return fail(
                "choice",
                "neither it nor the prompt holds `{choice}` or `{letter}`, so all choices would score the same",
            );
        }
        Ok(self)
    }

    /// Whether what the model gets for a choice depends on the order of the choices.
    pub fn depends_on_order(&self) -> bool {
        let lists = |text: &str, part| {
            let wanted = |placeholder| {
                matches!(
                    placeholder,
                    Placeholder::Letter | Placeholder::LetteredChoices
                )
            };
            pieces(text, part).is_ok_and(|pieces| holds(&pieces, wanted))
        };
        lists(&self.prompt, "prompt") || lists(&self.choice, "choice")
    }

    /// Whether parts of a prompt with one choice are short enough together, in bytes, to be put to a model.
    ///
    /// # Errors
    ///
    /// [`TemplateError::TooLong`].
    pub(super) fn check_length<const N: usize>(
        &self,
        parts: [usize; N],
    ) -> Result<(), TemplateError> {
        match parts.into_iter().fold(0, usize::saturating_add) {
            bytes if bytes > MAX_PROMPT => Err(TemplateError::TooLong {
                template: self.id(),
                bytes,
            }),
            _ => Ok(()),
        }
    }

    /// What the model gets for an item. An item's own text is never searched for placeholders.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Item`] when the item lacks what the template asks for, [`TemplateError::TooLong`] when the
    /// template would make more of it than a model can read, before that is made, [`TemplateError::Own`] for a template
    /// that cannot be used.
    pub fn render(&self, item: &Item) -> Result<Rendered, TemplateError> {
        let prompt = pieces(&self.prompt, "prompt")?;
        let scored = pieces(&self.choice, "choice")?;
        let differs = holds(&prompt, Placeholder::differs);
        let choices = (0..item.choices.len())
            .map(|index| {
                let context = Filling::of(&prompt, item, index)?;
                let text = Filling::of(&scored, item, index)?;
                let own = self.preamble.len() + self.delimiter.len();
                self.check_length([own, context.bytes(), text.bytes()])?;
                let (context, text) = (context.text(), text.text());
                Ok(RenderedChoice {
                    continuation: format!("{}{text}", self.delimiter),
                    measured: if differs { context.clone() } else { text },
                    context: format!("{}{context}", self.preamble),
                })
            })
            .collect::<Result<_, TemplateError>>()?;
        Ok(Rendered { choices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(context: &str) -> Item {
        Item {
            id: "1".into(),
            context: context.into(),
            choices: vec!["yes".into(), "no".into()],
            gold: 0,
        }
    }

    fn rendered(name: &str, context: &str) -> Vec<(String, String)> {
        let rendered = Template::named(name)
            .unwrap()
            .render(&item(context))
            .unwrap();
        let pair = |choice: RenderedChoice| (choice.context, choice.continuation);
        rendered.choices.into_iter().map(pair).collect()
    }

    fn own(prompt: &str, choice: &str) -> Result<Template, TemplateError> {
        let text =
            serde_json::json!({"name": "own", "version": 1, "prompt": prompt, "choice": choice});
        serde_json::from_value::<Template>(text).unwrap().checked()
    }

    #[test]
    fn every_built_in_template_can_be_used_and_is_there_once() {
        let all = Template::all();
        assert!(all.len() >= 8);
        for template in &all {
            assert!(template.clone().checked().is_ok(), "{}", template.name);
            assert!(!template.description.is_empty());
            let same = all.iter().filter(|other| other.id() == template.id());
            assert_eq!(same.count(), 1, "{}", template.id());
            assert_eq!(
                TemplateSpec::of(template),
                TemplateSpec::Named(template.id())
            );
        }
    }

    #[test]
    fn an_items_own_braces_are_text() {
        let found = rendered("question-answer@1", "Is {choice} {lettered_choices} text?");
        let (prompt, continuation) = &found[0];
        assert_eq!(
            prompt,
            "Question: Is {choice} {lettered_choices} text?\nAnswer:"
        );
        assert_eq!(continuation, " yes");
    }

    #[test]
    fn lettered_lists_the_choices_and_scores_the_letters() {
        let found = rendered("lettered", "text?");
        assert_eq!(found[1].0, "Question: text?\nA. yes\nB. no\nAnswer:");
        assert_eq!(found[1].1, " B");
    }

    #[test]
    fn a_blank_is_filled_before_or_after_the_cut() {
        let context = "I say ___ to you.";
        let found = rendered("winogrande@1", context);
        assert_eq!(found[0], ("I say yes".into(), " to you.".into()));
        assert_eq!(found[1].0, "I say no");
        let found = rendered("cloze@1", context);
        assert_eq!(found[1], ("I say ".into(), "no to you.".into()));
        let error = Template::named("winogrande")
            .unwrap()
            .render(&item("no blank"));
        assert!(error.unwrap_err().to_string().contains("blank"));
    }

    #[test]
    fn contexts_of_their_own_share_their_beginning() {
        let template = Template::named("winogrande").unwrap();
        let mut item = item("Say _.");
        item.choices = vec!["é".into(), "è".into()];
        let rendered = template.render(&item).unwrap();
        assert_eq!(rendered.prompt(), "Say ");
        assert_eq!(rendered.choices[0].measured, "Say é");
    }

    #[test]
    fn the_last_line_is_the_question() {
        let found = rendered("passage", "A passage.\nWith lines.\nIs it?");
        assert_eq!(
            found[0].0,
            "A passage.\nWith lines.\nQuestion: Is it?\nAnswer:"
        );
        assert_eq!(
            rendered("passage", "Is it?")[0].0,
            "\nQuestion: Is it?\nAnswer:"
        );
    }

    #[test]
    fn a_template_of_ones_own_is_checked_and_says_what_is_wrong() {
        assert!(own("{{{context}}}", "{choice}").is_ok());
        let braces = own("{{{context}}}", "{choice}")
            .unwrap()
            .render(&item("a"))
            .unwrap();
        assert_eq!(braces.prompt(), "{a}");
        for (prompt, choice, named) in [
            (
                "é {contxt}",
                "{choice}",
                "`{contxt}` is no placeholder; known are {context}",
            ),
            ("é {contxt}", "{choice}", "(character 3)"),
            ("{context", "{choice}", "without its `}`"),
            ("context}", "{choice}", "without its `{`"),
            ("{context}", "yes", "all choices would score the same"),
            ("{context}", " ", "nothing would be scored"),
        ] {
            let error = own(prompt, choice).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(own(&"x".repeat(20_001), "{choice}").is_err());
    }

    #[test]
    fn a_study_names_a_template_or_brings_it() {
        let named: TemplateSpec = serde_json::from_str(r#""plain@1""#).unwrap();
        assert_eq!(named.resolve().unwrap().name, "plain");
        let brought = TemplateSpec::of(&own("{context}:", "{choice}").unwrap());
        let text = serde_json::to_string(&brought).unwrap();
        let again: TemplateSpec = serde_json::from_str(&text).unwrap();
        assert_eq!(again, brought);
        assert_eq!(again.resolve().unwrap().prompt, "{context}:");
        let unknown = TemplateSpec::Named("plain@9".into()).resolve().unwrap_err();
        assert!(unknown.to_string().contains("question-answer@1"));
    }

    #[test]
    fn only_a_template_with_letters_depends_on_the_order() {
        let depends = |name| Template::named(name).unwrap().depends_on_order();
        assert!(depends("lettered") && depends("mmlu"));
        assert!(!depends("plain") && !depends("winogrande"));
    }

    /// 2,200 times 96 kB are 211 MB.
    #[test]
    fn a_prompt_that_no_model_reads_is_refused_before_it_is_made() {
        for (prompt, choice) in [
            ("{context}".repeat(2200), "{choice}".to_owned()),
            (
                "Q".to_owned(),
                format!("{{choice}}{}", "{lettered_choices}".repeat(1000)),
            ),
        ] {
            let own = own(&prompt, &choice).unwrap();
            let long = Item {
                choices: vec!["x".repeat(96_000), "y".into()],
                ..item(&"z".repeat(96_000))
            };
            let error = own.render(&long).unwrap_err().to_string();
            assert!(
                error.contains("`own@1`") && error.contains("1048576"),
                "{error}"
            );
            assert!(own.render(&item("short")).is_ok());
        }
    }
}
