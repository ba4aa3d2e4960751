//! Why Integrated Gradients? Every method against what it estimates: the exact ablation of each neuron.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::resample::{Estimated, Resampling};
use super::selection::{TopPercent, chances};
use crate::attribution::settings::Aggregate;
use crate::attribution::{Attribution, Settings};
use crate::job::Job;
use crate::scoring::RunError;

/// How well every method finds what exact ablation finds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Race {
    /// The item set.
    pub set: String,
    /// How the ablation was made: its target, its positions, its baseline.
    pub settings: Settings,
    /// Layers that were measured.
    pub layers: Vec<usize>,
    /// Items that were used.
    pub items: usize,
    /// The percentage of a layer that is to be found.
    pub percent: f64,
    /// How intervals were drawn.
    #[serde(flatten)]
    pub resampling: Resampling,
    /// What the ablation took: of these layers, and of others that were measured before.
    pub ablation_seconds: f64,
    /// The methods, as they were asked for.
    pub methods: Vec<Raced>,
}

/// How well one method does. Neurons are compared with those of their layer, and numbers are means over the layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Raced {
    /// The method's settings.
    pub settings: Settings,
    /// Spearman's correlation of the absolute scores with the absolute effects.
    pub correlation: Estimated,
    /// That of scores with effects, where the sign of the scores means something: of methods that explain the target and take both signs,
    /// as means that keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub correlation_signed: Option<Estimated>,
    /// How much `correlation` falls short of the best method's, resample by resample; none of that method itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub behind: Option<Estimated>,
    /// The share of the neurons of largest absolute effect, so many per cent of the layer, among those of largest absolute score; of
    /// equals at the edge, what chance gives.
    pub found: Estimated,
    /// The same correlation layer by layer.
    pub by_layer: Vec<f64>,
    /// What the scores of all layers took.
    pub seconds: f64,
}

/// Compares scores with effects over `layers`. All must be of the same items.
///
/// # Errors
///
/// [`RunError::Settings`] for layers, a percentage or a number of resamples out of range, and for scores of other items;
/// [`RunError`] where the job is cancelled.
pub async fn race(
    effects: &Attribution,
    layers: &[usize],
    methods: &[Attribution],
    (percent, resampling): (f64, Resampling),
    job: Job<'_>,
) -> Result<Race, RunError> {
    resampling.check()?;
    let top = |&layer: &usize| TopPercent { layer, percent };
    layers
        .iter()
        .try_for_each(|layer| top(layer).check(effects.n_layers))?;
    let Some(neurons) = layers
        .first()
        .map(|layer| top(layer).n_neurons(effects.d_mlp))
    else {
        return Err(RunError::Settings("a race needs at least one layer".into()));
    };
    let neurons = neurons?;
    let items = effects.items_used.len();
    let ids = |of: &Attribution| -> Vec<String> {
        of.items_used.iter().map(|item| item.id.clone()).collect()
    };
    if methods.iter().any(|method| ids(method) != ids(effects)) {
        return Err(RunError::Settings(
            "scores and effects are of other items".into(),
        ));
    }
    let mut placings: Vec<Vec<Vec<Placing>>> = vec![Vec::new(); methods.len()];
    let as_they_are = std::iter::once(vec![1.0; items]);
    for (done, weights) in as_they_are.chain(resampling.weights(items)).enumerate() {
        job.progress("resamples", done, resampling.resamples + 1);
        for placings in &mut placings {
            placings.push(Vec::with_capacity(layers.len()));
        }
        for &layer in layers {
            job.checkpoint().await?;
            let truth = Truth::of(&effects.weighted_layer(layer, &weights), neurons);
            for (placings, method) in placings.iter_mut().zip(methods) {
                let scores = method.weighted_layer(layer, &weights);
                let placing = Placing::of(&scores, &truth, has_sign(&method.settings));
                placings
                    .last_mut()
                    .into_iter()
                    .for_each(|of| of.push(placing));
            }
        }
    }
    let placings: Vec<Placings> = placings.into_iter().map(Placings).collect();
    let correlations: Vec<Vec<f64>> = placings
        .iter()
        .map(|placings| placings.means(|placing| placing.correlation))
        .collect();
    // Resamples are of the same items for all, so that two methods are compared by their differences.
    let best = correlations
        .iter()
        .max_by(|a, b| a.first().partial_cmp(&b.first()).unwrap_or(Ordering::Equal));
    let raced = methods.iter().zip(&placings).zip(&correlations);
    let raced = raced.map(|((method, placings), own)| Raced {
        behind: best.filter(|&best| best != own).map(|best| {
            let short = best.iter().zip(own).map(|(best, own)| best - own);
            estimated(short.collect())
        }),
        ..Raced::of(method, placings)
    });
    Ok(Race {
        set: effects.set.clone(),
        settings: effects.settings.clone(),
        layers: layers.to_vec(),
        items,
        percent,
        resampling,
        ablation_seconds: effects.seconds,
        methods: raced.collect(),
    })
}

/// What the methods are to find in one layer.
struct Truth {
    absolute: Ranks,
    signed: Ranks,
    /// How many neurons of largest absolute effect are to be found.
    neurons: usize,
    /// How likely each neuron is one of them.
    is_top: Vec<f64>,
}

