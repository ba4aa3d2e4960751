//! Exact ablation: what the target loses when a neuron alone is set to the baseline, for every neuron. It is what the scores
//! estimate. The forks are those of a sweep, without the way back.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::Serialize;

use super::explained::{Explained, Together};
use super::interval::Mean;
use super::layers::check_layers;
use super::settings::Method;
use super::sweep::Sweep;
use super::target::Target;
use super::{Settings, TargetKind, UsedItem};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::decoder::State;
use crate::model::run::read;
use crate::model::{Capture, Decoder, Edit, Model, ModelError, upload};
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

/// Shortest time between two messages that say what was found so far: to sum up many items takes longer than to measure one.
const TOLD_EVERY_SECS: f64 = 0.25;

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

    /// Whether no neuron was measured for any item.
    pub fn is_empty(&self) -> bool {
        let mut effects = self.effects.iter().flatten();
        effects.all(Vec::is_empty)
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        let effects = self.effects.iter().flatten();
        let numbers = effects.chain(&self.first_order).map(Vec::len);
        numbers.sum::<usize>() * size_of::<f32>()
    }

    /// Takes in what was measured of a layer for some items, `[items][d_mlp]`, and how long that took.
    fn keep(&mut self, layer: usize, items: &[usize], effects: Vec<Vec<f32>>, seconds: f64) {
        for (&item, effects) in items.iter().zip(effects) {
            self.effects[layer][item] = effects;
        }
        self.seconds += seconds;
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

/// Settings by which effects are measured, and what is known by them.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The settings.
    pub settings: Settings,
    /// What is known.
    pub found: Option<Ablation>,
}

impl Measured {
    /// By settings, with what is known from before.
    pub fn new(settings: Settings, found: Option<Ablation>) -> Self {
        Self { settings, found }
    }
}

/// Measures what of some layers is not measured yet by the first of some settings. What was measured stays, also where the job is
/// cancelled, and the next call goes on from there. The others read the same runs ([`Settings::ablates_for`]) for what is not measured by
/// them, where the first run all items that they choose.
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
    layers: &[usize],
    measured: &mut [Measured],
    job: Job<'_>,
) -> Result<(), RunError> {
    let n_layers = model.config().n_layers;
    check_layers(layers, n_layers)?;
    let mut readings: Vec<Reading<'_>> = Vec::with_capacity(measured.len());
    for Measured { settings, found } in measured {
        settings.check()?;
        let explained = match Explained::new(model, items, prompts, scores, settings, job).await {
            // Others may choose none of the items.
            Err(_) if !readings.is_empty() => continue,
            explained => explained?,
        };
        if readings.first().is_some_and(|own| !own.covers(&explained)) {
            continue;
        }
        let found = found.get_or_insert_with(|| Ablation::new(model, set, &explained, settings));
        readings.push(Reading { explained, found });
    }
    let Some((own, beside)) = readings.split_first_mut() else {
        return Ok(());
    };
    // A row of layer l climbs through the blocks above it.
    let cost = |layer: usize, items: usize| (n_layers - layer) * items;
    let groups: Vec<(Vec<usize>, Vec<usize>)> = own
        .explained
        .groups()
        .into_iter()
        .map(|items| {
            let is_open = |&layer: &usize| own.is_open(layer, &items);
            let open = layers.iter().copied().filter(is_open).collect();
            (items, open)
        })
        .collect();
    let costs = groups
        .iter()
        .flat_map(|(items, open)| open.iter().map(|&layer| cost(layer, items.len())));
    let (mut done, total) = (0, costs.sum());
    let mut told = job.now_secs();
    job.progress("ablation", 0, total);
    for (indices, open) in groups {
        if open.is_empty() {
            continue;
        }
        let items = indices.len();
        let note = |found: &Ablation, layer: usize| {
            done += cost(layer, items);
            let now = job.now_secs();
            let is_told = now - told >= TOLD_EVERY_SECS || done == total;
            let detail = is_told.then(|| serde_json::to_value(found.layer(layer)).ok());
            if is_told {
                told = now;
            }
            job.progress_with("ablation", done, total, detail.flatten());
        };
        measure_group(model, (own, beside), indices, open, note, job).await?;
    }
    Ok(())
}

