//! A model, item sets, and what has been found about them so far: the actions that the page and the
//! command line both offer.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::aside::Aside;
use super::{ModelSpec, StudyError};
use crate::attribution::{self, Attribution, AttributionError, Settings};
use crate::items::order::shuffled;
use crate::items::{FewShot, Item, Prompts, Template};
use crate::job::Job;
use crate::model::device::Compute;
use crate::model::{Gains, Model};
use crate::pruning::effect::{self, ControlReport, NeuronCard, PruneReport};
use crate::pruning::search::{self, SearchReport};
use crate::pruning::selection::TopPercent;
use crate::pruning::{Mask, Trial};
use crate::scoring::{self, Orders, PositionBias, Rule, ScoringError, SetScores};
use crate::tuning::{self, TuneReport, TuneSets, TuneSettings};

/// One model with items.
pub struct Session {
    /// Where it computes.
    pub compute: Compute,
    /// The model, which sessions beside each other share.
    pub model: Rc<Model>,
    pub(super) prompting: Prompting,
    pub(super) rule: Rule,
    /// As they were given.
    pub(super) given: BTreeMap<String, Vec<Item>>,
    /// With their choices in the order that the model sees.
    sets: BTreeMap<String, Vec<Item>>,
    pub(super) baselines: BTreeMap<String, SetScores>,
    pub(super) attribution: Option<Attribution>,
    pub(super) aside: Aside,
}

/// How items are put to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompting {
    /// The prompt.
    pub template: Template,
    /// Solved items before it.
    pub few_shot: Option<FewShot>,
    /// Seed of the choices' order; the file's order without it.
    pub choice_order: Option<u64>,
}

impl From<Template> for Prompting {
    fn from(template: Template) -> Self {
        Self {
            template,
            few_shot: None,
            choice_order: None,
        }
    }
}

/// Which sets a tuning uses, by name.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct TuneRequest {
    /// What is pruned.
    pub mask: Mask,
    /// Sets to learn from.
    pub train: Vec<String>,
    /// Sets that pick the best state.
    pub validation: Vec<String>,
    /// Sets to report on.
    pub test: Vec<String>,
    /// How the gains are trained.
    pub settings: TuneSettings,
    /// Seed of the items' order.
    pub seed: u64,
    /// Whether to train without pruning as well.
    pub compare: bool,
}

impl Session {
    /// A session without items.
    pub fn new(
        compute: Compute,
        model: impl Into<Rc<Model>>,
        prompting: impl Into<Prompting>,
    ) -> Self {
        Self {
            compute,
            model: model.into(),
            prompting: prompting.into(),
            rule: Rule::Sum,
            given: BTreeMap::new(),
            sets: BTreeMap::new(),
            baselines: BTreeMap::new(),
            attribution: None,
            aside: Aside::default(),
        }
    }

    /// Another session with the same model and nothing in it: what happens there is not seen here.
    #[must_use]
    pub fn beside(&self) -> Self {
        let (compute, model) = (self.compute.clone(), Rc::clone(&self.model));
        Self::new(compute, model, self.prompting.clone())
    }

    /// The model as a study names it.
    pub fn model_spec(&self) -> ModelSpec {
        ModelSpec::of(&self.model)
    }

    /// The attribution at hand.
    pub fn attribution(&self) -> Option<&Attribution> {
        self.attribution.as_ref()
    }

    /// The scores of a set without any mask, if it was scored.
    pub fn baseline(&self, set: &str) -> Option<&SetScores> {
        self.baselines.get(set)
    }

