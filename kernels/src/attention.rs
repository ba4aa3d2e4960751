//! Grouped-query attention of a run's tail over the prefix that it left from and, causally, over its own tokens.
//!
//! A query's scores are made, turned into weights and used while they are in the cache. On the way back they are made again.

use crate::arithmetic::{add_scaled, dot, exp, largest};
use crate::{Kernel, each_chunk};

/// The shape of one call of attention.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AttentionShape {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys, and of values.
    pub kv_heads: usize,
    /// Forks of a prompt, which share its prefix.
    pub forks: usize,
    /// Positions that a query looks back on, its own among them; `None` for all.
    pub window: Option<usize>,
    /// Factor on the scores.
    pub scale: f32,
}

/// What attention is computed from.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AttentionInputs<'a> {
    /// `[forks of all prompts, tail, heads + 2 · kv_heads, d_head]`, of a token its queries, its keys and its values
    pub heads: &'a [f32],
    /// Keys and values, `[prompts, positions, 2 · kv_heads, d_head]`
    pub prefix: Option<&'a [f32]>,
    /// Positions before the beginning of each prompt, which no other position sees, `[prompts]`, or of the first prompts
    /// where it is the same for further ones.
    pub padding: Option<&'a [f32]>,
    /// How they belong together.
    pub shape: AttentionShape,
    /// Prompts.
    pub prompts: usize,
    /// Positions of a fork.
    pub tail: usize,
    /// Positions of a prefix.
    pub n_prefix: usize,
    /// Numbers of a head.
    pub d_head: usize,
}

/// The weighted values of every query, `[forks of all prompts, tail, heads, d_head]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Attention<'a>(pub AttentionInputs<'a>);

/// The gradients by the heads of all tokens and, where it is asked for, by those of the prefix: of each prompt its forks, one
/// after the other, and its prefix.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AttentionBackward<'a> {
    /// What was computed.
    pub inputs: AttentionInputs<'a>,
    /// The gradient by the weighted values.
    pub gradient: &'a [f32],
    /// Whether the gradient by the prefix is asked for. All forks of a prompt add to it, so that they are one chunk then; else
    /// each is.
    pub with_prefix: bool,
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

impl AttentionInputs<'_> {
    /// Forks of all prompts.
    #[must_use]
    pub fn forks(&self) -> usize {
        self.prompts * self.shape.forks
    }

    /// Numbers of a token: its queries, keys and values.
    #[must_use]
    pub fn width(&self) -> usize {
        (self.shape.heads + 2 * self.shape.kv_heads) * self.d_head
    }

    /// Numbers of a position of the prefix: its keys and values.
    #[must_use]
    pub fn prefix_width(&self) -> usize {
        2 * self.shape.kv_heads * self.d_head
    }

    /// Most keys that a query sees.
    fn most_keys(&self) -> usize {
        self.n_prefix + self.tail
    }

    fn query(&self, fork: usize, position: usize, head: usize) -> Query {
        let at = self.n_prefix + position;
        // Nothing before its prompt, and in the padding itself alone.
        let padded = self.padding.map_or(0, |padding| {
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
        &self.heads[token * self.width() + head * self.d_head..][..self.d_head]
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
                let prefix = self.prefix.unwrap_or_default();
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
    fn weights(&self, query: Query, weights: &mut [f32]) {
        let (row, head) = (self.of_query(query), self.kv_head(query));
        for (key, weight) in (query.first..query.end).zip(weights.iter_mut()) {
            *weight = dot(row, self.seen(query, key, head)) * self.shape.scale;
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

impl Kernel for Attention<'_> {
    fn width(&self) -> usize {
        self.0.shape.heads * self.0.d_head
    }

    fn cost(&self) -> usize {
        self.0.cost()
    }

    fn scratch(&self) -> usize {
        self.0.most_keys()
    }

    fn fill(&self, first: usize, out: &mut [f32], scratch: &mut [f32]) {
        let inputs = &self.0;
        let (tail, d_head) = (inputs.tail, inputs.d_head);
        each_chunk(first, self.width(), out, |token, out| {
            for (head, out) in out.chunks_mut(d_head).enumerate() {
                let query = inputs.query(token / tail, token % tail, head);
                let weights = &mut scratch[..query.end - query.first];
                inputs.weights(query, weights);
                let value = inputs.shape.kv_heads + inputs.kv_head(query);
                out.fill(0.0);
                for (key, &weight) in (query.first..query.end).zip(&*weights) {
                    add_scaled(out, weight, inputs.seen(query, key, value));
                }
            }
        });
    }
}

impl AttentionBackward<'_> {
    /// Forks of a chunk.
    fn together(&self) -> usize {
        if self.with_prefix {
            self.inputs.shape.forks
        } else {
            1
        }
    }

    /// Numbers of a chunk's forks; those after them are by its prefix.
    #[must_use]
    pub fn of_forks(&self) -> usize {
        self.together() * self.inputs.tail * self.inputs.width()
    }

    /// Chunks in all.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.inputs.forks() / self.together().max(1)
    }

    /// Adds what the queries of a fork give back to its own heads, and to its prompt's prefix where that is not empty.
    #[inline(always)]
    fn fork(&self, fork: usize, own: &mut [f32], by_prefix: &mut [f32], scratch: &mut [f32]) {
        let call = &self.inputs;
        let (shape, d_head, n_prefix) = (&call.shape, call.d_head, call.n_prefix);
        let (weights, by_scores) = scratch.split_at_mut(call.most_keys());
        for position in 0..call.tail {
            for head in 0..shape.heads {
                let query = call.query(fork, position, head);
                let token = fork * call.tail + position;
                let gradient = &self.gradient[(token * shape.heads + head) * d_head..][..d_head];
                let (key_head, value_head) =
                    (call.kv_head(query), shape.kv_heads + call.kv_head(query));
                let n_keys = query.end - query.first;
                let (weights, by_scores) = (&mut weights[..n_keys], &mut by_scores[..n_keys]);
                call.weights(query, weights);
                for (key, by_score) in (query.first..query.end).zip(by_scores.iter_mut()) {
                    *by_score = dot(gradient, call.seen(query, key, value_head));
                }
                let along = dot(weights, by_scores);
                for (by_score, &weight) in by_scores.iter_mut().zip(&*weights) {
                    *by_score = weight * (*by_score - along) * shape.scale;
                }
                let row = call.of_query(query);
                let start = position * call.width() + head * d_head;
                let keys = query.first..query.end;
                for (key, (&by_score, &weight)) in keys.zip(by_scores.iter().zip(&*weights)) {
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
}

impl Kernel for AttentionBackward<'_> {
    fn width(&self) -> usize {
        let of_prefix = match self.with_prefix {
            true => self.inputs.n_prefix * self.inputs.prefix_width(),
            false => 0,
        };
        self.of_forks() + of_prefix
    }

    fn cost(&self) -> usize {
        let queries = 4 * self.together() * self.inputs.tail;
        queries.saturating_mul(self.inputs.cost())
    }

    fn scratch(&self) -> usize {
        2 * self.inputs.most_keys()
    }

    fn fill(&self, first: usize, out: &mut [f32], scratch: &mut [f32]) {
        let of_fork = self.inputs.tail * self.inputs.width();
        let together = self.together();
        each_chunk(first, self.width(), out, |chunk, out| {
            out.fill(0.0);
            let (own, by_prefix) = out.split_at_mut(together * of_fork);
            for (index, own) in own.chunks_mut(of_fork.max(1)).enumerate() {
                self.fork(chunk * together + index, own, by_prefix, scratch);
            }
        });
    }
}
