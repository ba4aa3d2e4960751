//! What is computed, as safetensors.
//!
//! Attribution scores: `layers.{l}` of shape `[items, d_mlp]` for every layer, `gap` of shape
//! `[items, layers]` (or `[items, 1]` for the joint path), and as metadata the settings and the model.

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::ExportError;
use crate::attribution::Attribution;
use crate::model::{Config, Forward, Model};
use crate::study::ModelSpec;

/// The bytes of a file with what was found with a model.
///
/// # Errors
///
/// [`ExportError::Tensors`] when it cannot be written.
pub fn attribution_tensors(
    attribution: &Attribution,
    model: &Model,
) -> Result<Vec<u8>, ExportError> {
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
        (
            "model".to_owned(),
            json(serde_json::to_string(&ModelSpec::of(model)))?,
        ),
        (
            "precision".to_owned(),
            model.report.precision.name().to_owned(),
        ),
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
    in_one_order(&safetensors::serialize(views, Some(metadata)).map_err(fail)?)
}

/// The same file, its header in the order of the names: safetensors writes metadata as a hash map has it, and files of
/// the same content shall have the same hash.
fn in_one_order(file: &[u8]) -> Result<Vec<u8>, ExportError> {
    let cut = || fail("the header is cut off");
    let (length, rest) = file.split_first_chunk().ok_or_else(cut)?;
    let size = u64::from_le_bytes(*length) as usize;
    let (header, data) = rest.split_at_checked(size).ok_or_else(cut)?;
    let header: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
        serde_json::from_slice(header).map_err(fail)?;
    let mut header = serde_json::to_vec(&header).map_err(fail)?;
    // Padded as it was, so that the data stay aligned.
    header.resize(size.max(header.len()), b' ');
    Ok([
        &(header.len() as u64).to_le_bytes(),
        header.as_slice(),
        data,
    ]
    .concat())
}

fn fail(error: impl std::fmt::Display) -> ExportError {
    ExportError::Tensors(error.to_string())
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn the_same_content_makes_the_same_file() {
        let tensors = [
            ("b".to_owned(), vec![2], vec![1; 8]),
            ("a".to_owned(), vec![1], vec![2; 4]),
        ];
        let file = || {
            let entry = |index: u8| (format!("key {index}"), "“text”".to_owned());
            serialised(&tensors, (0..8).map(entry).collect()).unwrap()
        };
        let first = file();
        assert!((0..8).all(|_| file() == first));
        let read = SafeTensors::deserialize(&first).unwrap();
        for (name, shape, bytes) in &tensors {
            let tensor = read.tensor(name).unwrap();
            assert_eq!((tensor.shape(), tensor.data()), (&shape[..], &bytes[..]));
        }
        let (_, header) = SafeTensors::read_metadata(&first).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap().len(), 8);
    }
}
