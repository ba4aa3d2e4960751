//! What changes a run: per layer a factor and an offset on every neuron's activation, and low-rank additions to projections.
//!
//! A mask is a factor of 0 for the pruned neurons and 1 for the others; trained gains are other factors; a neuron replaced
//! by its mean has factor 0 and the mean as its offset; LoRA is an addition. The runs know of none of these: they carry out
//! an [`Edit`], and a fork leaves its run at the lowest layer that its edit changes.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::family::list::Slot;
use super::{Config, ModelError};
use crate::kernels::{self, Layout};

/// Where in a gated feed-forward layer a neuron is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The activation `act(gate) · up`, the input of the output projection
    /// (TransformerLens' `blocks.{l}.mlp.hook_post`).
    Post,
    /// The gate projection's output, before a bias and the activation function: the row of `gate_proj` that the
    /// paper calls a neuron. Without a gate it is the first projection's.
    GatePre,
}

/// A projection of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Of the queries.
    Q,
    /// Of the keys.
    K,
    /// Of the values.
    V,
    /// Attention's last.
    Output,
    /// The gate's, or the first one of a feed-forward layer without a gate.
    Gate,
    /// The one beside the gate.
    Up,
    /// The feed-forward layer's last.
    Down,
}

impl Projection {
    fn slot(self) -> Slot {
        match self {
            Self::Q => Slot::Q,
            Self::K => Slot::K,
            Self::V => Slot::V,
            Self::Output => Slot::Output,
            Self::Gate => Slot::Gate,
            Self::Up => Slot::Up,
            Self::Down => Slot::Down,
        }
    }

    /// Where it lies in what is held side by side.
    fn place(self, config: &Config) -> Place {
        let (d_q, d_kv) = (
            config.n_heads * config.d_head,
            config.n_kv_heads * config.d_head,
        );
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let first = if config.is_gated() { 2 * d_mlp } else { d_mlp };
        let (input, before, output, all) = match self {
            Self::Q => (d_model, 0, d_q, d_q + 2 * d_kv),
            Self::K => (d_model, d_q, d_kv, d_q + 2 * d_kv),
            Self::V => (d_model, d_q + d_kv, d_kv, d_q + 2 * d_kv),
            Self::Output => (d_q, 0, d_model, d_model),
            Self::Gate => (d_model, 0, d_mlp, first),
            Self::Up => (d_model, d_mlp, d_mlp, first),
            Self::Down => (d_mlp, 0, d_model, d_model),
        };
        Place {
            input,
            before,
            output,
            all,
        }
    }
}

/// The columns of a projection among those that are held side by side.
struct Place {
    input: usize,
    before: usize,
    output: usize,
    all: usize,
}

/// An addition `(x · A) · B` to a projection `x · W` (Hu et al., 2021; a scale is part of either matrix).
#[derive(Clone, Debug)]
pub struct LowRank {
    /// What it is added to.
    pub projection: Projection,
    /// `[in, rank]`
    pub a: Tensor<2>,
    /// `[rank, out]`
    pub b: Tensor<2>,
}

/// What an edit does to one layer.
#[derive(Clone, Debug, Default)]
pub(super) struct LayerEdit {
    /// On the activations, `[d_mlp]`.
    factors: Option<Tensor<1>>,
    /// Added to what the factors leave, `[d_mlp]`.
    offsets: Option<Tensor<1>>,
    additions: Vec<LowRank>,
}

/// Changes of a run, in force at every one of its positions. Differentiable by each of its tensors.
///
/// Zero at `post` and zero at `gate_pre` are the same thing in a model without feed-forward biases, since every
/// activation function here is 0 at 0. With a bias, zero at `gate_pre` would leave the activation of the bias.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    by_layer: BTreeMap<usize, LayerEdit>,
}

/// Where a fork leaves its run: the lowest place that its edit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaving {
    pub(super) layer: usize,
    /// At the activation, or before the block.
    pub(super) at_activation: bool,
}