/// Measures some layers for some items of `own` that run together, and of `beside` what is open of them there. `note` is told of each
/// layer that is done.
async fn measure_group(
    model: &Model,
    (own, beside): (&mut Reading<'_>, &mut [Reading<'_>]),
    indices: Vec<usize>,
    layers: Vec<usize>,
    mut note: impl FnMut(&Ablation, usize),
    job: Job<'_>,
) -> Result<(), RunError> {
    let mut start = job.now_secs();
    let group: Vec<&Item> = (indices.iter())
        .map(|&index| own.explained.items[index])
        .collect();
    // Before the runs that rows leave, so that those of two settings are not in memory together.
    let mut parts = Vec::with_capacity(beside.len());
    for reading in beside {
        let Some(places) = reading.places_in(&group, &layers) else {
            continue;
        };
        let together = reading.begin(model, places.indices, job).await?;
        parts.push((reading, Part::of(together, places.among)));
    }
    let among: Vec<usize> = (0..indices.len()).collect();
    let together = own.begin(model, indices, job).await?;
    let sweep = own.explained.sweep(&together, own.explained.settings);
    for layer in layers {
        let of_own = Readout {
            target: &together.target,
            at_one: &together.at_one,
            places: &among,
        };
        let mut open_beside: Vec<_> = (parts.iter_mut())
            .filter(|(reading, part)| reading.is_open(layer, &part.indices))
            .collect();
        let targets = open_beside.iter().map(|(_, part)| part.readout());
        let targets: Vec<Readout<'_>> = std::iter::once(of_own).chain(targets).collect();
        let mut effects = sweep.ablate_layer(layer, &targets, job).await?.into_iter();
        let seconds = job.now_secs() - start;
        if let Some(effects) = effects.next() {
            own.found.keep(layer, &together.indices, effects, seconds);
        }
        for ((reading, part), effects) in open_beside.iter_mut().zip(effects) {
            reading.found.keep(layer, &part.indices, effects, seconds);
        }
        start = job.now_secs();
        note(own.found, layer);
    }
    Ok(())
}

/// The items that settings choose, and what is known of them.
struct Reading<'a> {
    explained: Explained<'a>,
    found: &'a mut Ablation,
}

/// Items of a reading among those that run together.
struct Places {
    /// Which of its own they are.
    indices: Vec<usize>,
    /// Their places among all that run.
    among: Vec<usize>,
}

/// What is read of some items, whose run is needed no more.
struct Part {
    indices: Vec<usize>,
    target: Target,
    at_one: Vec<f32>,
    places: Vec<usize>,
}

impl Part {
    fn of(together: Together, places: Vec<usize>) -> Self {
        Self {
            indices: together.indices,
            target: together.target,
            at_one: together.at_one,
            places,
        }
    }

    fn readout(&self) -> Readout<'_> {
        Readout {
            target: &self.target,
            at_one: &self.at_one,
            places: &self.places,
        }
    }
}

impl Reading<'_> {
    /// Whether a layer is not measured for some of its items.
    fn is_open(&self, layer: usize, items: &[usize]) -> bool {
        let of_layer = &self.found.effects[layer];
        items.iter().any(|&item| of_layer[item].is_empty())
    }

    /// The place of an item among its own.
    fn place_of(&self, item: &Item) -> Option<usize> {
        let own = &self.explained.items;
        own.iter().position(|&own| std::ptr::eq(own, item))
    }

    /// Whether all items that others choose are among its own.
    fn covers(&self, others: &Explained<'_>) -> bool {
        let mut others = others.items.iter();
        others.all(|item| self.place_of(item).is_some())
    }

    /// Those items of a group that are its own, where it is not measured for all of them in each of some layers.
    fn places_in(&self, group: &[&Item], layers: &[usize]) -> Option<Places> {
        let group = group.iter().enumerate();
        let (among, indices): (Vec<usize>, Vec<usize>) = group
            .filter_map(|(place, item)| Some((place, self.place_of(item)?)))
            .unzip();
        let mut layers = layers.iter();
        layers
            .any(|&layer| self.is_open(layer, &indices))
            .then_some(Places { indices, among })
    }

    /// Runs some of its items, and estimates their effects where that was not done.
    async fn begin(
        &mut self,
        model: &Model,
        indices: Vec<usize>,
        job: Job<'_>,
    ) -> Result<Together, RunError> {
        let together = self.explained.run(indices, job).await?;
        let found = &mut *self.found;
        let is_estimated = |&item: &usize| !found.first_order[item].is_empty();
        if !together.indices.iter().all(is_estimated) {
            let first_order = (found.settings.clone()).by(Method::GradientTimesActivation);
            let estimated = self
                .explained
                .sweep(&together, &first_order)
                .run(job)
                .await?;
            for (place, &item) in together.indices.iter().enumerate() {
                found.items_used[item].target = together.target.text(model, place);
                found.first_order[item] = estimated.scores_of(place);
            }
        }
        Ok(together)
    }
}

