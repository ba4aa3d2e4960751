//! The way back to keys and values.

use cubecl::prelude::*;

use super::{Plan, Sizes, first_seen, load, own_place, prefix_place, sees};
use crate::kernels::gpu::{UNITS, at_most, row};

/// The gradients by keys and values: of the prefix where that is given, of the tail where not.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn by_keys_kernel(
    heads: &[f32],
    prefix: ComptimeOption<&[f32]>,
    padding: ComptimeOption<&[f32]>,
    gradient: &[f32],
    statistics: &[f32],
    to: &mut [f32],
    sizes: Sizes,
    scale: f32,
    #[comptime] plan: Plan,
) {
    let group = comptime!(plan.heads / plan.kv_heads);
    let row = row(sizes.rows);
    let (kv_head, token) = (row % plan.kv_heads, row / plan.kv_heads);
    let tail = sizes.tail as usize;
    let n_prefix = sizes.prefix as usize;
    // The key: its position, the place in memory of the gradients by it and by its value, and the queries that may see it:
    // those of `n_forks` forks from `first_fork` on, from position `from` of their tail on.
    let mut position = n_prefix + token % tail;
    let mut first_fork = token / tail;
    let mut n_forks = 1usize;
    let mut from = token % tail;
    let mut key_place = own_place(token, plan.heads + kv_head, plan);
    let mut value_place = own_place(token, comptime!(plan.heads + plan.kv_heads) + kv_head, plan);
    let mut key = Shared::<[f32]>::new_slice(plan.d_head);
    let mut value = Shared::<[f32]>::new_slice(plan.d_head);
    #[comptime]
    match prefix {
        ComptimeOption::Some(prefix) => {
            position = token % n_prefix;
            let prompt = token / n_prefix;
            first_fork = prompt * sizes.forks as usize;
            n_forks = sizes.forks as usize;
            from = 0usize;
            let head = prefix_place(&sizes, prompt, position, kv_head);
            load(&mut key, prefix, head, plan);
            let head = prefix_place(&sizes, prompt, position, plan.kv_heads + kv_head);
            load(&mut value, prefix, head, plan);
            key_place = (token * comptime!(2 * plan.kv_heads) + kv_head) * plan.d_head;
            value_place = key_place + comptime!(plan.kv_heads * plan.d_head);
        }
        ComptimeOption::None => {
            load(&mut key, heads, key_place, plan);
            load(&mut value, heads, value_place, plan);
        }
    };
    let positions = tail - from;
    let n_queries = n_forks * group * positions;
    let mut weights = Shared::<[f32]>::new_slice(UNITS);
    let mut by_scores = Shared::<[f32]>::new_slice(UNITS);
    sync_cube();
    let per_unit = comptime!(plan.d_head.div_ceil(UNITS));
    let mut key_sums = Array::<f32>::new(per_unit);
    let mut value_sums = Array::<f32>::new(per_unit);
    #[unroll]
    for e in 0..per_unit {
        key_sums[e] = 0.0f32;
        value_sums[e] = 0.0f32;
    }
    for chunk in 0..n_queries.div_ceil(UNITS) {
        let first = chunk * UNITS;
        let index = first + UNIT_POS as usize;
        let mut weight = 0.0f32;
        let mut by_score = 0.0f32;
        if index < n_queries {
            let in_tail = from + index % positions;
            let query = query_row(index, positions, from, first_fork, kv_head, tail, plan);
            let at = n_prefix + in_tail;
            if position >= first_seen(&sizes, &padding, first_fork, at) && sees(at - position, plan)
            {
                let start = query * plan.d_head;
                let own = query_place(query, plan);
                let mut score = 0.0f32;
                let mut by_weight = 0.0f32;
                for d in 0..plan.d_head {
                    score = fma(heads[own + d], key[d], score);
                    by_weight = fma(gradient[start + d], value[d], by_weight);
                }
                weight = (score * scale - statistics[query * 2]).exp();
                by_score = weight * (by_weight - statistics[query * 2 + 1]) * scale;
            }
        }
        sync_cube();
        weights[UNIT_POS as usize] = weight;
        by_scores[UNIT_POS as usize] = by_score;
        sync_cube();
        let in_chunk = at_most(n_queries - first, UNITS);
        for other in 0..in_chunk {
            let query = query_row(
                first + other,
                positions,
                from,
                first_fork,
                kv_head,
                tail,
                plan,
            );
            let start = query * plan.d_head;
            let own = query_place(query, plan);
            #[unroll]
            for e in 0..per_unit {
                let d = e * UNITS + UNIT_POS as usize;
                if d < plan.d_head {
                    key_sums[e] = fma(by_scores[other], heads[own + d], key_sums[e]);
                    value_sums[e] = fma(weights[other], gradient[start + d], value_sums[e]);
                }
            }
        }
    }
    #[unroll]
    for e in 0..per_unit {
        let d = e * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            to[key_place + d] = key_sums[e];
            to[value_place + d] = value_sums[e];
        }
    }
}

/// Where a query lies, by its place among all queries.
#[cube]
fn query_place(row: usize, #[comptime] plan: Plan) -> usize {
    own_place(row / plan.heads, row % plan.heads, plan)
}

/// The place among all queries of query `index` of a key: positions run fastest, then heads, then forks.
#[cube]
fn query_row(
    index: usize,
    positions: usize,
    from: usize,
    first_fork: usize,
    kv_head: usize,
    tail: usize,
    #[comptime] plan: Plan,
) -> usize {
    let group = comptime!(plan.heads / plan.kv_heads);
    let head = kv_head * group + index / positions % group;
    let fork = first_fork + index / positions / group;
    (fork * tail + from + index % positions) * plan.heads + head
}
