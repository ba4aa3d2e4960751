//! The rotary embedding of positions: one unit a number.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{WIDE, contiguous, element, element_grid, empty_like};

/// What a rotation is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    heads: usize,
    /// Heads that are rotated, the first ones; the others stay as they are.
    rotated: usize,
    d_head: usize,
    /// Dimensions of a head that are rotated, the first ones.
    dimensions: usize,
    /// Whether it turns back.
    back: bool,
}

/// Rotates heads in the half-split layout of transformers' `rotate_half`: dimension `i` is paired with
/// `i + dimensions / 2`.
///
/// # Shapes
/// - `x`: `[forks, tail, heads, d_head]`
/// - `cos`, `sin`: `[1, tail, 1, dimensions]`
pub(in crate::kernels) fn rotate(
    x: CubeTensor,
    cos: CubeTensor,
    sin: CubeTensor,
    rotated: usize,
    back: bool,
) -> CubeTensor {
    let [_, tail, heads, d_head] = x.meta.shape().dims();
    let [_, _, _, dimensions] = cos.meta.shape().dims();
    let total = x.meta.shape().num_elements();
    let out = empty_like(&x);
    if total == 0 {
        return out;
    }
    let client = x.client.clone();
    // SAFETY: units beyond `total` end at once; a position is below `tail`, a pair within its head.
    unsafe {
        rotate_kernel::launch_unchecked(
            &client,
            element_grid(total),
            CubeDim::new_1d(WIDE as u32),
            contiguous(x).into_buffer_arg(),
            contiguous(cos).into_buffer_arg(),
            contiguous(sin).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            total as u32,
            tail as u32,
            Plan {
                heads,
                rotated,
                d_head,
                dimensions,
                back,
            },
        );
    }
    out
}

#[cube(launch_unchecked)]
fn rotate_kernel(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    out: &mut [f32],
    total: u32,
    tail: u32,
    #[comptime] plan: Plan,
) {
    let place = element();
    if place < total as usize {
        let (d_head, dimensions) = comptime!((plan.d_head, plan.dimensions));
        let half = comptime!(dimensions / 2);
        let d = place % d_head;
        let head = place / d_head % plan.heads;
        let position = place / comptime!(d_head * plan.heads) % tail as usize;
        let mut value = x[place];
        if d < dimensions && head < plan.rotated {
            let table = position * dimensions + d;
            let first = d < half;
            let pair = if first {
                0.0f32 - x[place + half]
            } else {
                x[place - half]
            };
            if comptime!(plan.back) {
                // What this number was turned into stands in the other half.
                let other = if first { table + half } else { table - half };
                value = value * cos[table] - pair * sin[other];
            } else {
                value = value * cos[table] + pair * sin[table];
            }
        }
        out[place] = value;
    }
}
