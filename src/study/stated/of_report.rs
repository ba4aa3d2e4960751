//! What a report says was found.

use super::{
    Claim, accuracy, in_set, is_close, items_of, of_control, of_questions, of_study, same_accuracy,
    same_count, same_number, scores,
};
use crate::attribution::{Attribution, TargetKind};
use crate::model::config::MAX_LAYERS;
use crate::pruning::effect::{ControlReport, PruneReport, PrunedSet};
use crate::pruning::rules::{Evidence, Picked};
use crate::pruning::search::{Cell, best};
use crate::pruning::{Mask, SearchReport, Selection};
use crate::scoring::paired::flips;
use crate::scoring::{Accuracy, ItemScore, Paired, RunError, SetScores};
use crate::study::{Report, Role, SearchSpec, Study};
use crate::tuning::{TuneCurve, TuneReport, best_step};

/// Whether what a report says follows from what stands beside it.
pub(in crate::study) fn check(report: &Report) -> Claim {
    let study = &report.study;
    if report.model.n_layers > MAX_LAYERS {
        return Err(format!("its model has {} layers", report.model.n_layers));
    }
    of_study(&report.made_of(), study)?;
    if report
        .engine
        .precision
        .is_some_and(|held| held != report.model.report.precision)
    {
        return Err("the weights are said to be held in two ways".into());
    }
    for (index, set) in report.baseline.iter().enumerate() {
        let mut before = report.baseline.iter().take(index);
        if before.any(|other| other.set == set.set) {
            return Err(format!("`{}` is scored twice", set.set));
        }
        in_set(&set.set, scores(set, study.scoring.rule))?;
        in_set(&set.set, same_items(&set.set, &set.items, study))?;
    }
    let attribution = report.attribution.as_ref();
    part("attribution", attribution, study.attribution.as_ref())?;
    of_questions::check(report)?;
    part("search", report.search.as_ref(), study.search.as_ref())?;
    part("control", report.control.as_ref(), study.control.as_ref())?;
    part("tuning", report.tuning.as_ref(), study.tuning.as_ref())?;
    attribution.map_or(Ok(()), |found| attributed(report, found))?;
    report
        .search
        .as_ref()
        .map_or(Ok(()), |found| searched(report, found))?;
    report
        .pruned
        .as_ref()
        .map_or(Ok(()), |found| pruned(report, found))?;
    report
        .control
        .as_ref()
        .map_or(Ok(()), |found| controlled(report, found))?;
    report
        .tuning
        .as_ref()
        .map_or(Ok(()), |found| tuned(report, found))
}

/// A result is of a study that asks for it.
pub(super) fn part<T, U>(name: &str, found: Option<&T>, asked: Option<&U>) -> Claim {
    match (found, asked) {
        (Some(_), None) => Err(format!(
            "there is a `{name}` that its study does not ask for"
        )),
        _ => Ok(()),
    }
}

pub(super) fn baseline<'a>(report: &'a Report, set: &str) -> Option<&'a SetScores> {
    report.baseline.iter().find(|scores| scores.set == set)
}

/// The accuracy of some sets together; none where one of them is not in the report.
fn pooled(report: &Report, sets: &[&str]) -> Option<Accuracy> {
    let rule = report.study.scoring.rule;
    let accuracy = |set: &&str| Some(baseline(report, set)?.accuracy_by(rule));
    let all: Option<Vec<Accuracy>> = sets.iter().map(accuracy).collect();
    Some(Accuracy::pooled(all?.iter()))
}

/// The scored items are those that the study holds.
fn same_items(set: &str, found: &[ItemScore], study: &Study) -> Claim {
    let Some(items) = items_of(study, set)? else {
        return Ok(());
    };
    same_count("the number of items", found.len(), items.len())?;
    for (score, item) in found.iter().zip(&items) {
        let texts = score.choices.iter().map(|choice| &choice.text);
        if score.id != item.id || score.gold != item.gold || !texts.eq(&item.choices) {
            return Err(format!("item `{}` is another one in the study", score.id));
        }
    }
    Ok(())
}

