//! The number that an attribution explains, frozen before anything is scaled.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::TargetKind;
use crate::model::run::{arg_max, read};
use crate::model::{Decoder, Model, ModelError, Run, upload};

/// Takes a place out of a maximum or a sum: far below every logit, and far from the end of f32.
const ABSENT: f32 = -1e30;

/// What is read off the end of a prompt: one token's logit or log-probability, one token's logit against others', or a choice's
/// log-likelihood against those of the others.
pub struct Target {
    /// The tokens that are explained, of each prompt.
    pub tokens: Vec<Vec<u32>>,
    /// The runs of each prompt that it is read off.
    pub runs: Runs,
    kind: TargetKind,
    /// Columns of the output projection: of the tokens that are explained, then of those against them, each `[prompts, 1, d_model]`;
    /// where a prompt has several sequences, of each position that is read, each `[sequences, 1, d_model]`.
    columns: Vec<Tensor<3>>,
    /// What is added to the logits or log-likelihoods of those against them, `[prompts, 1, places]`: a prompt may have fewer than
    /// another.
    absent: Tensor<3>,
    /// Whether the token at each position that is read is scored, as 1 or 0, `[sequences, 1, 1]` each; where a prompt has several
    /// sequences.
    scored: Vec<Tensor<3>>,
}

/// What of a prompt is run: itself, or itself with each of its choices behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runs {
    /// Sequences of a prompt.
    pub sequences: usize,
    /// Tokens behind the prompt, the same number in each.
    pub after: usize,
}

impl Runs {
    /// The prompt alone.
    pub const PROMPT: Self = Self {
        sequences: 1,
        after: 0,
    };

    /// Those of prompts with these choices: where every choice is one token, the prompt says all.
    pub(super) fn of<'a>(choices: impl Iterator<Item = &'a [Continuation]>) -> Self {
        let mut all = Self::PROMPT;
        let mut most = 1;
        for of_prompt in choices {
            most = most.max(of_prompt.len());
            let tokens = of_prompt.iter().map(|choice| choice.tokens.len());
            all.after = all.after.max(tokens.max().unwrap_or(1).saturating_sub(1));
        }
        if all.after > 0 {
            all.sequences = most;
        }
        all
    }

    /// The sequences of a prompt; a prompt of fewer choices than others has its first one again, and what is behind a choice is read
    /// by nobody.
    pub(super) fn with(self, prompt: &[u32], choices: &[Continuation]) -> Vec<Vec<u32>> {
        let sequence = |index: usize| {
            let choice = choices.get(index).or(choices.first());
            let tokens = choice.map_or(&[][..], |choice| &choice.tokens);
            let behind = tokens.iter().copied().chain(std::iter::repeat(0));
            prompt.iter().copied().chain(behind.take(self.after))
        };
        (0..self.sequences)
            .map(|index| sequence(index).collect())
            .collect()
    }
}

/// A choice's tokens after a prompt.
#[derive(Debug, Clone)]
pub(super) struct Continuation {
    pub tokens: Vec<u32>,
    /// How many of them still belong to the choice's own prompt.
    pub scored_from: usize,
}

impl Target {
    /// Text of what is explained of a prompt, by its place.
    pub(super) fn text(&self, model: &Model, place: usize) -> String {
        let tokens = self.tokens[place].iter();
        tokens
            .map(|&token| model.tokenizer.token_text(token))
            .collect()
    }

