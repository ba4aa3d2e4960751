//! A mask: which neurons of which layers are pruned, and how.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::means::Means;
use crate::model::{Config, Edit, Neuron, Site, upload};
use crate::scoring::RunError;

/// What pruning does to a neuron.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Its activation becomes zero (the paper).
    #[default]
    Zero,
    /// Its activation is multiplied by the mask's factor.
    Scale,
    /// Its activation becomes its mean.
    Mean,
}

/// An operation with what it takes.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    /// Activations become zero.
    Zero,
    /// Activations are multiplied by a factor.
    Scale(f64),
    /// Each activation becomes its mean.
    Mean(&'a Means),
}

/// The pruned neurons of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LayerMask {
    /// The layer.
    pub layer: usize,
    /// Neuron indices, ascending.
    pub neurons: Vec<usize>,
    /// What each neuron's activation becomes, where the operation is `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<Vec<f32>>,
}

impl LayerMask {
    /// Neurons of a layer, without means.
    pub fn new(layer: usize, neurons: Vec<usize>) -> Self {
        Self {
            layer,
            neurons,
            means: None,
        }
    }

    /// Every neuron with its mean, where it has one.
    fn entries(&self) -> impl Iterator<Item = (Neuron, Option<f32>)> {
        let means = self.means.iter().flatten().copied().map(Some);
        let layer = self.layer;
        let neurons = self.neurons.iter();
        neurons
            .map(move |&index| Neuron { layer, index })
            .zip(means.chain(std::iter::repeat(None)))
    }
}

/// Which neurons are pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Mask {
    /// What pruning does to a neuron.
    #[serde(default)]
    pub operation: Operation,
    /// What activations are multiplied by, where the operation is `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Name of the item set whose prompts the means are over, where the operation is `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means_of: Option<String>,
    /// Where.
    pub site: Site,
    /// Layers ascending, each at most once.
    pub layers: Vec<LayerMask>,
}

/// The largest factor, of either sign: beyond it an activation is no weaker or stronger one, but another.
pub const MAX_FACTOR: f64 = 1000.0;

impl Mask {
    /// The mask that prunes nothing.
    pub fn empty(site: Site) -> Self {
        Self {
            operation: Operation::Zero,
            factor: None,
            means_of: None,
            site,
            layers: Vec::new(),
        }
    }

    /// The mask of one layer's neurons, in any order.
    pub fn of_layer(site: Site, layer: usize, neurons: impl IntoIterator<Item = usize>) -> Self {
        let neurons: BTreeSet<usize> = neurons.into_iter().collect();
        let mut mask = Self::empty(site);
        if !neurons.is_empty() {
            let neurons = neurons.into_iter().collect();
            mask.layers.push(LayerMask::new(layer, neurons));
        }
        mask
    }

    /// The mask of neurons of any layers, in any order.
    pub fn of_neurons(site: Site, neurons: impl IntoIterator<Item = Neuron>) -> Self {
        let entries = neurons.into_iter().map(|neuron| (neuron, None));
        Self::empty(site).of(entries)
    }

    /// The same neurons, changed in another way.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] for a neuron without a mean, where the change is to one.
    pub fn by(mut self, change: Change) -> Result<Self, RunError> {
        let (operation, factor, means) = match change {
            Change::Zero => (Operation::Zero, None, None),
            Change::Scale(factor) => (Operation::Scale, Some(factor), None),
            Change::Mean(means) => (Operation::Mean, None, Some(means)),
        };
        for layer in &mut self.layers {
            layer.means = means.map(|means| means.of(layer)).transpose()?;
        }
        Ok(Self {
            operation,
            factor,
            means_of: means.map(|means| means.set.clone()),
            ..self
        })
    }

