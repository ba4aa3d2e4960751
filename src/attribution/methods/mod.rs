//! Scores without a path, to compare with Integrated Gradients, each a file with its formula and source: `relp`, which goes up and
//! back once, and those that a base run and the weights give, which implement [`Estimate`].

mod activation;
mod cosine;
mod random;
mod relp;
mod wanda;
mod weight_norm;

use burn::tensor::Tensor;

use super::integral::Swept;
use super::settings::Method;
use super::sweep::Sweep;
use crate::job::Job;
use crate::model::ModelError;
use crate::model::run::read;

/// A score of every neuron of a layer, from what the neuron does or is.
pub trait Estimate {
    /// The scores of a layer's neurons, `[prompts, d_mlp]`, or `[1, d_mlp]` where they are the same for every prompt.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when the layer was not captured.
    fn scores(&self, of: &Sweep<'_>, layer: usize) -> Result<Tensor<2>, ModelError>;
}

/// The estimate of a method; none for those that take more than a base run.
fn estimate(method: Method) -> Option<Box<dyn Estimate>> {
    Some(match method {
        Method::IntegratedGradients
        | Method::ClampedGradients
        | Method::GradientTimesActivation
        | Method::Relp
        | Method::Ablation => return None,
        Method::Activation => Box::new(activation::Activation),
        Method::WeightNorm => Box::new(weight_norm::WeightNorm),
        Method::Wanda => Box::new(wanda::Wanda),
        Method::Cosine => Box::new(cosine::Cosine),
        Method::Random => Box::new(random::Random),
    })
}

/// What a sweep's prompts give by a method that has its own file here; none by another.
///
/// # Errors
///
/// [`ModelError::Device`], [`ModelError::Cancelled`].
pub async fn estimated(of: &Sweep<'_>, job: Job<'_>) -> Result<Option<Swept>, ModelError> {
    if of.settings.method == Method::Relp {
        return relp::relevance(of, job).await.map(Some);
    }
    let Some(estimate) = estimate(of.settings.method) else {
        return Ok(None);
    };
    let config = &of.decoder.config;
    let shape = [of.n_prompts(), config.d_mlp];
    let mut layers = Vec::with_capacity(config.n_layers);
    for layer in 0..config.n_layers {
        job.checkpoint().await?;
        layers.push(estimate.scores(of, layer)?.expand(shape));
    }
    by_prompt(of, layers).await.map(Some)
}

/// Scores of every layer, `[prompts, d_mlp]` each, on the host.
async fn by_prompt(of: &Sweep<'_>, layers: Vec<Tensor<2>>) -> Result<Swept, ModelError> {
    let config = &of.decoder.config;
    let scores = read(Tensor::cat(layers, 1)).await?;
    let of_prompts = scores.chunks(config.n_layers * config.d_mlp);
    let of_prompts = of_prompts.map(<[f32]>::to_vec).collect();
    Ok(Swept::of_scores(of, of_prompts))
}
