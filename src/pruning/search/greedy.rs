//! Neurons picked one by one: in every round each candidate is tried beside those that are picked, on all validation items.

use super::validation::{Tally, Validation};
use crate::attribution::Attribution;
use crate::model::{Neuron, Site};
use crate::pruning::selection::order;
use crate::pruning::{Change, Mask};
use crate::scoring::RunError;

/// What rounding may make of an item's gold margin, in nats: a neuron that does no more is not picked.
const ROUNDING: f64 = 1e-4;

/// What is picked after a round.
pub(super) struct Step {
    /// Its neurons, each once, in the order in which they were picked.
    pub picked: Vec<Neuron>,
    pub tally: Tally,
}

/// The strongest neurons of some layers, or of all.
pub(super) fn candidates(
    attribution: &Attribution,
    layers: Option<&[usize]>,
    count: usize,
) -> Vec<Neuron> {
    let is_asked = |layer| layers.is_none_or(|layers| layers.contains(&layer));
    let ranked = order(attribution, is_asked).into_iter().take(count);
    ranked.map(|(neuron, _)| neuron).collect()
}

/// Picks the candidate that gives most right answers, of equals the one that raises the gold margin most, of equals the one that comes
/// first; again and again, until there are so many, or none makes it better.
pub(super) async fn pick(
    mut candidates: Vec<Neuron>,
    site: Site,
    rounds: usize,
    change: Change<'_>,
    validation: &mut Validation<'_>,
) -> Result<Vec<Step>, RunError> {
    let mut steps: Vec<Step> = Vec::new();
    let mut current = validation.baseline();
    while steps.len() < rounds {
        let picked: Vec<Neuron> = steps.last().map_or(Vec::new(), |step| step.picked.clone());
        let with = |&candidate: &Neuron| {
            let neurons = picked.iter().copied().chain([candidate]);
            Mask::of_neurons(site, neurons).by(change)
        };
        let masks: Vec<Mask> = candidates.iter().map(with).collect::<Result<_, _>>()?;
        let tried: Vec<&Mask> = masks.iter().collect();
        let found = validation.tally(0..current.items, &tried).await?;
        let mut best = None;
        let mut least = current;
        least.margin += ROUNDING * current.items as f64;
        for (place, tally) in found.into_iter().enumerate() {
            if is_better(&tally, &least) {
                least = tally;
                best = Some(place);
            }
        }
        let Some(place) = best else { break };
        current = least;
        let mut neurons = picked;
        neurons.push(candidates.remove(place));
        steps.push(Step {
            picked: neurons,
            tally: current,
        });
    }
    Ok(steps)
}

fn is_better(one: &Tally, other: &Tally) -> bool {
    (one.correct, one.margin) > (other.correct, other.margin)
}
