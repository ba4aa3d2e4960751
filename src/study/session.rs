//! A bench, a model, and what has been found about them so far: the actions that the page and the command line both
//! offer.

mod effects;
mod neuron;
mod pruning;

use std::rc::Rc;

pub use effects::Effects;
pub use pruning::TuneRequest;

use super::made_of::MadeOf;
use super::results::{AtHand, Made, Results};
use super::{Bench, ModelSpec, StudyError};
use crate::attribution::{Attribution, Settings};
use crate::items::Prompts;
use crate::job::Job;
use crate::model::device::Compute;
use crate::model::{Edit, Model};
use crate::pruning::{Mask, Trial};
use crate::scoring::{self, Audit, Orders, PositionBias, RunError, SetScores};

/// One model with items.
pub struct Session {
    /// Where it computes.
    pub compute: Compute,
    /// The model, which sessions beside each other share.
    pub model: Rc<Model>,
    bench: Bench,
    results: Results,
}

impl Session {
    /// A session without results.
    pub fn new(compute: Compute, model: impl Into<Rc<Model>>, bench: impl Into<Bench>) -> Self {
        Self {
            compute,
            model: model.into(),
            bench: bench.into(),
            results: Results::default(),
        }
    }

    /// Another session with the same model and nothing in it: what happens there is not seen here.
    #[must_use]
    pub fn beside(&self) -> Self {
        let (compute, model) = (self.compute.clone(), Rc::clone(&self.model));
        Self::new(compute, model, self.bench.prompting().clone())
    }

    /// The item sets, and how they are put to the model.
    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// Changes what lies on the bench. What was found of anything else holds no more, until that is as it was; scores
    /// follow another rule where they can ([`SetScores::by_rule`]).
    pub fn change(&mut self, change: impl FnOnce(&mut Bench)) {
        change(&mut self.bench);
        let at_hand: AtHand = self
            .bench
            .sets()
            .keys()
            .filter_map(|set| Some((set.clone(), self.made_of(set).ok()?)))
            .collect();
        self.results.settle(at_hand);
    }

    /// What the results of a set are made of.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for a set that is not there, or whose shots' set is not.
    pub fn made_of(&self, set: &str) -> Result<MadeOf, StudyError> {
        Ok(self.bench.made_of(set)?.with_model(&self.model))
    }

    /// What a result of several sets is made of, one after the other.
    ///
    /// # Errors
    ///
    /// As for [`Session::made_of`].
    pub fn made_of_all(&self, sets: &[String]) -> Result<Vec<MadeOf>, StudyError> {
        sets.iter().map(|set| self.made_of(set)).collect()
    }

    /// The same, where the sets are run under a mask.
    ///
    /// # Errors
    ///
    /// As for [`Session::made_of`].
    pub fn made_under(&self, mask: &Mask, sets: &[String]) -> Result<Vec<MadeOf>, StudyError> {
        let all = self.made_of_all(sets)?;
        Ok(all.into_iter().map(|of| of.under(mask)).collect())
    }

    /// What the attribution at hand was made of.
    pub fn attribution_made_of(&self) -> Option<&MadeOf> {
        self.results.attribution().map(|made| &made.of)
    }

    /// The model as a study names it.
    pub fn model_spec(&self) -> ModelSpec {
        ModelSpec::of(&self.model)
    }

    /// The attribution at hand.
    pub fn attribution(&self) -> Option<&Attribution> {
        self.results.attribution().map(|made| &made.result)
    }

    /// Whether the attribution at hand is the one that [`Session::attribute`] would make.
    pub fn is_attributed(&self, set: &str, settings: &Settings) -> bool {
        let asked = self.made_of_attribution(set, settings);
        let made = self.results.attribution();
        made.zip(asked.ok())
            .is_some_and(|(made, asked)| made.result.set == set && made.of.is_same(&asked))
    }

    fn made_of_attribution(&self, set: &str, settings: &Settings) -> Result<MadeOf, StudyError> {
        Ok(self.made_of(set)?.attributed(settings))
    }

    /// The scores of a set without any mask, if it was scored.
    pub fn baseline(&self, set: &str) -> Option<&SetScores> {
        self.results.scores(set)
    }

