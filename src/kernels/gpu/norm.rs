//! Root-mean-square and layer norms over the last dimension: one workgroup a row.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{UNITS, at_most, contiguous, empty_like, last_dim, row, row_grid};

/// What a norm is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    width: usize,
    /// Rows that follow each other with weights of their own.
    heads: usize,
    /// Of those, the first ones, which are normed; the others stay as they are.
    normed: usize,
    /// Whether the mean is subtracted (layer norm).
    centred: bool,
}

impl Plan {
    fn new(width: usize, weight: &CubeTensor, heads: usize, centred: bool) -> Self {
        let normed = weight.meta.shape().num_elements() / width;
        Self {
            width,
            heads,
            normed,
            centred,
        }
    }
}

/// `(x − mean) / √(variance + eps) · weight + bias`, without the mean where it is not `centred`. Of every `heads` rows that
/// follow each other, as many are normed as `weight` and `bias` have rows.
pub(in crate::kernels) fn norm(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    heads: usize,
    centred: bool,
    eps: f32,
) -> CubeTensor {
    let out = empty_like(&x);
    let (rows, width) = last_dim(&x);
    if rows * width == 0 {
        return out;
    }
    let client = x.client.clone();
    let plan = Plan::new(width, &weight, heads, centred);
    // SAFETY: rows are clamped to their number in the kernel, columns to their width.
    unsafe {
        norm_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            contiguous(x).into_buffer_arg(),
            contiguous(weight).into_buffer_arg(),
            bias.map(|bias| contiguous(bias).into_buffer_arg()).into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            eps,
            plan,
        );
    }
    out
}

/// The gradient by `x`.
pub(in crate::kernels) fn norm_backward(
    x: CubeTensor,
    weight: CubeTensor,
    gradient: CubeTensor,
    heads: usize,
    centred: bool,
    eps: f32,
) -> CubeTensor {
    let out = empty_like(&x);
    let (rows, width) = last_dim(&x);
    if rows * width == 0 {
        return out;
    }
    let client = x.client.clone();
    let plan = Plan::new(width, &weight, heads, centred);
    // SAFETY: as above.
    unsafe {
        norm_backward_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            contiguous(x).into_buffer_arg(),
            contiguous(weight).into_buffer_arg(),
            contiguous(gradient).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            eps,
            plan,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn norm_kernel(
    x: &[f32],
    weight: &[f32],
    bias: ComptimeOption<&[f32]>,
    out: &mut [f32],
    rows: u32,
    eps: f32,
    #[comptime] plan: Plan,
) {
    let width = comptime!(plan.width);
    let row = row(rows);
    let (start, head) = (row * width, row % plan.heads);
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let (mean, scale) = moments(x, start, &mut shared, eps, plan);
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            let mut value = x[start + column];
            if head < plan.normed {
                value = (value - mean) * scale * weight[head * width + column];
                #[comptime]
                if let ComptimeOption::Some(bias) = bias {
                    value += bias[head * width + column];
                }
            }
            out[start + column] = value;
        }
    }
}

#[cube(launch_unchecked)]
fn norm_backward_kernel(
    x: &[f32],
    weight: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    rows: u32,
    eps: f32,
    #[comptime] plan: Plan,
) {
    let width = comptime!(plan.width);
    let row = row(rows);
    let (start, head) = (row * width, row % plan.heads);
    // The weights of a row that is not normed are not read for what comes of them.
    let at = at_most(head, comptime!(plan.normed - 1)) * width;
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let (mean, scale) = moments(x, start, &mut shared, eps, plan);
    // With y the normed x and g the gradient by it: dx = scale · (g − mean(g) − y · mean(g·y)).
    let mut sum = 0.0f32;
    let mut along = 0.0f32;
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            let by_normed = gradient[start + column] * weight[at + column];
            sum += by_normed;
            along += by_normed * (x[start + column] - mean) * scale;
        }
    }
    let along = total(along, &mut shared) / comptime!(width as f32);
    let mut offset = 0.0f32;
    if comptime!(plan.centred) {
        offset = total(sum, &mut shared) / comptime!(width as f32);
    }
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            let mut by_x = gradient[start + column];
            if head < plan.normed {
                let normed = (x[start + column] - mean) * scale;
                by_x = (by_x * weight[at + column] - offset - normed * along) * scale;
            }
            out[start + column] = by_x;
        }
    }
}

/// Mean (0 where it is not subtracted) and one over the deviation of a row.
#[cube]
fn moments(
    x: &[f32],
    start: usize,
    shared: &mut Shared<[f32]>,
    eps: f32,
    #[comptime] plan: Plan,
) -> (f32, f32) {
    let width = comptime!(plan.width);
    let mut mean = 0.0f32;
    if comptime!(plan.centred) {
        let mut sum = 0.0f32;
        for step in 0..comptime!(width.div_ceil(UNITS)) {
            let column = step * UNITS + UNIT_POS as usize;
            if column < width {
                sum += x[start + column];
            }
        }
        mean = total(sum, shared) / comptime!(width as f32);
    }
    let mut squares = 0.0f32;
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            let centred = x[start + column] - mean;
            squares += centred * centred;
        }
    }
    let variance = total(squares, shared) / comptime!(width as f32);
    (mean, 1.0f32 / (variance + eps).sqrt())
}

/// The sum over the units of a workgroup.
#[cube]
pub(in crate::kernels) fn total(value: f32, shared: &mut Shared<[f32]>) -> f32 {
    // Nobody still reads what an earlier sum left.
    sync_cube();
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut sum = 0.0f32;
    for unit in 0..UNITS {
        sum += shared[unit];
    }
    sum
}

/// The largest over the units of a workgroup.
#[cube]
pub(in crate::kernels) fn largest(value: f32, shared: &mut Shared<[f32]>) -> f32 {
    sync_cube();
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut most = shared[0];
    for unit in 1..UNITS {
        most = max(most, shared[unit]);
    }
    most
}
