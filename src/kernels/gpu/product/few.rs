//! Products of a few rows: the weights are read once for each row, and the units of a workgroup divide the sums.

use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::super::weights::Matrix;
use super::super::{at_most, empty, grid};
use super::Factor;
use super::quad::{QUAD, quad_of_row, quad_of_weights, within};

/// Most rows that are few.
pub(super) const FEW: usize = 4;

/// Units of a workgroup.
const UNITS: usize = 128;

/// Vectors that a unit reads before it uses the first of them.
const AHEAD: usize = 2;

/// What such a product is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    factor: Factor,
    /// Units that divide a sum.
    slices: usize,
}

impl Plan {
    fn new(factor: Factor) -> Self {
        let slices = match (factor.transposed, factor.depth) {
            (true, ..1024) => 8,
            _ => 16,
        };
        Self { factor, slices }
    }

    /// Outputs of a unit.
    fn outputs(self) -> usize {
        if self.factor.transposed { 1 } else { QUAD }
    }

    /// Steps of the sums that a unit takes at once.
    fn steps(self) -> usize {
        if self.factor.transposed { QUAD } else { 1 }
    }

    /// Outputs of a workgroup.
    fn columns(self) -> usize {
        UNITS / self.slices * self.outputs()
    }

    /// Steps of the sums that the slices take together, a few times each.
    fn stride(self) -> usize {
        self.slices * self.steps() * AHEAD
    }
}

/// `x · W + bias + residual` of at most [`FEW`] rows.
pub(super) fn product(
    x: CubeTensor,
    weight: Matrix,
    bias: Option<CubeTensor>,
    residual: Option<CubeTensor>,
    factor: Factor,
) -> CubeTensor {
    let [rows, _] = x.meta.shape().dims();
    let out = empty(&x, Shape::new([rows, factor.columns]));
    let plan = Plan::new(factor);
    let element = weight.element();
    let [of_x, of_weight] = factor.vectors();
    let client = x.client.clone();
    // SAFETY: every index is below the length of its buffer, by the shapes and the guards in the kernel.
    unsafe {
        product_of_few_kernel::launch_unchecked(
            &client,
            grid(factor.columns.div_ceil(plan.columns()), rows),
            CubeDim::new_1d(UNITS as u32),
            if factor.transposed { of_x } else { 1 },
            of_weight,
            x.into_buffer_arg(),
            weight.values.into_buffer_arg(),
            weight.scales.map(CubeTensor::into_buffer_arg).into(),
            bias.map(CubeTensor::into_buffer_arg).into(),
            residual.map(CubeTensor::into_buffer_arg).into(),
            out.clone().into_buffer_arg(),
            plan,
            element,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn product_of_few_kernel<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<W, Held>],
    scales: ComptimeOption<&[f32]>,
    bias: ComptimeOption<&[f32]>,
    residual: ComptimeOption<&[f32]>,
    out: &mut [f32],
    #[comptime] plan: Plan,
    #[define(W)] _element: ElemType,
) {
    let factor = comptime!(plan.factor);
    let (depth, columns) = comptime!((factor.depth, factor.columns));
    let (outputs, slices) = comptime!((plan.outputs(), plan.slices));
    let lanes = comptime!(UNITS / slices);
    let unit = UNIT_POS as usize;
    // Units beside each other read what lies beside each other.
    let (lane, slice) = if comptime!(factor.transposed) {
        (unit / slices, unit % slices)
    } else {
        (unit % lanes, unit / lanes)
    };
    let row = CUBE_POS_Y as usize;
    let column = (CUBE_POS_X as usize * lanes + lane) * outputs;
    let mut sums = Array::<f32>::new(outputs);
    #[unroll]
    for e in 0..outputs {
        sums[e] = 0.0f32;
    }
    for round in 0..comptime!(depth.div_ceil(plan.stride())) {
        #[unroll]
        for ahead in 0..AHEAD {
            let step = (round * comptime!(AHEAD * slices) + comptime!(ahead * slices) + slice)
                * comptime!(plan.steps());
            // The last round may reach beyond the end.
            let weights = quad_of_weights(weight, &scales, step, column, factor);
            if comptime!(factor.transposed) {
                let numbers = quad_of_row(x, row * depth, step, factor, true);
                #[unroll]
                for e in 0..QUAD {
                    sums[0usize] = fma(numbers.extract(e), weights.extract(e), sums[0usize]);
                }
            } else {
                let at = at_most(step, comptime!(depth - 1));
                let number = within(x[row * depth + at].extract(0usize), step, depth, true);
                #[unroll]
                for e in 0..QUAD {
                    sums[e] = fma(number, weights.extract(e), sums[e]);
                }
            }
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime!(UNITS * outputs));
    #[unroll]
    for e in 0..outputs {
        shared[comptime!(e * UNITS) + unit] = sums[e];
    }
    sync_cube();
    // From here on, a unit for each output of the workgroup.
    let own = unit;
    let at = CUBE_POS_X as usize * comptime!(plan.columns()) + own;
    if own < comptime!(plan.columns()) && at < columns {
        let lane = own / outputs;
        let first = own % outputs * UNITS
            + if comptime!(factor.transposed) {
                lane * slices
            } else {
                lane
            };
        let mut sum = 0.0f32;
        #[unroll]
        for other in 0..slices {
            sum += shared[first
                + comptime!(if factor.transposed {
                    other
                } else {
                    other * lanes
                })];
        }
        let place = row * columns + at;
        #[comptime]
        if let ComptimeOption::Some(bias) = bias {
            sum += bias[at];
        }
        #[comptime]
        if let ComptimeOption::Some(residual) = residual {
            sum += residual[place];
        }
        out[place] = sum;
    }
}
