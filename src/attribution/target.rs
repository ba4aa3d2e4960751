//! The number that an attribution explains, frozen before anything is scaled.

use burn::tensor::{Tensor, TensorData};

use super::TargetKind;
use crate::model::run::{arg_max, read};
use crate::model::{Decoder, ModelError, Run};

/// Takes a place out of a maximum: far below every logit, and far from the end of f32.
const ABSENT: f32 = -1e30;

/// What is read off the last position of a prompt: one token's logit or log-probability, or one token's logit against others'.
pub struct Target {
    /// The tokens that are explained, one per prompt.
    pub tokens: Vec<u32>,
    kind: TargetKind,
    /// Columns of the output projection, each `[prompts, 1, d_model]`: of the tokens that are explained, then of those against
    /// them.
    columns: Vec<Tensor<3>>,
    /// What is added to the logits of those against them, `[prompts, 1, places]`: a prompt may have fewer than another.
    absent: Tensor<3>,
}

impl Target {
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
            TargetKind::ChoiceFirstToken | TargetKind::GoldMargin => asked,
        };
        let least = if kind == TargetKind::GoldMargin { 2 } else { 1 };
        if of_prompts.iter().any(|tokens| tokens.len() < least) {
            return Err(ModelError::Config(format!(
                "the target takes {least} tokens of every prompt"
            )));
        }
        let places = of_prompts.iter().map(Vec::len).max().unwrap_or(least);
        let d_model = decoder.config.d_model;
        let columns = (0..places).map(|place| {
            let at_place = |tokens: &Vec<u32>| tokens.get(place).or(tokens.last()).copied();
            let tokens: Vec<u32> = of_prompts.iter().filter_map(at_place).collect();
            Ok(decoder
                .unembedding_of(&tokens)?
                .reshape([tokens.len(), 1, d_model]))
        });
        let absent: Vec<f32> = of_prompts
            .iter()
            .flat_map(|tokens| {
                (1..places).map(|place| if place < tokens.len() { 0.0 } else { ABSENT })
            })
            .collect();
        let absent = TensorData::new(absent, [of_prompts.len(), 1, places - 1]);
        Ok(Self {
            tokens: of_prompts
                .iter()
                .filter_map(|tokens| tokens.first().copied())
                .collect(),
            kind,
            columns: columns.collect::<Result<_, ModelError>>()?,
            absent: Tensor::from_data(absent, decoder.device()),
        })
    }

    /// The target's value for residual streams at the last position, `[prompts, rows, d_model]`:
    /// `[prompts, rows]`.
    pub fn value(&self, decoder: &Decoder, resid: Tensor<3>) -> Tensor<2> {
        let [prompts, rows, _] = resid.dims();
        let normed = decoder.final_norm(resid);
        let mut logits = self
            .columns
            .iter()
            .map(|column| decoder.bounded((normed.clone() * column.clone()).sum_dim(2)));
        let first = logits
            .next()
            .unwrap_or_else(|| Tensor::zeros([prompts, rows, 1], decoder.device()));
        let values = match self.kind {
            TargetKind::TopLogit => first,
            TargetKind::ChoiceFirstToken => {
                let step = (decoder.logits_at_once() / prompts).clamp(1, rows);
                let parts = (0..rows).step_by(step).map(|from| {
                    let part = normed.clone().narrow(1, from, step.min(rows - from));
                    decoder.log_normaliser(part)
                });
                first - Tensor::cat(parts.collect(), 1)
            }
            TargetKind::GoldMargin => {
                let against = Tensor::cat(logits.collect(), 2) + self.absent.clone();
                first - against.max_dim(2)
            }
        };
        values.reshape([prompts, rows])
    }
}
