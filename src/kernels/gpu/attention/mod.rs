//! Grouped-query attention of a run's tail over the prefix that it left from and, causally, over its own tokens.
//!
//! Forward, a workgroup has one query: its units take a key each, then a dimension of the output each, and go on to the
//! next [`UNITS`] keys with a running maximum (Milakov and Gimelshein, 2018), so the scores are never in memory. Backward,
//! the same is done for each query, which leaves the log of its sum of exponentials, and then for each key over its
//! queries (Dao et al., 2022).

mod by_keys;
mod by_queries;
mod forward;

use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{UNITS, at_most, contiguous, empty, empty_like, row, row_grid};
use crate::kernels::AttentionShape;
use by_keys::by_keys_kernel;
use by_queries::by_queries_kernel;
use forward::attend_kernel;

/// What attention is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    heads: usize,
    kv_heads: usize,
    d_head: usize,
    /// Positions that a query looks back on, its own among them; all where there is no window.
    window: Option<usize>,
}

/// The sizes of one call.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Sizes {
    /// Workgroups that have work.
    rows: u32,
    /// Forks of a prompt.
    forks: u32,
    /// Positions of a fork.
    tail: u32,
    /// Positions of the prefix.
    prefix: u32,
    /// Prompts whose padding is given; those of further forks are the same again.
    padded: u32,
    /// Numbers from prompt to prompt, from position to position and from head to head of the prefix.
    by_prompt: u32,
    by_position: u32,
    by_head: u32,
}

/// A score that does not count.
const HIDDEN: f32 = -1e30;

/// Keys and values of the prefix, `[prompts, kv_heads, positions, d_head]`, as they lie in memory.
struct Prefix {
    keys: CubeTensor,
    values: CubeTensor,
    /// Numbers from prompt to prompt, from head to head and from position to position.
    strides: [usize; 3],
}

impl Prefix {
    /// Copies them where keys and values lie differently, or a head's numbers are apart.
    fn new((keys, values): (CubeTensor, CubeTensor)) -> Self {
        let lies = |x: &CubeTensor| {
            let strides = x.meta.strides();
            (strides[3] == 1).then(|| [strides[0], strides[1], strides[2]])
        };
        match lies(&keys) {
            Some(strides) if lies(&values) == Some(strides) => Self {
                keys,
                values,
                strides,
            },
            _ => {
                let keys = contiguous(keys);
                let [_, heads, positions, d_head] = keys.meta.shape().dims();
                Self {
                    keys,
                    values: contiguous(values),
                    strides: [heads * positions * d_head, positions * d_head, d_head],
                }
            }
        }
    }
}

/// Everything that the kernels of one call share.
struct Call {
    plan: Plan,
    prefix: Option<Prefix>,
    padding: Option<CubeTensor>,
    prompts: usize,
    forks: usize,
    tail: usize,
    n_prefix: usize,
}

impl Call {
    fn new(
        q: &CubeTensor,
        k: &CubeTensor,
        prefix: Option<(CubeTensor, CubeTensor)>,
        padding: Option<CubeTensor>,
        shape: AttentionShape,
    ) -> Self {
        let [all_forks, tail, heads, d_head] = q.meta.shape().dims();
        let [_, _, kv_heads, _] = k.meta.shape().dims();
        Self {
            plan: Plan {
                heads,
                kv_heads,
                d_head,
                window: shape.window,
            },
            n_prefix: prefix.as_ref().map_or(0, |(keys, _)| keys.meta.shape()[2]),
            prefix: prefix.map(Prefix::new),
            padding: padding.map(contiguous),
            prompts: all_forks / shape.forks.max(1),
            forks: shape.forks,
            tail,
        }
    }

    fn sizes(&self, rows: usize) -> SizesLaunch {
        let strides = self.prefix.as_ref().map_or([0; 3], |prefix| prefix.strides);
        self.sizes_with(rows, strides)
    }

    fn sizes_with(&self, rows: usize, strides: [usize; 3]) -> SizesLaunch {
        let [by_prompt, by_head, by_position] = strides;
        SizesLaunch::new(
            rows as u32,
            self.forks as u32,
            self.tail as u32,
            self.n_prefix as u32,
            self.padding
                .as_ref()
                .map_or(1, |padding| padding.meta.shape()[0]) as u32,
            by_prompt as u32,
            by_position as u32,
            by_head as u32,
        )
    }

    fn keys(&self) -> Option<BufferArg> {
        let prefix = self.prefix.as_ref()?;
        Some(prefix.keys.clone().into_buffer_arg())
    }

    fn values(&self) -> Option<BufferArg> {
        let prefix = self.prefix.as_ref()?;
        Some(prefix.values.clone().into_buffer_arg())
    }

    fn padding(&self) -> Option<BufferArg> {
        let padding = self.padding.clone()?;
        Some(padding.into_buffer_arg())
    }

    /// Queries of all forks.
    fn queries(&self) -> usize {
        self.prompts * self.forks * self.tail * self.plan.heads
    }
}

