//! Root-mean-square and layer norms of rows.

use crate::arithmetic::{add_scaled, sum_of};
use crate::{Kernel, each_chunk};

/// The norm of rows: `(x − mean) / √(variance + eps) · weight + bias`, without the mean where it is not `centred`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Norm<'a> {
    /// `[rows, width]`
    pub x: &'a [f32],
    /// `[normed, width]`: of every `heads` rows that follow each other, so many are normed, and the others stay as they are.
    pub weight: &'a [f32],
    /// As `weight`.
    pub bias: Option<&'a [f32]>,
    /// Numbers of a row.
    pub width: usize,
    /// Rows that belong together.
    pub heads: usize,
    /// Whether the mean is subtracted.
    pub centred: bool,
    /// Added to the variance.
    pub eps: f32,
}

/// Its gradient by `x`, `[rows, width]`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NormBackward<'a> {
    /// What was computed.
    pub norm: Norm<'a>,
    /// The gradient by the normed rows, `[rows, width]`.
    pub gradient: &'a [f32],
}

impl Norm<'_> {
    /// A row, and its weight and their place where it is normed.
    #[inline(always)]
    fn row(&self, row: usize) -> (&[f32], Option<(&[f32], usize)>) {
        let first = row % self.heads * self.width;
        let weight = self.weight.get(first..first + self.width);
        (
            &self.x[row * self.width..][..self.width],
            weight.map(|weight| (weight, first)),
        )
    }

    /// Mean (0 where it is not subtracted) and one over the deviation of a row.
    #[inline(always)]
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let width = x.len() as f32;
        let mean = match self.centred {
            true => sum_of(x, x, |x, _| x) / width,
            false => 0.0,
        };
        let squares = sum_of(x, x, |x, _| (x - mean) * (x - mean));
        (mean, 1.0 / libm::sqrtf(squares / width + self.eps))
    }
}

impl Kernel for Norm<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        each_chunk(first, self.width, out, |row, out| {
            let (x, weight) = self.row(row);
            let Some((weight, first)) = weight else {
                return out.copy_from_slice(x);
            };
            let (mean, scale) = self.moments(x);
            for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
                *out = (x - mean) * scale * weight;
            }
            if let Some(bias) = self.bias {
                add_scaled(out, 1.0, &bias[first..][..self.width]);
            }
        });
    }
}

impl Kernel for NormBackward<'_> {
    fn width(&self) -> usize {
        self.norm.width
    }

    fn fill(&self, first: usize, out: &mut [f32], _: &mut [f32]) {
        let width = self.norm.width;
        each_chunk(first, width, out, |row, out| {
            let (x, weight) = self.norm.row(row);
            let gradient = &self.gradient[row * width..][..width];
            let Some((weight, _)) = weight else {
                return out.copy_from_slice(gradient);
            };
            // With y the normed x and g the gradient by it: dx = scale · (g − mean(g) − y · mean(g·y)).
            let (mean, scale) = self.norm.moments(x);
            for ((out, &gradient), &weight) in out.iter_mut().zip(gradient).zip(weight) {
                *out = gradient * weight;
            }
            let along = sum_of(out, x, |g, x| g * (x - mean)) * scale / width as f32;
            let offset = match self.norm.centred {
                true => sum_of(out, x, |g, _| g) / width as f32,
                false => 0.0,
            };
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (*out - offset - (x - mean) * scale * along) * scale;
            }
        });
    }
}