impl Truth {
    fn of(effects: &[f32], neurons: usize) -> Self {
        Self {
            absolute: Ranks::of(effects.iter().map(|effect| effect.abs())),
            signed: Ranks::of(effects.iter().copied()),
            neurons,
            is_top: chances(effects, neurons),
        }
    }
}

/// How one method does in one layer.
#[derive(Clone, Copy)]
struct Placing {
    correlation: f64,
    /// Zero where the scores' sign means nothing.
    correlation_signed: f64,
    found: f64,
}

impl Placing {
    fn of(scores: &[f32], truth: &Truth, signed: bool) -> Self {
        let chosen = chances(scores, truth.neurons);
        let both = chosen.iter().zip(&truth.is_top);
        let found: f64 = both.map(|(chosen, is_top)| chosen * is_top).sum();
        let absolute = Ranks::of(scores.iter().map(|score| score.abs()));
        let by_sign = signed.then(|| Ranks::of(scores.iter().copied()));
        Self {
            correlation: absolute.correlation(&truth.absolute),
            correlation_signed: by_sign.map_or(0.0, |ranks| ranks.correlation(&truth.signed)),
            found: found / truth.neurons as f64,
        }
    }
}

/// Whether the sign of scores says what a neuron does.
fn has_sign(settings: &Settings) -> bool {
    let method = settings.method;
    method.has_target() && method.adds_up() && settings.aggregate == Aggregate::SignedMean
}

/// How a method does on the items as they are, then on each resample, layer by layer.
struct Placings(Vec<Vec<Placing>>);

impl Placings {
    /// Means over the layers.
    fn means(&self, part: fn(&Placing) -> f64) -> Vec<f64> {
        let mean =
            |layers: &Vec<Placing>| layers.iter().map(part).sum::<f64>() / layers.len() as f64;
        self.0.iter().map(mean).collect()
    }
}

/// Of the items as they are, and then of resamples.
fn estimated(values: Vec<f64>) -> Estimated {
    let mut values = values.into_iter();
    Estimated::new(values.next().unwrap_or_default(), values.collect())
}

impl Raced {
    fn of(method: &Attribution, placings: &Placings) -> Self {
        let of = |part: fn(&Placing) -> f64| estimated(placings.means(part));
        let signed = has_sign(&method.settings);
        let by_layer = placings.0.first().into_iter().flatten();
        Self {
            settings: method.settings.clone(),
            correlation: of(|placing| placing.correlation),
            correlation_signed: signed.then(|| of(|placing| placing.correlation_signed)),
            behind: None,
            found: of(|placing| placing.found),
            by_layer: by_layer.map(|placing| placing.correlation).collect(),
            seconds: method.seconds,
        }
    }
}

/// Spearman's rank correlation, equal values sharing the mean of their ranks; 0 where all values are equal.
pub fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let ranks = |values: &[f32]| Ranks::of(values.iter().copied());
    ranks(a).correlation(&ranks(b))
}

/// Ranks of some values, ascending, less their mean.
struct Ranks {
    values: Vec<f64>,
    /// Sum of their squares.
    squares: f64,
}

impl Ranks {
    fn of(values: impl ExactSizeIterator<Item = f32>) -> Self {
        let mut ranks = vec![0.0; values.len()];
        let mean = (ranks.len() as f64 - 1.0) / 2.0;
        let mut order: Vec<(f32, usize)> = values.zip(0..).collect();
        order.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut first = 0;
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            let shared = first as f64 + (group.len() as f64 - 1.0) / 2.0;
            group
                .iter()
                .for_each(|&(_, place)| ranks[place] = shared - mean);
            first += group.len();
        }
        Self {
            squares: ranks.iter().map(|rank| rank * rank).sum(),
            values: ranks,
        }
    }

    fn correlation(&self, other: &Self) -> f64 {
        let scale = (self.squares * other.squares).sqrt();
        if scale > 0.0 {
            let pairs = self.values.iter().zip(&other.values);
            pairs.map(|(a, b)| a * b).sum::<f64>() / scale
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        // Ranks 3.5, 2, 3.5 and 1, of mean 2.5.
        let ranks = Ranks::of([3.0, 1.0, 3.0, -2.0].into_iter());
        assert_eq!(
            (&*ranks.values, ranks.squares),
            (&[1.0, -0.5, 1.0, -1.5][..], 4.5)
        );
        // By scipy.stats.spearmanr.
        let found = spearman(&[1.0, 2.0, 2.0, 4.0, 5.0], &[2.0, 1.0, 3.0, 3.0, 9.0]);
        assert!((found - 0.763_157_894_736_842).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]), 0.0);
    }

    #[test]
    fn a_method_finds_the_share_of_the_largest_effects_among_its_largest_scores() {
        let effects = [0.0, -9.0, 3.0, 5.0, 0.5];
        let scores = [8.0, 2.0, 0.1, 6.0, 0.2];
        let placing = |neurons| Placing::of(&scores, &Truth::of(&effects, neurons), true).found;
        assert_eq!([1, 2, 3].map(placing), [0.0, 0.5, 2.0 / 3.0]);
    }
}
