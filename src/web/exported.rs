//! The class that JavaScript sees: each call converts what it is asked with, has it done, and converts the answer.

use std::borrow::Borrow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use super::engine::{Bound, Result};
use super::error::WebError;
use super::files::model_files;
use super::host::Worker;
use crate::job::Job;
use crate::wire::surface::*;

/// The engine in the page's worker.
#[wasm_bindgen]
pub struct Engine(Bound);

/// A request, by way of JSON: its types are read from JSON elsewhere already, so that a second reader of each would only
/// make the engine larger.
fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T> {
    let json = js_sys::JSON::stringify(&value).map_err(|_| WebError::request("no JSON"))?;
    serde_json::from_str(&json.as_string().unwrap_or_default()).map_err(WebError::request)
}

/// An answer of the table's type, or a reference to one.
fn to_js<T: Serialize>(answer: impl Borrow<T>) -> Result<JsValue> {
    Ok(answer.borrow().serialize(&Serializer::json_compatible())?)
}

#[wasm_bindgen]
impl Engine {
    /// Starts on "webgpu", "wasm", or "auto": the faster one for each model, where there is a GPU that passes the
    /// self-test. The browser tells the page what the GPU is called, and wgpu nothing.
    pub async fn start(device: String, adapter: String) -> Result<Engine> {
        Ok(Self(Bound::start(&device, adapter).await?))
    }
}

macro_rules! exported {
    (
        quick {$(
            $(#[$quick_doc:meta])*
            fn $quick:ident($($quick_value:ident: $quick_request:ty)?) -> $quick_answer:ty;
        )*}
        loading {$(
            $(#[$loading_doc:meta])*
            fn $loading:ident($loading_value:ident: $loading_request:ty) -> $loading_answer:ty;
        )*}
        long {$(
            $(#[$long_doc:meta])*
            fn $long:ident($long_value:ident: $long_request:ty) -> $long_answer:ty;
        )*}
    ) => {
        #[wasm_bindgen]
        impl Engine {
            $(
                $(#[$quick_doc])*
                pub fn $quick(&mut self $(, $quick_value: JsValue)?) -> Result<JsValue> {
                    to_js::<$quick_answer>(self.0.$quick($(from_js::<$quick_request>($quick_value)?)?)?)
                }
            )*
            $(
                $(#[$loading_doc])*
                pub async fn $loading(
                    &mut self,
                    $loading_value: JsValue,
                    files: Vec<JsValue>,
                    progress: JsValue,
                ) -> Result<JsValue> {
                    let request: $loading_request = from_js($loading_value)?;
                    let files = model_files(files).await?;
                    let host = Worker::new(progress);
                    to_js::<$loading_answer>(self.0.$loading(request, files, Job::new(&host)).await?)
                }
            )*
            $(
                $(#[$long_doc])*
                pub async fn $long(&mut self, $long_value: JsValue, progress: JsValue) -> Result<JsValue> {
                    let request: $long_request = from_js($long_value)?;
                    let host = Worker::new(progress);
                    to_js::<$long_answer>(self.0.$long(request, Job::new(&host)).await?)
                }
            )*
        }
    };
}

surface!(exported);
