//! A forward pass laid open, for the page's checks against other implementations.

use js_sys::{Float32Array, Reflect};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::engine::{Engine, from_js, to_js};
use super::error::WebError;
use super::host::Worker;
use crate::job::Job;

#[derive(Deserialize)]
struct ForwardRequest {
    prompt: String,
    /// Tokens to continue by.
    tokens: usize,
}

#[wasm_bindgen]
impl Engine {
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