    /// Decides the tokens from a base run and from what the kind asks for of each prompt: no token, one, or one and those
    /// against it.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`] for a token outside the vocabulary, [`ModelError::Device`] when the device cannot be read,
    /// [`ModelError::Config`] where a prompt has not the tokens that the kind asks for.
    pub async fn freeze(
        decoder: &Decoder,
        base: &Run,
        kind: TargetKind,
        asked: &[Vec<u32>],
    ) -> Result<Self, ModelError> {
        let top: Vec<Vec<u32>>;
        let of_prompts = match kind {
            TargetKind::TopLogit => {
                let logits = read(decoder.last_logits(base)).await?;
                let of_prompts = logits.chunks(decoder.config.vocabulary);
                let largest =
                    |logits: &[f32]| vec![arg_max(logits.iter().map(|&logit| logit.into())) as u32];
                top = of_prompts.map(largest).collect();
                &top
            }
            _ => asked,
        };
        let least = match kind {
            TargetKind::GoldMargin | TargetKind::ChoiceLogprob => 2,
            TargetKind::TopLogit | TargetKind::ChoiceFirstToken => 1,
        };
        if of_prompts.iter().any(|tokens| tokens.len() < least) {
            return Err(ModelError::Config(format!(
                "the target takes {least} tokens of every prompt"
            )));
        }
        let places = of_prompts.iter().map(Vec::len).max().unwrap_or(least);
        let columns = (0..places).map(|place| {
            let at_place = |tokens: &Vec<u32>| tokens.get(place).or(tokens.last()).copied();
            let tokens: Vec<u32> = of_prompts.iter().filter_map(at_place).collect();
            column(decoder, &tokens)
        });
        let first = |tokens: &Vec<u32>| tokens.first().copied().into_iter().collect();
        Ok(Self {
            tokens: of_prompts.iter().map(first).collect(),
            runs: Runs::PROMPT,
            kind,
            columns: columns.collect::<Result<_, ModelError>>()?,
            absent: absent(decoder, of_prompts.iter().map(Vec::len), places),
            scored: Vec::new(),
        })
    }

    /// The log-likelihood of the first choice of each prompt, normalised over all of its choices.
    ///
    /// # Errors
    ///
    /// As [`Target::freeze`].
    pub(super) async fn of_choices(
        decoder: &Decoder,
        base: &Run,
        choices: &[&[Continuation]],
    ) -> Result<Self, ModelError> {
        let kind = TargetKind::ChoiceLogprob;
        let runs = Runs::of(choices.iter().copied());
        let own = |of_prompt: &&[Continuation]| {
            let first = of_prompt.first();
            first.map_or_else(Vec::new, |choice| {
                choice
                    .tokens
                    .get(choice.scored_from..)
                    .unwrap_or_default()
                    .to_vec()
            })
        };
        let tokens: Vec<Vec<u32>> = choices.iter().map(own).collect();
        if runs == Runs::PROMPT {
            let first = |choice: &Continuation| choice.tokens.first().copied();
            let asked: Vec<Vec<u32>> = choices
                .iter()
                .map(|of_prompt| of_prompt.iter().filter_map(first).collect())
                .collect();
            let frozen = Self::freeze(decoder, base, kind, &asked).await?;
            return Ok(Self { tokens, ..frozen });
        }
        let sequences: Vec<Option<&Continuation>> = choices
            .iter()
            .flat_map(|of_prompt| (0..runs.sequences).map(|index| of_prompt.get(index)))
            .collect();
        let (mut columns, mut scored) = (Vec::new(), Vec::new());
        for position in 0..=runs.after {
            let token = |choice: &Option<&Continuation>| {
                choice.and_then(|choice| choice.tokens.get(position).copied())
            };
            let is_scored = |choice: &Option<&Continuation>| {
                let from = choice.map_or(usize::MAX, |choice| choice.scored_from);
                f32::from(u8::from(token(choice).is_some() && position >= from))
            };
            let ids: Vec<u32> = sequences.iter().map(|c| token(c).unwrap_or(0)).collect();
            columns.push(column(decoder, &ids)?);
            let counts: Vec<f32> = sequences.iter().map(is_scored).collect();
            let shape = [sequences.len(), 1, 1];
            scored.push(upload::numbers(counts, shape, decoder.device()));
        }
        let counts = choices.iter().map(|of_prompt| of_prompt.len());
        Ok(Self {
            tokens,
            runs,
            kind,
            columns,
            absent: absent(decoder, counts, runs.sequences),
            scored,
        })
    }