fn attributed(report: &Report, found: &Attribution) -> Claim {
    let shape = (report.model.n_layers, report.model.d_mlp);
    let is_of_shape = (found.n_layers, found.d_mlp) == shape
        && found.scores.len() == shape.0
        && found.scores.iter().all(|layer| layer.len() == shape.1);
    if !is_of_shape {
        return Err(format!(
            "the attribution is of {} layers of {} neurons, and the model has {} of {}",
            found.n_layers, found.d_mlp, shape.0, shape.1
        ));
    }
    let study = &report.study;
    if study.sets_of(Role::Attribution) != [found.set.as_str()] {
        return Err(format!(
            "the attribution is of `{}`, which has not that role in the study",
            found.set
        ));
    }
    let Some(scored) = baseline(report, &found.set) else {
        return Ok(());
    };
    let threshold = found.settings.confidence_threshold;
    // One that is as sure as the threshold may have come back from JSON below it.
    let is_at = |confidence: f64| is_close(confidence, threshold);
    let used = |id: &str| found.items_used.iter().any(|item| item.id == id);
    // Items whose choices begin alike have no gold margin.
    let may_lack = found.settings.target == TargetKind::GoldMargin;
    let is_right = scored.items.iter().all(|item| {
        let is_sure = item.confidence >= threshold;
        is_at(item.confidence) || used(&item.id) == is_sure || (may_lack && is_sure)
    });
    let items = found.items_used.len().saturating_add(found.items_skipped);
    if !is_right || items != scored.items.len() {
        return Err("the attribution used other items than those that are sure enough".into());
    }
    Ok(())
}

fn searched(report: &Report, found: &SearchReport) -> Claim {
    let study = &report.study;
    let validation = study.sets_of(Role::Validation);
    if !found
        .sets
        .iter()
        .map(String::as_str)
        .eq(validation.iter().copied())
    {
        return Err("the search is of other sets than those of the role `validation`".into());
    }
    if let Some(spec) = &study.search {
        same_cells(report, spec, &found.cells)?;
    }
    if found
        .spec
        .as_ref()
        .zip(study.search.as_ref())
        .is_some_and(|(own, asked)| own != asked)
    {
        return Err("the search is another one than the study asks for".into());
    }
    accuracy("the search's accuracy without pruning", &found.baseline)?;
    if let Some(counted) = pooled(report, &validation) {
        same_accuracy(
            "the search's accuracy without pruning",
            &found.baseline,
            &counted,
        )?;
    }
    let is_halved = study.search.as_ref().is_some_and(|spec| spec.halving);
    for cell in &found.cells {
        accuracy("the accuracy of a searched mask", &cell.accuracy)?;
        let is_left_early = is_halved && cell.accuracy.total < found.baseline.total;
        if !is_left_early {
            same_count(
                "a searched mask's items",
                cell.accuracy.total,
                found.baseline.total,
            )?;
        }
    }
    lucky(study.search.as_ref(), found)?;
    match best(&found.cells) {
        Some(best) if is_same(&best.selection, &found.best) => Ok(()),
        _ => Err("the search's best cell is not the best of its cells".into()),
    }
}

