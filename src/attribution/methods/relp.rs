//! Relevance Patching from a neuron's activation to zero: `Σ_positions a_j · c_j`, where `c_j` is the derivative of the target by the
//! activation in a model with the same values whose norms, activation functions and gates are linear
//! ([`WayBack::Linear`]); attention is left alone.
//!
//! F. Rezaei Jafari, O. Eberle, A. Khakzar, N. Nanda, 2025, "RelP", arXiv 2508.21258, by the rules that their code applies when nothing
//! else is said (github.com/FarnoushRJ/RelP: LN-rule, Identity-rule, Half-rule).

use burn::tensor::Tensor;

use super::by_prompt;
use crate::attribution::integral::Swept;
use crate::attribution::sweep::Sweep;
use crate::job::Job;
use crate::kernels::WayBack;
use crate::model::ModelError;

/// The relevance of every neuron: one way up and one back, with a gain of one on every activation, whose gradient it is.
///
/// # Errors
///
/// [`ModelError::Device`], [`ModelError::Cancelled`].
pub async fn relevance(of: &Sweep<'_>, job: Job<'_>) -> Result<Swept, ModelError> {
    let linear = of.decoder.going_back(WayBack::Linear);
    let shape = [of.n_prompts(), 1, linear.config.d_mlp];
    let gains = Tensor::ones(shape, linear.device());
    let climbed = of.over(&linear).climb_joint(gains, job).await?;
    job.checkpoint().await?;
    let layers = climbed.gradients()?.into_iter();
    by_prompt(of, layers.map(|layer| layer.squeeze_dim(1)).collect()).await
}