    /// How other neurons are changed as this mask changes its own; `means` are what that takes for the operation `mean`.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] where the operation lacks what it takes.
    pub fn change<'a>(&self, means: Option<&'a Means>) -> Result<Change<'a>, RunError> {
        match (self.operation, self.factor, means) {
            (Operation::Zero, ..) => Ok(Change::Zero),
            (Operation::Scale, Some(factor), _) => Ok(Change::Scale(factor)),
            (Operation::Scale, None, _) => Err(without_factor()),
            (Operation::Mean, _, Some(means)) => Ok(Change::Mean(means)),
            (Operation::Mean, _, None) => Err(RunError::Mask(
                "other neurons' means are not measured".to_owned(),
            )),
        }
    }

    /// Neurons pruned in all layers.
    pub fn n_neurons(&self) -> usize {
        self.layers.iter().map(|layer| layer.neurons.len()).sum()
    }

    /// The pruned neurons.
    pub fn neurons(&self) -> impl Iterator<Item = Neuron> {
        self.entries().map(|(neuron, _)| neuron)
    }

    /// Whether a neuron is pruned.
    pub fn contains(&self, neuron: Neuron) -> bool {
        self.neurons().any(|pruned| pruned == neuron)
    }

    fn entries(&self) -> impl Iterator<Item = (Neuron, Option<f32>)> {
        self.layers.iter().flat_map(LayerMask::entries)
    }

    /// Whether another mask prunes the same neurons the same way, however it is written.
    pub fn is_same(&self, other: &Self) -> bool {
        let entries = |mask: &Self| mask.entries().collect::<BTreeMap<_, _>>();
        let how = |mask: &Self| (mask.operation, mask.factor);
        how(self) == how(other) && entries(self) == entries(other)
    }

    /// Whether another mask prunes the same neurons, whatever either does to them.
    pub fn is_of_same_neurons(&self, other: &Self) -> bool {
        let neurons = |mask: &Self| mask.neurons().collect::<BTreeSet<_>>();
        neurons(self) == neurons(other)
    }

    /// The neurons of either mask.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] for masks of two sites or operations, and for a neuron with two means.
    pub fn union(&self, other: &Self) -> Result<Self, RunError> {
        let others = self.comparable(other)?;
        let mut entries = others;
        entries.extend(self.entries());
        Ok(self.of(entries))
    }

    /// The neurons of both masks.
    ///
    /// # Errors
    ///
    /// As [`Mask::union`].
    pub fn intersection(&self, other: &Self) -> Result<Self, RunError> {
        let others = self.comparable(other)?;
        let both = |(neuron, _): &(Neuron, _)| others.contains_key(neuron);
        Ok(self.of(self.entries().filter(both)))
    }

    /// The neurons of this mask that are not of the other.
    ///
    /// # Errors
    ///
    /// As [`Mask::union`].
    pub fn difference(&self, other: &Self) -> Result<Self, RunError> {
        let others = self.comparable(other)?;
        let own = |(neuron, _): &(Neuron, _)| !others.contains_key(neuron);
        Ok(self.of(self.entries().filter(own)))
    }

    /// Another mask's neurons with their means, where it changes neurons as this one does.
    fn comparable(&self, other: &Self) -> Result<BTreeMap<Neuron, Option<f32>>, RunError> {
        let unlike = |what: &str| Err(RunError::Mask(format!("the masks have two {what}")));
        if self.site != other.site {
            return unlike("sites");
        }
        if self.operation != other.operation {
            return unlike("operations");
        }
        if self.factor != other.factor {
            return unlike("factors");
        }
        if self.means_of != other.means_of {
            return unlike("sets that their means are of");
        }
        let others: BTreeMap<_, _> = other.entries().collect();
        let differs = |(neuron, mean): &(Neuron, _)| others.get(neuron).is_some_and(|m| m != mean);
        match self.entries().find(differs) {
            Some((neuron, _)) => Err(RunError::Mask(format!(
                "{neuron} has another mean in each of the masks"
            ))),
            None => Ok(others),
        }
    }

    /// Neurons with their means, changed as this mask changes its own.
    fn of(&self, entries: impl IntoIterator<Item = (Neuron, Option<f32>)>) -> Self {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let mut layers: Vec<LayerMask> = Vec::new();
        for (Neuron { layer, index }, mean) in entries {
            if layers.last().is_none_or(|last| last.layer != layer) {
                layers.push(LayerMask {
                    means: mean.map(|_| Vec::new()),
                    ..LayerMask::new(layer, Vec::new())
                });
            }
            if let Some(last) = layers.last_mut() {
                last.neurons.push(index);
                last.means.iter_mut().for_each(|means| means.extend(mean));
            }
        }
        Self {
            layers,
            ..self.clone()
        }
    }

    /// Whether what it says of its operation agrees with itself, whatever the model.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] says what is missing, too much or no number.
    pub fn check(&self) -> Result<(), RunError> {
        let fail = |message: String| Err(RunError::Mask(message));
        match (self.operation, self.factor) {
            (Operation::Scale, None) => return Err(without_factor()),
            (Operation::Scale, Some(factor)) if !(-MAX_FACTOR..=MAX_FACTOR).contains(&factor) => {
                return fail(format!(
                    "`factor` is {factor}, and must be a number from -{MAX_FACTOR} to {MAX_FACTOR}"
                ));
            }
            (Operation::Zero | Operation::Mean, Some(_)) => {
                return fail("a `factor` is for the operation `scale` alone".to_owned());
            }
            _ => {}
        }
        let has_means = self.operation == Operation::Mean;
        if self.means_of.is_some() && !has_means {
            return fail("`means_of` is for the operation `mean` alone".to_owned());
        }
        for LayerMask {
            layer,
            neurons,
            means,
        } in &self.layers
        {
            match means {
                Some(_) if !has_means => {
                    return fail(format!(
                        "layer {layer} has `means`, which are for the operation `mean` alone"
                    ));
                }
                None if has_means && !neurons.is_empty() => {
                    return fail(format!(
                        "layer {layer} has no `means`, which the operation `mean` needs"
                    ));
                }
                Some(means) if means.len() != neurons.len() => {
                    return fail(format!(
                        "layer {layer} has {} `means` for {} neurons",
                        means.len(),
                        neurons.len()
                    ));
                }
                Some(means) if !means.iter().all(|mean| mean.is_finite()) => {
                    return fail(format!(
                        "a mean of layer {layer} is too large, or no number"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether every layer is given once, and every neuron of it.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] names the layer.
    pub fn check_once(&self) -> Result<(), RunError> {
        let mut before = BTreeSet::new();
        let are_some = |layer: &&LayerMask| !layer.neurons.is_empty();
        for LayerMask { layer, neurons, .. } in self.layers.iter().filter(are_some) {
            if !before.insert(layer) {
                return Err(RunError::Mask(format!("layer {layer} is given twice")));
            }
            let distinct: BTreeSet<&usize> = neurons.iter().collect();
            if distinct.len() != neurons.len() {
                return Err(RunError::Mask(format!(
                    "layer {layer} names a neuron twice"
                )));
            }
        }
        Ok(())
    }

    /// The same mask with layers and neurons in order.
    ///
    /// # Errors
    ///
    /// [`RunError::Mask`] when a layer or neuron is outside the model or given twice, or the mask contradicts itself.
    pub fn checked(self, config: &Config) -> Result<Self, RunError> {
        self.check()?;
        self.check_once()?;
        for LayerMask { layer, neurons, .. } in &self.layers {
            if *layer >= config.n_layers && !neurons.is_empty() {
                return Err(RunError::Mask(format!(
                    "layer {layer} is outside the model's {} layers",
                    config.n_layers
                )));
            }
            if let Some(outside) = neurons.iter().find(|&&neuron| neuron >= config.d_mlp) {
                return Err(RunError::Mask(format!(
                    "neuron {outside} of layer {layer} is outside the layer's {} neurons",
                    config.d_mlp
                )));
            }
        }
        Ok(self.of(self.entries()))
    }

    /// What the mask does to a run: on the masked layers, a factor of 1 for the neurons that it leaves, and for the pruned ones
    /// 0, its own, or 0 with the mean as an offset.
    ///
    /// The mask must have been [`checked`](Self::checked) against `config`.
    pub fn edit(&self, config: &Config, device: &Device) -> Edit {
        let tensor = |values: Vec<f32>| upload::numbers(values, [config.d_mlp], device);
        let mut edit = Edit::none();
        for LayerMask { layer, means, .. } in &self.layers {
            edit = edit.scale(*layer, tensor(self.factors(*layer, config.d_mlp)));
            if means.is_some() {
                edit = edit.offset(*layer, tensor(self.offsets(*layer, config.d_mlp)));
            }
        }
        edit
    }

    /// What a layer's activations are multiplied by: 1 where they are not pruned, `[d_mlp]`.
    pub fn factors(&self, layer: usize, d_mlp: usize) -> Vec<f32> {
        let pruned = match (self.operation, self.factor) {
            (Operation::Scale, Some(factor)) => factor as f32,
            _ => 0.0,
        };
        self.spread(layer, vec![1.0; d_mlp], |_| pruned)
    }

    /// What is added to a layer's activations after that: the means of the pruned, `[d_mlp]`.
    fn offsets(&self, layer: usize, d_mlp: usize) -> Vec<f32> {
        self.spread(layer, vec![0.0; d_mlp], Option::unwrap_or_default)
    }

    /// Values with those of a layer's pruned neurons put in, made of their means.
    fn spread(
        &self,
        layer: usize,
        mut values: Vec<f32>,
        pruned: impl Fn(Option<f32>) -> f32,
    ) -> Vec<f32> {
        let of_layer = self.layers.iter().filter(|of| of.layer == layer);
        for (neuron, mean) in of_layer.flat_map(LayerMask::entries) {
            if let Some(value) = values.get_mut(neuron.index) {
                *value = pruned(mean);
            }
        }
        values
    }
}

fn without_factor() -> RunError {
    RunError::Mask("the operation `scale` needs a `factor`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(layers: &[(usize, &[usize])]) -> Mask {
        let layers = layers.iter();
        Mask {
            layers: layers
                .map(|(layer, neurons)| LayerMask::new(*layer, neurons.to_vec()))
                .collect(),
            ..Mask::empty(Site::Post)
        }
    }

    fn means(mask: Mask, means: &[&[f32]]) -> Mask {
        let layers = mask.layers.iter().zip(means);
        Mask {
            operation: Operation::Mean,
            means_of: Some("a".to_owned()),
            layers: layers
                .map(|(layer, means)| LayerMask {
                    means: Some(means.to_vec()),
                    ..layer.clone()
                })
                .collect(),
            ..mask
        }
    }

    #[test]
    fn neurons_of_either_of_both_and_of_the_first_alone() {
        let (a, b) = (
            of(&[(0, &[4, 1]), (2, &[3])]),
            of(&[(0, &[1, 2]), (1, &[7])]),
        );
        assert_eq!(
            a.union(&b).unwrap(),
            of(&[(0, &[1, 2, 4]), (1, &[7]), (2, &[3])])
        );
        assert_eq!(a.intersection(&b).unwrap(), of(&[(0, &[1])]));
        assert_eq!(a.difference(&b).unwrap(), of(&[(0, &[4]), (2, &[3])]));
        assert_eq!(b.difference(&a).unwrap(), of(&[(0, &[2]), (1, &[7])]));
        assert_eq!(a.difference(&a).unwrap(), Mask::empty(Site::Post));
        let halved = |mask: &Mask| mask.clone().by(Change::Scale(0.5)).unwrap();
        let both = halved(&a).union(&halved(&b)).unwrap();
        assert_eq!(both, halved(&a.union(&b).unwrap()));
    }

    #[test]
    fn means_stay_with_their_neurons() {
        let a = means(of(&[(0, &[4, 1])]), &[&[0.4, 0.1]]);
        let b = means(of(&[(0, &[1, 2]), (1, &[7])]), &[&[0.1, 0.2], &[1.7]]);
        let expected = means(
            of(&[(0, &[1, 2, 4]), (1, &[7])]),
            &[&[0.1, 0.2, 0.4], &[1.7]],
        );
        assert_eq!(a.union(&b).unwrap(), expected);
        let expected = means(of(&[(0, &[4])]), &[&[0.4]]);
        assert_eq!(a.difference(&b).unwrap(), expected);
        let sorted = means(of(&[(0, &[1, 4])]), &[&[0.1, 0.4]]);
        assert!(a.is_same(&sorted) && a != sorted);
        let other = means(of(&[(0, &[1, 4])]), &[&[0.1, 0.5]]);
        assert!(!a.is_same(&other));
        assert!(!a.is_same(&of(&[(0, &[1, 4])])));
    }

    #[test]
    fn masks_that_change_neurons_in_two_ways_have_no_union() {
        let a = of(&[(0, &[1])]);
        let scaled = |factor| a.clone().by(Change::Scale(factor)).unwrap();
        let mean = |mean: f32| means(a.clone(), &[&[mean]]);
        let elsewhere = Mask {
            site: Site::GatePre,
            ..a.clone()
        };
        let of_another = Mask {
            means_of: Some("b".to_owned()),
            ..mean(1.0)
        };
        for (one, other, named) in [
            (&a, &elsewhere, "sites"),
            (&a, &scaled(0.5), "operations"),
            (&scaled(0.5), &scaled(0.25), "factors"),
            (&mean(1.0), &of_another, "sets that their means are of"),
            (&mean(1.0), &mean(2.0), "another mean"),
        ] {
            for found in [
                one.union(other),
                one.intersection(other),
                one.difference(other),
            ] {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(named), "{error}");
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let layer = r#"{"layer":0,"neurons":[1,2]}"#;
        let with = |means: &str| format!(r#"{{"layer":0,"neurons":[1,2],"means":{means}}}"#);
        for (head, layer, named) in [
            ("", layer, None),
            (r#""operation":"zero","#, layer, None),
            (r#""operation":"scale","factor":-1000,"#, layer, None),
            (r#""operation":"mean","#, &with("[0.5,-1]"), None),
            (r#""operation":"scale","#, layer, Some("needs a `factor`")),
            (
                r#""operation":"scale","factor":1000.5,"#,
                layer,
                Some("`factor` is 1000.5"),
            ),
            (r#""factor":0.5,"#, layer, Some("for the operation `scale`")),
            (
                r#""operation":"mean","factor":0.5,"#,
                &with("[1,2]"),
                Some("for the operation `scale`"),
            ),
            (
                r#""means_of":"a","#,
                layer,
                Some("`means_of` is for the operation `mean`"),
            ),
            ("", &with("[1,2]"), Some("for the operation `mean` alone")),
            (
                r#""operation":"mean","#,
                layer,
                Some("layer 0 has no `means`"),
            ),
            (
                r#""operation":"mean","#,
                &with("[1]"),
                Some("1 `means` for 2 neurons"),
            ),
        ] {
            let text = format!(r#"{{{head}"site":"post","layers":[{layer}]}}"#);
            let mask: Mask = serde_json::from_str(&text).unwrap();
            match (mask.check(), named) {
                (Ok(()), None) => {}
                (Err(error), Some(named)) => {
                    assert!(error.to_string().contains(named), "{text}: {error}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let of_means = |means: &str| {
            let layer = with(means);
            let text = format!(r#"{{"operation":"mean","site":"post","layers":[{layer}]}}"#);
            serde_json::from_str::<Mask>(&text)
        };
        // One that no number of 32 bits holds is refused where it is read.
        let error = of_means("[1,1e39]").unwrap_err().to_string();
        assert!(error.contains("out of range"), "{error}");
        let mut mask = of_means("[1,2]").unwrap();
        mask.layers[0].means = Some(vec![1.0, f32::INFINITY]);
        let error = mask.check().unwrap_err().to_string();
        assert!(error.contains("too large, or no number"), "{error}");
    }

    #[test]
    fn a_mask_of_zero_is_written_as_it_was() {
        let text = r#"{"operation":"zero","site":"post","layers":[{"layer":3,"neurons":[7,9]}]}"#;
        let mask: Mask = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&mask).unwrap(), text);
    }
}
