//! The number that an attribution explains, frozen before anything is scaled.

use burn::tensor::Tensor;

use super::TargetKind;
use crate::model::run::{arg_max, read};
use crate::model::{Decoder, ModelError, Run};

/// One token per prompt, and whether its logit or its log-probability counts.
pub struct Target {
    /// The tokens, one per prompt.
    pub tokens: Vec<u32>,
    kind: TargetKind,
    /// Their columns of the output projection, `[prompts, 1, d_model]`.
    columns: Tensor<3>,
}

impl Target {
    /// Decides the tokens from a base run.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`] for a token outside the vocabulary, [`ModelError::Device`] when the device cannot be read.
    pub async fn freeze(
        decoder: &Decoder,
        base: &Run,
        kind: TargetKind,
        first_tokens: &[u32],
    ) -> Result<Self, ModelError> {
        let tokens = match kind {
            TargetKind::ChoiceFirstToken => first_tokens.to_vec(),
            TargetKind::TopLogit => read(decoder.last_logits(base))
                .await?
                .chunks(decoder.config.vocabulary)
                .map(|logits| arg_max(logits.iter().map(|&logit| logit.into())) as u32)
                .collect(),
        };
        let d_model = decoder.config.d_model;
        let columns = decoder
            .unembedding_of(&tokens)?
            .reshape([tokens.len(), 1, d_model]);
        Ok(Self {
            tokens,
            kind,
            columns,
        })
    }

    /// The target's value for residual streams at the last position, `[prompts, rows, d_model]`:
    /// `[prompts, rows]`.
    pub fn value(&self, decoder: &Decoder, resid: Tensor<3>) -> Tensor<2> {
        let [prompts, rows, _] = resid.dims();
        let normed = decoder.final_norm(resid);
        let logits = decoder.bounded((normed.clone() * self.columns.clone()).sum_dim(2));
        let values = match self.kind {
            TargetKind::TopLogit => logits,
            TargetKind::ChoiceFirstToken => {
                let step = (decoder.logits_at_once() / prompts).clamp(1, rows);
                let parts = (0..rows).step_by(step).map(|from| {
                    let part = normed.clone().narrow(1, from, step.min(rows - from));
                    decoder.log_normaliser(part)
                });
                logits - Tensor::cat(parts.collect(), 1)
            }
        };
        values.reshape([prompts, rows])
    }
}
