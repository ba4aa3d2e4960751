//! What a session found, each result with what it was made of. One that was made of something else than what is at hand
//! is put aside, and comes back with that: it is not computed again.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::made_of::{MadeOf, Part};
use crate::attribution::{Ablation, Attribution};
use crate::pruning::Means;
use crate::scoring::{ChoiceScore, SetScores};

/// Scores that are kept aside, at most.
const SCORES_AT_MOST: usize = 128;
/// Attributions that are kept aside, at most: each holds the scores of every neuron for every item.
const ATTRIBUTIONS_AT_MOST: usize = 3;
/// Ablations that are kept, at most: each holds the effect of every neuron on every item, and took long.
const ABLATIONS_AT_MOST: usize = 4;
/// What each kind of them may take in memory, at most: a browser has four gigabytes for all that the engine holds.
const BYTES_AT_MOST: usize = 256 << 20;

/// A result and what it was made of.
pub(super) struct Made<T> {
    pub of: MadeOf,
    pub result: T,
}

impl Made<SetScores> {
    /// The same log-likelihoods by another rule, where that is all that changed: they do not hang on it.
    fn by_rule_of(&self, now: &MadeOf) -> Option<Self> {
        if self.of.differences(now) != [Part::Rule] {
            return None;
        }
        let result = self.result.by_rule(now.rule?)?;
        let of = now.clone();
        Some(Self { of, result })
    }
}

/// A result of an item set.
trait OfSet {
    fn set(&self) -> &str;
    /// The same of a set that is called otherwise.
    fn named(self, set: &str) -> Self;
    /// About what it takes in memory.
    fn bytes(&self) -> usize;
}

impl OfSet for SetScores {
    fn set(&self) -> &str {
        &self.set
    }

    fn named(self, set: &str) -> Self {
        SetScores::named(self, set)
    }

    fn bytes(&self) -> usize {
        let choices = self.items.iter().map(|item| item.choices.len());
        choices.sum::<usize>() * size_of::<ChoiceScore>()
    }
}

impl OfSet for Attribution {
    fn set(&self) -> &str {
        &self.set
    }

    fn named(self, set: &str) -> Self {
        Self {
            set: set.to_owned(),
            ..self
        }
    }

    fn bytes(&self) -> usize {
        self.per_item.iter().map(Vec::len).sum::<usize>() * size_of::<f32>()
    }
}

/// What the results of every set at hand would be made of.
pub(super) type AtHand = BTreeMap<String, MadeOf>;

/// The results of what is at hand, and those aside.
pub(super) struct Results {
    at_hand: AtHand,
    scores: BTreeMap<String, Made<SetScores>>,
    attribution: Option<Made<Attribution>>,
    scores_aside: Aside<SetScores>,
    attributions_aside: Aside<Attribution>,
    /// The latest last, whatever is at hand.
    ablations: Vec<Made<Ablation>>,
    /// The latest, whatever is at hand: each neuron that joins a mask of means asks for them.
    means: Option<Made<Rc<Means>>>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            at_hand: AtHand::new(),
            scores: BTreeMap::new(),
            attribution: None,
            scores_aside: Aside::at_most(SCORES_AT_MOST),
            attributions_aside: Aside::at_most(ATTRIBUTIONS_AT_MOST),
            ablations: Vec::new(),
            means: None,
        }
    }
}

impl Results {
    /// The scores of a set.
    pub fn scores(&self, set: &str) -> Option<&SetScores> {
        self.scores.get(set).map(|made| &made.result)
    }

    /// The scores of all sets.
    pub fn all_scores(&self) -> impl Iterator<Item = &SetScores> {
        self.scores.values().map(|made| &made.result)
    }

    /// The attribution and what it was made of.
    pub fn attribution(&self) -> Option<&Made<Attribution>> {
        self.attribution.as_ref()
    }

    pub fn keep_scores(&mut self, made: Made<SetScores>) {
        self.scores.insert(made.result.set.clone(), made);
    }

    /// Keeps an attribution in the place of the one there was.
    pub fn keep_attribution(&mut self, made: Made<Attribution>) {
        self.attribution = Some(made);
    }

    /// What was measured of this.
    pub fn ablation(&self, of: &MadeOf) -> Option<&Ablation> {
        let mut all = self.ablations.iter();
        all.find(|made| made.of.is_same(of))
            .map(|made| &made.result)
    }

    /// The same, to go on with.
    pub fn take_ablation(&mut self, of: &MadeOf) -> Option<Ablation> {
        let at = self.ablations.iter().position(|made| made.of.is_same(of))?;
        Some(self.ablations.remove(at).result)
    }

    /// Keeps one that was asked for; of too many the first are dropped.
    pub fn keep_ablation(&mut self, made: Made<Ablation>) {
        self.ablations.push(made);
        self.shed_ablations();
    }