/// The weighted values of every query, `[forks, tail, heads, d_head]`.
pub(in crate::kernels) fn attend(
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    prefix: Option<(CubeTensor, CubeTensor)>,
    padding: Option<CubeTensor>,
    shape: AttentionShape,
) -> CubeTensor {
    let call = Call::new(&q, &k, prefix, padding, shape);
    let out = empty_like(&q);
    let rows = call.queries();
    let client = q.client.clone();
    // SAFETY: a query is below `rows`, its keys are those of its own prompt and fork.
    unsafe {
        attend_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            contiguous(q).into_buffer_arg(),
            contiguous(k).into_buffer_arg(),
            contiguous(v).into_buffer_arg(),
            call.keys().into(),
            call.values().into(),
            call.padding().into(),
            out.clone().into_buffer_arg(),
            call.sizes(rows),
            shape.scale,
            call.plan,
        );
    }
    out
}

/// What the gradient goes back to.
pub(in crate::kernels) struct Gradients {
    pub(in crate::kernels) q: CubeTensor,
    pub(in crate::kernels) k: CubeTensor,
    pub(in crate::kernels) v: CubeTensor,
    /// Of the prefix's keys and values, where they are asked for.
    pub(in crate::kernels) prefix: Option<(CubeTensor, CubeTensor)>,
}

/// The gradients by queries, keys and values, and by the prefix where `with_prefix`.
#[allow(clippy::too_many_arguments)]
pub(in crate::kernels) fn attend_backward(
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    prefix: Option<(CubeTensor, CubeTensor)>,
    padding: Option<CubeTensor>,
    out: CubeTensor,
    gradient: CubeTensor,
    shape: AttentionShape,
    with_prefix: bool,
) -> Gradients {
    let [q, k, v, out, gradient] = [q, k, v, out, gradient].map(contiguous);
    let call = Call::new(&q, &k, prefix, padding, shape);
    let rows = call.queries();
    let client = q.client.clone();
    let by_q = empty_like(&q);
    let statistics = empty(&q, Shape::new([rows, 2]));
    // SAFETY: as above.
    unsafe {
        by_queries_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            q.clone().into_buffer_arg(),
            k.clone().into_buffer_arg(),
            v.clone().into_buffer_arg(),
            call.keys().into(),
            call.values().into(),
            call.padding().into(),
            out.into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            by_q.clone().into_buffer_arg(),
            statistics.clone().into_buffer_arg(),
            call.sizes(rows),
            shape.scale,
            call.plan,
        );
    }
    let by_keys = |keys: CubeTensor, values: CubeTensor, strides: [usize; 3], of_prefix: bool| {
        let (kv_heads, d_head) = (call.plan.kv_heads, call.plan.d_head);
        let rows = match of_prefix {
            true => call.prompts * kv_heads * call.n_prefix,
            false => call.prompts * call.forks * call.tail * kv_heads,
        };
        let shape_of = match of_prefix {
            true => Shape::new([call.prompts, kv_heads, call.n_prefix, d_head]),
            false => k.meta.shape().clone(),
        };
        let (by_k, by_v) = (empty(&q, shape_of.clone()), empty(&q, shape_of));
        // SAFETY: a key is below `rows`, its queries are those of its own prompt or fork.
        unsafe {
            by_keys_kernel::launch_unchecked(
                &client,
                row_grid(rows),
                CubeDim::new_1d(UNITS as u32),
                q.clone().into_buffer_arg(),
                keys.into_buffer_arg(),
                values.into_buffer_arg(),
                call.padding().into(),
                gradient.clone().into_buffer_arg(),
                statistics.clone().into_buffer_arg(),
                by_k.clone().into_buffer_arg(),
                by_v.clone().into_buffer_arg(),
                call.sizes_with(rows, strides),
                shape.scale,
                of_prefix,
                call.plan,
            );
        }
        (by_k, by_v)
    };
    let (by_k, by_v) = by_keys(k.clone(), v.clone(), [0; 3], false);
    let of_prefix = call.prefix.as_ref().filter(|_| with_prefix).map(|prefix| {
        let (keys, values) = (prefix.keys.clone(), prefix.values.clone());
        by_keys(keys, values, prefix.strides, true)
    });
    Gradients {
        q: by_q,
        k: by_k,
        v: by_v,
        prefix: of_prefix,
    }
}

/// The query of a workgroup.
#[derive(CubeType, Clone, Copy)]
struct Query {
    /// Its place among all queries.
    row: usize,
    fork: usize,
    /// Its position in the tail.
    position: usize,
    /// The first key that it sees.
    first: usize,
    kv_head: usize,
}

#[cube]
fn query(sizes: &Sizes, padding: &ComptimeOption<&[f32]>, #[comptime] plan: Plan) -> Query {
    let row = row(sizes.rows);
    let token = row / plan.heads;
    let fork = token / sizes.tail as usize;
    let position = token % sizes.tail as usize;
    Query {
        row,
        fork,
        position,
        first: first_seen(sizes, padding, fork, sizes.prefix as usize + position),
        kv_head: row % plan.heads / comptime!(plan.heads / plan.kv_heads),
    }
}

