//! Exact ablation: what the target loses when a neuron alone is set to the baseline, for every neuron. It is what the scores
//! estimate. The forks are those of a sweep, without the way back.

use burn::tensor::Tensor;
use serde::Serialize;

use super::explained::Explained;
use super::interval::Mean;
use super::settings::Method;
use super::sweep::Sweep;
use super::target::Target;
use super::{Settings, TargetKind, UsedItem};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Capture, Edit, Model, ModelError, upload};
use crate::scoring::{ItemScore, RunError};

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

/// What a set's items lose by each neuron, as far as it was measured.
#[derive(Debug, Clone)]
pub struct Ablation {
    /// How it is made.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// Neurons of a layer.
    pub d_mlp: usize,
    /// The items, in the set's order; one that no neuron was measured for has an empty target.
    pub items_used: Vec<UsedItem>,
    /// Items that are not confident enough, or without the target.
    pub items_skipped: usize,
    /// `M(1) − M(the neuron at the baseline)`, `[n_layers][items][d_mlp]`; no values where that was not measured.
    pub effects: Vec<Vec<Vec<f32>>>,
    /// Gradient times activation, the first-order estimate of the same, `[items][n_layers · d_mlp]`; no values of an item that no
    /// neuron was measured for.
    pub first_order: Vec<Vec<f32>>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// A layer's effects over the items.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerEffects {
    /// The layer.
    pub layer: usize,
    /// Whether they were measured; else they are first-order estimates.
    pub exact: bool,
    /// Over how many items.
    pub items: usize,
    /// The mean over them, `[d_mlp]`.
    pub mean: Vec<f32>,
    /// Half the width of the mean's 95 % interval (Student's t), `[d_mlp]`; empty for fewer than two items.
    pub half_width: Vec<f32>,
}

impl Ablation {
    fn new(model: &Model, set: &str, explained: &Explained<'_>, settings: &Settings) -> Self {
        let config = model.config();
        let used = |item: &&Item| UsedItem {
            id: item.id.clone(),
            target: String::new(),
        };
        let items = explained.items.len();
        Self {
            settings: settings.clone(),
            set: set.to_owned(),
            d_mlp: config.d_mlp,
            items_used: explained.items.iter().map(used).collect(),
            items_skipped: explained.skipped,
            effects: vec![vec![Vec::new(); items]; config.n_layers],
            first_order: vec![Vec::new(); items],
            seconds: 0.0,
        }
    }

    /// What is known of every layer: its effects where they were measured for at least one item, else their first-order estimates.
    pub fn layers(&self) -> Vec<LayerEffects> {
        (0..self.effects.len())
            .map(|layer| self.layer(layer))
            .collect()
    }

    /// How much the target gains without each neuron of a layer: the mean over the items, `[d_mlp]`; none where it was not measured for
    /// all of them.
    pub fn harm(&self, layer: usize) -> Option<Vec<f32>> {
        self.effects.get(layer)?;
        let found = self.layer(layer);
        let is_measured = found.exact && found.items == self.items_used.len();
        is_measured.then(|| found.mean.into_iter().map(|effect| -effect).collect())
    }

    fn layer(&self, layer: usize) -> LayerEffects {
        let measured: Vec<&[f32]> = filled(&self.effects[layer]).collect();
        let exact = !measured.is_empty();
        let values: Vec<&[f32]> = match exact {
            true => measured,
            false => filled(&self.first_order)
                .map(|all| &all[layer * self.d_mlp..(layer + 1) * self.d_mlp])
                .collect(),
        };
        let (mean, half_width) = means(&values, self.d_mlp);
        LayerEffects {
            layer,
            exact,
            items: values.len(),
            mean,
            half_width,
        }
    }
}

fn filled(values: &[Vec<f32>]) -> impl Iterator<Item = &[f32]> {
    let values = values.iter().map(Vec::as_slice);
    values.filter(|values| !values.is_empty())
}

/// The mean over the items of every neuron, and half the width of its 95 % interval where there are two or more.
fn means(items: &[&[f32]], width: usize) -> (Vec<f32>, Vec<f32>) {
    if items.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let of_place =
        |place: usize| Mean::of(items.iter().map(move |values| f64::from(values[place])));
    let means: Vec<Mean> = (0..width).map(of_place).collect();
    let half_widths = means
        .iter()
        .filter_map(|mean| Some(mean.half_width()? as f32));
    let half_widths = half_widths.collect();
    (
        means.iter().map(|mean| mean.value as f32).collect(),
        half_widths,
    )
}