    /// What speaks against the scores at hand.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let scored = self.results.all_scores();
        scored.flat_map(|scores| scores.warnings.iter().map(String::as_str))
    }

    fn trial<'a>(&'a self, set: &'a str, prompts: &'a Prompts) -> Result<Trial<'a>, StudyError> {
        let items = self.bench.items(set)?;
        if items.is_empty() {
            return Err(RunError::Empty(set.to_owned()).into());
        }
        Ok(Trial {
            model: &self.model,
            set,
            items,
            prompts,
            rule: self.bench.rule(),
        })
    }

    fn all_prompts(&self, sets: &[String]) -> Result<Vec<Prompts>, StudyError> {
        sets.iter().map(|set| self.bench.prompts(set)).collect()
    }

    fn trials<'a>(
        &'a self,
        sets: &'a [String],
        prompts: &'a [Prompts],
    ) -> Result<Vec<Trial<'a>>, StudyError> {
        let pairs = sets.iter().zip(prompts);
        pairs
            .map(|(set, prompts)| self.trial(set, prompts))
            .collect()
    }

    fn all_scored<'a>(
        &'a self,
        sets: &'a [String],
        prompts: &'a [Prompts],
    ) -> Result<Vec<(Trial<'a>, &'a SetScores)>, StudyError> {
        let pairs = sets.iter().zip(prompts);
        pairs
            .map(|(set, prompts)| self.scored(set, prompts))
            .collect()
    }

    fn scored<'a>(
        &'a self,
        set: &'a str,
        prompts: &'a Prompts,
    ) -> Result<(Trial<'a>, &'a SetScores), StudyError> {
        let baseline = self
            .baseline(set)
            .ok_or_else(|| StudyError::NotYet(format!("the item set `{set}` is not scored yet")))?;
        Ok((self.trial(set, prompts)?, baseline))
    }

    /// Scores a set without any mask; a set scored before is not run again.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn score(&mut self, set: &str, job: Job<'_>) -> Result<&SetScores, StudyError> {
        if self.baseline(set).is_none() {
            let of = self.made_of(set)?;
            let named = (set, self.bench.items(set)?);
            let (edit, prompts, rule) = (Edit::none(), self.bench.prompts(set)?, self.bench.rule());
            let result = scoring::score(&self.model, named, &prompts, rule, &edit, job).await?;
            self.compute.faults.check()?;
            self.results.keep_scores(Made { of, result });
        }
        self.baseline(set)
            .ok_or_else(|| StudyError::NotYet(format!("the item set `{set}` is not scored")))
    }

    /// A set with its choices in several orders.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn position_bias(
        &self,
        set: &str,
        orders: Orders,
        job: Job<'_>,
    ) -> Result<PositionBias, StudyError> {
        let named = (set, self.bench.items(set)?);
        let prompts = self.bench.prompts(set)?;
        let rule = self.bench.rule();
        let found =
            scoring::position::position_bias(&self.model, named, &prompts, rule, orders, job)
                .await?;
        self.compute.faults.check()?;
        Ok(found)
    }

    /// What drives the answers to a set beside its questions.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn audit(&mut self, set: &str, job: Job<'_>) -> Result<Audit, StudyError> {
        self.score(set, job).await?;
        let prompts = self.bench.prompts(set)?;
        let (trial, scores) = self.scored(set, &prompts)?;
        let (named, rule) = ((set, trial.items), trial.rule);
        let found = scoring::audit::audit(&self.model, named, &prompts, rule, scores, job).await?;
        self.compute.faults.check()?;
        Ok(found)
    }

    /// Scores whatever of `sets` has not been scored.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn score_all(
        &mut self,
        sets: &[impl AsRef<str>],
        job: Job<'_>,
    ) -> Result<(), StudyError> {
        let sets = || sets.iter().map(AsRef::as_ref);
        // An item that the model cannot take is found before the first set runs.
        for set in sets().filter(|set| self.baseline(set).is_none()) {
            let (items, prompts) = (self.bench.items(set)?, self.bench.prompts(set)?);
            scoring::Plan::new(&self.model, (set, items), &prompts, self.bench.rule())?;
        }
        for set in sets() {
            self.score(set, job).await?;
        }
        Ok(())
    }

    /// Attributes a set; the result stays for rankings and masks.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn attribute(
        &mut self,
        set: &str,
        settings: &Settings,
        job: Job<'_>,
    ) -> Result<&Attribution, StudyError> {
        let result = self.attribution_of(set, None, settings, job).await?;
        let of = self.made_of_attribution(set, settings)?;
        self.results.keep_attribution(Made { of, result });
        self.attributed()
    }

    /// The attribution at hand.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] where there is none.
    pub fn attributed(&self) -> Result<&Attribution, StudyError> {
        self.attribution()
            .ok_or_else(|| StudyError::NotYet("run an attribution first".into()))
    }
}
