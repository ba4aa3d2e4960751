//! What a report says of questions that stand beside its study's own: the audit, the race, measured effects.

use super::of_report::{baseline, part};
use super::{Claim, accuracy, in_set, is_close, same_accuracy, same_count, same_number};
use crate::attribution::settings::Method;
use crate::items::MAX_ITEMS;
use crate::pruning::Race;
use crate::pruning::resample::Estimated;
use crate::scoring::paired::sign_test;
use crate::scoring::position::{Place, PositionBias};
use crate::scoring::{Accuracy, Audit, Paired};
use crate::study::Report;
use crate::study::report::EffectsInShort;

/// Whether what a report says of them follows from what stands beside it.
pub(super) fn check(report: &Report) -> Claim {
    let study = &report.study;
    part("audit", report.audit.as_ref(), study.audit.as_ref())?;
    part("race", report.race.as_ref(), study.race.as_ref())?;
    if let Some(found) = &report.audit {
        in_set(&found.set, audited(report, found))?;
    }
    if let Some(found) = &report.race {
        in_set(&found.set, raced(report, found))?;
    }
    for found in &report.effects {
        in_set(&found.set, measured(report, found))?;
    }
    Ok(())
}

fn audited(report: &Report, found: &Audit) -> Claim {
    let asked = report.study.audit.as_ref();
    if asked.is_some_and(|asked| asked.set != found.set) {
        return Err("the audit is of another set than the study asks for".into());
    }
    accuracy("the audit's accuracy", &found.accuracy)?;
    if found.accuracy.total > MAX_ITEMS {
        return Err(format!("the audit is of {} items", found.accuracy.total));
    }
    if let Some(scored) = baseline(report, &found.set) {
        let counted = scored.accuracy_by(report.study.scoring.rule);
        same_accuracy("the audit's accuracy", &found.accuracy, &counted)?;
        let items = scored.items.iter();
        let shares = items.map(|item| 1.0 / item.choices.len() as f64);
        let chance = shares.sum::<f64>() / scored.items.len() as f64;
        same_number("the audit's chance", found.chance, chance)?;
    }
    places(&found.position)?;
    let lengths = &found.lengths;
    let of_lengths = [
        lengths.longest_right,
        lengths.longest_predicted,
        lengths.shortest_right,
        lengths.shortest_predicted,
    ];
    let of_ways = found.asked.iter();
    let of_ways = of_ways.flat_map(|way| way.accuracy.into_iter().chain(way.same_answer));
    for stated in of_lengths.into_iter().chain(of_ways) {
        of_all(&stated, found)?;
    }
    // After the counts it adds are known to be some of the items.
    for way in &found.asked {
        if let (Some(paired), Some(asked)) = (&way.paired, &way.accuracy) {
            of_both(paired, &found.accuracy, asked)?;
        }
    }
    of_all(&found.position.consistent, found)
}

/// Right and wrong with the question and without is as many as each of both says.
fn of_both(paired: &Paired, with: &Accuracy, without: &Accuracy) -> Claim {
    let counts = [
        (paired.items, with.total),
        (sum([paired.both_right, paired.worsened]), with.correct),
        (sum([paired.both_right, paired.improved]), without.correct),
        (
            sum([paired.both_wrong, paired.worsened]),
            without.total.saturating_sub(without.correct),
        ),
    ];
    for (stated, counted) in counts {
        same_count("a number of the audit's answers", stated, counted)?;
    }
    let counted = sign_test(paired.improved, paired.worsened);
    same_number("the audit's `p_value`", paired.p_value, counted)
}

/// A sum of numbers that anybody may have written.
fn sum(numbers: impl IntoIterator<Item = usize>) -> usize {
    numbers.into_iter().fold(0, usize::saturating_add)
}

/// Place by place there are as many answers as in all.
fn places(found: &PositionBias) -> Claim {
    accuracy("the accuracy in all orders", &found.accuracy)?;
    let of_places = |part: fn(&Place) -> usize| sum(found.places.iter().map(part));
    let what = "the number of answers by their places";
    same_count(what, of_places(|place| place.gold), found.accuracy.total)?;
    same_count(
        what,
        of_places(|place| place.predicted),
        found.accuracy.total,
    )?;
    same_count(
        what,
        of_places(|place| place.accuracy.correct),
        found.accuracy.correct,
    )?;
    found.places.iter().try_for_each(|place| {
        accuracy("the accuracy at a place", &place.accuracy)?;
        same_count(what, place.accuracy.total, place.gold)
    })
}

/// A share of the audit is one of all its items.
fn of_all(stated: &Accuracy, found: &Audit) -> Claim {
    accuracy("a share of the audit", stated)?;
    same_count(
        "the number of audited items",
        stated.total,
        found.accuracy.total,
    )
}

fn raced(report: &Report, found: &Race) -> Claim {
    let n_layers = report.model.n_layers;
    if let Some(asked) = &report.study.race {
        let is_asked = asked.set == found.set
            && asked.layers_of(n_layers) == found.layers
            && asked.settings.clone().by(Method::Ablation).named() == found.settings
            && asked.resampling == found.resampling
            && is_close(asked.percent, found.percent);
        if !is_asked {
            return Err("the race is another one than the study asks for".into());
        }
    }
    if let Some(scored) = baseline(report, &found.set)
        && found.items > scored.items.len()
    {
        return Err("the race used more items than there are".into());
    }
    let is_within = |of: &Estimated, low: f64| {
        let mut all = [of.value, of.low, of.high].into_iter();
        of.low <= of.high && all.all(|value| value >= low - 1e-9 && value <= 1.0 + 1e-9)
    };
    let is_right = found.methods.iter().all(|method| {
        let signed = method.correlation_signed.as_ref();
        let mean = method.by_layer.iter().sum::<f64>() / method.by_layer.len() as f64;
        method.by_layer.len() == found.layers.len()
            && is_close(mean, method.correlation.value)
            && is_within(&method.correlation, -1.0)
            && signed.is_none_or(|signed| is_within(signed, -1.0))
            && is_within(&method.found, 0.0)
    });
    match is_right {
        true => Ok(()),
        false => Err("a method of the race has numbers that cannot be".into()),
    }
}

fn measured(report: &Report, found: &EffectsInShort) -> Claim {
    let (n_layers, d_mlp) = (report.model.n_layers, report.model.d_mlp);
    if !report
        .study
        .item_sets
        .iter()
        .any(|set| set.name == found.set)
    {
        return Err("effects are of a set that the study lacks".into());
    }
    let is_there = |layer: usize| found.layers.iter().any(|of| of.layer == layer);
    let are_layers = found
        .layers
        .iter()
        .all(|of| of.layer < n_layers && of.needed.saturating_add(of.harmful) <= d_mlp);
    let mut strongest = found.strongest.iter().map(|effect| effect.neuron);
    let are_neurons = strongest.all(|neuron| is_there(neuron.layer) && neuron.index < d_mlp);
    match are_layers && are_neurons {
        true => Ok(()),
        false => Err("effects are of other neurons than the model has".into()),
    }
}
