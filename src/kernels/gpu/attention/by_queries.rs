//! The way back to the queries.

use cubecl::prelude::*;

use super::{HIDDEN, Plan, Sizes, add_rows, dot, load, place, query, score};
use crate::kernels::gpu::UNITS;
use crate::kernels::gpu::norm::{largest, total};

/// The gradient by the queries, and for every query the log of its sum of exponentials and the product of its output
/// with the output's gradient.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn by_queries_kernel(
    heads: &[f32],
    prefix: ComptimeOption<&[f32]>,
    padding: ComptimeOption<&[f32]>,
    out: &[f32],
    gradient: &[f32],
    by_heads: &mut [f32],
    statistics: &mut [f32],
    sizes: Sizes,
    scale: f32,
    #[comptime] plan: Plan,
) {
    let query = query(&sizes, &padding, plan);
    let n_prefix = sizes.prefix as usize;
    let n_keys = n_prefix + query.position + 1;
    let start = query.row * plan.d_head;
    let mut row = Shared::<[f32]>::new_slice(plan.d_head);
    let mut by_out = Shared::<[f32]>::new_slice(plan.d_head);
    let mut weights = Shared::<[f32]>::new_slice(UNITS);
    load(&mut row, heads, query.place, plan);
    load(&mut by_out, gradient, start, plan);
    sync_cube();
    let mut most = f32::new(HIDDEN);
    let mut mass = 0.0f32;
    for chunk in 0..n_keys.div_ceil(UNITS) {
        let index = chunk * UNITS + UNIT_POS as usize;
        let score = score(&row, heads, &prefix, index, &query, &sizes, scale, plan);
        let new = max(most, largest(score, &mut weights));
        let mut weight = 0.0f32;
        if score > HIDDEN {
            weight = (score - new).exp();
        }
        mass = mass * (most - new).exp() + total(weight, &mut weights);
        most = new;
    }
    let log_sum = most + mass.ln();
    let mut along = 0.0f32;
    for step in 0..comptime!(plan.d_head.div_ceil(UNITS)) {
        let d = step * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            along = fma(out[start + d], by_out[d], along);
        }
    }
    let along = total(along, &mut weights);
    if UNIT_POS == 0 {
        statistics[query.row * 2] = log_sum;
        statistics[query.row * 2 + 1] = along;
    }
    let per_unit = comptime!(plan.d_head.div_ceil(UNITS));
    let mut sums = Array::<f32>::new(per_unit);
    #[unroll]
    for e in 0..per_unit {
        sums[e] = 0.0f32;
    }
    for chunk in 0..n_keys.div_ceil(UNITS) {
        let first = chunk * UNITS;
        let index = first + UNIT_POS as usize;
        let score = score(&row, heads, &prefix, index, &query, &sizes, scale, plan);
        let mut by_score = 0.0f32;
        if score > HIDDEN {
            let value = place(&sizes, &query, index, true, plan);
            let by_weight = dot(&by_out, heads, &prefix, index < n_prefix, value, plan);
            by_score = (score - log_sum).exp() * (by_weight - along) * scale;
        }
        sync_cube();
        weights[UNIT_POS as usize] = by_score;
        sync_cube();
        add_rows(
            &mut sums, &weights, heads, &prefix, first, &query, &sizes, false, plan,
        );
    }
    #[unroll]
    for e in 0..per_unit {
        let d = e * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            by_heads[query.place + d] = sums[e];
        }
    }
}
