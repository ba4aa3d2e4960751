//! The activation of a feed-forward layer: gate, bias, activation function, second projection and gains in one.

use burn_flex::{Flex, FlexTensor};

use super::vector::{add_scaled, exp};
use super::{Numbers, each_chunk, last_dim, tensor};
use crate::kernels::{Activation, ActivationInputs, ActivationShape, GainsOn};

/// The inputs of a layer's activation, their numbers at hand.
struct Inputs {
    projected: Numbers,
    bias: Option<Numbers>,
    gains: Option<Numbers>,
    shape: ActivationShape,
    d_mlp: usize,
    /// Whether all forks of a prompt have the same projections.
    shared: bool,
    /// Whether the gains are one row for all forks.
    one_row: bool,
}

/// What one neuron's activation is made of.
struct Parts {
    gate: f32,
    /// The gate under its gain, with its bias, through the activation function.
    activated: f32,
    /// The derivative there.
    slope: f32,
    /// 1 where there is no second projection.
    up: f32,
    /// 1 where there are no gains.
    gain: f32,
}

impl Inputs {
    fn new(inputs: ActivationInputs<Flex>) -> Self {
        let ActivationInputs {
            projected,
            bias,
            gains,
            shape,
        } = inputs;
        let (rows, width) = last_dim(&projected);
        let forks = shape.prompts * shape.forks;
        Self {
            shared: shape.forks > 1 && rows == shape.prompts * shape.tail,
            one_row: forks > 1 && gains.as_ref().is_some_and(|gains| last_dim(gains).0 == 1),
            d_mlp: width / if shape.gated { 2 } else { 1 },
            projected: Numbers::of(projected),
            bias: bias.map(Numbers::of),
            gains: gains.map(Numbers::of),
            shape,
        }
    }

    fn forks(&self) -> usize {
        self.shape.prompts * self.shape.forks
    }

    fn tokens(&self) -> usize {
        self.forks() * self.shape.tail
    }

    fn width(&self) -> usize {
        self.d_mlp * if self.shape.gated { 2 } else { 1 }
    }

    /// The fork of a token of the output.
    fn fork(&self, token: usize) -> usize {
        token / self.shape.tail
    }

    /// Gives `work` the parts of every neuron of a token of the output.
    #[inline(always)]
    fn each_neuron(&self, token: usize, mut work: impl FnMut(usize, Parts)) {
        match self.shape.function {
            Activation::Silu => self.each_by(token, silu, &mut work),
            Activation::Gelu => self.each_by(token, gelu, &mut work),
            Activation::GeluTanh => self.each_by(token, gelu_tanh, &mut work),
        }
    }

    #[inline(always)]
    fn each_by(
        &self,
        token: usize,
        function: impl Fn(f32) -> (f32, f32),
        work: &mut impl FnMut(usize, Parts),
    ) {
        let d_mlp = self.d_mlp;
        let tail = self.shape.tail;
        let fork = self.fork(token);
        let source = match self.shared {
            true => fork / self.shape.forks * tail + token % tail,
            false => token,
        };
        let row = &self.projected.slice()[source * self.width()..][..self.width()];
        let (gate, up) = row.split_at(d_mlp);
        let of_row = if self.one_row { 0 } else { fork };
        let gains = self.gains.as_ref();
        let gains = gains.map(|gains| &gains.slice()[of_row * d_mlp..][..d_mlp]);
        let bias = self.bias.as_ref().map(|bias| &bias.slice()[..d_mlp]);
        let up = self.shape.gated.then(|| &up[..d_mlp]);
        let on_gate = self.shape.on == GainsOn::Gate;
        for neuron in 0..d_mlp {
            let gate = gate[neuron];
            let gain = gains.map_or(1.0, |gains| gains[neuron]);
            let inner = if on_gate { gate * gain } else { gate };
            let (activated, slope) = function(inner + bias.map_or(0.0, |bias| bias[neuron]));
            let parts = Parts {
                gate,
                activated,
                slope,
                up: up.map_or(1.0, |up| up[neuron]),
                gain,
            };
            work(neuron, parts);
        }
    }
}

