//! Every error as `{code, message, hint}`, for the page to show.

use serde::Serialize as _;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use crate::export::ExportError;
use crate::items::TemplateError;
use crate::model::ModelError;
use crate::scoring::RunError;
use crate::study::StudyError;
use crate::weights::WeightsError;
pub use crate::wire::answers::WebError;

impl WebError {
    /// An error of the call itself.
    pub fn request(message: impl ToString) -> Self {
        Self {
            code: "request",
            message: message.to_string(),
            hint: "This is a fault of the page; reload it.",
        }
    }

    /// A setting that cannot be used.
    pub fn settings(message: impl ToString) -> Self {
        Self {
            code: "settings",
            message: message.to_string(),
            hint: CHANGE_SETTING,
        }
    }

    /// Nothing is loaded yet.
    pub fn no_model() -> Self {
        Self {
            code: "no_model",
            message: "no model is loaded".into(),
            hint: "Choose a model first.",
        }
    }

    /// A file that cannot be used.
    pub fn file(message: impl ToString) -> Self {
        Self {
            code: "file",
            message: message.to_string(),
            hint: "Choose one .gguf file, or a folder with safetensors, config.json and tokenizer.json.",
        }
    }
}

const CHANGE_SETTING: &str = "Change that setting.";

fn of_model(error: &ModelError) -> (&'static str, &'static str) {
    match error {
        ModelError::Cancelled(_) => ("cancelled", ""),
        ModelError::Device(_) | ModelError::NotFinite => (
            "device",
            "Results of this run are not to be trusted. Start the engine again, or use WebAssembly.",
        ),
        ModelError::TooLong { .. } => ("too_long", "Shorten the item's text."),
        ModelError::Unsupported(_) | ModelError::UnusedTensors { .. } => (
            "unsupported",
            "This version runs the Llama, Qwen2, Qwen3, Gemma 3, GPT-2, GPT-NeoX and OLMo 2 families.",
        ),
        ModelError::NoRow { .. } => (
            "token",
            "The tokenizer has more tokens than the model; leave this one out of the text.",
        ),
        ModelError::DoesNotFit { .. } => (
            "too_large",
            "Choose a smaller model, hold its weights in fewer bits, or use another device.",
        ),
        // Not `model_file`, by which the page throws a kept file away.
        ModelError::Weights(WeightsError::Read { .. }) => (
            "file_read",
            "The browser could not read the file; try again.",
        ),
        ModelError::Config(_)
        | ModelError::Weights(_)
        | ModelError::MissingTensors { .. }
        | ModelError::Shape { .. }
        | ModelError::Tokenizer(_) => (
            "model_file",
            "The file is damaged, cut off, or of another kind; fetch it again.",
        ),
    }
}

fn of_run(error: &RunError) -> (&'static str, &'static str) {
    match error {
        RunError::Item { .. } => ("item", "Edit or remove that item."),
        RunError::Empty(_) => ("no_items", "Add items first."),
        RunError::NoConfidentItem { .. } => (
            "no_confident_item",
            "Lower the confidence threshold, or bring items that the model is surer of.",
        ),
        RunError::Settings(_) => ("settings", CHANGE_SETTING),
        RunError::Mask(_) => (
            "mask",
            "A mask is of one model. Two are combined where both change neurons alike: give one the other's operation first.",
        ),
        RunError::Model(error) => of_model(error),
    }
}

fn of_template(error: &TemplateError) -> (&'static str, &'static str) {
    let hint = match error {
        TemplateError::Unknown { .. } => "Choose one of the templates that are named.",
        TemplateError::Own { .. } => "Correct that part of the template.",
        TemplateError::Item(_) | TemplateError::TooLong { .. } => {
            "Choose another template or fewer shots, or edit that item."
        }
    };
    ("template", hint)
}

impl From<StudyError> for WebError {
    fn from(error: StudyError) -> Self {
        let (code, hint) = match &error {
            StudyError::Prompt(error) => of_template(error),
            StudyError::Document(_) | StudyError::Report(_) => {
                ("study", "The document is damaged or of a newer version.")
            }
            StudyError::OtherModel { .. } => {
                ("other_model", "Load the model that the study names.")
            }
            StudyError::NotYet(_) => ("not_yet", "Do the steps in order."),
            StudyError::Link(_) => ("link", "Copy the whole link again."),
            StudyError::LinkVersion(_) => (
                "link_version",
                "Reload the page: a newer version of it may be there.",
            ),
            StudyError::LinkContradicts(_) => (
                "link_contradicts",
                "It was not made by this program, or was changed since: ask for another one.",
            ),
            StudyError::Run(error) => of_run(error),
        };
        Self {
            code,
            message: error.to_string(),
            hint,
        }
    }
}

impl From<TemplateError> for WebError {
    fn from(error: TemplateError) -> Self {
        StudyError::from(error).into()
    }
}

impl From<ModelError> for WebError {
    fn from(error: ModelError) -> Self {
        StudyError::from(error).into()
    }
}

impl From<RunError> for WebError {
    fn from(error: RunError) -> Self {
        StudyError::from(error).into()
    }
}

impl From<ExportError> for WebError {
    fn from(error: ExportError) -> Self {
        Self {
            code: "export",
            message: error.to_string(),
            hint: "Choose a mask.json that this tool wrote.",
        }
    }
}

impl From<serde_wasm_bindgen::Error> for WebError {
    fn from(error: serde_wasm_bindgen::Error) -> Self {
        Self::request(error)
    }
}

impl From<WebError> for JsValue {
    fn from(error: WebError) -> Self {
        error
            .serialize(&Serializer::json_compatible())
            .unwrap_or_else(|_| JsValue::from_str(&error.message))
    }
}
