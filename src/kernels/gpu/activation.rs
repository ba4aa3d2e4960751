//! The activation of a feed-forward layer: gate, bias, activation function, second projection and gains in one.

use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{WIDE, contiguous, element, element_grid, empty, tanh};
use crate::kernels::{Activation, ActivationInputs, GainsOn};

/// What an activation is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    d_mlp: usize,
    /// Whether the gate's numbers of a token are followed by those of the second projection.
    gated: bool,
    function: Activation,
    on: GainsOn,
    /// Whether all forks of a prompt have the same projections.
    shared: bool,
    /// Whether the gains are one row for all forks.
    one_row: bool,
}

/// The sizes of one call.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Sizes {
    /// Numbers of the output.
    total: u32,
    /// Forks of a prompt.
    forks: u32,
    /// Positions of a fork.
    tail: u32,
}

impl ActivationInputs<CubeBackend> {
    fn plan(&self) -> Plan {
        let shape = &self.shape;
        let rows = |x: &CubeTensor| super::last_dim(x).0;
        let all = shape.prompts * shape.forks;
        Plan {
            d_mlp: self.d_mlp(),
            gated: shape.gated,
            function: shape.function,
            on: shape.on,
            shared: shape.forks > 1 && rows(&self.projected) == shape.prompts * shape.tail,
            one_row: all > 1 && self.gains.as_ref().is_some_and(|gains| rows(gains) == 1),
        }
    }

    fn sizes(&self, total: usize) -> SizesLaunch {
        SizesLaunch::new(
            total as u32,
            self.shape.forks as u32,
            self.shape.tail as u32,
        )
    }

    fn d_mlp(&self) -> usize {
        super::last_dim(&self.projected).1 / if self.shape.gated { 2 } else { 1 }
    }

    /// Tokens of the output.
    fn tokens(&self) -> usize {
        self.shape.prompts * self.shape.forks * self.shape.tail
    }
}

fn optional(x: &Option<CubeTensor>) -> Option<BufferArg> {
    x.clone().map(|x| contiguous(x).into_buffer_arg())
}

/// The activation, `[tokens, d_mlp]`.
pub(in crate::kernels) fn activate(inputs: ActivationInputs<CubeBackend>) -> CubeTensor {
    let plan = inputs.plan();
    let total = inputs.tokens() * plan.d_mlp;
    let out = empty(&inputs.projected, Shape::new([inputs.tokens(), plan.d_mlp]));
    // SAFETY: units beyond `total` end at once; tokens and forks are below their numbers.
    unsafe {
        activate_kernel::launch_unchecked(
            &inputs.projected.client,
            element_grid(total),
            CubeDim::new_1d(WIDE as u32),
            contiguous(inputs.projected.clone()).into_buffer_arg(),
            optional(&inputs.bias).into(),
            optional(&inputs.gains).into(),
            out.clone().into_buffer_arg(),
            inputs.sizes(total),
            plan,
        );
    }
    out
}

/// The gradient by the projections of every token, shared or not.
pub(in crate::kernels) fn activate_backward(
    inputs: ActivationInputs<CubeBackend>,
    gradient: CubeTensor,
) -> CubeTensor {
    let plan = inputs.plan();
    let total = inputs.tokens() * plan.d_mlp;
    let width = super::last_dim(&inputs.projected).1;
    let out = empty(&inputs.projected, Shape::new([inputs.tokens(), width]));
    // SAFETY: as above.
    unsafe {
        activate_backward_kernel::launch_unchecked(
            &inputs.projected.client,
            element_grid(total),
            CubeDim::new_1d(WIDE as u32),
            contiguous(inputs.projected.clone()).into_buffer_arg(),
            optional(&inputs.bias).into(),
            optional(&inputs.gains).into(),
            contiguous(gradient).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            inputs.sizes(total),
            plan,
        );
    }
    out
}

/// The gradient by the gains of each fork, summed over its positions: `[forks of all prompts, d_mlp]`.
pub(in crate::kernels) fn gains_backward(
    inputs: ActivationInputs<CubeBackend>,
    gradient: CubeTensor,
) -> CubeTensor {
    let plan = inputs.plan();
    let forks = inputs.shape.prompts * inputs.shape.forks;
    let total = forks * plan.d_mlp;
    let out = empty(&inputs.projected, Shape::new([forks, plan.d_mlp]));
    // SAFETY: as above.
    unsafe {
        gains_backward_kernel::launch_unchecked(
            &inputs.projected.client,
            element_grid(total),
            CubeDim::new_1d(WIDE as u32),
            contiguous(inputs.projected.clone()).into_buffer_arg(),
            optional(&inputs.bias).into(),
            optional(&inputs.gains).into(),
            contiguous(gradient).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            inputs.sizes(total),
            plan,
        );
    }
    out
}

