//! The feed-forward layer, cut where neurons are scaled: its first projections, its activation, its last projection.

use burn::tensor::Tensor;

use super::attention::Geometry;
use super::config::Activation;
use super::gains::Site;
use super::layers::Linear;
use crate::kernels::{self, ActivationShape, GainsOn};

/// The feed-forward layer before its activation function.
#[derive(Clone, Debug)]
pub struct PreActivation {
    /// Output of the gate projection, or of the first projection of a layer without a gate, before its bias,
    /// `[batch, tokens, d_mlp]`.
    pub gate: Tensor<3>,
    /// Output of `up_proj`, `[batch, tokens, d_mlp]`, in a gated layer.
    pub up: Option<Tensor<3>>,
    /// The gate's bias, `[d_mlp]`.
    pub bias: Option<Tensor<1>>,
    /// The activation function.
    pub function: Activation,
}

impl PreActivation {
    pub(super) fn new(
        x: Tensor<3>,
        gate: &Linear,
        up: Option<&Linear>,
        function: Activation,
    ) -> Self {
        Self {
            gate: gate.without_bias(x.clone()),
            up: up.map(|up| up.apply(x)),
            bias: gate.bias.clone(),
            function,
        }
    }

    /// The activation `act(gate + bias)`, times `up` in a gated layer, `[batch, tokens, d_mlp]`.
    pub fn activation(&self) -> Tensor<3> {
        self.activation_under(None)
    }

    /// The same times `gains`, `[d_mlp]`, where there are any.
    pub fn activation_under(&self, gains: Option<&Tensor<1>>) -> Tensor<3> {
        let [batch, tokens, _] = self.gate.dims();
        let gains = gains.map(|gains| gains.clone().reshape([1, 1, -1]));
        self.under(Site::Post, gains, [batch, 1, tokens])
    }

    /// The activation when `site` is multiplied by gains that differ from row to row.
    ///
    /// # Shapes
    /// - `self`: `[batch, tail, d_mlp]`, the same for every row, or `[batch, rows · tail, d_mlp]`
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
        let flat = |x: &Tensor<3>| x.clone().reshape([1, -1, d_mlp as i32]);
        let one = Self {
            gate: flat(&self.gate),
            up: self.up.as_ref().map(flat),
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
            function: self.function,
            on: match site {
                Site::Post => GainsOn::Activation,
                Site::GatePre => GainsOn::Gate,
            },
        };
        let (gate, up) = (self.gate.clone(), self.up.clone());
        kernels::activate(gate, up, self.bias.as_ref(), gains, shape)
    }
}

/// The last `tail` of `[batch, tokens, width]`.
pub(super) fn last(x: &Tensor<3>, tail: usize) -> Tensor<3> {
    let tokens = x.dims()[1];
    x.clone().narrow(1, tokens - tail, tail)
}
