//! A forward pass laid open, for the page's checks against other implementations, and the exact effect of every neuron.

use js_sys::{Float32Array, Reflect};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::engine::{Engine, from_js, to_js};
use super::error::WebError;
use super::host::Worker;
use crate::attribution::Settings;
use crate::attribution::ablation::ablate;
use crate::job::Job;

#[derive(Deserialize)]
struct ForwardRequest {
    prompt: String,
    /// Tokens to continue by.
    tokens: usize,
}

#[derive(Deserialize)]
struct AblateRequest {
    prompt: String,
    settings: Settings,
}

#[wasm_bindgen]
impl Engine {
    /// What the largest logit after a prompt loses by each neuron, `[n_layers · d_mlp]`.
    pub async fn ablate(
        &mut self,
        request: JsValue,
        progress: JsValue,
    ) -> Result<Float32Array, WebError> {
        let AblateRequest { prompt, settings } = from_js(request)?;
        let host = Worker::new(progress);
        let model = &self.session()?.model;
        let effects = ablate(model, &prompt, &settings, Job::new(&host)).await?;
        Ok(Float32Array::from(effects.as_slice()))
    }

    /// Token ids, the greedy continuation, `logits` of the next token `[vocabulary]` and `residuals`
    /// `[n_layers + 1, positions, d_model]` as `Float32Array`s.
    pub async fn forward(
        &mut self,
        request: JsValue,
        progress: JsValue,
    ) -> Result<JsValue, WebError> {
        let ForwardRequest { prompt, tokens } = from_js(request)?;
        let host = Worker::new(progress);
        let model = &self.session()?.model;
        let found = model.forward(&prompt, tokens, Job::new(&host)).await?;
        let object = to_js(&found)?;
        for (name, values) in [("logits", &found.logits), ("residuals", &found.residuals)] {
            let values = Float32Array::from(values.as_slice());
            Reflect::set(&object, &name.into(), &values)
                .map_err(|_| WebError::request("the values cannot be set"))?;
        }
        Ok(object)
    }
}
