//! The feed-forward layer, cut where neurons are scaled: its first projections, its activation, its last projection.

use burn::tensor::Tensor;

use super::Config;
use super::attention::Geometry;
use super::config::Activation;
use super::edit::{ActivationEdit, LayerEdits, Site};
use super::family::list::Slot;
use super::layers::Linear;
use crate::kernels::{self, ActivationShape, GainsOn, WayBack};

/// The feed-forward layer before its activation function.
#[derive(Clone, Debug)]
pub struct PreActivation {
    /// Output of the gate projection, or of the first projection of a layer without a gate, before its bias; in a gated
    /// layer followed by that of `up_proj`: `[batch, tokens, d_mlp or 2 · d_mlp]`.
    pub projected: Tensor<3>,
    /// Whether the layer is gated.
    pub gated: bool,
    /// The gate's bias, `[d_mlp]`.
    pub bias: Option<Tensor<1>>,
    /// The activation function.
    pub function: Activation,
    /// What goes back through it and the gate.
    pub back: WayBack,
}

/// The first projections of a feed-forward layer.
#[derive(Clone)]
pub(super) struct FirstProjections {
    /// The gate's, or the only one's, without its bias; in a gated layer `up_proj` beside it.
    pub(super) linear: Linear,
    /// The gate's bias, `[d_mlp]`.
    pub(super) bias: Option<Tensor<1>>,
    /// What goes back through the activation that they lead to.
    pub(super) back: WayBack,
}

impl FirstProjections {
    /// Of the gate, or the only projection, and `up_proj` side by side.
    pub(super) fn new(config: &Config, whole: Linear) -> Self {
        let (gate, beside) = match whole.bias {
            Some(bias) if config.is_gated() => {
                let part = |first| bias.clone().narrow(0, first, config.d_mlp);
                let gate = part(0);
                let beside = Tensor::cat(vec![gate.zeros_like(), part(config.d_mlp)], 0);
                (Some(gate), Some(beside))
            }
            bias => (bias, None),
        };
        Self {
            linear: Linear {
                weight: whole.weight,
                bias: beside,
            },
            bias: gate,
            back: WayBack::Exact,
        }
    }

    /// Those, with their biases beside each other.
    pub(super) fn whole(&self) -> Linear {
        let bias = match (&self.bias, &self.linear.bias) {
            (Some(gate), Some(beside)) => {
                let d_mlp = gate.dims()[0];
                let up = beside.clone().narrow(0, d_mlp, d_mlp);
                Some(Tensor::cat(vec![gate.clone(), up], 0))
            }
            (gate, _) => gate.clone(),
        };
        Linear {
            weight: self.linear.weight.clone(),
            bias,
        }
    }
}

impl PreActivation {
    pub(super) fn new(
        config: &Config,
        first: &FirstProjections,
        x: Tensor<3>,
        edits: &LayerEdits<'_>,
    ) -> Self {
        let projected = first.linear.apply(x.clone());
        Self {
            projected: edits.added(config, Slot::Gate, &x, projected),
            gated: config.is_gated(),
            bias: first.bias.clone(),
            function: config.activation,
            back: first.back,
        }
    }

    /// The activation `act(gate + bias)`, times `up` in a gated layer, `[batch, tokens, d_mlp]`.
    pub fn activation(&self) -> Tensor<3> {
        let [batch, tokens, _] = self.projected.dims();
        self.activate(None, [batch, 1, tokens])
    }

    /// The activation of rows that an edit changes, each in its own way.
    ///
    /// # Shapes
    /// - `self`: of `tail` tokens, the same for every row, or of `rows · tail`
    /// - `edit`: of `[prompts, rows, d_mlp]`
    /// - returns `[prompts, rows · tail, d_mlp]`
    pub fn edited(&self, edit: &ActivationEdit, tail: usize) -> Tensor<3> {
        let like = edit.factors.as_ref().or(edit.offsets.as_ref());
        let Some([prompts, rows, d_mlp]) = like.map(|like| like.dims()) else {
            return self.activation();
        };
        let scaled = match &edit.factors {
            Some(factors) => {
                self.activate(Some((edit.site, factors.clone())), [prompts, rows, tail])
            }
            None => self.activation(),
        };
        let Some(offsets) = &edit.offsets else {
            return scaled;
        };
        // Without factors there may be one row of activations for all.
        let scaled = scaled.reshape([prompts as i32, -1, tail as i32, d_mlp as i32]);
        (scaled + offsets.clone().unsqueeze_dim::<4>(2)).reshape([prompts, rows * tail, d_mlp])
    }

    /// The activation of forks of a whole run, each with an edit of its own.
    ///
    /// # Shapes
    /// - `self`: of a run of `geometry`, the same for every fork, or of all forks one after another
    /// - `edit`: of `[1, forks, d_mlp]`
    /// - returns `[forks · batch, rows · tail, d_mlp]`
    pub(super) fn of_forks(&self, edit: &ActivationEdit, geometry: Geometry) -> Tensor<3> {
        let Geometry { batch, rows, tail } = geometry;
        // To the activation the run is one prompt.
        let width = self.projected.dims()[2];
        let one = Self {
            projected: self.projected.clone().reshape([1, -1, width as i32]),
            ..self.clone()
        };
        let edited = one.edited(edit, batch * rows * tail);
        let [_, _, d_mlp] = edited.dims();
        edited.reshape([-1, (rows * tail) as i32, d_mlp as i32])
    }

    fn activate(
        &self,
        factors: Option<(Site, Tensor<3>)>,
        [prompts, forks, tail]: [usize; 3],
    ) -> Tensor<3> {
        let (site, factors) = factors.unzip();
        let shape = ActivationShape {
            prompts,
            forks,
            tail,
            gated: self.gated,
            function: self.function,
            on: match site {
                None | Some(Site::Post) => GainsOn::Activation,
                Some(Site::GatePre) => GainsOn::Gate,
            },
        };
        let (projected, bias) = (self.projected.clone(), self.bias.as_ref());
        kernels::activate(projected, bias, factors, shape, self.back)
    }
}

/// The last `tail` of `[batch, tokens, width]`.
pub(super) fn last(x: &Tensor<3>, tail: usize) -> Tensor<3> {
    let tokens = x.dims()[1];
    x.clone().narrow(1, tokens - tail, tail)
}
