//! The weighted values of every query.

use cubecl::prelude::*;

use super::{HIDDEN, Plan, Sizes, add_rows, load, query, score};
use crate::kernels::gpu::UNITS;
use crate::kernels::gpu::norm::{largest, total};

#[cube(launch_unchecked)]
pub(super) fn attend_kernel(
    heads: &[f32],
    prefix: ComptimeOption<&[f32]>,
    padding: ComptimeOption<&[f32]>,
    out: &mut [f32],
    sizes: Sizes,
    scale: f32,
    #[comptime] plan: Plan,
) {
    let query = query(&sizes, &padding, plan);
    let n_prefix = sizes.prefix as usize;
    let n_keys = n_prefix + query.position + 1;
    let mut row = Shared::<[f32]>::new_slice(plan.d_head);
    let mut weights = Shared::<[f32]>::new_slice(UNITS);
    load(&mut row, heads, query.place, plan);
    sync_cube();
    let per_unit = comptime!(plan.d_head.div_ceil(UNITS));
    let mut sums = Array::<f32>::new(per_unit);
    #[unroll]
    for e in 0..per_unit {
        sums[e] = 0.0f32;
    }
    let mut most = f32::new(HIDDEN);
    let mut mass = 0.0f32;
    for chunk in 0..n_keys.div_ceil(UNITS) {
        let first = chunk * UNITS;
        let index = first + UNIT_POS as usize;
        let score = score(&row, heads, &prefix, index, &query, &sizes, scale, plan);
        let new = max(most, largest(score, &mut weights));
        let mut weight = 0.0f32;
        if score > HIDDEN {
            weight = (score - new).exp();
        }
        let sum = total(weight, &mut weights);
        let kept = (most - new).exp();
        mass = mass * kept + sum;
        most = new;
        #[unroll]
        for e in 0..per_unit {
            sums[e] *= kept;
        }
        add_rows(
            &mut sums, &weights, heads, &prefix, first, &query, &sizes, true, plan,
        );
    }
    #[unroll]
    for e in 0..per_unit {
        let d = e * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            out[query.row * plan.d_head + d] = sums[e] / mass;
        }
    }
}
