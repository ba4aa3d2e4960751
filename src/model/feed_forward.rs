//! The feed-forward layer, cut where neurons are scaled: its first projections, its activation, its last projection.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu_approximate, silu};

use super::config::Activation;
use super::gains::Site;
use super::layers::Linear;

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
        self.of(self.gate.clone(), self.up.clone())
    }

    fn of<const D: usize>(&self, gate: Tensor<D>, up: Option<Tensor<D>>) -> Tensor<D> {
        let gate = match &self.bias {
            Some(bias) => gate + bias.clone().unsqueeze::<D>(),
            None => gate,
        };
        let activated = match self.function {
            Activation::Silu => silu(gate),
            Activation::Gelu => gelu(gate),
            Activation::GeluTanh => gelu_approximate(gate),
        };
        match up {
            Some(up) => activated * up,
            None => activated,
        }
    }

    /// The activation when `site` is multiplied by gains that differ from row to row.
    ///
    /// # Shapes
    /// - `self`: `[batch, tail, d_mlp]`, the same for every row, or `[batch, rows · tail, d_mlp]`
    /// - `gains`: `[batch, rows, d_mlp]`, one factor per neuron for all positions of a row
    /// - returns `[batch, rows · tail, d_mlp]`
    pub fn scaled(&self, site: Site, gains: Tensor<3>, tail: usize) -> Tensor<3> {
        let [batch, rows, d_mlp] = gains.dims();
        let own_rows = self.gate.dims()[1] / tail;
        let by_row = |x: Tensor<3>| x.reshape([batch, own_rows, tail, d_mlp]);
        let gains = gains.reshape([batch, rows, 1, d_mlp]);
        let scaled = match site {
            Site::Post => by_row(self.activation()) * gains,
            Site::GatePre => {
                let gate = by_row(self.gate.clone()) * gains;
                self.of(gate, self.up.clone().map(by_row))
            }
        };
        scaled.reshape([batch, rows * tail, d_mlp])
    }

    /// The same over the last `tail` positions of a run with one row.
    pub(super) fn last(&self, tail: usize) -> Self {
        Self {
            gate: last(&self.gate, tail),
            up: self.up.as_ref().map(|up| last(up, tail)),
            ..self.clone()
        }
    }
}

/// The last `tail` of `[batch, tokens, width]`.
pub(super) fn last(x: &Tensor<3>, tail: usize) -> Tensor<3> {
    let tokens = x.dims()[1];
    x.clone().narrow(1, tokens - tail, tail)
}

/// `x Φ(x)` ([Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)), of its parts: burn's own GELU goes back through
/// the derivative of the approximation by tanh on a GPU, which is off by up to 1e-3.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let twice_phi = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    x * twice_phi * 0.5
}
