//! The kernels for a GPU, as CubeCL: each operation and its gradient.
//!
//! Two rules hold in all of them, because a browser is where they run. A private array is indexed by constants only. A
//! barrier stands where every unit of a workgroup comes by: what it depends on is the place of the workgroup or a
//! constant, so units beyond an edge repeat the last row instead of ending early.

mod activation;
mod attention;
mod log_sum_exp;
mod norm;
mod normaliser;
mod product;
mod rotation;
pub(super) mod table;
mod weights;

use burn::tensor::Shape;
use burn_cubecl::kernel::into_contiguous as contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

pub(super) use activation::{activate, activate_backward, gains_backward};
pub(super) use attention::{attend, attend_backward};
pub(super) use log_sum_exp::{log_sum_exp, log_sum_exp_backward};
pub(super) use norm::{norm, norm_backward};
pub(super) use product::product;
pub(super) use rotation::rotate;

/// Units of a workgroup that works on a row or a tile.
const UNITS: usize = 64;
/// Units of a workgroup that works on single numbers.
const WIDE: usize = 256;
/// Most workgroups along a dimension, by WebGPU's default limits.
const MOST_GROUPS: usize = 65_535;

/// A tensor of another shape beside `like`.
fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, like.dtype)
}

fn empty_like(like: &CubeTensor) -> CubeTensor {
    empty(like, like.meta.shape().clone())
}

/// Number of rows, and their width.
fn last_dim(x: &CubeTensor) -> (usize, usize) {
    let shape = x.meta.shape();
    let width = shape.iter().last().copied().unwrap_or(1);
    (shape.num_elements() / width.max(1), width)
}

/// Workgroups across and down.
fn grid(across: usize, down: usize) -> CubeCount {
    CubeCount::Static(across as u32, down as u32, 1)
}

/// A workgroup for each row, in as many lines as the limit asks for.
fn row_grid(rows: usize) -> CubeCount {
    let across = rows.min(MOST_GROUPS);
    grid(across, rows.div_ceil(across))
}

/// A unit for each of `total` numbers.
fn element_grid(total: usize) -> CubeCount {
    row_grid(total.div_ceil(WIDE))
}

/// The row of a workgroup of [`row_grid`]; those beyond the last one repeat it.
#[cube]
fn row(rows: u32) -> usize {
    let own = CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
    at_most(own, rows as usize - 1)
}

#[cube]
fn at_most(value: usize, limit: usize) -> usize {
    if value < limit { value } else { limit }
}

/// The number of a unit of [`element_grid`].
#[cube]
fn element() -> usize {
    (CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize) * WIDE + UNIT_POS as usize
}

/// By an exponential that cannot overflow.
#[cube]
fn tanh(x: f32) -> f32 {
    1.0f32 - 2.0f32 / ((2.0f32 * clamp(x, -15.0f32, 15.0f32)).exp() + 1.0f32)
}
