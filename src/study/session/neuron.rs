//! What is said of one neuron, and of one item.

use crate::attribution::Settings;
use crate::attribution::portrait::{Portrait, portrait};
use crate::attribution::salience::{Salience, salience};
use crate::job::Job;
use crate::model::Neuron;
use crate::pruning::effect::{self, NeuronCard};
use crate::study::{Session, StudyError};

impl Session {
    /// What a neuron is about, on a set's prompts.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn portrait(
        &self,
        neuron: Neuron,
        set: &str,
        job: Job<'_>,
    ) -> Result<Portrait, StudyError> {
        let prompts = self.bench.prompts(set)?;
        let named = (set, self.bench.items(set)?);
        let found = portrait(&self.model, named, &prompts, neuron, job).await?;
        self.compute.faults.check()?;
        Ok(found)
    }

    /// Which words of an item's prompt drive its answer.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for an item that the set has not, else as the others.
    pub async fn salience(
        &mut self,
        set: &str,
        id: &str,
        settings: &Settings,
        job: Job<'_>,
    ) -> Result<Salience, StudyError> {
        self.score(set, job).await?;
        let prompts = self.bench.prompts(set)?;
        let (trial, scores) = self.scored(set, &prompts)?;
        let mut pairs = trial.items.iter().zip(&scores.items);
        let (item, score) = pairs
            .find(|(item, _)| item.id == id)
            .ok_or_else(|| StudyError::NotYet(format!("`{set}` has no item `{id}`")))?;
        let found = salience(&self.model, item, &prompts, score, settings, job).await?;
        self.compute.faults.check()?;
        Ok(found)
    }

    /// One neuron's card on a set.
    ///
    /// # Errors
    ///
    /// [`StudyError`].
    pub async fn neuron(
        &mut self,
        neuron: Neuron,
        set: &str,
        job: Job<'_>,
    ) -> Result<NeuronCard, StudyError> {
        self.score(set, job).await?;
        let prompts = self.bench.prompts(set)?;
        let (trial, baseline) = self.scored(set, &prompts)?;
        let attribution = self.attribution();
        let card = effect::neuron_card(trial, baseline, attribution, neuron, job).await?;
        self.compute.faults.check()?;
        Ok(card)
    }
}
