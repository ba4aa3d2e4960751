//! What is said of random masks.

use super::{Claim, in_set, same_count, same_number};
use crate::pruning::Mask;
use crate::pruning::effect::{ControlReport, ControlSet};
use crate::scoring::Accuracy;
use crate::study::ControlSpec;

/// Whether a control is of a mask, is what a study asks for, and follows from its accuracies. `of_mask` gives the mask's
/// own for a set, where it is measured on it.
pub(super) fn check(
    found: &ControlReport,
    mask: &Mask,
    asked: Option<ControlSpec>,
    of_mask: impl Fn(&str) -> Option<Accuracy>,
) -> Claim {
    if asked.is_some_and(|asked| (asked.masks, asked.seed) != (found.masks, found.seed)) {
        return Err("the control has another size or seed than the study".into());
    }
    let drawn = (found.layers.iter()).map(|layer| (layer.layer, layer.neurons));
    let of_layers = (mask.layers.iter()).map(|mask| (mask.layer, mask.neurons.len()));
    if !drawn.eq(of_layers) {
        return Err("the control's masks are not of the size of the mask".into());
    }
    for set in &found.sets {
        let of_mask = of_mask(&set.set)
            .ok_or_else(|| "the control is of a set that the mask is not measured on".to_owned());
        let claim = of_mask.and_then(|of_mask| of_set(set, found.masks, of_mask));
        in_set(&set.set, claim)?;
    }
    Ok(())
}

fn of_set(set: &ControlSet, masks: usize, of_mask: Accuracy) -> Claim {
    same_count("the number of random masks", set.accuracies.len(), masks)?;
    same_number(
        "the control's accuracy of the mask",
        set.mask,
        of_mask.value,
    )?;
    let is_share = |value: f64| {
        let right = value * of_mask.total as f64;
        (0.0..=1.0).contains(&value) && (right - right.round()).abs() < 1e-6
    };
    if !set.accuracies.iter().all(|&value| is_share(value)) {
        return Err(format!(
            "the accuracy of a random mask is no share of {} items",
            of_mask.total
        ));
    }
    let counted = ControlSet::new(&set.set, set.accuracies.clone(), set.mask);
    same_number("the control's mean", set.mean, counted.mean)?;
    same_number("the control's minimum", set.min, counted.min)?;
    same_number("the control's maximum", set.max, counted.max)?;
    same_count(
        "the number of random masks that do at least as well",
        set.at_least_as_good,
        counted.at_least_as_good,
    )
}
