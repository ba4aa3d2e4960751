//! Items as token ids, split into what is run once and what is scored after it.

use super::RunError;
use crate::items::{Item, Prompts, Rendered};
use crate::model::{Model, ModelError};

/// Length of the text that a choice's log-likelihood may be divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Unicode characters.
    pub characters: usize,
    /// UTF-8 bytes.
    pub bytes: usize,
}

/// Token ids of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The tokens that every choice begins with, at least one: the prompt, or what prompts of several choices share.
    pub prompt: Vec<u32>,
    /// Each choice's tokens after those, at least one.
    pub choices: Vec<Vec<u32>>,
    /// How many of a choice's tokens still belong to its own prompt and are not scored.
    pub scored_from: Vec<usize>,
    /// Each choice's text.
    pub extents: Vec<Extent>,
}

/// Renders and tokenises items.
///
/// # Errors
///
/// [`RunError::Item`] names the item that lacks what the template asks for, whose prompt or choice gives no token
/// or one that the model has no row for, or that does not fit the context.
pub fn encode(model: &Model, items: &[Item], prompts: &Prompts) -> Result<Vec<Encoded>, RunError> {
    let encode = |item: &Item| {
        let rendered = prompts.render(item).map_err(|error| error.to_string())?;
        encoded(model, &rendered)
    };
    named(items, encode)
}

/// The same continuations after the model's first token alone, as lm-evaluation-harness' `acc_mutual_info` asks for
/// them: `("", delimiter + text)`.
///
/// # Errors
///
/// As [`encode`], and where the model has no first token.
pub fn encode_unconditional(
    model: &Model,
    items: &[Item],
    prompts: &Prompts,
) -> Result<Vec<Encoded>, RunError> {
    if model.tokenizer.encode_pair("", "a").is_err() {
        return Err(RunError::Settings(
            "mutual information scores a choice after the model's first token alone, and this model has none; \
             choose another prediction rule"
                .into(),
        ));
    }
    let delimiter = prompts.template().delimiter.as_str();
    let encode = |item: &Item| {
        let mut rendered = prompts.render(item).map_err(|error| error.to_string())?;
        for choice in &mut rendered.choices {
            choice.context = String::new();
            choice.continuation = format!("{delimiter}{}", choice.measured);
        }
        encoded(model, &rendered)
    };
    named(items, encode)
}

fn named(
    items: &[Item],
    encode: impl Fn(&Item) -> Result<Encoded, String>,
) -> Result<Vec<Encoded>, RunError> {
    let of_item = |item: &Item| {
        encode(item).map_err(|message| RunError::Item {
            id: item.id.clone(),
            message,
        })
    };
    items.iter().map(of_item).collect()
}

fn encoded(model: &Model, rendered: &Rendered) -> Result<Encoded, String> {
    let context_length = model.config().context_length;
    let mut pairs = Vec::with_capacity(rendered.choices.len());
    for choice in &rendered.choices {
        let (context, continuation) = model
            .tokenizer
            .encode_pair(&choice.context, &choice.continuation)
            .map_err(|error| error.to_string())?;
        if continuation.is_empty() {
            return Err(format!("choice `{}` gives no token", choice.continuation));
        }
        // Before the next choice's: a prompt of a megabyte takes a while.
        let tokens = context.len() + continuation.len();
        if tokens > context_length {
            let error = ModelError::TooLong {
                tokens,
                context_length,
            };
            return Err(error.to_string());
        }
        for (what, ids) in [("", &continuation), ("the prompt of ", &context)] {
            model.check_tokens(ids).map_err(|error| {
                format!("{what}choice `{}`: {error}", choice.continuation.trim())
            })?;
        }
        pairs.push((context, continuation));
    }
    let first = pairs
        .first()
        .map(|(context, _)| context.clone())
        .unwrap_or_default();
    let shared = pairs.iter().fold(first.len(), |shared, (context, _)| {
        shared.min(shared_tokens(&first, context))
    });
    if shared == 0 {
        return Err(match first.is_empty() {
            true => "the prompt gives no token".into(),
            false => "the prompts of its choices have no first token in common; a template whose prompt begins with \
                a word helps"
                .into(),
        });
    }
    let extent = |text: &str| Extent {
        characters: text.chars().count(),
        bytes: text.len(),
    };
    Ok(Encoded {
        scored_from: pairs
            .iter()
            .map(|(context, _)| context.len() - shared)
            .collect(),
        extents: rendered
            .choices
            .iter()
            .map(|choice| extent(&choice.measured))
            .collect(),
        choices: pairs
            .into_iter()
            .map(|(mut context, continuation)| {
                context.drain(..shared);
                context.extend(continuation);
                context
            })
            .collect(),
        prompt: first.into_iter().take(shared).collect(),
    })
}

/// How many tokens two sequences have in common at their beginning.
pub(super) fn shared_tokens(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
