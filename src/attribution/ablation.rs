//! Exact ablation: what the target loses when a neuron is zeroed by itself, for every neuron. It is what the scores
//! estimate. The forks are those of a sweep, without the way back.

use burn::tensor::{Tensor, TensorData};

use super::sweep::Sweep;
use super::target::Target;
use super::{Settings, TargetKind};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Capture, Edit, Model, ModelError};

/// What the largest logit after a prompt loses when a neuron is zeroed at the settings' positions, for every neuron:
/// `[n_layers · d_mlp]`.
///
/// # Errors
///
/// [`ModelError`] when the prompt gives no token or one that the model has no row for, or when the device fails.
pub async fn ablate(
    model: &Model,
    prompt: &str,
    settings: &Settings,
    job: Job<'_>,
) -> Result<Vec<f32>, ModelError> {
    let decoder = &model.decoder;
    let ids = model.tokenizer.encode_prompt(prompt)?;
    model.check_tokens(&ids)?;
    let prompts = [ids.as_slice()];
    let base = decoder
        .base_run(&prompts, &Edit::none(), Capture::All, job)
        .await?;
    let target = Target::freeze(decoder, &base, TargetKind::TopLogit, &[]).await?;
    let at_one = read(target.value(decoder, base.last_resid())).await?;
    let sweep = Sweep::new(decoder, &prompts, &base, &target, settings);
    Ok(sweep.ablate(&at_one, job).await?.concat())
}

impl Sweep<'_> {
    /// `M − M(neuron zeroed)` of every neuron, at the positions and by the target of the settings: per prompt
    /// `[n_layers · d_mlp]`. `M` is `at_one`, one number per prompt.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`], [`ModelError::Cancelled`].
    pub async fn ablate(&self, at_one: &[f32], job: Job<'_>) -> Result<Vec<Vec<f32>>, ModelError> {
        let (n_layers, d_mlp) = (self.decoder.config.n_layers, self.decoder.config.d_mlp);
        let mut effects = vec![vec![0.0; n_layers * d_mlp]; at_one.len()];
        job.progress("ablation", 0, n_layers * d_mlp);
        let mut done = 0;
        for layers in self.layer_groups() {
            let at_once = self.rows_at_once(layers.clone(), d_mlp);
            for first in (0..d_mlp).step_by(at_once) {
                let count = at_once.min(d_mlp - first);
                let gains = self.all_but_one(first, count);
                let births = layers.clone().map(|layer| (layer, gains.clone()));
                let values = self.climb_per_layer(births, job).await?.values;
                let rows = values.dims()[1];
                for (prompt, values) in read(values).await?.chunks(rows).enumerate() {
                    for (index, value) in values.iter().enumerate() {
                        let layer = layers.start + index / count;
                        let neuron = layer * d_mlp + first + index % count;
                        effects[prompt][neuron] = at_one[prompt] - value;
                    }
                }
                done += count * layers.len();
                job.progress("ablation", done, n_layers * d_mlp);
            }
        }
        Ok(effects)
    }

    /// Gains of `count` rows, each of which is zero for one neuron and one for the others, `[prompts, count, d_mlp]`.
    fn all_but_one(&self, first: usize, count: usize) -> Tensor<3> {
        let d_mlp = self.decoder.config.d_mlp;
        let mut gains = vec![1.0f32; count * d_mlp];
        for row in 0..count {
            gains[row * d_mlp + first + row] = 0.0;
        }
        let gains = TensorData::new(gains, [1, count, d_mlp]);
        let shape = [self.prompts.len(), count, d_mlp];
        Tensor::<3>::from_data(gains, self.decoder.device()).expand(shape)
    }
}