/// The cells are those that the study asks for, and after them what was picked, neuron after neuron.
fn same_cells(report: &Report, spec: &SearchSpec, cells: &[Cell]) -> Claim {
    let said = |error: RunError| error.to_string();
    spec.check(report.model.n_layers).map_err(said)?;
    let asked = spec.selections(report.model.n_layers);
    let (own, picked) = cells.split_at(asked.len().min(cells.len()));
    let rounds = spec.greedy.map_or(0, |greedy| greedy.rounds);
    let is_next = |(place, cell): (usize, &Cell)| match &cell.selection {
        Selection::Picked(Picked { picked }) => picked.len() == place + 1,
        _ => false,
    };
    let is_asked = own.len() == asked.len()
        && asked
            .iter()
            .zip(own)
            .all(|(asked, cell)| is_same(asked, &cell.selection))
        && picked.len() <= rounds
        && picked.iter().enumerate().all(is_next);
    if !is_asked {
        return Err("the search tried other cells than the study asks for".into());
    }
    for cell in cells {
        let size = cell.selection.n_neurons(report.model.d_mlp).map_err(said)?;
        let size = size.unwrap_or(cell.neurons);
        same_count("the size of a searched mask", cell.neurons, size)?;
    }
    Ok(())
}

/// Whether two selections are the same but for what the way through JSON does to a number.
fn is_same(a: &Selection, b: &Selection) -> bool {
    match (a, b) {
        (Selection::Top(a), Selection::Top(b)) => {
            a.layer == b.layer && is_close(a.percent, b.percent)
        }
        (Selection::Together(a), Selection::Together(b)) => {
            a.layers == b.layers && is_close(a.percent, b.percent)
        }
        (Selection::Above(a), Selection::Above(b)) => is_close(a.share, b.share),
        (Selection::Harmful(a), Selection::Harmful(b)) => {
            a.layer == b.layer && is_close(a.harmful_percent, b.harmful_percent)
        }
        (a, b) => a == b,
    }
}

/// What random masks gave: of as many as were asked for, and the best of each surface the best of its cells.
fn lucky(spec: Option<&SearchSpec>, found: &SearchReport) -> Claim {
    let Some(luck) = &found.luck else {
        return Ok(());
    };
    let asked = spec.and_then(|spec| spec.control);
    let masks = asked.map_or(luck.best.len(), |control| control.masks);
    let is_whole = luck.correct.len() == found.cells.len()
        && luck.correct.iter().all(|cell| cell.len() == masks)
        && luck.best.len() == masks;
    if !is_whole || asked.is_some_and(|control| control.seed != luck.seed) {
        return Err("the search's random masks are others than the study asks for".into());
    }
    let mut all = luck.correct.iter().flatten();
    if all.any(|&correct| correct > found.baseline.total) {
        return Err("a random mask of the search has more right answers than there are".into());
    }
    match luck.best == luck.best_of_cells(found.baseline.total) {
        true => Ok(()),
        false => Err("the best random mask of a surface is not the best of its cells".into()),
    }
}

/// The mask of the study as it was executed.
fn mask_of(report: &Report) -> Option<&Mask> {
    let spec = report.study.pruning.as_ref()?;
    spec.mask.as_ref()
}

fn pruned(report: &Report, found: &PruneReport) -> Claim {
    same_count(
        "the number of pruned neurons",
        found.neurons,
        found.mask.n_neurons(),
    )?;
    let spec = report.study.pruning.as_ref();
    if let Some((attribution, selection)) = report
        .attribution
        .as_ref()
        .zip(spec.and_then(|spec| spec.selection.as_ref()))
        // A report does not carry what harm was measured.
        .filter(|(_, selection)| !matches!(selection, Selection::Harmful(_)))
    {
        let selected = selection
            .mask(Evidence::from(attribution))
            .map_err(|error| error.to_string())?;
        if !selected.is_of_same_neurons(&found.mask) {
            return Err("the selection does not give the mask by the attribution beside it".into());
        }
    }
    for set in &found.sets {
        in_set(&set.set, pruned_set(report, set))?;
    }
    Ok(())
}

