//! Grouped-query attention of a run's tail over the prefix that it left from and, causally, over its own tokens.
//!
//! A query's scores are made, turned into weights and used while they are in the cache. On the way back they are made again.

use burn_flex::{Flex, FlexTensor};

use super::vector::{add_scaled, dot, exp, largest};
use super::{Numbers, each_chunk, tensor};
use crate::kernels::AttentionShape;
use crate::kernels::backward::Attended;

/// The inputs of one call.
struct Call {
    heads: Numbers,
    prefix: Option<Numbers>,
    padding: Option<Numbers>,
    shape: AttentionShape,
    prompts: usize,
    tail: usize,
    n_prefix: usize,
    d_head: usize,
}

/// A query, and what it sees.
#[derive(Clone, Copy)]
struct Query {
    fork: usize,
    /// Its position in the tail.
    position: usize,
    head: usize,
    /// The first key that it sees, and the one after the last.
    first: usize,
    end: usize,
}

impl Call {
    fn new(
        heads: FlexTensor,
        prefix: Option<FlexTensor>,
        padding: Option<FlexTensor>,
        shape: AttentionShape,
    ) -> Self {
        let [forks, tail, _, d_head] = heads.layout().shape().dims();
        Self {
            n_prefix: prefix.as_ref().map_or(0, |x| x.layout().shape()[1]),
            heads: Numbers::of(heads),
            prefix: prefix.map(Numbers::of),
            padding: padding.map(Numbers::of),
            prompts: forks / shape.forks.max(1),
            shape,
            tail,
            d_head,
        }
    }

    fn forks(&self) -> usize {
        self.prompts * self.shape.forks
    }

    /// Numbers of a token: its queries, keys and values.
    fn width(&self) -> usize {
        (self.shape.heads + 2 * self.shape.kv_heads) * self.d_head
    }

    /// Numbers of a position of the prefix: its keys and values.
    fn prefix_width(&self) -> usize {
        2 * self.shape.kv_heads * self.d_head
    }

    fn query(&self, fork: usize, position: usize, head: usize) -> Query {
        let at = self.n_prefix + position;
        // Nothing before its prompt, and in the padding itself alone.
        let padded = self.padding.as_ref().map_or(0, |padding| {
            let padding = padding.slice();
            padding[fork / self.shape.forks % padding.len()] as usize
        });
        let windowed = self
            .shape
            .window
            .map_or(0, |window| (at + 1).saturating_sub(window));
        Query {
            fork,
            position,
            head,
            first: padded.min(at).max(windowed),
            end: at + 1,
        }
    }

    /// A head of a token of the tail: queries first, then keys, then values.
    #[inline(always)]
    fn own(&self, token: usize, head: usize) -> &[f32] {
        &self.heads.slice()[token * self.width() + head * self.d_head..][..self.d_head]
    }

    #[inline(always)]
    fn of_query(&self, query: Query) -> &[f32] {
        self.own(query.fork * self.tail + query.position, query.head)
    }

    /// The key or value of a query, by its head among both.
    #[inline(always)]
    fn seen(&self, query: Query, key: usize, head: usize) -> &[f32] {
        match key.checked_sub(self.n_prefix) {
            Some(own) => self.own(query.fork * self.tail + own, self.shape.heads + head),
            None => {
                let prefix = self.prefix.as_ref().map(Numbers::slice).unwrap_or_default();
                let position = query.fork / self.shape.forks * self.n_prefix + key;
                &prefix[position * self.prefix_width() + head * self.d_head..][..self.d_head]
            }
        }
    }

    fn kv_head(&self, query: Query) -> usize {
        query.head / (self.shape.heads / self.shape.kv_heads)
    }

    /// The weights of the keys that a query sees.
    #[inline(always)]
    fn weights(&self, query: Query, weights: &mut Vec<f32>) {
        let (row, head) = (self.of_query(query), self.kv_head(query));
        weights.clear();
        for key in query.first..query.end {
            weights.push(dot(row, self.seen(query, key, head)) * self.shape.scale);
        }
        let most = largest(weights);
        for weight in weights.iter_mut() {
            *weight = exp(*weight - most);
        }
        let mass: f32 = weights.iter().sum();
        for weight in weights.iter_mut() {
            *weight /= mass;
        }
    }

    /// Numbers that a token's attention goes over.
    fn cost(&self) -> usize {
        2 * (self.n_prefix + self.tail) * self.shape.heads * self.d_head
    }
}

