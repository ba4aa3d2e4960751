//! What a link says was found.

use super::{Claim, Contradiction, accuracy, in_set, items_of, of_layers, of_study, same_count};
use crate::items::Item;
use crate::study::reproduction::{Expected, ExpectedSet};
use crate::study::{PruningSpec, Study};

/// Largest sum of log-probabilities that rounding leaves.
const LARGEST_SUM: f64 = 1e-3;

impl Expected {
    /// Whether what is said to have been found agrees with itself and with its study.
    ///
    /// # Errors
    ///
    /// [`Contradiction`].
    pub fn check(&self, study: &Study) -> Result<(), Contradiction> {
        self.claims(study).map_err(Contradiction)
    }

    fn claims(&self, study: &Study) -> Claim {
        of_study(&self.made_of(), study)?;
        self.check_selection(study.pruning.as_ref())?;
        for (index, set) in self.sets.iter().enumerate() {
            let mut before = self.sets.iter().take(index);
            if before.any(|other| other.set == set.set) {
                return Err(format!("`{}` is there twice", set.set));
            }
            in_set(&set.set, self.check_set(set, study))?;
        }
        Ok(())
    }

    fn check_selection(&self, spec: Option<&PruningSpec>) -> Claim {
        let of_study = spec.and_then(|spec| spec.mask.as_ref());
        let Some(selection) = spec.and_then(|spec| spec.selection.as_ref()) else {
            return Ok(());
        };
        let masks = self.mask.iter().chain(of_study);
        of_layers(selection, masks.flat_map(|mask| &mask.layers))
    }

    fn check_set(&self, set: &ExpectedSet, study: &Study) -> Claim {
        accuracy("the accuracy", &set.before)?;
        if let Some(after) = &set.after {
            if self.mask.is_none() {
                return Err("there is an accuracy with a mask, and no mask".into());
            }
            accuracy("the accuracy with the mask", after)?;
            same_count(
                "the number of items with the mask",
                after.total,
                set.before.total,
            )?;
        } else if !set.predicted_after.is_empty() {
            return Err("there are predictions with a mask, and no accuracy with it".into());
        }
        same_count(
            "the number of log-likelihoods",
            set.log_likelihoods.len(),
            set.predicted.len(),
        )?;
        if set.log_likelihoods.iter().any(|&sum| sum > LARGEST_SUM) {
            return Err("there is a log-likelihood above 0".into());
        }
        let items = items_of(study, &set.set)?;
        let items = items.as_deref();
        if let Some(items) = items {
            same_count("the number of items", set.before.total, items.len())?;
        }
        predictions(&set.predicted, set.before.correct, set.before.total, items)?;
        match &set.after {
            Some(after) => predictions(&set.predicted_after, after.correct, after.total, items),
            None => Ok(()),
        }
    }
}

/// Predictions of the first items leave room for the right answers that are said to be among all.
fn predictions(predicted: &[usize], correct: usize, total: usize, items: Option<&[Item]>) -> Claim {
    if predicted.len() > total {
        return Err(format!(
            "there are {} predictions for {total} items",
            predicted.len()
        ));
    }
    let Some(items) = items else {
        return Ok(());
    };
    let pairs = || predicted.iter().zip(items);
    if let Some((_, item)) = pairs().find(|(predicted, item)| **predicted >= item.choices.len()) {
        return Err(format!(
            "item `{}` has no choice that is predicted",
            item.id
        ));
    }
    let right = pairs()
        .filter(|(predicted, item)| **predicted == item.gold)
        .count();
    let wrong = predicted.len() - right;
    if right > correct || wrong > total - correct {
        return Err(format!(
            "of {} predictions {right} are right, and {correct} of {total} are said to be",
            predicted.len()
        ));
    }
    Ok(())
}
