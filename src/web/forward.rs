//! A forward pass laid open, for the page's checks against other implementations, and the exact effect of every neuron.

use super::engine::{Bound, Result};
use crate::attribution::ablation::ablate;
use crate::job::Job;
use crate::wire::answers::{Floats, Forward};
use crate::wire::{AblateRequest, ForwardRequest};

impl Bound {
    pub async fn ablate(&mut self, request: AblateRequest, job: Job<'_>) -> Result<Floats> {
        let model = &self.session()?.model;
        let effects = ablate(model, &request.prompt, &request.settings, job).await?;
        Ok(Floats(effects))
    }

    pub async fn forward(&mut self, request: ForwardRequest, job: Job<'_>) -> Result<Forward> {
        let model = &self.session()?.model;
        let found = model.forward(&request.prompt, request.tokens, job).await?;
        Ok(found.into())
    }
}
