//! The feed-forward layer, cut where neurons are scaled: its first projections, its activation, its last projection.

use burn::tensor::Tensor;

use super::Config;
use super::attention::Geometry;
use super::config::Activation;
use super::gains::Site;
use super::layers::Linear;
use crate::kernels::{self, ActivationShape, GainsOn};

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
}

/// The first projections of a feed-forward layer.
#[derive(Clone)]
pub(super) struct FirstProjections {
    /// The gate's, or the only one's, without its bias; in a gated layer `up_proj` beside it.
    pub(super) linear: Linear,
    /// The gate's bias, `[d_mlp]`.
    pub(super) bias: Option<Tensor<1>>,
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
    pub(super) fn new(x: Tensor<3>, first: &FirstProjections, config: &Config) -> Self {
        Self {
            projected: first.linear.apply(x),
            gated: config.is_gated(),
            bias: first.bias.clone(),
            function: config.activation,
        }
    }

    /// The activation `act(gate + bias)`, times `up` in a gated layer, `[batch, tokens, d_mlp]`.
    pub fn activation(&self) -> Tensor<3> {
        self.activation_under(None)
    }

    /// The same times `gains`, `[d_mlp]`, where there are any.
    pub fn activation_under(&self, gains: Option<&Tensor<1>>) -> Tensor<3> {
        let [batch, tokens, _] = self.projected.dims();
        let gains = gains.map(|gains| gains.clone().reshape([1, 1, -1]));
        self.under(Site::Post, gains, [batch, 1, tokens])
    }

    /// The activation when `site` is multiplied by gains that differ from row to row.
    ///
    /// # Shapes
    /// - `self`: of `tail` tokens, the same for every row, or of `rows · tail`
    /// - `gains`: `[batch, rows, d_mlp]`, one factor per neuron for all positions of a row
    /// - returns `[batch, rows · tail, d_mlp]`
    pub fn scaled(&self, site: Site, gains: Tensor<3>, tail: usize) -> Tensor<3> {
        let [batch, rows, _] = gains.dims();
        self.under(site, Some(gains), [batch, rows, tail])
    }

    /// The activation of forks of a whole run, each of which has gains of its own on the activations.
    ///
    /// # Shapes
    /// - `self`: of a run of `geometry`, the same for every fork, or of all forks one after another
    /// - `gains`: `[forks, d_mlp]`
    /// - returns `[forks · batch, rows · tail, d_mlp]`
    pub(super) fn of_forks(&self, gains: &Tensor<2>, geometry: Geometry) -> Tensor<3> {
        let Geometry { batch, rows, tail } = geometry;
        let [forks, d_mlp] = gains.dims();
        // To the activation the run is one prompt.
        let width = self.projected.dims()[2];
        let one = Self {
            projected: self.projected.clone().reshape([1, -1, width as i32]),
            ..self.clone()
        };
        one.scaled(Site::Post, gains.clone().unsqueeze(), batch * rows * tail)
            .reshape([forks * batch, rows * tail, d_mlp])
    }

    fn under(
        &self,
        site: Site,
        gains: Option<Tensor<3>>,
        [prompts, forks, tail]: [usize; 3],
    ) -> Tensor<3> {
        let shape = ActivationShape {
            prompts,
            forks,
            tail,
            gated: self.gated,
            function: self.function,
            on: match site {
                Site::Post => GainsOn::Activation,
                Site::GatePre => GainsOn::Gate,
            },
        };
        kernels::activate(self.projected.clone(), self.bias.as_ref(), gains, shape)
    }
}

/// The last `tail` of `[batch, tokens, width]`.
pub(super) fn last(x: &Tensor<3>, tail: usize) -> Tensor<3> {
    let tokens = x.dims()[1];
    x.clone().narrow(1, tokens - tail, tail)
}
