//! The number that an attribution explains, frozen before anything is scaled.

use burn::tensor::Tensor;

use super::TargetKind;
use crate::model::run::{arg_max, log_sum_exp, read};
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
    /// [`ModelError::Device`] when the device cannot be read.
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
            .unembedding_of(&tokens)
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
        let logits = (normed.clone() * self.columns.clone()).sum_dim(2);
        let values = match self.kind {
            TargetKind::TopLogit => logits,
            TargetKind::ChoiceFirstToken => logits - log_sum_exp(decoder.unembed(normed)),
        };
        values.reshape([prompts, rows])
    }
}