/// The weighted values of every query, `[forks, tail, heads, d_head]`.
pub(in crate::kernels) fn attend(
    heads: FlexTensor,
    prefix: Option<FlexTensor>,
    padding: Option<FlexTensor>,
    shape: AttentionShape,
) -> FlexTensor {
    let call = Call::new(heads, prefix, padding, shape);
    let (tail, d_head) = (call.tail, call.d_head);
    let width = shape.heads * d_head;
    let mut out = vec![0.0; call.forks() * tail * width];
    each_chunk(&mut out, width, call.cost(), |token, out| {
        let mut weights = Vec::with_capacity(call.n_prefix + tail);
        for (head, out) in out.chunks_mut(d_head).enumerate() {
            let query = call.query(token / tail, token % tail, head);
            call.weights(query, &mut weights);
            let value = shape.kv_heads + call.kv_head(query);
            for (key, &weight) in (query.first..query.end).zip(&weights) {
                add_scaled(out, weight, call.seen(query, key, value));
            }
        }
    });
    tensor(out, [call.forks(), tail, shape.heads, d_head])
}

/// The gradients by the heads of all tokens, and by those of the prefix where `with_prefix`.
pub(in crate::kernels) fn attend_backward(
    state: Attended<Flex>,
    gradient: FlexTensor,
    with_prefix: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let shape = state.shape;
    let call = Call::new(state.heads, state.prefix, state.padding, shape);
    let gradient = Numbers::of(gradient);
    let gradient = gradient.slice();
    let (tail, n_prefix) = (call.tail, call.n_prefix);
    let of_fork = tail * call.width();
    let of_prefix = match with_prefix {
        true => n_prefix * call.prefix_width(),
        false => 0,
    };
    // All forks of a prompt add to the gradient by its prefix, so that they go together where it is asked for.
    let together = if with_prefix { shape.forks } else { 1 };
    let share = together * of_fork + of_prefix;
    let n_shares = call.forks() / together.max(1);
    let mut out = vec![0.0; n_shares * share];
    each_chunk(
        &mut out,
        share,
        4 * together * tail * call.cost(),
        |place, out| {
            let (own, by_prefix) = out.split_at_mut(together * of_fork);
            for (index, own) in own.chunks_mut(of_fork).enumerate() {
                fork_backward(&call, place * together + index, gradient, own, by_prefix);
            }
        },
    );
    let d_head = call.d_head;
    let like = [call.forks(), tail, shape.heads + 2 * shape.kv_heads, d_head];
    if !with_prefix {
        return (tensor(out, like), None);
    }
    let mut own = Vec::with_capacity(call.forks() * of_fork);
    let mut by_prefix = Vec::with_capacity(call.prompts * of_prefix);
    for share in out.chunks(share) {
        let (of_forks, of_prefix) = share.split_at(together * of_fork);
        own.extend_from_slice(of_forks);
        by_prefix.extend_from_slice(of_prefix);
    }
    let like_prefix = [call.prompts, n_prefix, 2 * shape.kv_heads, d_head];
    (tensor(own, like), Some(tensor(by_prefix, like_prefix)))
}

/// Adds what the queries of a fork give back to its own heads, and to its prompt's prefix where that is not empty.
#[inline(always)]
fn fork_backward(
    call: &Call,
    fork: usize,
    gradient: &[f32],
    own: &mut [f32],
    by_prefix: &mut [f32],
) {
    let (shape, d_head, n_prefix) = (&call.shape, call.d_head, call.n_prefix);
    let mut weights = Vec::with_capacity(n_prefix + call.tail);
    let mut by_scores = Vec::with_capacity(n_prefix + call.tail);
    for position in 0..call.tail {
        for head in 0..shape.heads {
            let query = call.query(fork, position, head);
            let token = fork * call.tail + position;
            let gradient = &gradient[(token * shape.heads + head) * d_head..][..d_head];
            let (key_head, value_head) =
                (call.kv_head(query), shape.kv_heads + call.kv_head(query));
            call.weights(query, &mut weights);
            by_scores.clear();
            for key in query.first..query.end {
                by_scores.push(dot(gradient, call.seen(query, key, value_head)));
            }
            let along = dot(&weights, &by_scores);
            for (by_score, &weight) in by_scores.iter_mut().zip(&weights) {
                *by_score = weight * (*by_score - along) * shape.scale;
            }
            let row = call.of_query(query);
            let start = position * call.width() + head * d_head;
            let keys = query.first..query.end;
            for (key, (&by_score, &weight)) in keys.zip(by_scores.iter().zip(&weights)) {
                let by_query = &mut own[start..][..d_head];
                add_scaled(by_query, by_score, call.seen(query, key, key_head));
                let (to, at) = match key.checked_sub(n_prefix) {
                    Some(key) => (&mut *own, key * call.width() + shape.heads * d_head),
                    None if by_prefix.is_empty() => continue,
                    None => (&mut *by_prefix, key * call.prefix_width()),
                };
                add_scaled(&mut to[at + key_head * d_head..][..d_head], by_score, row);
                add_scaled(
                    &mut to[at + value_head * d_head..][..d_head],
                    weight,
                    gradient,
                );
            }
        }
    }
}
