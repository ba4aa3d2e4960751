//! The rules by which neurons are selected: by their scores, by their measured harm, or one by one.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Mask;
use super::selection::{TopPercent, count_of, order};
use crate::attribution::layers::check_layer;
use crate::attribution::{Ablation, Attribution};
use crate::model::Neuron;
use crate::scoring::RunError;

/// What neurons are selected by.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Their scores.
    pub attribution: &'a Attribution,
    /// Their measured effects on the gold margin, where there are any.
    pub measured: Option<&'a Ablation>,
}

impl<'a> From<&'a Attribution> for Evidence<'a> {
    fn from(attribution: &'a Attribution) -> Self {
        Self {
            attribution,
            measured: None,
        }
    }
}

/// Which neurons are selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(
    untagged,
    expecting = "a selection has `layer` and `percent`, `layers` and `percent`, `share`, `layer` and `harmful_percent`, or `picked`"
)]
pub enum Selection {
    /// The strongest of one layer (the paper).
    Top(TopPercent),
    /// The strongest of several layers, ranked together.
    Together(TopOfLayers),
    /// All that are strong enough, wherever they are (the authors' released code).
    Above(AboveShare),
    /// The most harmful of one layer.
    Harmful(MostHarmful),
    /// These.
    Picked(Picked),
}

/// The top p % of several layers, by their scores, all ranked together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TopOfLayers {
    /// The layers, each once.
    pub layers: Vec<usize>,
    /// Percentage of their neurons, above 0 and at most 100.
    pub percent: f64,
}

/// Every neuron of any layer whose score is above a share of the largest score. The authors' released code has 0.01.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AboveShare {
    /// The share, at least 0 and below 1, of absolute scores.
    pub share: f64,
}

/// The p % of a layer without which the right choice gains most against the best wrong one, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MostHarmful {
    /// The layer.
    pub layer: usize,
    /// Percentage of its neurons, above 0 and at most 100.
    pub harmful_percent: f64,
}

/// Neurons by name: picked by hand, or one by one by what each does to the validation items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Picked {
    /// In the order in which they were picked.
    pub picked: Vec<Neuron>,
}

impl MostHarmful {
    /// As many neurons of the same layer by their scores.
    fn as_top(self) -> TopPercent {
        TopPercent {
            layer: self.layer,
            percent: self.harmful_percent,
        }
    }
}

impl From<TopPercent> for Selection {
    fn from(top: TopPercent) -> Self {
        Self::Top(top)
    }
}

impl Selection {
    /// Whether a model has such layers, and there is such a percentage or share.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`].
    pub fn check(&self, n_layers: usize) -> Result<(), RunError> {
        let refused = |message: String| Err(RunError::Settings(message));
        match self {
            Self::Top(top) => top.check(n_layers),
            Self::Harmful(harmful) => harmful.as_top().check(n_layers),
            Self::Together(TopOfLayers { layers, percent }) => {
                let distinct: BTreeSet<&usize> = layers.iter().collect();
                if layers.is_empty() || distinct.len() != layers.len() {
                    return refused(format!(
                        "the layers whose neurons are ranked together must be some, each once, and are {layers:?}"
                    ));
                }
                layers.iter().try_for_each(|&layer| {
                    let percent = *percent;
                    TopPercent { layer, percent }.check(n_layers)
                })
            }
            Self::Above(AboveShare { share }) if !(0.0..1.0).contains(share) => refused(format!(
                "the share of the largest score must be at least 0 and below 1, and is {share}"
            )),
            Self::Above(_) => Ok(()),
            Self::Picked(Picked { picked }) => {
                let mut layers = picked.iter().map(|neuron| neuron.layer);
                layers.try_for_each(|layer| check_layer(layer, n_layers))
            }
        }
    }

    /// Its mask, which sets neurons to zero.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] as for [`Selection::check`], where the harm of the layer was not measured, and where no score is above the
    /// share.
    pub fn mask(&self, of: Evidence<'_>) -> Result<Mask, RunError> {
        let Evidence {
            attribution,
            measured,
        } = of;
        self.check(attribution.scores.len())?;
        let site = attribution.settings.site;
        match self {
            Self::Top(top) => top.mask(attribution),
            Self::Together(TopOfLayers { layers, percent }) => {
                let ranked = order(attribution, |layer| layers.contains(&layer));
                let count = count_of(*percent, ranked.len())?;
                let strongest = ranked.into_iter().take(count);
                Ok(Mask::of_neurons(site, strongest.map(|(neuron, _)| neuron)))
            }
            Self::Above(AboveShare { share }) => {
                let largest = attribution
                    .neurons()
                    .fold(0f32, |largest, (_, score)| largest.max(score.abs()));
                let least = share * f64::from(largest);
                let is_above = |score: f32| f64::from(score.abs()) > least;
                let strong = attribution.neurons().filter(|(_, score)| is_above(*score));
                let mask = Mask::of_neurons(site, strong.map(|(neuron, _)| neuron));
                match mask.layers.is_empty() {
                    true => Err(RunError::Settings(
                        "every score is zero, so that none is above a share of the largest".into(),
                    )),
                    false => Ok(mask),
                }
            }
            Self::Harmful(MostHarmful {
                layer,
                harmful_percent,
            }) => {
                let harm = measured.and_then(|measured| Some((measured.harm(*layer)?, measured)));
                let Some((harm, measured)) = harm else {
                    return Err(RunError::Settings(format!(
                        "the effects of the neurons of layer {layer} are not measured on all items"
                    )));
                };
                let count = count_of(*harmful_percent, harm.len())?;
                let mut order: Vec<usize> = (0..harm.len()).collect();
                order.sort_by(|&a, &b| harm[b].total_cmp(&harm[a]).then(a.cmp(&b)));
                order.truncate(count);
                Ok(Mask::of_layer(measured.settings.site, *layer, order))
            }
            Self::Picked(Picked { picked }) => Ok(Mask::of_neurons(site, picked.iter().copied())),
        }
    }

