//! Completeness: what a path's scores add up to, and what they miss of it.

use serde::{Deserialize, Serialize};

use super::{IntegrationPath, ItemResult};

/// Completeness of one layer's attribution, or of the joint path's: `Σ_j IG_j = M(1) − M(0)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerGap {
    /// The layer; none for all layers together, which documents have as −1.
    #[serde(with = "layer_or_all")]
    #[cfg_attr(test, ts(type = "number"))]
    pub layer: Option<usize>,
    /// Mean over the items of `|M(1) − M(0)|`.
    pub difference: f64,
    /// Mean over the items of `|Σ_j IG_j − (M(1) − M(0))|`.
    pub gap: f64,
    /// The largest such gap of an item.
    pub gap_max: f64,
    /// Largest absolute item score of the layer.
    pub max_abs: f64,
    /// Mean over the items of the nodes that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<f64>,
}

/// A layer as documents have it: −1 is all of them.
mod layer_or_all {
    use serde::de::{Deserialize, Deserializer, Error, Unexpected};
    use serde::{Serialize, Serializer};

    pub fn serialize<S: Serializer>(layer: &Option<usize>, out: S) -> Result<S::Ok, S::Error> {
        match layer {
            Some(layer) => layer.serialize(out),
            None => (-1).serialize(out),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(of: D) -> Result<Option<usize>, D::Error> {
        let number = i64::deserialize(of)?;
        let is_no_layer = || D::Error::invalid_value(Unexpected::Signed(number), &"a layer or -1");
        match number {
            -1 => Ok(None),
            layer => usize::try_from(layer).map(Some).map_err(|_| is_no_layer()),
        }
    }
}

/// The gap of every layer, or of the joint path, and that of every item, `[items][gaps]`.
pub(super) fn completeness(
    results: &[ItemResult],
    path: IntegrationPath,
    d_mlp: usize,
) -> (Vec<LayerGap>, Vec<Vec<f64>>) {
    let sum = |scores: &[f32]| scores.iter().map(|&score| f64::from(score)).sum::<f64>();
    let item_gaps: Vec<Vec<f64>> = results
        .iter()
        .map(|result| {
            let totals: Vec<f64> = match path {
                IntegrationPath::PerLayer => result.scores.chunks(d_mlp).map(sum).collect(),
                IntegrationPath::Joint => vec![sum(&result.scores)],
            };
            totals
                .iter()
                .zip(&result.at_zero)
                .map(|(total, at_zero)| total - (result.at_one - at_zero))
                .collect()
        })
        .collect();
    let n = results.len() as f64;
    let n_entries = results.first().map_or(0, |result| result.at_zero.len());
    let gaps = (0..n_entries)
        .map(|entry| {
            let in_layer = |result: &ItemResult| -> f64 {
                let scores = match path {
                    IntegrationPath::PerLayer => &result.scores[entry * d_mlp..(entry + 1) * d_mlp],
                    IntegrationPath::Joint => &result.scores[..],
                };
                scores
                    .iter()
                    .fold(0f32, |max, score| max.max(score.abs()))
                    .into()
            };
            let differences = results.iter().map(|r| (r.at_one - r.at_zero[entry]).abs());
            let gaps = item_gaps.iter().map(|gaps| gaps[entry].abs());
            LayerGap {
                layer: match path {
                    IntegrationPath::PerLayer => Some(entry),
                    IntegrationPath::Joint => None,
                },
                difference: differences.sum::<f64>() / n,
                gap: gaps.clone().sum::<f64>() / n,
                gap_max: gaps.fold(0.0, f64::max),
                max_abs: results.iter().map(in_layer).fold(0.0, f64::max),
                nodes: Some(results.iter().map(|r| r.nodes[entry] as f64).sum::<f64>() / n),
            }
        })
        .collect();
    (gaps, item_gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_all_layers_is_minus_one_in_documents() {
        let text = |layer: &str| {
            format!(r#"{{"layer":{layer},"difference":1.0,"gap":0.5,"gap_max":0.5,"max_abs":2.0}}"#)
        };
        for (written, layer) in [("-1", None), ("0", Some(0)), ("29", Some(29))] {
            let gap: LayerGap = serde_json::from_str(&text(written)).unwrap();
            assert_eq!(gap.layer, layer);
            assert_eq!(serde_json::to_string(&gap).unwrap(), text(written));
        }
        let error = serde_json::from_str::<LayerGap>(&text("-2")).unwrap_err();
        assert!(error.to_string().contains("a layer or -1"), "{error}");
    }
}
