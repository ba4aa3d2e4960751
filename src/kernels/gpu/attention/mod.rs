//! Grouped-query attention of a run's tail over the prefix that it left from and, causally, over its own tokens.
//!
//! A token's heads lie together: its queries, its keys, its values. The prefix has keys and values alone.
//!
//! Forward, a workgroup has one query: its units take a key each, then a dimension of the output each, and go on to the
//! next [`UNITS`] keys with a running maximum (Milakov and Gimelshein, 2018), so the scores are never in memory. Backward,
//! the same is done for each query, which leaves the log of its sum of exponentials, and then for each key over its
//! queries (Dao et al., 2022).

mod by_keys;
mod by_queries;
mod forward;

use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{UNITS, at_most, contiguous, empty, empty_like, row, row_grid};
use crate::kernels::AttentionShape;
use crate::kernels::backward::Attended;
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

/// Keys and values of the prefix, `[prompts, positions, 2 · kv_heads, d_head]`, as they lie in memory.
struct Prefix {
    heads: CubeTensor,
    positions: usize,
    /// Numbers from prompt to prompt, from position to position and from head to head.
    strides: [usize; 3],
}

impl Prefix {
    /// Copies them where a head's numbers are apart.
    fn new(heads: CubeTensor) -> Self {
        let heads = match heads.meta.strides()[3] {
            1 => heads,
            _ => contiguous(heads),
        };
        let strides = heads.meta.strides();
        Self {
            strides: [strides[0], strides[1], strides[2]],
            positions: heads.meta.shape()[1],
            heads,
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
}

impl Call {
    fn new(
        heads: &CubeTensor,
        prefix: Option<CubeTensor>,
        padding: Option<CubeTensor>,
        shape: AttentionShape,
    ) -> Self {
        let [all_forks, tail, _, d_head] = heads.meta.shape().dims();
        Self {
            plan: Plan {
                heads: shape.heads,
                kv_heads: shape.kv_heads,
                d_head,
                window: shape.window,
            },
            prefix: prefix.map(Prefix::new),
            padding: padding.map(contiguous),
            prompts: all_forks / shape.forks.max(1),
            forks: shape.forks,
            tail,
        }
    }

    fn sizes(&self, rows: usize) -> SizesLaunch {
        let (positions, strides) = match &self.prefix {
            Some(prefix) => (prefix.positions, prefix.strides),
            None => (0, [0; 3]),
        };
        let padded = self.padding.as_ref().map_or(1, |x| x.meta.shape()[0]);
        let [by_prompt, by_position, by_head] = strides;
        SizesLaunch::new(
            rows as u32,
            self.forks as u32,
            self.tail as u32,
            positions as u32,
            padded as u32,
            by_prompt as u32,
            by_position as u32,
            by_head as u32,
        )
    }

    fn prefix(&self) -> Option<BufferArg> {
        let prefix = self.prefix.as_ref()?;
        Some(prefix.heads.clone().into_buffer_arg())
    }

    fn padding(&self) -> Option<BufferArg> {
        let padding = self.padding.clone()?;
        Some(padding.into_buffer_arg())
    }

    /// Tokens of all forks.
    fn tokens(&self) -> usize {
        self.prompts * self.forks * self.tail
    }
}

/// The weighted values of every query, `[forks, tail, heads, d_head]`.
pub(in crate::kernels) fn attend(
    heads: CubeTensor,
    prefix: Option<CubeTensor>,
    padding: Option<CubeTensor>,
    shape: AttentionShape,
) -> CubeTensor {
    let call = Call::new(&heads, prefix, padding, shape);
    let [forks, tail, _, d_head] = heads.meta.shape().dims();
    let out = empty(&heads, Shape::new([forks, tail, shape.heads, d_head]));
    let rows = call.tokens() * shape.heads;
    let client = heads.client.clone();
    // SAFETY: a query is below `rows`, its keys are those of its own prompt and fork.
    unsafe {
        attend_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            contiguous(heads).into_buffer_arg(),
            call.prefix().into(),
            call.padding().into(),
            out.clone().into_buffer_arg(),
            call.sizes(rows),
            shape.scale,
            call.plan,
        );
    }
    out
}

/// The gradients by the heads of all tokens, and by those of the prefix where `with_prefix`.
pub(in crate::kernels) fn attend_backward(
    state: Attended<CubeBackend>,
    gradient: CubeTensor,
    with_prefix: bool,
) -> (CubeTensor, Option<CubeTensor>) {
    let Attended {
        prefix,
        padding,
        shape,
        ..
    } = state;
    let [heads, out, gradient] = [state.heads, state.out, gradient].map(contiguous);
    let call = Call::new(&heads, prefix, padding, shape);
    let rows = call.tokens() * shape.heads;
    let client = heads.client.clone();
    let by_heads = empty_like(&heads);
    let statistics = empty(&heads, Shape::new([rows, 2]));
    // SAFETY: as above.
    unsafe {
        by_queries_kernel::launch_unchecked(
            &client,
            row_grid(rows),
            CubeDim::new_1d(UNITS as u32),
            heads.clone().into_buffer_arg(),
            call.prefix().into(),
            call.padding().into(),
            out.into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            by_heads.clone().into_buffer_arg(),
            statistics.clone().into_buffer_arg(),
            call.sizes(rows),
            shape.scale,
            call.plan,
        );
    }
    // Of the tail's own keys and values, or of the prefix's.
    let by_keys = |keys: Option<&Prefix>, to: &CubeTensor, tokens: usize| {
        let rows = tokens * shape.kv_heads;
        let keys = keys.map(|prefix| prefix.heads.clone().into_buffer_arg());
        // SAFETY: a key is below `rows`, its queries are those of its own prompt or fork.
        unsafe {
            by_keys_kernel::launch_unchecked(
                &client,
                row_grid(rows),
                CubeDim::new_1d(UNITS as u32),
                heads.clone().into_buffer_arg(),
                keys.into(),
                call.padding().into(),
                gradient.clone().into_buffer_arg(),
                statistics.clone().into_buffer_arg(),
                to.clone().into_buffer_arg(),
                call.sizes(rows),
                shape.scale,
                call.plan,
            );
        }
    };
    by_keys(None, &by_heads, call.tokens());
    let by_prefix = call.prefix.as_ref().filter(|_| with_prefix).map(|prefix| {
        let (positions, d_head) = (prefix.positions, call.plan.d_head);
        let like = Shape::new([call.prompts, positions, 2 * shape.kv_heads, d_head]);
        let by_prefix = empty(&heads, like);
        by_keys(Some(prefix), &by_prefix, call.prompts * positions);
        by_prefix
    });
    (by_heads, by_prefix)
}

/// The query of a workgroup.
#[derive(CubeType, Clone, Copy)]
struct Query {
    /// Its place among all queries.
    row: usize,
    /// Where it lies in memory.
    place: usize,
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
    let (token, head) = (row / plan.heads, row % plan.heads);
    let fork = token / sizes.tail as usize;
    let position = token % sizes.tail as usize;
    Query {
        row,
        place: own_place(token, head, plan),
        fork,
        position,
        first: first_seen(sizes, padding, fork, sizes.prefix as usize + position),
        kv_head: head / comptime!(plan.heads / plan.kv_heads),
    }
}

/// Where a head of a token of the tail lies: queries first, then keys, then values.
#[cube]
fn own_place(token: usize, head: usize, #[comptime] plan: Plan) -> usize {
    (token * comptime!(plan.heads + 2 * plan.kv_heads) + head) * plan.d_head
}

/// Where a key or value of the prefix lies, by its place among both.
#[cube]
fn prefix_place(sizes: &Sizes, prompt: usize, position: usize, head: usize) -> usize {
    prompt * sizes.by_prompt as usize
        + position * sizes.by_position as usize
        + head * sizes.by_head as usize
}

/// Where key `index` of a query lies, or its value, in the prefix's memory or in the tail's.
#[cube]
fn place(
    sizes: &Sizes,
    query: &Query,
    index: usize,
    #[comptime] is_value: bool,
    #[comptime] plan: Plan,
) -> usize {
    let n_prefix = sizes.prefix as usize;
    let mut head = query.kv_head;
    if comptime!(is_value) {
        head += plan.kv_heads;
    }
    if index < n_prefix {
        prefix_place(sizes, query.fork / sizes.forks as usize, index, head)
    } else {
        let token = query.fork * sizes.tail as usize + index - n_prefix;
        own_place(token, plan.heads + head, plan)
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
    own: &[f32],
    prefix: &ComptimeOption<&[f32]>,
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
        let key = place(sizes, query, index, false, plan);
        score = dot(row, own, prefix, index < n_prefix, key, plan) * scale;
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
    #[comptime] are_values: bool,
    #[comptime] plan: Plan,
) {
    let n_prefix = sizes.prefix as usize;
    let n_keys = n_prefix + query.position + 1;
    for other in 0..at_most(n_keys - first, UNITS) {
        let row = place(sizes, query, first + other, are_values, plan);
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
