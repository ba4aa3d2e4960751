//! What masks do, and what training does beside them.

use std::rc::Rc;

use serde::Deserialize;

use crate::job::Job;
use crate::pruning::effect::{self, ControlReport, PruneReport};
use crate::pruning::general::{GeneralAbility, general_ability};
use crate::pruning::rules::{Evidence, MostHarmful};
use crate::pruning::search::spec::Cost;
use crate::pruning::search::{self, SearchReport, SearchSpec};
use crate::pruning::selection::TopPercent;
use crate::pruning::{Combination, Mask, Means, Operation, Selection};
use crate::scoring::RunError;
use crate::study::results::Made;
use crate::study::{KeptMask, MadeOf, Session, StudyError};
use crate::tuning::{self, TuneReport, TuneSets, TuneSettings};

/// Which sets a tuning uses, by name.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
    /// The mask of the top p % of a layer.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] without an attribution.
    pub fn mask_top(&self, selection: TopPercent) -> Result<Mask, StudyError> {
        Ok(selection.mask(self.attributed()?)?)
    }

    /// The mask of any selection; harm that was not measured yet is measured first, on the items of the attribution's set.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] without an attribution.
    pub async fn mask_of(
        &mut self,
        selection: &Selection,
        job: Job<'_>,
    ) -> Result<Mask, StudyError> {
        selection.check(self.model.config().n_layers)?;
        if let Selection::Harmful(MostHarmful { layer, .. }) = selection {
            self.measure_harm(Some(&[*layer]), job).await?;
        }
        let mask = selection.mask(self.evidence()?)?;
        Ok(mask.checked(self.model.config())?)
    }

    /// What neurons are selected by, as far as it is known.
    fn evidence(&self) -> Result<Evidence<'_>, StudyError> {
        Ok(Evidence {
            attribution: self.attributed()?,
            measured: self.harm(),
        })
    }

    /// What two masks of the model at hand make together.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] for one of another model, and for masks that change neurons in two ways.
    pub fn combined(
        &self,
        how: Combination,
        [first, second]: &[KeptMask; 2],
    ) -> Result<Mask, StudyError> {
        Ok(how.of(&first.on(&self.model)?, &second.on(&self.model)?)?)
    }

    /// Each neuron's mean activation over the prompts of a set; those measured last are not measured again.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn means(&mut self, set: &str, job: Job<'_>) -> Result<Rc<Means>, StudyError> {
        // No rule has a part in them.
        let of = MadeOf {
            rule: None,
            ..self.made_of(set)?
        };
        if let Some(known) = self.results.means(set, &of) {
            return Ok(known);
        }
        let prompts = self.bench().prompts(set)?;
        let result = Rc::new(Means::measure(self.trial(set, &prompts)?, job).await?);
        self.compute.faults.check()?;
        self.results.keep_means(Made {
            of,
            result: Rc::clone(&result),
        });
        Ok(result)
    }

    /// The neurons of `mask`, changed as `like` changes its own: to means of the items at hand, where it is to means.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn changed_like(
        &mut self,
        mask: Mask,
        like: &Mask,
        job: Job<'_>,
    ) -> Result<Mask, StudyError> {
        like.check()?;
        let means = self.means_for(like, job).await?;
        let changed = mask.by(like.change(means.as_deref())?)?;
        Ok(changed.checked(self.model.config())?)
    }

    /// The means that a mask's operation takes.
    async fn means_for(
        &mut self,
        mask: &Mask,
        job: Job<'_>,
    ) -> Result<Option<Rc<Means>>, StudyError> {
        match (mask.operation, &mask.means_of) {
            (Operation::Mean, Some(set)) => Ok(Some(self.means(set, job).await?)),
            (Operation::Mean, None) => Err(RunError::Mask(
                "it does not say which item set its means are of (`means_of`), so those of other neurons are not known".into(),
            )
            .into()),
            _ => Ok(None),
        }
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
        let mask = mask.checked(self.model.config())?;
        self.score_all(sets, job).await?;
        let prompts = self.all_prompts(sets)?;
        let trials = self.all_scored(sets, &prompts)?;
        let report = effect::prune(&trials, mask, job).await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// A text before and after a mask.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn general_ability(
        &self,
        mask: Mask,
        text: &str,
        job: Job<'_>,
    ) -> Result<GeneralAbility, StudyError> {
        let found = general_ability(&self.model, text, mask, job).await?;
        self.compute.faults.check()?;
        Ok(found)
    }

    /// Whether random masks of the same size can be changed as a mask is: before anything is computed that would be lost otherwise.
    ///
    /// # Errors
    ///
    /// [`StudyError`] as [`Session::control`].
    pub async fn check_control(&mut self, mask: &Mask, job: Job<'_>) -> Result<(), StudyError> {
        self.own_means(mask, job).await.map(drop)
    }

    /// The means that a mask's operation takes, which are those of its own neurons.
    async fn own_means(
        &mut self,
        mask: &Mask,
        job: Job<'_>,
    ) -> Result<Option<Rc<Means>>, StudyError> {
        let means = self.means_for(mask, job).await?;
        means.as_ref().map_or(Ok(()), |means| means.check(mask))?;
        Ok(means)
    }

    /// Random masks of the same size.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn control(
        &mut self,
        mask: Mask,
        sets: &[String],
        (masks, seed): (usize, u64),
        job: Job<'_>,
    ) -> Result<ControlReport, StudyError> {
        let means = self.own_means(&mask, job).await?;
        let prompts = self.all_prompts(sets)?;
        let trials = self.trials(sets, &prompts)?;
        let report = effect::control(&trials, mask, (masks, seed), means.as_deref(), job).await?;
        self.compute.faults.check()?;
        Ok(report)
    }

    /// What a search of validation sets costs, and about how many seconds a run of an item takes, where the sets were scored.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for sets that are not there.
    pub fn search_cost(
        &self,
        sets: &[String],
        spec: &SearchSpec,
    ) -> Result<(Cost, Option<f64>), StudyError> {
        let mut items = 0;
        for set in sets {
            items += self.bench().items(set)?.len();
        }
        let seconds: Option<f64> = sets
            .iter()
            .map(|set| self.baseline(set).map(|scores| scores.seconds))
            .sum();
        let cost = spec.cost(self.model.config().n_layers, items);
        Ok((cost, seconds.map(|seconds| seconds / items.max(1) as f64)))
    }

    /// Masks by every rule that is asked for, on validation sets. Where that is harm, neurons that were not measured yet are measured
    /// first, on the items of the attribution's set.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn search(
        &mut self,
        sets: &[String],
        spec: &SearchSpec,
        job: Job<'_>,
    ) -> Result<SearchReport, StudyError> {
        spec.check(self.model.config().n_layers)?;
        let like = spec.like(&self.attributed()?.set);
        self.score_all(sets, job).await?;
        let means = self.means_for(&like, job).await?;
        if spec.harm {
            self.measure_harm(spec.layers.as_deref(), job).await?;
        }
        let prompts = self.all_prompts(sets)?;
        let trials = self.all_scored(sets, &prompts)?;
        let report = search::search(&trials, self.evidence()?, spec, means.as_deref(), job).await?;
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
        let config = self.model.config();
        request.settings.check(config.n_layers)?;
        let mask = request.mask.clone().checked(config)?;
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
            &mask,
            &request.settings,
            request.seed,
            request.compare,
            job,
        )
        .await?;
        self.compute.faults.check()?;
        Ok(report)
    }
}