/// Where key `index` of a query lies, in the prefix's memory or in the tail's.
#[cube]
fn place(sizes: &Sizes, query: &Query, index: usize, #[comptime] plan: Plan) -> usize {
    let n_prefix = sizes.prefix as usize;
    if index < n_prefix {
        query.fork / sizes.forks as usize * sizes.by_prompt as usize
            + index * sizes.by_position as usize
            + query.kv_head * sizes.by_head as usize
    } else {
        ((query.fork * sizes.tail as usize + index - n_prefix) * plan.kv_heads + query.kv_head)
            * plan.d_head
    }
}

/// The first key that a fork's query at some position sees: nothing before its prompt, and in the padding itself alone.
#[cube]
fn first_seen(
    sizes: &Sizes,
    padding: &ComptimeOption<&[f32]>,
    fork: usize,
    position: usize,
) -> usize {
    #[comptime]
    match padding {
        ComptimeOption::Some(padding) => {
            let prompt = fork / sizes.forks as usize % sizes.padded as usize;
            at_most(usize::cast_from(padding[prompt]), position)
        }
        ComptimeOption::None => 0usize.runtime(),
    }
}

/// Whether a key that lies `back` positions behind a query is seen by it.
#[cube]
fn sees(back: usize, #[comptime] plan: Plan) -> bool {
    match comptime!(plan.window) {
        Option::Some(window) => back < window,
        Option::None => true,
    }
}

/// A number of a row of the prefix or of the tail.
#[cube]
fn number(own: &[f32], prefix: &ComptimeOption<&[f32]>, in_prefix: bool, place: usize) -> f32 {
    #[comptime]
    match prefix {
        ComptimeOption::Some(prefix) => {
            if in_prefix {
                prefix[place]
            } else {
                own[place]
            }
        }
        ComptimeOption::None => own[place],
    }
}

/// The product of a row at hand with one in memory.
#[cube]
fn dot(
    left: &Shared<[f32]>,
    own: &[f32],
    prefix: &ComptimeOption<&[f32]>,
    in_prefix: bool,
    place: usize,
    #[comptime] plan: Plan,
) -> f32 {
    let mut sum = 0.0f32;
    #[comptime]
    match prefix {
        ComptimeOption::Some(prefix) => {
            if in_prefix {
                for d in 0..plan.d_head {
                    sum = fma(left[d], prefix[place + d], sum);
                }
            } else {
                for d in 0..plan.d_head {
                    sum = fma(left[d], own[place + d], sum);
                }
            }
        }
        ComptimeOption::None => {
            for d in 0..plan.d_head {
                sum = fma(left[d], own[place + d], sum);
            }
        }
    };
    sum
}

/// Brings a row of a head to all units of the workgroup.
#[cube]
fn load(to: &mut Shared<[f32]>, from: &[f32], place: usize, #[comptime] plan: Plan) {
    for step in 0..comptime!(plan.d_head.div_ceil(UNITS)) {
        let d = step * UNITS + UNIT_POS as usize;
        if d < plan.d_head {
            to[d] = from[place + d];
        }
    }
}

/// The score of a query, its row at hand, with its key `index`; [`HIDDEN`] where there is none or it is not seen.
#[cube]
#[allow(clippy::too_many_arguments)]
fn score(
    row: &Shared<[f32]>,
    k: &[f32],
    prefix_k: &ComptimeOption<&[f32]>,
    index: usize,
    query: &Query,
    sizes: &Sizes,
    scale: f32,
    #[comptime] plan: Plan,
) -> f32 {
    let n_prefix = sizes.prefix as usize;
    let back = n_prefix + query.position - index;
    let mut score = f32::new(HIDDEN);
    if index >= query.first && index <= n_prefix + query.position && sees(back, plan) {
        let key = place(sizes, query, index, plan);
        score = dot(row, k, prefix_k, index < n_prefix, key, plan) * scale;
    }
    score
}

/// Adds to a unit's dimensions the rows of a chunk of keys or values, from key `first` of a query on, each by its weight.
#[cube]
#[allow(clippy::too_many_arguments)]
fn add_rows(
    sums: &mut Array<f32>,
    weights: &Shared<[f32]>,
    own: &[f32],
    prefix: &ComptimeOption<&[f32]>,
    first: usize,
    query: &Query,
    sizes: &Sizes,
    #[comptime] plan: Plan,
) {
    let n_prefix = sizes.prefix as usize;
    let n_keys = n_prefix + query.position + 1;
    for other in 0..at_most(n_keys - first, UNITS) {
        let row = place(sizes, query, first + other, plan);
        let weight = weights[other];
        #[unroll]
        for e in 0..comptime!(plan.d_head.div_ceil(UNITS)) {
            let d = e * UNITS + UNIT_POS as usize;
            if d < plan.d_head {
                let number = number(own, prefix, first + other < n_prefix, row + d);
                sums[e] = fma(weight, number, sums[e]);
            }
        }
    }
}