impl Edit {
    /// No change to any layer.
    pub fn none() -> Self {
        Self::default()
    }

    /// These factors, `[d_mlp]`, on the activations of one layer.
    pub fn scaling(layer: usize, factors: Tensor<1>) -> Self {
        Self::none().scale(layer, factors)
    }

    /// With these factors, `[d_mlp]`, on the activations of a layer, in place of others.
    #[must_use]
    pub fn scale(mut self, layer: usize, factors: Tensor<1>) -> Self {
        self.layer(layer).factors = Some(factors);
        self
    }

    /// With these offsets, `[d_mlp]`, added to the activations of a layer once they are scaled, in place of others.
    #[must_use]
    pub fn offset(mut self, layer: usize, offsets: Tensor<1>) -> Self {
        self.layer(layer).offsets = Some(offsets);
        self
    }

    /// With an addition to a projection of a layer, beside others.
    #[must_use]
    pub fn add(mut self, layer: usize, addition: LowRank) -> Self {
        self.layer(layer).additions.push(addition);
        self
    }

    fn layer(&mut self, layer: usize) -> &mut LayerEdit {
        self.by_layer.entry(layer).or_default()
    }

    pub(super) fn leaves_at(&self) -> Option<Leaving> {
        let (&layer, edit) = self.by_layer.first_key_value()?;
        let mut additions = edit.additions.iter();
        Some(Leaving {
            layer,
            at_activation: additions.all(|addition| addition.projection == Projection::Down),
        })
    }

    /// Checks that the edit is one of a model.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] names the layer and what does not fit.
    pub(super) fn check(&self, config: &Config) -> Result<(), ModelError> {
        let wrong = |layer: &usize, what: String| {
            Err(ModelError::Config(format!(
                "the edit of layer {layer} {what}"
            )))
        };
        for (layer, edit) in &self.by_layer {
            if *layer >= config.n_layers {
                return wrong(layer, format!("of a model of {} layers", config.n_layers));
            }
            for values in edit.factors.iter().chain(&edit.offsets) {
                let [width] = values.dims();
                if width != config.d_mlp {
                    return wrong(
                        layer,
                        format!("is of {width} neurons, and it has {}", config.d_mlp),
                    );
                }
            }
            for LowRank { projection, a, b } in &edit.additions {
                if config.weights.in_block(Slot::Up).is_none() && *projection == Projection::Up {
                    return wrong(
                        layer,
                        "adds to a projection that the model does not have".into(),
                    );
                }
                let Place { input, output, .. } = projection.place(config);
                let ([a_in, a_rank], [b_rank, b_out]) = (a.dims(), b.dims());
                if [a_in, b_out] != [input, output] || a_rank != b_rank || a_rank == 0 {
                    let (a, b) = (a.dims(), b.dims());
                    return wrong(
                        layer,
                        format!(
                            "adds {a:?} · {b:?} to {projection:?}, which is [{input}, {output}]"
                        ),
                    );
                }
            }
        }
        Ok(())
    }
}

/// What changes the activations of some rows: `factors · activation + offsets`, the factors at one of two sites. A point of
/// Integrated Gradients' path is one with the point's factors.
#[derive(Clone, Debug)]
pub struct ActivationEdit {
    /// Where factors are.
    pub site: Site,
    /// Of each row of each prompt, for all of its positions, `[prompts, rows, d_mlp]`.
    pub factors: Option<Tensor<3>>,
    /// The same, after the activation function.
    pub offsets: Option<Tensor<3>>,
}

impl ActivationEdit {
    /// Factors, `[prompts, rows, d_mlp]`, and no more.
    pub fn scaling(site: Site, factors: Tensor<3>) -> Self {
        Self {
            site,
            factors: Some(factors),
            offsets: None,
        }
    }
}

/// What some forks, whose prompts follow each other, change in one layer.
pub struct LayerEdits<'a> {
    of_forks: Vec<Option<&'a LayerEdit>>,
}

