//! The logarithm of a sum of exponentials.

use crate::arithmetic::{exp, largest, sum_of};
use crate::{Kernel, each_chunk};

/// `log Σ exp` of rows, one number each.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct LogSumExp<'a> {
    /// `[rows, width]`
    pub x: &'a [f32],
    /// Numbers of a row.
    pub width: usize,
}

/// Its gradient by `x`, `[rows, width]`: the softmax, times the gradient of the row.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct LogSumExpBackward<'a> {
    /// `[rows, width]`
    pub x: &'a [f32],
    /// What it came to, `[rows]`.
    pub result: &'a [f32],
    /// The gradient by that, `[rows]`.
    pub gradient: &'a [f32],
    /// Numbers of a row.
    pub width: usize,
}

impl Kernel for LogSumExp<'_> {
    fn width(&self) -> usize {
        1
    }

    fn cost(&self) -> usize {
        self.width
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        each_chunk(first, 1, out, |row, out| {
            let x = &self.x[row * self.width..][..self.width];
            let most = largest(x);
            out.fill(most + libm::logf(sum_of(x, x, |x, _| exp(x - most))));
        });
    }
}

impl Kernel for LogSumExpBackward<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        each_chunk(first, self.width, out, |row, out| {
            let (result, gradient) = (self.result[row], self.gradient[row]);
            for (out, &x) in out
                .iter_mut()
                .zip(&self.x[row * self.width..][..self.width])
            {
                *out = exp(x - result) * gradient;
            }
        });
    }
}