/// `x · sigmoid(x)` and its derivative.
#[inline(always)]
fn silu(x: f32) -> (f32, f32) {
    let sigmoid = 1.0 / (1.0 + exp(-x));
    (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid)))
}

/// `x · Φ(x)` and its derivative.
#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    let phi = 0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2));
    let density = exp(x * x * -0.5) * 0.398_942_3;
    (x * phi, phi + x * density)
}

/// The same with the approximation of `Φ` by tanh.
#[inline(always)]
fn gelu_tanh(x: f32) -> (f32, f32) {
    const ROOT: f32 = 0.797_884_6;
    let inner = ROOT * (x + 0.044_715 * x * x * x);
    let t = 1.0 - 2.0 / (exp(2.0 * inner) + 1.0);
    let slope = ROOT * (1.0 + 3.0 * 0.044_715 * x * x);
    (
        0.5 * x * (1.0 + t),
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope,
    )
}

/// The activation, `[tokens, d_mlp]`.
pub(in crate::kernels) fn activate(inputs: ActivationInputs<Flex>) -> FlexTensor {
    let inputs = Inputs::new(inputs);
    let (d_mlp, tokens) = (inputs.d_mlp, inputs.tokens());
    let on_activation = inputs.shape.on == GainsOn::Activation;
    let mut out = vec![0.0; tokens * d_mlp];
    each_chunk(&mut out, d_mlp, 4 * d_mlp, |token, out| {
        inputs.each_neuron(token, |neuron, parts| {
            let factor = if on_activation { parts.gain } else { 1.0 };
            out[neuron] = parts.activated * parts.up * factor;
        });
    });
    tensor(out, [tokens, d_mlp])
}

/// The gradient by the projections of every token, shared or not.
pub(in crate::kernels) fn activate_backward(
    inputs: ActivationInputs<Flex>,
    gradient: FlexTensor,
) -> FlexTensor {
    let inputs = Inputs::new(inputs);
    let gradient = Numbers::of(gradient);
    let gradient = gradient.slice();
    let (d_mlp, width, tokens) = (inputs.d_mlp, inputs.width(), inputs.tokens());
    let on_activation = inputs.shape.on == GainsOn::Activation;
    let mut out = vec![0.0; tokens * width];
    each_chunk(&mut out, width, 6 * d_mlp, |token, out| {
        let gradient = &gradient[token * d_mlp..][..d_mlp];
        let (by_gate, by_up) = out.split_at_mut(d_mlp);
        inputs.each_neuron(token, |neuron, parts| {
            // The gain is a factor of both, wherever it stands: on the gate, or on the activation.
            let scaled = gradient[neuron] * parts.gain;
            by_gate[neuron] = scaled * parts.slope * parts.up;
            if inputs.shape.gated {
                let by_activated = if on_activation {
                    scaled
                } else {
                    gradient[neuron]
                };
                by_up[neuron] = by_activated * parts.activated;
            }
        });
    });
    tensor(out, [tokens, width])
}

/// The gradient by the gains of each fork, summed over its positions: `[forks of all prompts, d_mlp]`.
pub(in crate::kernels) fn gains_backward(
    inputs: ActivationInputs<Flex>,
    gradient: FlexTensor,
) -> FlexTensor {
    let inputs = Inputs::new(inputs);
    let gradient = Numbers::of(gradient);
    let gradient = gradient.slice();
    let (d_mlp, forks, tail) = (inputs.d_mlp, inputs.forks(), inputs.shape.tail);
    let on_gate = inputs.shape.on == GainsOn::Gate;
    let mut out = vec![0.0; forks * d_mlp];
    each_chunk(&mut out, d_mlp, 4 * tail * d_mlp, |fork, out| {
        let mut of_token = vec![0.0; d_mlp];
        for token in fork * tail..(fork + 1) * tail {
            let gradient = &gradient[token * d_mlp..][..d_mlp];
            inputs.each_neuron(token, |neuron, parts| {
                let by_gain = match on_gate {
                    true => parts.slope * parts.gate,
                    false => parts.activated,
                };
                of_token[neuron] = gradient[neuron] * by_gain * parts.up;
            });
            add_scaled(out, 1.0, &of_token);
        }
    });
    tensor(out, [forks, d_mlp])
}