/// Measures what of some layers is not measured yet. What was measured stays, also where the job is cancelled, and the next
/// call goes on from there.
///
/// `scores` are the items' without any edit.
///
/// # Errors
///
/// [`RunError`].
pub async fn measure(
    model: &Model,
    (set, items): (&str, &[Item]),
    prompts: &Prompts,
    scores: &[ItemScore],
    (settings, layers): (&Settings, &[usize]),
    earlier: &mut Option<Ablation>,
    job: Job<'_>,
) -> Result<(), RunError> {
    settings.check()?;
    let n_layers = model.config().n_layers;
    if let Some(outside) = layers.iter().find(|&&layer| layer >= n_layers) {
        return Err(RunError::Settings(format!(
            "layer {outside} is outside the model's {n_layers}"
        )));
    }
    let explained = Explained::new(model, items, prompts, scores, settings, job).await?;
    let found = earlier.get_or_insert_with(|| Ablation::new(model, set, &explained, settings));
    let is_open = |found: &Ablation, layer: usize, items: &[usize]| {
        let of_layer = &found.effects[layer];
        items.iter().any(|&item| of_layer[item].is_empty())
    };
    let groups = explained.groups();
    // A row of layer l climbs through the blocks above it.
    let cost = |layer: usize, items: &[usize]| (n_layers - layer) * items.len();
    let open = |found: &Ablation, items: &[usize]| -> Vec<usize> {
        let layers = layers.iter().copied();
        layers
            .filter(|&layer| is_open(found, layer, items))
            .collect()
    };
    let total: usize = groups
        .iter()
        .flat_map(|items| {
            open(found, items)
                .into_iter()
                .map(|layer| cost(layer, items))
        })
        .sum();
    let mut done = 0;
    job.progress("ablation", 0, total);
    let first_order = settings.clone().by(Method::GradientTimesActivation);
    for items in groups {
        let mut start = job.now_secs();
        let open = open(found, &items);
        if open.is_empty() {
            continue;
        }
        let group = explained.run(items, job).await?;
        let is_estimated = |&item: &usize| !found.first_order[item].is_empty();
        if !group.indices.iter().all(is_estimated) {
            let estimated = explained.sweep(&group, &first_order).run(job).await?;
            for (place, &item) in group.indices.iter().enumerate() {
                found.items_used[item].target = group.target_text(model, place);
                found.first_order[item] = estimated.scores_of(place);
            }
        }
        let sweep = explained.sweep(&group, settings);
        for layer in open {
            let effects = sweep.ablate_layer(layer, &group.at_one, job).await?;
            for (&item, effects) in group.indices.iter().zip(effects) {
                found.effects[layer][item] = effects;
            }
            done += cost(layer, &group.indices);
            found.seconds += job.now_secs() - start;
            start = job.now_secs();
            let detail = serde_json::to_value(found.layer(layer)).ok();
            job.progress_with("ablation", done, total, detail);
        }
    }
    Ok(())
}

impl Sweep<'_> {
    /// `M − M(neuron at the baseline)` of every neuron, at the positions and by the target of the settings: per prompt
    /// `[n_layers · d_mlp]`. `M` is `at_one`, one number per prompt.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`], [`ModelError::Cancelled`].
    pub async fn ablate(&self, at_one: &[f32], job: Job<'_>) -> Result<Vec<Vec<f32>>, ModelError> {
        let n_layers = self.decoder.config.n_layers;
        let mut effects = vec![Vec::new(); at_one.len()];
        for layer in 0..n_layers {
            job.progress("ablation", layer, n_layers);
            let of_layer = self.ablate_layer(layer, at_one, job).await?;
            for (effects, of_layer) in effects.iter_mut().zip(of_layer) {
                effects.extend(of_layer);
            }
        }
        Ok(effects)
    }

    /// The same of one layer, per prompt `[d_mlp]`: as many neurons at once as fit a pass.
    async fn ablate_layer(
        &self,
        layer: usize,
        at_one: &[f32],
        job: Job<'_>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let d_mlp = self.decoder.config.d_mlp;
        let mut effects = vec![Vec::with_capacity(d_mlp); at_one.len()];
        let at_once = self.rows_at_once(layer..layer + 1, d_mlp);
        for first in (0..d_mlp).step_by(at_once) {
            let births = [(layer, self.all_but_one(first, at_once.min(d_mlp - first)))];
            let values = self.climb_per_layer(births.into_iter(), job).await?.values;
            let rows = values.dims()[1];
            let values = read(values).await?;
            for ((effects, of_prompt), at_one) in
                effects.iter_mut().zip(values.chunks(rows)).zip(at_one)
            {
                effects.extend(of_prompt.iter().map(|value| at_one - value));
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
        let shape = [self.n_prompts(), count, d_mlp];
        upload::numbers(gains, [1, count, d_mlp], self.decoder.device()).expand(shape)
    }
}