/// The activation function and its derivative.
#[cube]
// `erf` is CubeCL's, whatever the standard library will have.
#[allow(unstable_name_collisions)]
fn function(x: f32, #[comptime] which: Activation) -> (f32, f32) {
    if comptime!(which == Activation::Silu) {
        // Beyond this the function is 0 in f32, and the exponential would overflow.
        let sigmoid = 1.0f32 / (1.0f32 + clamp(0.0f32 - x, -80.0f32, 80.0f32).exp());
        (x * sigmoid, sigmoid * (1.0f32 + x * (1.0f32 - sigmoid)))
    } else if comptime!(which == Activation::Gelu) {
        let phi = 0.5f32 * (1.0f32 + (x * comptime!(std::f32::consts::FRAC_1_SQRT_2)).erf());
        let density = (x * x * -0.5f32).exp() * comptime!(0.398_942_3_f32);
        (x * phi, phi + x * density)
    } else {
        let root = comptime!((2.0 / std::f32::consts::PI).sqrt());
        let inner = root * (x + 0.044715f32 * x * x * x);
        let t = tanh(inner);
        let slope = root * (1.0f32 + 3.0f32 * 0.044715f32 * x * x);
        (
            0.5f32 * x * (1.0f32 + t),
            0.5f32 * (1.0f32 + t) + 0.5f32 * x * (1.0f32 - t * t) * slope,
        )
    }
}

/// What one number of the activation is made of.
#[derive(CubeType, Clone, Copy)]
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

/// Where the gate of a token's neuron lies; its second projection lies `d_mlp` numbers behind.
#[cube]
fn projected_place(token: usize, column: usize, #[comptime] plan: Plan) -> usize {
    token * comptime!(plan.d_mlp * if plan.gated { 2 } else { 1 }) + column
}

#[cube]
fn parts(
    projected: &[f32],
    bias: &ComptimeOption<&[f32]>,
    gains: &ComptimeOption<&[f32]>,
    token: usize,
    column: usize,
    sizes: &Sizes,
    #[comptime] plan: Plan,
) -> Parts {
    let tail = sizes.tail as usize;
    let fork = token / tail;
    let mut source = token;
    if comptime!(plan.shared) {
        source = fork / sizes.forks as usize * tail + token % tail;
    }
    let place = projected_place(source, column, plan);
    let mut gain = 1.0f32;
    #[comptime]
    if let ComptimeOption::Some(gains) = gains {
        gain = if comptime!(plan.one_row) {
            gains[column]
        } else {
            gains[fork * plan.d_mlp + column]
        };
    }
    let gate = projected[place];
    let mut inner = gate;
    if comptime!(plan.on == GainsOn::Gate) {
        inner = gate * gain;
    }
    #[comptime]
    if let ComptimeOption::Some(bias) = bias {
        inner += bias[column];
    }
    let mut second = 1.0f32;
    if comptime!(plan.gated) {
        second = projected[place + plan.d_mlp];
    }
    let (activated, slope) = function(inner, plan.function);
    Parts {
        gate,
        activated,
        slope,
        up: second,
        gain,
    }
}

#[cube(launch_unchecked)]
fn activate_kernel(
    projected: &[f32],
    bias: ComptimeOption<&[f32]>,
    gains: ComptimeOption<&[f32]>,
    out: &mut [f32],
    sizes: Sizes,
    #[comptime] plan: Plan,
) {
    let place = element();
    if place < sizes.total as usize {
        let (token, column) = (place / plan.d_mlp, place % plan.d_mlp);
        let parts = parts(projected, &bias, &gains, token, column, &sizes, plan);
        let mut value = parts.activated * parts.up;
        if comptime!(plan.on == GainsOn::Activation) {
            value *= parts.gain;
        }
        out[place] = value;
    }
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn activate_backward_kernel(
    projected: &[f32],
    bias: ComptimeOption<&[f32]>,
    gains: ComptimeOption<&[f32]>,
    gradient: &[f32],
    out: &mut [f32],
    sizes: Sizes,
    #[comptime] plan: Plan,
) {
    let place = element();
    if place < sizes.total as usize {
        let (token, column) = (place / plan.d_mlp, place % plan.d_mlp);
        let parts = parts(projected, &bias, &gains, token, column, &sizes, plan);
        // The gain is a factor of both, wherever it stands: on the gate, or on the activation.
        let scaled = gradient[place] * parts.gain;
        let to = projected_place(token, column, plan);
        out[to] = scaled * parts.slope * parts.up;
        if comptime!(plan.gated) {
            let mut by_activated = gradient[place];
            if comptime!(plan.on == GainsOn::Activation) {
                by_activated = scaled;
            }
            out[to + plan.d_mlp] = by_activated * parts.activated;
        }
    }
}

#[cube(launch_unchecked)]
fn gains_backward_kernel(
    projected: &[f32],
    bias: ComptimeOption<&[f32]>,
    gains: ComptimeOption<&[f32]>,
    gradient: &[f32],
    out: &mut [f32],
    sizes: Sizes,
    #[comptime] plan: Plan,
) {
    let place = element();
    if place < sizes.total as usize {
        let (fork, column) = (place / plan.d_mlp, place % plan.d_mlp);
        let mut sum = 0.0f32;
        for position in 0..sizes.tail as usize {
            let token = fork * sizes.tail as usize + position;
            let parts = parts(projected, &bias, &gains, token, column, &sizes, plan);
            let mut by_gain = parts.activated * parts.up;
            if comptime!(plan.on == GainsOn::Gate) {
                by_gain = parts.slope * parts.gate * parts.up;
            }
            sum = fma(gradient[token * plan.d_mlp + column], by_gain, sum);
        }
        out[place] = sum;
    }
}
