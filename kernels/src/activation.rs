//! The activation of a feed-forward layer: gate, bias, activation function, second projection and gains in one.

use crate::arithmetic::{LANES, Lanes, add_scaled, exp, lanes, put};
use crate::{Kernel, each_chunk};

/// The activation function of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// `x · Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, 2016).
    Gelu,
    /// The same with its approximation by tanh.
    GeluTanh,
}

/// What gains are factors on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub enum GainsOn {
    /// The gate, before its bias and the activation function.
    Gate,
    /// The activation.
    Activation,
}

/// The shape of one call of an activation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ActivationShape {
    /// Prompts.
    pub prompts: usize,
    /// Forks of a prompt.
    pub forks: usize,
    /// Positions of a fork.
    pub tail: usize,
    /// Whether there is a second projection, which the activation function's value is multiplied with.
    pub gated: bool,
    /// The activation function.
    pub function: Activation,
    /// What gains are factors on.
    pub on: GainsOn,
}

/// What a layer's activation is computed from.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ActivationInputs<'a> {
    /// Gate, and second projection where there is one, `[tokens, d_mlp or 2 · d_mlp]`, or the tokens of one fork of each
    /// prompt where they are shared.
    pub projected: &'a [f32],
    /// `[d_mlp]`
    pub bias: Option<&'a [f32]>,
    /// `[forks of all prompts, d_mlp]`, or one row.
    pub gains: Option<&'a [f32]>,
    /// How they belong together.
    pub shape: ActivationShape,
    /// Neurons.
    pub d_mlp: usize,
}

/// The activations of every token, `[tokens, d_mlp]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Activated<'a>(pub ActivationInputs<'a>);

/// The gradient by the projections of every token, shared or not, `[tokens, d_mlp or 2 · d_mlp]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ActivationBackward<'a> {
    /// What was computed.
    pub inputs: ActivationInputs<'a>,
    /// The gradient by the activations, `[tokens, d_mlp]`.
    pub gradient: &'a [f32],
}

/// The gradient by the gains of each fork, summed over its positions: `[forks of all prompts, d_mlp]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct GainsBackward<'a> {
    /// What was computed.
    pub inputs: ActivationInputs<'a>,
    /// The gradient by the activations, `[tokens, d_mlp]`.
    pub gradient: &'a [f32],
}

/// What some neurons' activations are made of.
struct Parts {
    gate: Lanes,
    /// The gate under its gain, with its bias, through the activation function.
    activated: Lanes,
    /// The derivative there.
    slope: Lanes,
    /// 1 where there is no second projection.
    up: Lanes,
    /// 1 where there are no gains.
    gain: Lanes,
}

impl ActivationInputs<'_> {
    /// Forks of all prompts.
    #[must_use]
    pub fn forks(&self) -> usize {
        self.shape.prompts * self.shape.forks
    }

    /// Tokens of the output.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.forks() * self.shape.tail
    }

    /// Numbers of a token's projections.
    #[must_use]
    pub fn width(&self) -> usize {
        self.d_mlp * if self.shape.gated { 2 } else { 1 }
    }

    /// Whether all forks of a prompt have the same projections.
    fn is_shared(&self) -> bool {
        let tokens = self.projected.len() / self.width().max(1);
        self.shape.forks > 1 && tokens == self.shape.prompts * self.shape.tail
    }

    /// Whether the gains are one row for all forks.
    fn is_one_row(&self) -> bool {
        self.forks() > 1 && self.gains.is_some_and(|gains| gains.len() == self.d_mlp)
    }

    /// The fork of a token of the output.
    fn fork(&self, token: usize) -> usize {
        token / self.shape.tail
    }

    /// Gives `work` the parts of all neurons of a token of the output, some at a time, with the place of the first of them.
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
        let source = match self.is_shared() {
            true => fork / self.shape.forks * tail + token % tail,
            false => token,
        };
        let row = &self.projected[source * self.width()..][..self.width()];
        let (gate, up) = row.split_at(d_mlp);
        let of_row = if self.is_one_row() { 0 } else { fork };
        let gains = self.gains.map(|gains| &gains[of_row * d_mlp..][..d_mlp]);
        let up = self.shape.gated.then_some(up);
        let on_gate = self.shape.on == GainsOn::Gate;
        // The same loops for all kinds of layers: with one loop for each the compiler makes vector instructions of none.
        let or = |row: Option<&[f32]>, first, absent| match row {
            Some(row) => lanes(row, first),
            None => [absent; LANES],
        };
        for first in (0..d_mlp).step_by(LANES) {
            let gate = lanes(gate, first);
            let gain = or(gains, first, 1.0);
            let mut inner = or(self.bias, first, 0.0);
            for lane in 0..LANES {
                inner[lane] += gate[lane] * if on_gate { gain[lane] } else { 1.0 };
            }
            let (mut activated, mut slope) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                (activated[lane], slope[lane]) = function(inner[lane]);
            }
            let up = or(up, first, 1.0);
            let parts = Parts {
                gate,
                activated,
                slope,
                up,
                gain,
            };
            work(first, parts);
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
    let phi = 0.5 * (1.0 + libm::erff(x * core::f32::consts::FRAC_1_SQRT_2));
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