/// What is read of a sweep's rows.
struct Readout<'a> {
    target: &'a Target,
    /// Its value without any change.
    at_one: &'a [f32],
    /// The sweep's prompts that it is of.
    places: &'a [usize],
}

impl Readout<'_> {
    /// What it loses in every row, by prompt `[rows]`: of rows that leave the last block, `[sequences, rows · positions, d_model]`.
    async fn losses(&self, decoder: &Decoder, x: Tensor<3>) -> Result<Vec<Vec<f32>>, ModelError> {
        let sequences = x.dims()[0];
        let own = match self.places.len() * self.target.runs.sequences == sequences {
            true => x,
            false => {
                let places: Vec<i32> = self.places.iter().map(|&place| place as i32).collect();
                x.clone()
                    .select(0, upload::places(places, [self.places.len()], &x.device()))
            }
        };
        let values = self.target.value(decoder, own);
        let rows = values.dims()[1];
        let values = read(values).await?;
        let by_prompt = values.chunks(rows).zip(self.at_one);
        Ok(by_prompt
            .map(|(of_prompt, at_one)| of_prompt.iter().map(|value| at_one - value).collect())
            .collect())
    }
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
        let places: Vec<usize> = (0..at_one.len()).collect();
        let (target, places) = (self.target, places.as_slice());
        let of_all = [Readout {
            target,
            at_one,
            places,
        }];
        for layer in 0..n_layers {
            job.progress("ablation", layer, n_layers);
            let of_layer = self.ablate_layer(layer, &of_all, job).await?;
            for (effects, of_layer) in effects.iter_mut().zip(of_layer.into_iter().flatten()) {
                effects.extend(of_layer);
            }
        }
        Ok(effects)
    }

    /// The same of one layer, for each of some targets per prompt `[d_mlp]`: as many neurons at once as fit a pass.
    async fn ablate_layer(
        &self,
        layer: usize,
        targets: &[Readout<'_>],
        job: Job<'_>,
    ) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let d_mlp = self.decoder.config.d_mlp;
        let empty = |of: &Readout<'_>| vec![Vec::with_capacity(d_mlp); of.places.len()];
        let mut effects: Vec<Vec<Vec<f32>>> = targets.iter().map(empty).collect();
        let at_once = self.rows_at_once(layer..layer + 1, d_mlp);
        let lacking = self.lacking(layer)?;
        for first in (0..d_mlp).step_by(at_once) {
            let rows = at_once.min(d_mlp - first);
            let born = lacking.each(self.decoder, first..first + rows);
            let top = self.climb_above(layer, rows, born, job).await?;
            for (effects, of) in effects.iter_mut().zip(targets) {
                let losses = of.losses(self.decoder, top.clone()).await?;
                for (effects, losses) in effects.iter_mut().zip(losses) {
                    effects.extend(losses);
                }
            }
        }
        Ok(effects)
    }

    /// What lacks single neurons of a layer.
    fn lacking(&self, layer: usize) -> Result<Lacking, ModelError> {
        let State { resid_mid, pre } = self.state(layer)?;
        let (device, d_mlp) = (self.decoder.device(), self.decoder.config.d_mlp);
        let none = Tensor::zeros([self.n_prompts(), 1, d_mlp], device);
        // What a neuron's activation is at the baseline does not depend on the others.
        let (at_baseline, _) = self.scaled(layer, &pre, none);
        let activation = pre.activation();
        let change = at_baseline - activation.clone();
        let leaving = |x| self.at_leaving(layer, 1, &x);
        Ok(Lacking {
            layer,
            resid_mid: leaving(resid_mid),
            activation: leaving(activation),
            change: leaving(change),
        })
    }
}

/// Where rows leave a layer that lack one neuron each: all but that neuron is as in the base run.
struct Lacking {
    layer: usize,
    /// `[sequences, tail, d_model]`
    resid_mid: Tensor<3>,
    /// `[sequences, tail, d_mlp]`
    activation: Tensor<3>,
    /// What each activation changes by where it goes to the baseline, `[sequences, tail, d_mlp]`.
    change: Tensor<3>,
}

impl Lacking {
    /// The residual stream without each of some neurons, `[sequences, neurons · tail, d_model]`.
    fn each(&self, decoder: &Decoder, neurons: Range<usize>) -> Tensor<3> {
        let change = self.change.clone();
        let change = change.narrow(2, neurons.start, neurons.len());
        let (resid_mid, activation) = (self.resid_mid.clone(), self.activation.clone());
        decoder.from_single_neurons(self.layer, resid_mid, activation, change, neurons.start)
    }
}
