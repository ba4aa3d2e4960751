//! What a session found of items and settings that are not at hand any more: it comes back with them, and is not
//! computed again.

use super::session::{Prompting, Session};
use crate::attribution::Attribution;
use crate::items::items_sha256;
use crate::scoring::{Rule, SetScores};

/// Scores that are kept, at most.
const SCORES_AT_MOST: usize = 128;
/// Attributions that are kept, at most: each holds the scores of every neuron for every item.
const ATTRIBUTIONS_AT_MOST: usize = 3;

/// Everything that decides a set's scores on one model, and what the set is called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    set: String,
    of: Grounds,
}

/// Everything that decides a set's scores on one model. What sets are called does not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grounds {
    /// Hash of its items.
    items: String,
    /// Hash of the items that shots are drawn from, where there are some.
    shots: Option<String>,
    /// Without the name of the shots' set.
    prompting: Prompting,
    rule: Rule,
}

/// Results by what they were made of, the latest last.
#[derive(Default)]
pub(super) struct Aside {
    scores: Vec<(Made, SetScores)>,
    attributions: Vec<(Made, Attribution)>,
}

impl Aside {
    fn put_scores(&mut self, made: Made, scores: SetScores) {
        put(&mut self.scores, made, scores, SCORES_AT_MOST);
    }

    fn put_attribution(&mut self, made: Made, attribution: Attribution) {
        put(
            &mut self.attributions,
            made,
            attribution,
            ATTRIBUTIONS_AT_MOST,
        );
    }

    /// The scores that were made of this, whatever the set was called.
    fn take_scores(&mut self, made: &Made) -> Option<SetScores> {
        let (_, scores) = take(&mut self.scores, std::slice::from_ref(made))?;
        Some(scores.named(&made.set))
    }

    /// The latest attribution that was made of one of these, whatever the set was called.
    fn take_attribution(&mut self, made: &[Made]) -> Option<Attribution> {
        let (made, found) = take(&mut self.attributions, made)?;
        Some(Attribution {
            set: made.set.clone(),
            ..found
        })
    }
}

fn put<T>(all: &mut Vec<(Made, T)>, made: Made, found: T, at_most: usize) {
    all.retain(|(other, _)| *other != made);
    all.push((made, found));
    if all.len() > at_most {
        all.remove(0);
    }
}

/// The latest result that was made of one of these, and of which: of several sets with the same items the one of that name.
fn take<'a, T>(all: &mut Vec<(Made, T)>, made: &'a [Made]) -> Option<(&'a Made, T)> {
    let of_name = |other: &Made| made.iter().find(|made| *made == other);
    let of_any = |other: &Made| made.iter().find(|made| made.of == other.of);
    let latest = |of: &dyn Fn(&Made) -> Option<&'a Made>| {
        let mut entries = all.iter().enumerate().rev();
        entries.find_map(|(at, (other, _))| Some((at, of(other)?)))
    };
    let (at, made) = latest(&of_name).or_else(|| latest(&of_any))?;
    Some((made, all.remove(at).1))
}

impl Session {
    /// What was found of a set holds no more.
    pub(super) fn forget(&mut self, set: &str) {
        // Other sets may have their shots from this one.
        let few_shot = self.prompting.few_shot.as_ref();
        if few_shot.is_some_and(|few_shot| few_shot.set.as_deref() == Some(set)) {
            self.put_all_aside();
        }
        self.put_aside(set);
    }

    /// What decides a set's results; none for a set that is not there.
    fn made_of(&self, set: &str) -> Option<Made> {
        let mut prompting = self.prompting.clone();
        let shots = prompting.few_shot.as_mut();
        let pool = shots.map(|few_shot| few_shot.set.take().unwrap_or_else(|| set.to_owned()));
        let hash = |set: &str| self.given.get(set).map(|items| items_sha256(items));
        Some(Made {
            set: set.to_owned(),
            of: Grounds {
                items: hash(set)?,
                shots: pool.and_then(|pool| hash(&pool)),
                prompting,
                rule: self.rule,
            },
        })
    }

    fn put_aside(&mut self, set: &str) {
        let Some(made) = self.made_of(set) else {
            return;
        };
        if let Some(scores) = self.baselines.remove(set) {
            self.aside.put_scores(made.clone(), scores);
        }
        if let Some(found) = self.attribution.take_if(|found| found.set == set) {
            self.aside.put_attribution(made, found);
        }
    }

    pub(super) fn put_all_aside(&mut self) {
        let sets: Vec<String> = self.given.keys().cloned().collect();
        sets.iter().for_each(|set| self.put_aside(set));
    }

    /// Takes back what was found of what is at hand now.
    pub(super) fn come_back(&mut self) {
        let all: Vec<Made> = self
            .given
            .keys()
            .filter_map(|set| self.made_of(set))
            .collect();
        for made in &all {
            if !self.baselines.contains_key(&made.set)
                && let Some(scores) = self.aside.take_scores(made)
            {
                self.baselines.insert(made.set.clone(), scores);
            }
        }
        if self.attribution.is_none() {
            self.attribution = self.aside.take_attribution(&all);
        }
    }
}
