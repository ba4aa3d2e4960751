//! The files of a model as the page hands them over, and what can be said of a model before it is fetched.

use js_sys::Reflect;
use serde::Serialize as _;
use serde_wasm_bindgen::Serializer;
use sha2::Digest as _;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use super::error::WebError;
use super::source::{BlobSource, read_all};
use crate::model::Config;
use crate::model::load::ModelFiles;
use crate::weights::ByteSource;
use crate::wire::answers::Estimate;

/// Sorts `{name, file: Blob}` entries by their names; files of no use to the engine are left out.
///
/// # Errors
///
/// [`WebError`] when an entry is no file, a small file cannot be read, or there are no weights.
pub async fn model_files(entries: Vec<JsValue>) -> Result<ModelFiles, WebError> {
    let mut files = ModelFiles {
        weights: Vec::new(),
        index: None,
        config: None,
        tokenizer: None,
        tokenizer_config: None,
        chat_template: None,
    };
    for entry in entries {
        let field = |name: &str| Reflect::get(&entry, &name.into()).unwrap_or_default();
        let name = field("name").as_string().unwrap_or_default();
        let file: Blob = field("file")
            .dyn_into()
            .map_err(|_| WebError::request(format!("`{name}` is no Blob")))?;
        if name.ends_with(".gguf") || name.ends_with(".safetensors") {
            let source: Box<dyn ByteSource> = Box::new(BlobSource(file));
            files.weights.push((name, source));
            continue;
        }
        let small = match name.as_str() {
            "model.safetensors.index.json" => &mut files.index,
            "config.json" => &mut files.config,
            "tokenizer.json" => &mut files.tokenizer,
            "tokenizer_config.json" => &mut files.tokenizer_config,
            "chat_template.jinja" => &mut files.chat_template,
            _ => continue,
        };
        *small = Some(read_all(&file).await.map_err(WebError::file)?);
    }
    if files.weights.is_empty() {
        return Err(WebError::file("no weight file among the files"));
    }
    Ok(files)
}

/// Size of a model by its `config.json`, before its weights are there.
///
/// # Errors
///
/// As loading it would: the configuration is damaged, or of a model that the engine does not run.
#[wasm_bindgen]
pub fn estimate(config: &[u8]) -> Result<JsValue, WebError> {
    let config = Config::from_json(config)?;
    let n_parameters = config.n_parameters();
    let estimate = Estimate {
        n_parameters,
        // Above wasm's address space where the model is.
        memory_bytes: n_parameters as f64 * size_of::<f32>() as f64,
        largest_tensor_bytes: config.largest_tensor_bytes() as f64,
    };
    Ok(estimate.serialize(&Serializer::json_compatible())?)
}

/// SHA-256 of bytes that come piece by piece; the browser's own digest wants them all at once.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256(sha2::Sha256);

#[wasm_bindgen]
impl Sha256 {
    /// Of no bytes yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken, lower-case hexadecimal.
    pub fn hex(&self) -> String {
        format!("{:x}", self.0.clone().finalize())
    }
}