impl Kernel for Activated<'_> {
    fn width(&self) -> usize {
        self.0.d_mlp
    }

    fn cost(&self) -> usize {
        4 * self.0.d_mlp
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        let on_activation = self.0.shape.on == GainsOn::Activation;
        each_chunk(first, self.0.d_mlp, out, |token, out| {
            self.0.each_neuron(token, |first, parts| {
                let Parts {
                    activated,
                    up,
                    gain,
                    ..
                } = parts;
                put(out, first, |lane| {
                    let factor = if on_activation { gain[lane] } else { 1.0 };
                    activated[lane] * up[lane] * factor
                });
            });
        });
    }
}

impl Kernel for ActivationBackward<'_> {
    fn width(&self) -> usize {
        self.inputs.width()
    }

    fn cost(&self) -> usize {
        6 * self.inputs.d_mlp
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        let ActivationInputs { shape, d_mlp, .. } = self.inputs;
        let on_activation = shape.on == GainsOn::Activation;
        each_chunk(first, self.inputs.width(), out, |token, out| {
            let gradient = &self.gradient[token * d_mlp..][..d_mlp];
            let (by_gate, by_up) = out.split_at_mut(d_mlp);
            self.inputs.each_neuron(token, |first, parts| {
                let gradient = lanes(gradient, first);
                // The gain is a factor of both, wherever it stands: on the gate, or on the activation.
                put(by_gate, first, |lane| {
                    gradient[lane] * parts.gain[lane] * parts.slope[lane] * parts.up[lane]
                });
                if shape.gated {
                    put(by_up, first, |lane| {
                        let factor = if on_activation { parts.gain[lane] } else { 1.0 };
                        gradient[lane] * factor * parts.activated[lane]
                    });
                }
            });
        });
    }
}

impl Kernel for GainsBackward<'_> {
    fn width(&self) -> usize {
        self.inputs.d_mlp
    }

    fn cost(&self) -> usize {
        4 * self.inputs.shape.tail * self.inputs.d_mlp
    }

    fn scratch(&self) -> usize {
        self.inputs.d_mlp
    }

    fn fill(&self, first: usize, out: &mut [f32], of_token: &mut [f32]) {
        let ActivationInputs { shape, d_mlp, .. } = self.inputs;
        let of_token = &mut of_token[..d_mlp];
        let on_gate = shape.on == GainsOn::Gate;
        each_chunk(first, d_mlp, out, |fork, out| {
            out.fill(0.0);
            for token in fork * shape.tail..(fork + 1) * shape.tail {
                let gradient = &self.gradient[token * d_mlp..][..d_mlp];
                self.inputs.each_neuron(token, |first, parts| {
                    let gradient = lanes(gradient, first);
                    put(of_token, first, |lane| {
                        let by_gain = match on_gate {
                            true => parts.slope[lane] * parts.gate[lane],
                            false => parts.activated[lane],
                        };
                        gradient[lane] * by_gain * parts.up[lane]
                    });
                });
                add_scaled(out, 1.0, of_token);
            }
        });
    }
}
