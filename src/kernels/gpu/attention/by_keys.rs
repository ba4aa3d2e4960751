//! The way back to keys and values.

use cubecl::prelude::*;

use super::{Plan, Sizes, first_seen, load, sees};
use crate::kernels::gpu::{UNITS, at_most, row};

/// The gradients by keys and values: of the tail, or of the prefix.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub(super) fn by_keys_kernel(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    padding: ComptimeOption<&[f32]>,
    gradient: &[f32],
    statistics: &[f32],
    by_k: &mut [f32],
    by_v: &mut [f32],
    sizes: Sizes,
    scale: f32,
    #[comptime] of_prefix: bool,
    #[comptime] plan: Plan,
) {
    let group = comptime!(plan.heads / plan.kv_heads);
    let own = row(sizes.rows);
    let tail = sizes.tail as usize;
    let n_prefix = sizes.prefix as usize;
    // The key: its head, its place in memory, its position, and the queries that may see it: those of `n_forks` forks
    // from `first_fork` on, from position `from` of their tail on.
    let mut kv_head = own % plan.kv_heads;
    let token = own / plan.kv_heads;
    let mut place = own * plan.d_head;
    let mut position = n_prefix + token % tail;
    let mut first_fork = token / tail;
    let mut n_forks = 1usize;
    let mut from = token % tail;
    if of_prefix {
        position = own % n_prefix;
        kv_head = own / n_prefix % plan.kv_heads;
        let prompt = own / n_prefix / plan.kv_heads;
        place = prompt * sizes.by_prompt as usize
            + position * sizes.by_position as usize
            + kv_head * sizes.by_head as usize;
        first_fork = prompt * sizes.forks as usize;
        n_forks = sizes.forks as usize;
        from = 0usize;
    }
    let positions = tail - from;
    let n_queries = n_forks * group * positions;
    let mut key = Shared::<[f32]>::new_slice(plan.d_head);
    let mut value = Shared::<[f32]>::new_slice(plan.d_head);
    let mut weights = Shared::<[f32]>::new_slice(UNITS);
    let mut by_scores = Shared::<[f32]>::new_slice(UNITS);
    load(&mut key, k, place, plan);
    load(&mut value, v, place, plan);
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
                let mut score = 0.0f32;
                let mut by_weight = 0.0f32;
                for d in 0..plan.d_head {
                    score = fma(q[start + d], key[d], score);
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
            #[unroll]
            for e in 0..per_unit {
                let d = e * UNITS + UNIT_POS as usize;
                if d < plan.d_head {
                    key_sums[e] = fma(by_scores[other], q[start + d], key_sums[e]);
                    value_sums[e] = fma(weights[other], gradient[start + d], value_sums[e]);
                }
            }
        }
    }
    #[unroll]
    for e in 0..per_unit {
        let d = e * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            by_k[own * plan.d_head + d] = key_sums[e];
            by_v[own * plan.d_head + d] = value_sums[e];
        }
    }
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