    /// The target's value for residual streams at the positions that are read, the last of the prompt and those behind it,
    /// `[sequences, rows · positions, d_model]`: `[prompts, rows]`.
    pub fn value(&self, decoder: &Decoder, resid: Tensor<3>) -> Tensor<2> {
        let normed = decoder.final_norm(resid);
        if self.runs.sequences > 1 {
            return self.of_sequences(decoder, normed);
        }
        let [prompts, rows, _] = normed.dims();
        let mut logits = self
            .columns
            .iter()
            .map(|column| decoder.bounded((normed.clone() * column.clone()).sum_dim(2)));
        let first = logits
            .next()
            .unwrap_or_else(|| Tensor::zeros([prompts, rows, 1], decoder.device()));
        let values = match self.kind {
            TargetKind::TopLogit => first,
            TargetKind::ChoiceFirstToken => first - normaliser(decoder, normed),
            TargetKind::GoldMargin => {
                let against = Tensor::cat(logits.collect(), 2) + self.absent.clone();
                first - against.max_dim(2)
            }
            // What the logits of all tokens sum up to is the same for every choice.
            TargetKind::ChoiceLogprob => {
                let against = Tensor::cat(logits.collect(), 2) + self.absent.clone();
                normalised(first, against)
            }
        };
        values.reshape([prompts, rows])
    }

    /// The same of several sequences of each prompt, by the log-likelihood of each.
    fn of_sequences(&self, decoder: &Decoder, normed: Tensor<3>) -> Tensor<2> {
        let Runs { sequences, after } = self.runs;
        let [all, rows, d_model] = normed.dims();
        let (prompts, rows) = (all / sequences, rows / (after + 1));
        let normed = normed.reshape([all, rows, after + 1, d_model]);
        let mut sum = Tensor::<3>::zeros([all, rows, 1], decoder.device());
        for (position, (column, scored)) in self.columns.iter().zip(&self.scored).enumerate() {
            let at = normed.clone().narrow(2, position, 1);
            let at = at.reshape([all, rows, d_model]);
            let logit = decoder.bounded((at.clone() * column.clone()).sum_dim(2));
            sum = sum + (logit - normaliser(decoder, at)) * scored.clone();
        }
        let by_choice = sum.reshape([prompts, sequences, rows]).swap_dims(1, 2);
        let first = by_choice.clone().narrow(2, 0, 1);
        let against = by_choice.narrow(2, 1, sequences - 1) + self.absent.clone();
        normalised(first, against).reshape([prompts, rows])
    }
}

/// The output projection's row of each token, `[tokens, 1, d_model]`.
fn column(decoder: &Decoder, tokens: &[u32]) -> Result<Tensor<3>, ModelError> {
    let shape = [tokens.len(), 1, decoder.config.d_model];
    Ok(decoder.unembedding_of(tokens)?.reshape(shape))
}

/// What takes the places out that a prompt does not have, `[prompts, 1, places − 1]`: the first one is there.
fn absent(decoder: &Decoder, counts: impl Iterator<Item = usize>, places: usize) -> Tensor<3> {
    let of_prompt =
        |count: usize| (1..places).map(move |place| if place < count { 0.0 } else { ABSENT });
    let counts: Vec<usize> = counts.collect();
    let shape = [counts.len(), 1, places - 1];
    let values: Vec<f32> = counts.into_iter().flat_map(of_prompt).collect();
    upload::numbers(values, shape, decoder.device())
}

/// `log Σ exp` of the logits of all tokens, `[prompts, rows, 1]`, in pieces of as many rows as fit.
fn normaliser(decoder: &Decoder, normed: Tensor<3>) -> Tensor<3> {
    let [prompts, rows, _] = normed.dims();
    let step = (decoder.logits_at_once() / prompts).clamp(1, rows);
    let parts = (0..rows).step_by(step).map(|from| {
        let part = normed.clone().narrow(1, from, step.min(rows - from));
        decoder.log_normaliser(part)
    });
    Tensor::cat(parts.collect(), 1)
}

/// The logarithm of the share that the first has of all, `[.., 1]` and `[.., others]`, by their logarithms.
fn normalised(first: Tensor<3>, others: Tensor<3>) -> Tensor<3> {
    log_softmax(Tensor::cat(vec![first, others], 2), 2).narrow(2, 0, 1)
}
