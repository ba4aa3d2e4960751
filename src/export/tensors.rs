//! What is computed, as safetensors.
//!
//! Attribution scores: `layers.{l}` of shape `[items, d_mlp]` for every layer, `gap` of shape
//! `[items, layers]` (or `[items, 1]` for the joint path), and the settings as metadata.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::ExportError;
use crate::attribution::Attribution;
use crate::model::{Config, Forward};

/// The file's bytes.
///
/// # Errors
///
/// [`ExportError::Tensors`] when it cannot be written.
pub fn attribution_tensors(attribution: &Attribution) -> Result<Vec<u8>, ExportError> {
    let n_items = attribution.per_item.len();
    let d_mlp = attribution.d_mlp;
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = (0..attribution.n_layers)
        .map(|layer| {
            let of_layer = attribution
                .per_item
                .iter()
                .flat_map(|scores| &scores[layer * d_mlp..(layer + 1) * d_mlp]);
            let bytes = of_layer.flat_map(|score| score.to_le_bytes()).collect();
            (format!("layers.{layer}"), vec![n_items, d_mlp], bytes)
        })
        .collect();
    let n_gaps = attribution.item_gaps.first().map_or(0, Vec::len);
    let gaps = attribution.item_gaps.iter().flatten();
    tensors.push((
        "gap".to_owned(),
        vec![n_items, n_gaps],
        gaps.flat_map(|gap| (*gap as f32).to_le_bytes()).collect(),
    ));
    let json = |value: serde_json::Result<String>| value.map_err(fail);
    let metadata = HashMap::from([
        ("format".to_owned(), "secateur-attribution".to_owned()),
        version(),
        ("set".to_owned(), attribution.set.clone()),
        (
            "settings".to_owned(),
            json(serde_json::to_string(&attribution.settings))?,
        ),
        (
            "items".to_owned(),
            json(serde_json::to_string(&attribution.items_used))?,
        ),
    ]);
    serialised(&tensors, metadata)
}

/// A forward pass: `logits` of shape `[vocabulary]` and `residuals` of shape `[n_layers + 1, positions, d_model]`.
///
/// # Errors
///
/// [`ExportError::Tensors`] when it cannot be written.
pub fn forward_tensors(forward: &Forward, config: &Config) -> Result<Vec<u8>, ExportError> {
    let bytes = |values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        bytes.collect::<Vec<u8>>()
    };
    let residuals = vec![config.n_layers + 1, forward.ids.len(), config.d_model];
    let tensors = [
        (
            "logits".to_owned(),
            vec![forward.logits.len()],
            bytes(&forward.logits),
        ),
        ("residuals".to_owned(), residuals, bytes(&forward.residuals)),
    ];
    let format = ("format".to_owned(), "secateur-forward".to_owned());
    serialised(&tensors, HashMap::from([format, version()]))
}

fn version() -> (String, String) {
    ("version".to_owned(), "1".to_owned())
}

/// Named tensors of f32 with their shapes.
fn serialised(
    tensors: &[(String, Vec<usize>, Vec<u8>)],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(fail)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, ExportError>>()?;
    safetensors::serialize(views, Some(metadata)).map_err(fail)
}

fn fail(error: impl std::fmt::Display) -> ExportError {
    ExportError::Tensors(error.to_string())
}