    /// Keeps one that was measured beside another, where there is room; it is the first to be dropped.
    pub fn keep_ablation_beside(&mut self, made: Made<Ablation>) {
        if !made.result.is_empty() {
            self.ablations.insert(0, made);
            self.shed_ablations();
        }
    }

    fn shed_ablations(&mut self) {
        let bytes = |made: &Made<Ablation>| made.result.bytes();
        shed(&mut self.ablations, ABLATIONS_AT_MOST, bytes);
    }

    /// The means over a set of this name, where they are of this.
    pub fn means(&self, set: &str, of: &MadeOf) -> Option<Rc<Means>> {
        let made = self.means.as_ref()?;
        let is_its = made.result.set == set && made.of.is_same(of);
        is_its.then(|| Rc::clone(&made.result))
    }

    pub fn keep_means(&mut self, made: Made<Rc<Means>>) {
        self.means = Some(made);
    }

    /// Puts aside what was made of something else than what is at hand, and takes back what was made of that.
    pub fn settle(&mut self, at_hand: AtHand) {
        for (set, made) in std::mem::take(&mut self.scores) {
            let now = at_hand.get(&set);
            if now.is_some_and(|now| made.of.is_same(now)) {
                self.keep_scores(made);
                continue;
            }
            if let Some(followed) = now.and_then(|now| made.by_rule_of(now)) {
                self.keep_scores(followed);
            }
            self.scores_aside.put(made);
        }
        let is_stale = |made: &mut Made<Attribution>| {
            let now = at_hand.get(&made.result.set);
            !now.is_some_and(|now| made.of.is_same(now))
        };
        if let Some(stale) = self.attribution.take_if(is_stale) {
            self.attributions_aside.put(stale);
        }
        // A set that is only taken away may come again under another name: its results wait for that.
        let is_new = |(set, of)| self.at_hand.get(set) != Some(of);
        if at_hand.iter().any(is_new) {
            self.take_back(&at_hand);
        }
        self.at_hand = at_hand;
    }

    fn take_back(&mut self, at_hand: &AtHand) {
        for (name, of) in at_hand {
            if !self.scores.contains_key(name)
                && let Some(made) = self.scores_aside.take(&[(name, of)])
            {
                self.keep_scores(made);
            }
        }
        if self.attribution.is_none() {
            let sets: Vec<_> = at_hand.iter().collect();
            self.attribution = self.attributions_aside.take(&sets);
        }
    }
}

/// Drops the first of some results, but not the last one, while they are more than `at_most` or take too much memory.
fn shed<T>(results: &mut Vec<T>, at_most: usize, bytes: impl Fn(&T) -> usize) {
    let mut held: usize = results.iter().map(&bytes).sum();
    while results.len() > 1 && (results.len() > at_most || held > BYTES_AT_MOST) {
        held -= bytes(&results.remove(0));
    }
}

/// Results of what is not at hand, the latest last.
struct Aside<T> {
    made: Vec<Made<T>>,
    at_most: usize,
}

impl<T: OfSet> Aside<T> {
    fn at_most(at_most: usize) -> Self {
        let made = Vec::new();
        Self { made, at_most }
    }

    fn put(&mut self, made: Made<T>) {
        let is_other =
            |other: &Made<T>| other.result.set() != made.result.set() || other.of != made.of;
        self.made.retain(is_other);
        self.made.push(made);
        shed(&mut self.made, self.at_most, |made| made.result.bytes());
    }

    /// The latest result that was made of one of these sets, whatever that was called: of several with the same items the
    /// one of that name.
    fn take(&mut self, sets: &[(&String, &MadeOf)]) -> Option<Made<T>> {
        let latest = |fits: &dyn Fn(&Made<T>, &str) -> bool| {
            let mut entries = self.made.iter().enumerate().rev();
            entries.find_map(|(at, made)| {
                let mut sets = sets.iter();
                let (name, _) = sets.find(|(name, of)| made.of.is_same(of) && fits(made, name))?;
                Some((at, name.as_str()))
            })
        };
        let (at, name) =
            latest(&|made, name| made.result.set() == name).or_else(|| latest(&|_, _| true))?;
        let Made { of, result } = self.made.remove(at);
        let result = result.named(name);
        Some(Made { of, result })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_results_are_dropped_where_all_are_too_many_or_too_large() {
        let kept = |mut results: Vec<usize>| {
            shed(&mut results, 3, |&bytes| bytes);
            results
        };
        assert_eq!(kept(vec![1, 2, 3, 4]), [2, 3, 4]);
        assert_eq!(kept(vec![BYTES_AT_MOST, 2, 3]), [2, 3]);
        assert_eq!(kept(vec![1, 2, BYTES_AT_MOST + 1]), [BYTES_AT_MOST + 1]);
    }
}
