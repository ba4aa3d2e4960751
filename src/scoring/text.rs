//! How well a model continues a plain text: what a mask costs in general ability.

use serde::{Deserialize, Serialize};

use super::encode::Extent;
use super::{Encoded, RunError};
use crate::model::Model;

/// Most tokens of a window.
const WINDOW: usize = 256;

/// Most bytes of a text.
pub const MAX_TEXT: usize = 1 << 20;

/// A text in windows that follow each other, as lm-evaluation-harness' `loglikelihood_rolling` makes them
/// (`get_rolling_token_windows` with a context of one token): the first one after the token that begins a text (or, where a tokenizer has none, after the text's own first token), every other one after
/// the last token before it; the last one, which may be shorter, after as many tokens as fill it.
pub struct Windows {
    pub(crate) encoded: Vec<Encoded>,
    bytes: usize,
    tokens: usize,
}

/// A text's log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TextScore {
    /// Tokens that were scored: all, but for the first where a tokenizer has none that begins a text.
    pub tokens: usize,
    /// Their UTF-8 bytes.
    pub bytes: usize,
    /// Sum over the tokens, in nats.
    pub log_likelihood: f64,
    /// `exp(−log_likelihood / tokens)`. Only models of one tokenizer can be compared by it.
    pub perplexity: f64,
    /// `−log₂ likelihood / bytes` (the harness' `bits_per_byte`).
    pub bits_per_byte: f64,
}

impl Windows {
    /// Cuts a text.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for a text that is empty, too long, or not one of the model's tokens.
    pub fn new(model: &Model, text: &str) -> Result<Self, RunError> {
        if text.len() > MAX_TEXT {
            return Err(RunError::Settings(format!(
                "the text has {} bytes, and at most {MAX_TEXT} are read",
                text.len()
            )));
        }
        let wrong =
            |error: &dyn std::fmt::Display| RunError::Settings(format!("the text: {error}"));
        let tokenizer = &model.tokenizer;
        let (before, tokens, unscored) = match tokenizer.encode_pair("", text) {
            Ok((before, tokens)) => (before, tokens, 0),
            // Without a token that begins a text, its own first one is read and not scored.
            Err(_) => {
                let mut tokens = tokenizer.encode(text).map_err(|error| wrong(&error))?;
                let rest = tokens.split_off(tokens.len().min(1));
                let unscored = tokenizer.decode(&tokens).map_err(|error| wrong(&error))?;
                (tokens, rest, unscored.len())
            }
        };
        model.check_tokens(&before).map_err(|error| wrong(&error))?;
        model.check_tokens(&tokens).map_err(|error| wrong(&error))?;
        if tokens.is_empty() {
            return Err(RunError::Settings(
                "the text gives no token that could be scored".into(),
            ));
        }
        let window = model.config().context_length.min(WINDOW);
        Ok(Self {
            encoded: windows(&before, &tokens, window)
                .into_iter()
                .map(|(prompt, tokens)| Encoded {
                    prompt,
                    choices: vec![tokens],
                    scored_from: vec![0],
                    extents: vec![Extent {
                        characters: 0,
                        bytes: 0,
                    }],
                })
                .collect(),
            bytes: text.len().saturating_sub(unscored),
            tokens: tokens.len(),
        })
    }

    /// The score that follows from the windows' log-probabilities, `[windows][1][tokens]`.
    pub(crate) fn score(&self, found: &[Vec<Vec<f32>>]) -> TextScore {
        let all = found.iter().flatten().flatten();
        let log_likelihood = all.map(|&value| f64::from(value)).sum::<f64>();
        TextScore {
            tokens: self.tokens,
            bytes: self.bytes,
            log_likelihood,
            perplexity: (-log_likelihood / self.tokens as f64).exp(),
            bits_per_byte: -log_likelihood / self.bytes as f64 / std::f64::consts::LN_2,
        }
    }
}

/// What is read before each window, and the window.
fn windows(before: &[u32], tokens: &[u32], most: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
    let first = tokens.len().min(most);
    let mut windows = vec![(before.to_vec(), tokens[..first].to_vec())];
    let mut predicted = first;
    while predicted < tokens.len() {
        let end = tokens.len().min(predicted + most);
        windows.push((
            tokens[end - most - 1..predicted].to_vec(),
            tokens[predicted..end].to_vec(),
        ));
        predicted = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By lm_eval.utils.get_rolling_token_windows and make_disjoint_window (0.4.13), of ten tokens after token 99.
    #[test]
    fn windows_follow_each_other_as_in_the_harness() {
        let tokens: Vec<u32> = (0..10).collect();
        let found = windows(&[99], &tokens, 4);
        assert_eq!(
            found,
            [
                (vec![99], vec![0, 1, 2, 3]),
                (vec![3], vec![4, 5, 6, 7]),
                (vec![5, 6, 7], vec![8, 9]),
            ]
        );
        assert_eq!(windows(&[99], &tokens[..3], 4), [(vec![99], vec![0, 1, 2])]);
        assert_eq!(windows(&[99], &tokens[..4], 4).len(), 1);
    }
}
