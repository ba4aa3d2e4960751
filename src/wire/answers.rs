//! What only calls of the page answer.

use serde::{Serialize, Serializer};

use crate::attribution::{self, LayerGap, Settings, UsedItem};
use crate::model;
use crate::pruning::Mask;
use crate::scoring::{Flip, Paired};
use crate::study::{Report, Reproduction, Study};

/// An error, for the page to show.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SecateurError"))]
pub struct WebError {
    /// Its kind.
    pub code: &'static str,
    /// What went wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: &'static str,
}

/// Numbers that reach the page as one `Float32Array`.
#[derive(Debug)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Float32Array"))]
pub struct Floats(pub Vec<f32>);

impl Serialize for Floats {
    #[cfg(target_family = "wasm")]
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        serde_wasm_bindgen::preserve::serialize(&js_sys::Float32Array::from(&*self.0), out)
    }

    #[cfg(not(target_family = "wasm"))]
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

/// Scores of every neuron for a set of items.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Attribution {
    /// How it was made.
    pub settings: Settings,
    /// Name of the item set.
    pub set: String,
    /// Layers of the model.
    pub n_layers: usize,
    /// Neurons of a layer.
    pub d_mlp: usize,
    /// The items above the confidence threshold, in the set's order.
    pub items_used: Vec<UsedItem>,
    /// Items below it.
    pub items_skipped: usize,
    /// The completeness gap, per layer or one entry for the joint path.
    pub gaps: Vec<LayerGap>,
    /// Wall-clock time.
    pub seconds: f64,
    /// Aggregated score of every neuron, `[n_layers · d_mlp]`, layer after layer.
    pub scores: Floats,
}

impl From<&attribution::Attribution> for Attribution {
    fn from(found: &attribution::Attribution) -> Self {
        Self {
            settings: found.settings.clone(),
            set: found.set.clone(),
            n_layers: found.n_layers,
            d_mlp: found.d_mlp,
            items_used: found.items_used.clone(),
            items_skipped: found.items_skipped,
            gaps: found.gaps.clone(),
            seconds: found.seconds,
            scores: Floats(found.scores.concat()),
        }
    }
}

/// A forward pass laid open.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Forward {
    /// Token ids of the prompt, with the tokens that its tokenizer adds.
    pub ids: Vec<u32>,
    /// Their texts.
    pub tokens: Vec<String>,
    /// Residual streams, `[n_layers + 1, positions, d_model]`: what enters the first block, then what leaves each
    /// block; the last one before the final norm.
    pub residuals: Floats,
    /// Logits of the next token, `[vocabulary]`.
    pub logits: Floats,
    /// The most likely next token, so many times over.
    pub continuation: Vec<u32>,
    /// The continuation's text.
    pub text: String,
}

impl From<model::Forward> for Forward {
    fn from(found: model::Forward) -> Self {
        Self {
            ids: found.ids,
            tokens: found.tokens,
            residuals: Floats(found.residuals),
            logits: Floats(found.logits),
            continuation: found.continuation,
            text: found.text,
        }
    }
}

/// What a `config.json` says of a model's size.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Estimate {
    /// Parameters, a tied embedding counted once.
    pub n_parameters: u64,
    /// The weights in 32-bit floats.
    pub memory_bytes: f64,
    /// The largest tensor in 32-bit floats: it is in memory beside the weights while they are read.
    pub largest_tensor_bytes: f64,
}

/// A placeholder of a template.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Placeholder {
    /// Its name.
    pub name: &'static str,
    /// What takes its place.
    pub becomes: &'static str,
}

/// An item set's hash.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ItemsHash {
    /// SHA-256 of the items as canonical JSONL.
    pub sha256: String,
}

/// How a choice stands in a prompt.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChoiceView {
    /// What follows the part that all choices share and is not scored.
    pub context: String,
    /// What is scored.
    pub continuation: String,
    /// Tokens of both; empty without a model.
    pub tokens: Vec<String>,
    /// How many of them are not scored.
    pub scored_from: usize,
}

/// The prompt of an item.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PromptView {
    /// What all choices begin with.
    pub prompt: String,
    /// Index of the right choice, in the order that the model sees.
    pub gold: usize,
    /// Tokens of what all choices begin with; empty without a model.
    pub tokens: Vec<String>,
    /// The choices.
    pub choices: Vec<ChoiceView>,
}

/// How two runs over the same items differ.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Comparison {
    /// Right and wrong before and after, and whether the change may be chance.
    pub paired: Paired,
    /// Items whose prediction changed.
    pub flipped: Vec<Flip>,
}

/// What a mask's file holds for the loaded model.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ImportedMask {
    /// The mask.
    pub mask: Mask,
    /// How it was found, where the file says so.
    pub study: Option<Study>,
    /// What speaks against it.
    pub warnings: Vec<String>,
}

/// A study that was run again.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Reproduced {
    /// What was found now.
    pub report: Report,
    /// How that compares with what was found before.
    pub reproduction: Reproduction,
}
