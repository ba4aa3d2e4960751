//! The rotary embedding of positions.

use crate::{Kernel, each_chunk};

/// Heads rotated by their position, in the half-split layout of transformers' `rotate_half`: dimension `i` is paired with
/// `i + dimensions / 2`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Rotation<'a> {
    /// `[forks, tail, heads, d_head]`
    pub x: &'a [f32],
    /// `[tail, dimensions]`
    pub cos: &'a [f32],
    /// `[tail, dimensions]`
    pub sin: &'a [f32],
    /// Positions of a fork.
    pub tail: usize,
    /// Heads of a token.
    pub heads: usize,
    /// Numbers of a head.
    pub d_head: usize,
    /// How many of the heads are rotated; the others stay as they are.
    pub rotated: usize,
    /// How many numbers of a head are; the others stay as they are.
    pub dimensions: usize,
    /// Whether it is the gradient's way back.
    pub back: bool,
}

impl Kernel for Rotation<'_> {
    fn width(&self) -> usize {
        self.heads * self.d_head
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        let Self {
            tail,
            d_head,
            rotated,
            dimensions,
            ..
        } = *self;
        let half = dimensions / 2;
        let width = self.width();
        each_chunk(first, width, out, |token, out| {
            let table = token % tail * dimensions;
            let (cos, sin) = (
                &self.cos[table..][..dimensions],
                &self.sin[table..][..dimensions],
            );
            let ((cos, other_cos), (sin, other_sin)) = (cos.split_at(half), sin.split_at(half));
            let x = &self.x[token * width..][..width];
            out.copy_from_slice(x);
            for (out, x) in out.chunks_mut(d_head).zip(x.chunks(d_head)).take(rotated) {
                let (first, others) = out.split_at_mut(half);
                let (x, y) = (&x[..half], &x[half..dimensions]);
                for i in 0..half {
                    // What a number was turned into stands in the other half.
                    let (to_first, to_other) = match self.back {
                        false => (-sin[i], other_sin[i]),
                        true => (other_sin[i], -sin[i]),
                    };
                    first[i] = x[i] * cos[i] + y[i] * to_first;
                    others[i] = y[i] * other_cos[i] + x[i] * to_other;
                }
            }
        });
    }
}