impl<'a> LayerEdits<'a> {
    /// No change, whatever the forks.
    pub fn none() -> Self {
        Self {
            of_forks: Vec::new(),
        }
    }

    pub(super) fn new(layer: usize, edits: impl IntoIterator<Item = &'a Edit>) -> Self {
        let edits = edits.into_iter();
        Self {
            of_forks: edits.map(|edit| edit.by_layer.get(&layer)).collect(),
        }
    }

    /// What they do to the activations, where they do anything: `[1, forks, d_mlp]`, all prompts of a fork taken for one.
    pub(super) fn of_activations(&self) -> Option<ActivationEdit> {
        let stacked = |part: fn(&LayerEdit) -> Option<&Tensor<1>>, neutral: f32| {
            let parts = self.of_forks.iter().map(|edit| edit.and_then(part));
            let like = parts.clone().flatten().next()?;
            let rows = parts.map(|part| match part {
                Some(part) => part.clone().unsqueeze::<2>(),
                None => Tensor::<1>::full(like.shape(), neutral, &like.device()).unsqueeze(),
            });
            Some(joined(rows.collect())?.unsqueeze::<3>())
        };
        let factors = stacked(|edit| edit.factors.as_ref(), 1.0);
        let offsets = stacked(|edit| edit.offsets.as_ref(), 0.0);
        (factors.is_some() || offsets.is_some()).then_some(ActivationEdit {
            site: Site::Post,
            factors,
            offsets,
        })
    }

    /// What projections of `x` give, `[forks · prompts, tokens, all that is held in a slot]`, with what is added to them.
    pub(super) fn added(
        &self,
        config: &Config,
        held_in: Slot,
        x: &Tensor<3>,
        projected: Tensor<3>,
    ) -> Tensor<3> {
        let additions = |edit: &Option<&'a LayerEdit>| {
            let all = edit.map_or(&[][..], |edit| &edit.additions);
            all.iter()
                .filter(|addition| addition.projection.slot().held_in() == held_in)
        };
        if self
            .of_forks
            .iter()
            .all(|edit| additions(edit).next().is_none())
        {
            return projected;
        }
        let prompts = projected.dims()[0] / self.of_forks.len();
        let of_fork = |fork: usize, x: &Tensor<3>| x.clone().narrow(0, fork * prompts, prompts);
        let forks = self.of_forks.iter().enumerate().map(|(fork, edit)| {
            let projected = of_fork(fork, &projected);
            additions(edit).fold(projected, |projected, LowRank { projection, a, b }| {
                let Place {
                    before,
                    output,
                    all,
                    ..
                } = projection.place(config);
                let after = all - before - output;
                let b = widened(b.clone(), before, after);
                let inner =
                    kernels::project(of_fork(fork, x), a.clone(), Layout::InOut, None, None);
                kernels::project(inner, b, Layout::InOut, None, Some(projected))
            })
        });
        joined(forks.collect()).unwrap_or(projected)
    }
}

/// A matrix with so many columns of zeros before its own and after them.
fn widened(b: Tensor<2>, before: usize, after: usize) -> Tensor<2> {
    let [rank, _] = b.dims();
    let device = b.device();
    let zeros = |width| (width > 0).then(|| Tensor::zeros([rank, width], &device));
    match (zeros(before), zeros(after)) {
        (None, None) => b,
        (before, after) => {
            let parts = before.into_iter().chain([b]).chain(after);
            Tensor::cat(parts.collect(), 1)
        }
    }
}

/// Some forks after others; `None` of none.
pub(super) fn joined<const D: usize>(parts: Vec<Tensor<D>>) -> Option<Tensor<D>> {
    match <[Tensor<D>; 1]>::try_from(parts) {
        Ok([one]) => Some(one),
        Err(parts) => (!parts.is_empty()).then(|| Tensor::cat(parts, 0)),
    }
}