fn pruned_set(report: &Report, set: &PrunedSet) -> Claim {
    let rule = report.study.scoring.rule;
    scores(&set.after, rule)?;
    let before = baseline(report, &set.set).ok_or("there are no scores without the mask")?;
    let stated = before.accuracy_by(rule);
    same_accuracy("the accuracy before pruning", &set.before, &stated)?;
    same_items(&set.set, &set.after.items, &report.study)?;
    let (before, after) = (&before.items, &set.after.items);
    let counted = Paired::of(before, after);
    let counts = |paired: &Paired| {
        [
            paired.items,
            paired.both_right,
            paired.both_wrong,
            paired.improved,
            paired.worsened,
        ]
    };
    let is_other = set
        .paired
        .is_some_and(|stated| counts(&stated) != counts(&counted));
    if is_other || set.flipped != flips(before, after) {
        return Err("other answers changed than is said".into());
    }
    match set.paired {
        Some(stated) => same_number("`p_value`", stated.p_value, counted.p_value),
        None => Ok(()),
    }
}

fn controlled(report: &Report, found: &ControlReport) -> Claim {
    let Some(pruned) = &report.pruned else {
        return Err("there is a control without what it controls".into());
    };
    let rule = report.study.scoring.rule;
    of_control::check(found, &pruned.mask, report.study.control, |set| {
        let pruned = pruned.sets.iter().find(|other| other.set == set)?;
        Some(pruned.after.accuracy_by(rule))
    })
}

fn tuned(report: &Report, found: &TuneReport) -> Claim {
    let study = &report.study;
    if study
        .tuning
        .as_ref()
        .is_some_and(|spec| spec.layer != found.layer)
    {
        return Err("the tuning is of another layer than the study's".into());
    }
    let d_mlp = report.model.d_mlp;
    let mask = mask_of(report);
    let layers = mask.into_iter().flat_map(|mask| &mask.layers);
    let own = layers.filter(|mask| mask.layer == found.layer);
    let masked: Vec<usize> = own.flat_map(|mask| mask.neurons.clone()).collect();
    same_count(
        "the number of trained gains",
        found.trained_gains,
        d_mlp.saturating_sub(masked.len()),
    )?;
    for curve in &found.curves {
        let factors = mask.filter(|_| curve.pruned && curve.gains.len() == d_mlp);
        let factors = factors.map(|mask| mask.factors(found.layer, d_mlp));
        let are_kept = factors.is_none_or(|factors| {
            let kept = |&neuron: &usize| curve.gains.get(neuron) == factors.get(neuron);
            masked.iter().all(kept)
        });
        if curve.gains.len() != d_mlp || !are_kept {
            return Err("the gains are not those of the layer with its mask".into());
        }
        tune_curve(report, curve)?;
    }
    Ok(())
}

fn tune_curve(report: &Report, curve: &TuneCurve) -> Claim {
    let study = &report.study;
    let [_, validation] = study.tuned_sets();
    // Without validation items all sets picked the state, in reports of earlier versions.
    let all: Vec<&str> = study
        .item_sets
        .iter()
        .map(|set| set.name.as_str())
        .collect();
    let may_be_all = study.sets_of(Role::Validation).is_empty();
    let of_all = may_be_all.then(|| pooled(report, &all)).flatten();
    let total = pooled(report, &validation).map(|accuracy| accuracy.total);
    for check in &curve.validation {
        accuracy("the accuracy of a tuning", &check.accuracy)?;
        if of_all.is_some_and(|all| all.total == check.accuracy.total) {
            continue;
        }
        total.map_or(Ok(()), |total| {
            same_count("a tuning's validation items", check.accuracy.total, total)
        })?;
    }
    if best_step(&curve.validation).is_some_and(|best| best != curve.best_step) {
        return Err("a tuning's best step is not the best of its checks".into());
    }
    for set in &curve.sets {
        in_set(&set.set, accuracy("the accuracy after tuning", &set.after))?;
        let before = baseline(report, &set.set).map(|found| found.accuracy_by(study.scoring.rule));
        let claim = before.map_or(Ok(()), |before| {
            same_accuracy("the accuracy before tuning", &set.before, &before)?;
            same_count("the number of tuned items", set.after.total, before.total)
        });
        in_set(&set.set, claim)?;
    }
    Ok(())
}