    /// What speaks against the scores at hand.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let scored = self.baselines.values();
        scored.flat_map(|scores| scores.warnings.iter().map(String::as_str))
    }

    /// The items of a set, as they were given.
    pub fn given_items(&self, set: &str) -> Option<&[Item]> {
        self.given.get(set).map(Vec::as_slice)
    }

    /// Adds or replaces a set; what was known of it holds no more, until it is as it was.
    pub fn set_items(&mut self, name: &str, items: Vec<Item>) {
        if self.given.get(name) == Some(&items) {
            return;
        }
        self.forget(name);
        self.sets.insert(name.to_owned(), self.ordered(&items));
        self.given.insert(name.to_owned(), items);
        self.come_back();
    }

    /// Removes a set.
    pub fn remove_items(&mut self, name: &str) {
        self.forget(name);
        self.given.remove(name);
        self.sets.remove(name);
    }

    /// Changes how items are put to the model; no result holds any more, until that is as it was.
    pub fn set_prompting(&mut self, prompting: Prompting) {
        if prompting == self.prompting {
            return;
        }
        self.put_all_aside();
        self.prompting = prompting;
        let ordered = |(name, items): (&String, &Vec<Item>)| (name.clone(), self.ordered(items));
        self.sets = self.given.iter().map(ordered).collect();
        self.come_back();
    }

    /// How items are put to the model.
    pub fn prompting(&self) -> &Prompting {
        &self.prompting
    }

    /// How predictions are made.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// All sets, as they were given.
    pub fn given_sets(&self) -> &BTreeMap<String, Vec<Item>> {
        &self.given
    }

    fn ordered(&self, items: &[Item]) -> Vec<Item> {
        match self.prompting.choice_order {
            Some(seed) => shuffled(items, seed),
            None => items.to_vec(),
        }
    }

    /// The items of a set as the model gets them.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for an unknown set.
    pub fn items(&self, set: &str) -> Result<&[Item], StudyError> {
        self.sets
            .get(set)
            .map(Vec::as_slice)
            .ok_or_else(|| StudyError::NotYet(format!("there is no item set `{set}`")))
    }

    /// The prompts of a set: the template and the shots drawn for it.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] when the shots' set is not there, [`ScoringError::Settings`] when it has too few items.
    pub fn prompts(&self, set: &str) -> Result<Prompts, StudyError> {
        let template = self.prompting.template.clone();
        let Some(few_shot) = &self.prompting.few_shot else {
            return Ok(template.into());
        };
        let pool = self.items(few_shot.set.as_deref().unwrap_or(set))?;
        Prompts::with_shots(template, few_shot, pool).map_err(|error| {
            AttributionError::from(ScoringError::Settings(error.to_string())).into()
        })
    }

    /// Changes how predictions are made. Scores follow where they can ([`SetScores::by_rule`]); the attribution, whose
    /// items and targets hang on the predictions, holds no more until the rule is as it was.
    pub fn set_rule(&mut self, rule: Rule) {
        if rule != self.rule {
            let followed = self
                .baselines
                .iter()
                .filter_map(|(set, scores)| Some((set.clone(), scores.by_rule(rule)?)))
                .collect();
            self.put_all_aside();
            self.rule = rule;
            self.baselines = followed;
            self.come_back();
        }
    }

    fn trial<'a>(&'a self, set: &'a str, prompts: &'a Prompts) -> Result<Trial<'a>, StudyError> {
        let items = self.items(set)?;
        if items.is_empty() {
            return Err(ScoringError::Empty(set.to_owned()).into());
        }
        Ok(Trial {
            model: &self.model,
            set,
            items,
            prompts,
            rule: self.rule,
        })
    }

    fn all_prompts(&self, sets: &[String]) -> Result<Vec<Prompts>, StudyError> {
        sets.iter().map(|set| self.prompts(set)).collect()
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
        if !self.baselines.contains_key(set) {
            let named = (set, self.items(set)?);
            let (gains, prompts) = (Gains::none(), self.prompts(set)?);
            let scores =
                scoring::score(&self.model, named, &prompts, self.rule, &gains, job).await?;
            self.compute.faults.check()?;
            self.baselines.insert(set.to_owned(), scores);
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
        let named = (set, self.items(set)?);
        let prompts = self.prompts(set)?;
        let found =
            scoring::position::position_bias(&self.model, named, &prompts, self.rule, orders, job)
                .await?;
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
        for set in sets().filter(|set| !self.baselines.contains_key(*set)) {
            let (items, prompts) = (self.items(set)?, self.prompts(set)?);
            scoring::Plan::new(&self.model, (set, items), &prompts, self.rule)?;
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
        self.score(set, job).await?;
        let prompts = self.prompts(set)?;
        let (trial, baseline) = self.scored(set, &prompts)?;
        let found = attribution::attribute(
            &self.model,
            (set, trial.items),
            &prompts,
            &baseline.items,
            settings,
            job,
        )
        .await?;
        self.compute.faults.check()?;
        Ok(self.attribution.insert(found))
    }

    fn attributed(&self) -> Result<&Attribution, StudyError> {
        self.attribution
            .as_ref()
            .ok_or_else(|| StudyError::NotYet("run an attribution first".into()))
    }

    /// The mask of the top p % of a layer.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] without an attribution.
    pub fn mask_top(&self, selection: TopPercent) -> Result<Mask, StudyError> {
        Ok(selection.mask(self.attributed()?)?)
    }

    /// Sets before and after a mask.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn prune(
        &mut self,
        mask: Mask,
        sets: &[String],
        job: Job<'_>,
    ) -> Result<PruneReport, StudyError> {
        self.score_all(sets, job).await?;
        let prompts = self.all_prompts(sets)?;
        let trials = self.all_scored(sets, &prompts)?;
        let report = effect::prune(&trials, mask, job).await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// Random masks of the same size.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn control(
        &self,
        mask: Mask,
        sets: &[String],
        (masks, seed): (usize, u64),
        job: Job<'_>,
    ) -> Result<ControlReport, StudyError> {
        let prompts = self.all_prompts(sets)?;
        let trials = self.trials(sets, &prompts)?;
        let report = effect::control(&trials, mask, masks, seed, job).await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// Layer × percentage on validation sets; all layers when none are named.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn search(
        &mut self,
        sets: &[String],
        layers: Option<&[usize]>,
        percents: &[f64],
        job: Job<'_>,
    ) -> Result<SearchReport, StudyError> {
        self.attributed()?;
        self.score_all(sets, job).await?;
        let prompts = self.all_prompts(sets)?;
        let trials = self.all_scored(sets, &prompts)?;
        let report = search::search(&trials, self.attributed()?, layers, percents, job).await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// Trains gains.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn tune(
        &mut self,
        request: &TuneRequest,
        job: Job<'_>,
    ) -> Result<TuneReport, StudyError> {
        self.score_all(&request.test, job).await?;
        let train = self.all_prompts(&request.train)?;
        let validation = self.all_prompts(&request.validation)?;
        let test = self.all_prompts(&request.test)?;
        let sets = TuneSets {
            train: self.trials(&request.train, &train)?,
            validation: self.trials(&request.validation, &validation)?,
            test: self.all_scored(&request.test, &test)?,
        };
        let report = tuning::tune(
            &sets,
            &request.mask,
            &request.settings,
            request.seed,
            request.compare,
            job,
        )
        .await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// One neuron's card on a set.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn neuron(
        &mut self,
        layer: usize,
        neuron: usize,
        set: &str,
        job: Job<'_>,
    ) -> Result<NeuronCard, StudyError> {
        self.score(set, job).await?;
        let prompts = self.prompts(set)?;
        let (trial, baseline) = self.scored(set, &prompts)?;
        let attribution = self.attribution.as_ref();
        let card = effect::neuron_card(trial, baseline, attribution, (layer, neuron), job).await?;
        self.compute.faults.check()?;
        Ok(card)
    }
}
