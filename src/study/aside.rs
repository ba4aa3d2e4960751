//! What a session found of items and settings that are not at hand any more: it comes back with them, and is not
//! computed again.

use super::session::Prompting;
use crate::attribution::Attribution;
use crate::scoring::{Rule, SetScores};

/// Scores that are kept, at most.
const SCORES_AT_MOST: usize = 128;
/// Attributions that are kept, at most: each holds the scores of every neuron for every item.
const ATTRIBUTIONS_AT_MOST: usize = 3;

/// Everything that decides a set's scores on one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// The set's name.
    pub(super) set: String,
    /// Hash of its items.
    pub(super) items: String,
    /// Hash of the items that shots are drawn from, where another set gives them.
    pub(super) shots: Option<String>,
    pub(super) prompting: Prompting,
    pub(super) rule: Rule,
}

/// Results by what they were made of, the latest last.
#[derive(Default)]
pub(super) struct Aside {
    scores: Vec<(Made, SetScores)>,
    attributions: Vec<(Made, Attribution)>,
}

impl Aside {
    pub(super) fn put_scores(&mut self, made: Made, scores: SetScores) {
        put(&mut self.scores, made, scores, SCORES_AT_MOST);
    }

    pub(super) fn put_attribution(&mut self, made: Made, attribution: Attribution) {
        put(
            &mut self.attributions,
            made,
            attribution,
            ATTRIBUTIONS_AT_MOST,
        );
    }

    /// The scores that were made of this.
    pub(super) fn take_scores(&mut self, made: &Made) -> Option<SetScores> {
        take(&mut self.scores, |other| other == made)
    }

    /// The latest attribution that was made of one of these.
    pub(super) fn take_attribution(&mut self, made: &[Made]) -> Option<Attribution> {
        take(&mut self.attributions, |other| made.contains(other))
    }
}

fn put<T>(all: &mut Vec<(Made, T)>, made: Made, found: T, at_most: usize) {
    all.retain(|(other, _)| *other != made);
    all.push((made, found));
    if all.len() > at_most {
        all.remove(0);
    }
}

fn take<T>(all: &mut Vec<(Made, T)>, is_wanted: impl Fn(&Made) -> bool) -> Option<T> {
    let at = all.iter().rposition(|(made, _)| is_wanted(made))?;
    Some(all.remove(at).1)
}
