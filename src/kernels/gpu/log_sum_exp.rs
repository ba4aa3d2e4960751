//! The logarithm of a row's sum of exponentials: one workgroup a row.

use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::norm::{largest, total};
use super::{
    UNITS, WIDE, contiguous, element, element_grid, empty, empty_like, last_dim, row, row_grid,
};

/// `log Σ exp` of every row: `[…, width]` gives `[…, 1]`.
pub(in crate::kernels) fn log_sum_exp(x: CubeTensor) -> CubeTensor {
    let (rows, width) = last_dim(&x);
    let mut shape: Vec<usize> = x.meta.shape().iter().copied().collect();
    if let Some(last) = shape.last_mut() {
        *last = 1;
    }
    let out = empty(&x, Shape::from(shape));
    let client = x.client.clone();
    // SAFETY: rows are clamped to their number in the kernel, columns to their width.
    unsafe {
        log_sum_exp_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            contiguous(x).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            rows as u32,
            width,
        );
    }
    out
}

/// The gradient by `x`: the gradient by the result times the softmax.
pub(in crate::kernels) fn log_sum_exp_backward(
    x: CubeTensor,
    result: CubeTensor,
    gradient: CubeTensor,
) -> CubeTensor {
    let (rows, width) = last_dim(&x);
    let out = empty_like(&x);
    let client = x.client.clone();
    // SAFETY: units beyond the total end at once.
    unsafe {
        backward_kernel::launch_unchecked(
            &client,
            element_grid(rows * width),
            CubeDim::new_1d(WIDE as u32),
            contiguous(x).into_buffer_arg(),
            contiguous(result).into_buffer_arg(),
            contiguous(gradient).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            (rows * width) as u32,
            width,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn log_sum_exp_kernel(x: &[f32], out: &mut [f32], rows: u32, #[comptime] width: usize) {
    let own = row(rows);
    let start = own * width;
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut most = f32::new(-1e30);
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            most = max(most, x[start + column]);
        }
    }
    let most = largest(most, &mut shared);
    let mut sum = 0.0f32;
    for step in 0..comptime!(width.div_ceil(UNITS)) {
        let column = step * UNITS + UNIT_POS as usize;
        if column < width {
            sum += (x[start + column] - most).exp();
        }
    }
    let sum = total(sum, &mut shared);
    if UNIT_POS == 0 {
        out[own] = most + sum.ln();
    }
}

#[cube(launch_unchecked)]
fn backward_kernel(
    x: &[f32],
    result: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    total: u32,
    #[comptime] width: usize,
) {
    let place = element();
    if place < total as usize {
        let row = place / width;
        out[place] = (x[place] - result[row]).exp() * gradient[row];
    }
}
