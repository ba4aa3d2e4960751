//! Measured effects of every neuron, and what they say of the methods that estimate them.

use serde::Serialize;

use crate::attribution::ablation::{self, Ablation, LayerEffects, Measured};
use crate::attribution::contrast::{Against, Contrast};
use crate::attribution::layers::layers_or_all;
use crate::attribution::settings::Method;
use crate::attribution::{self, Attribution, Settings, UsedItem};
use crate::items::Item;
use crate::job::Job;
use crate::model::Edit;
use crate::pruning::selection::TopPercent;
use crate::pruning::stability::{Stability, stability};
use crate::pruning::{Race, Resampling, race};
use crate::scoring;
use crate::scoring::audit::Question;
use crate::study::results::Made;
use crate::study::{MadeOf, RaceSpec, Session, StudyError};

/// Exact effects as far as they were measured.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Effects {
    /// How they are made.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// Neurons of a layer.
    pub d_mlp: usize,
    /// Of every layer.
    pub layers: Vec<LayerEffects>,
    /// The items.
    pub items_used: Vec<UsedItem>,
    /// Items that are not confident enough, or without the target.
    pub items_skipped: usize,
    /// Whether the user stopped the job before all was measured.
    pub cancelled: bool,
    /// Wall-clock time, that of earlier jobs that it goes on from included.
    pub seconds: f64,
}

impl Effects {
    fn of(found: &Ablation, cancelled: bool) -> Self {
        Self {
            settings: found.settings.clone(),
            set: found.set.clone(),
            d_mlp: found.d_mlp,
            layers: found.layers(),
            items_used: found.items_used.clone(),
            items_skipped: found.items_skipped,
            cancelled,
            seconds: found.seconds,
        }
    }
}

impl Session {
    /// What the effects of a set are made of.
    ///
    /// # Errors
    ///
    /// As for [`Session::made_of`].
    pub fn made_of_effects(&self, set: &str, settings: &Settings) -> Result<MadeOf, StudyError> {
        self.made_of_attribution(set, &settings.clone().by(Method::Ablation))
    }

    /// Measures the effect of every neuron of some layers, or of all, on a set's target. What was measured before is not measured
    /// again; what a cancelled job measured is kept.
    ///
    /// # Errors
    ///
    /// [`StudyError`]; where the user stops the job before anything was measured as well.
    pub async fn effects(
        &mut self,
        set: &str,
        settings: &Settings,
        layers: Option<&[usize]>,
        job: Job<'_>,
    ) -> Result<Effects, StudyError> {
        let settings = settings.clone().by(Method::Ablation).named();
        let cancelled = match self.measure(set, &settings, layers, job).await {
            Ok(()) => false,
            Err(error) if error.is_cancelled() => true,
            Err(error) => return Err(error),
        };
        let of = self.made_of_effects(set, &settings)?;
        let found = self.results.ablation(&of);
        found
            .map(|found| Effects::of(found, cancelled))
            .ok_or_else(|| crate::job::Cancelled.into())
    }

    /// The effects of some layers, or of all, as an attribution's scores.
    async fn attribute_by_ablation(
        &mut self,
        set: &str,
        settings: &Settings,
        layers: Option<&[usize]>,
        job: Job<'_>,
    ) -> Result<Attribution, StudyError> {
        self.measure(set, settings, layers, job).await?;
        let of = self.made_of_effects(set, settings)?;
        let found = self.results.ablation(&of);
        found
            .map(Attribution::of_ablation)
            .ok_or_else(|| StudyError::NotYet("nothing was measured".into()))
    }

    /// How harm is measured beside the attribution at hand: by the gold margin of every item of its set, where it scales neurons.
    fn of_harm(&self) -> Result<(String, Settings), StudyError> {
        let Attribution { set, settings, .. } = self.attributed()?;
        Ok((set.clone(), Settings::of_harm(settings.positions)))
    }

    /// The effects that say how harmful neurons are, as far as they were measured.
    pub(super) fn harm(&self) -> Option<&Ablation> {
        let (set, settings) = self.of_harm().ok()?;
        let of = self.made_of_effects(&set, &settings).ok()?;
        self.results.ablation(&of)
    }

    /// Measures them for some layers, or for all.
    pub(super) async fn measure_harm(
        &mut self,
        layers: Option<&[usize]>,
        job: Job<'_>,
    ) -> Result<(), StudyError> {
        let (set, settings) = self.of_harm()?;
        self.measure(&set, &settings, layers, job).await
    }

    async fn measure(
        &mut self,
        set: &str,
        settings: &Settings,
        layers: Option<&[usize]>,
        job: Job<'_>,
    ) -> Result<(), StudyError> {
        self.score(set, job).await?;
        let layers = layers_or_all(layers, self.model.config().n_layers);
        let prompts = self.bench.prompts(set)?;
        let asked: Vec<(MadeOf, Settings)> = std::iter::once(settings.clone())
            .chain(self.ablated_beside(set, settings))
            .map(|settings| Ok((self.made_of_effects(set, &settings)?, settings)))
            .collect::<Result<_, StudyError>>()?;
        let (of, asked): (Vec<MadeOf>, Vec<Settings>) = asked.into_iter().unzip();
        // What was measured before is out of the session's hands for the job alone.
        let mut measured: Vec<Measured> = of
            .iter()
            .zip(asked)
            .map(|(of, settings)| Measured::new(settings, self.results.take_ablation(of)))
            .collect();
        let was_known: Vec<bool> = measured.iter().map(|one| one.found.is_some()).collect();
        let (trial, baseline) = self.scored(set, &prompts)?;
        let outcome = ablation::measure(
            &self.model,
            (set, trial.items),
            &prompts,
            &baseline.items,
            &layers,
            &mut measured,
            job,
        )
        .await;
        self.compute.faults.check()?;
        // The asked one last: of too many the first is dropped.
        let all = of.into_iter().zip(measured).zip(was_known);
        for (place, ((of, Measured { found, .. }), was_known)) in all.enumerate().rev() {
            let Some(mut result) = found else {
                continue;
            };
            // The same items may have had another name.
            set.clone_into(&mut result.set);
            match place == 0 || was_known {
                true => self.results.keep_ablation(Made { of, result }),
                false => self.results.keep_ablation_beside(Made { of, result }),
            }
        }
        Ok(outcome?)
    }