    /// How many neurons it selects in a model with layers of so many; none where that hangs on the scores.
    ///
    /// # Errors
    ///
    /// [`RunError::Settings`] for a percentage out of range.
    pub fn n_neurons(&self, d_mlp: usize) -> Result<Option<usize>, RunError> {
        match self {
            Self::Top(top) => top.n_neurons(d_mlp).map(Some),
            Self::Harmful(harmful) => harmful.as_top().n_neurons(d_mlp).map(Some),
            Self::Together(TopOfLayers { layers, percent }) => {
                count_of(*percent, layers.len() * d_mlp).map(Some)
            }
            Self::Above(_) => Ok(None),
            Self::Picked(Picked { picked }) => {
                let distinct: BTreeSet<&Neuron> = picked.iter().collect();
                Ok(Some(distinct.len()))
            }
        }
    }

    /// The layers in which its neurons may lie; none where that hangs on the scores.
    fn layers(&self) -> Option<Vec<usize>> {
        match self {
            Self::Top(TopPercent { layer, .. }) | Self::Harmful(MostHarmful { layer, .. }) => {
                Some(vec![*layer])
            }
            Self::Together(TopOfLayers { layers, .. }) => Some(layers.clone()),
            Self::Above(_) => None,
            Self::Picked(Picked { picked }) => {
                Some(picked.iter().map(|neuron| neuron.layer).collect())
            }
        }
    }

    /// Whether its neurons may lie in a layer.
    pub fn may_prune(&self, layer: usize) -> bool {
        self.layers().is_none_or(|own| own.contains(&layer))
    }

    /// The lowest layer that it is known to prune in; 0 where that hangs on the scores.
    pub fn lowest_layer(&self) -> usize {
        let layers = self.layers().unwrap_or_default();
        layers.into_iter().min().unwrap_or(0)
    }
}

impl fmt::Display for Selection {
    /// Its rule in words.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(TopPercent { layer, percent }) => {
                write!(out, "the top {percent} % of layer {layer}")
            }
            Self::Together(TopOfLayers { layers, percent }) => {
                let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
                let layers = layers.join(", ");
                write!(out, "the top {percent} % of layers {layers} together")
            }
            Self::Above(AboveShare { share }) => write!(
                out,
                "every neuron above {} % of the largest score",
                100.0 * share
            ),
            Self::Harmful(MostHarmful {
                layer,
                harmful_percent,
            }) => write!(
                out,
                "the most harmful {harmful_percent} % of layer {layer}, as measured"
            ),
            Self::Picked(Picked { picked }) => match picked.len() {
                1 => write!(out, "1 neuron, picked by what it does"),
                neurons => write!(out, "{neurons} neurons, picked one by one"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Selection, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_rule_is_read_as_it_was_written_and_says_its_name() {
        let picked = vec![Neuron { layer: 1, index: 7 }, Neuron { layer: 0, index: 2 }];
        for (text, selection, name) in [
            (
                r#"{"layer":3,"percent":5.0}"#,
                Selection::Top(TopPercent {
                    layer: 3,
                    percent: 5.0,
                }),
                "the top 5 % of layer 3",
            ),
            (
                r#"{"layers":[3,4],"percent":2.5}"#,
                Selection::Together(TopOfLayers {
                    layers: vec![3, 4],
                    percent: 2.5,
                }),
                "the top 2.5 % of layers 3, 4 together",
            ),
            (
                r#"{"share":0.01}"#,
                Selection::Above(AboveShare { share: 0.01 }),
                "every neuron above 1 % of the largest score",
            ),
            (
                r#"{"layer":3,"harmful_percent":5.0}"#,
                Selection::Harmful(MostHarmful {
                    layer: 3,
                    harmful_percent: 5.0,
                }),
                "the most harmful 5 % of layer 3, as measured",
            ),
            (
                r#"{"picked":[{"layer":1,"neuron":7},{"layer":0,"neuron":2}]}"#,
                Selection::Picked(Picked { picked }),
                "2 neurons, picked one by one",
            ),
        ] {
            assert_eq!(read(text).unwrap(), selection);
            assert_eq!(serde_json::to_string(&selection).unwrap(), text);
            assert_eq!(selection.to_string(), name);
        }
        let error = read(r#"{"layer":3}"#).unwrap_err();
        assert!(error.contains("`layer` and `percent`"), "{error}");
    }

    #[test]
    fn what_no_model_has_is_refused_by_name() {
        for (text, named) in [
            (r#"{"layers":[],"percent":5}"#, "some, each once"),
            (r#"{"layers":[1,1],"percent":5}"#, "some, each once"),
            (r#"{"layers":[1,3],"percent":5}"#, "layer 3"),
            (r#"{"layers":[1],"percent":0}"#, "percentage"),
            (r#"{"share":1}"#, "below 1"),
            (r#"{"share":-0.5}"#, "below 1"),
            (r#"{"layer":3,"harmful_percent":5}"#, "layer 3"),
            (r#"{"layer":0,"harmful_percent":101}"#, "percentage"),
            (r#"{"picked":[{"layer":3,"neuron":0}]}"#, "layer 3"),
        ] {
            let error = read(text).unwrap().check(3).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