    /// What is measured beside an ablation, since it is read from the same runs: harm, and what the race takes for the truth about the
    /// attribution at hand.
    fn ablated_beside(&self, set: &str, settings: &Settings) -> Vec<Settings> {
        let harm = Settings::of_harm(settings.positions);
        let attributed = self.attributed().ok().filter(|found| found.set == set);
        let raced = attributed.map(|found| found.settings.clone().by(Method::Ablation).named());
        let mlp_bias = self.model.config().mlp_bias;
        let mut beside: Vec<Settings> = std::iter::once(harm).chain(raced).collect();
        beside.retain(|other| other != settings && settings.ablates_for(other, mlp_bias));
        beside.dedup();
        beside
    }

    /// Every method against exact ablation, on the target, the positions and the items that `settings` say.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn race(&mut self, spec: &RaceSpec, job: Job<'_>) -> Result<Race, StudyError> {
        let n_layers = self.model.config().n_layers;
        spec.check(n_layers)?;
        let RaceSpec {
            set,
            settings,
            percent,
            resampling,
            ..
        } = spec;
        let by_ablation = settings.clone().by(Method::Ablation).named();
        let layers = spec.layers_of(n_layers);
        let effects = self
            .attribute_by_ablation(set, &by_ablation, Some(&layers), job)
            .await?;
        let prompts = self.bench.prompts(set)?;
        let (trial, baseline) = self.scored(set, &prompts)?;
        // Some methods have no target, and would take items that the others leave out.
        let is_used = |item: &Item| effects.items_used.iter().any(|used| used.id == item.id);
        let pairs = trial.items.iter().zip(&baseline.items);
        let (items, scores): (Vec<_>, Vec<_>) = pairs
            .filter(|(item, _)| is_used(item))
            .map(|(item, score)| (item.clone(), score.clone()))
            .unzip();
        let mut methods = Vec::new();
        for method in Method::estimates() {
            let settings = if method == settings.method {
                settings.clone()
            } else {
                settings.clone().by(method).named()
            };
            let named = (set.as_str(), &*items);
            let found =
                attribution::attribute(&self.model, named, &prompts, &scores, &settings, job);
            methods.push(found.await?);
            self.compute.faults.check()?;
        }
        let how = (*percent, *resampling);
        Ok(race::race(&effects, &layers, &methods, how, job).await?)
    }

    /// Scores on a set minus those on another one, or minus those of the same items without their questions.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn contrast(
        &mut self,
        set: &str,
        against: Against,
        settings: &Settings,
        job: Job<'_>,
    ) -> Result<Contrast, StudyError> {
        let start = job.now_secs();
        let own = if self.is_attributed(set, settings) {
            self.attributed()?.clone()
        } else {
            self.attribution_of(set, None, settings, job).await?
        };
        let (set, question) = match &against {
            Against::Set { set } => (set.as_str(), None),
            Against::Question { question } => (set, Some(*question)),
        };
        let other = self.attribution_of(set, question, settings, job).await?;
        let seconds = job.now_secs() - start;
        Ok(Contrast::of(&own, &other, against, seconds)?)
    }

    /// An attribution that does not take the place of the one at hand: of a set as it is, or asked otherwise.
    pub(super) async fn attribution_of(
        &mut self,
        set: &str,
        question: Option<Question>,
        settings: &Settings,
        job: Job<'_>,
    ) -> Result<Attribution, StudyError> {
        if question.is_none() && settings.method == Method::Ablation {
            return self.attribute_by_ablation(set, settings, None, job).await;
        }
        self.score(set, job).await?;
        let prompts = self.bench.prompts(set)?;
        let (trial, scores) = self.scored(set, &prompts)?;
        let named = (set, trial.items);
        let (model, rule) = (&self.model, trial.rule);
        let found = match question {
            None => {
                attribution::attribute(model, named, &prompts, &scores.items, settings, job).await
            }
            Some(question) => {
                let prompts = prompts.asking(question.text());
                let none = Edit::none();
                let asked = scoring::score(model, named, &prompts, rule, &none, job)
                    .await?
                    .items;
                attribution::attribute(model, named, &prompts, &asked, settings, job).await
            }
        };
        self.compute.faults.check()?;
        Ok(found?)
    }

    /// How a selection from the attribution at hand holds under resamples of its items.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] without an attribution, and for a selection or a number of resamples out of range.
    pub fn stability(
        &self,
        selection: TopPercent,
        resampling: Resampling,
    ) -> Result<Stability, StudyError> {
        Ok(stability(self.attributed()?, selection, resampling)?)
    }
}
