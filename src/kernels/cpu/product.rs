//! Matrix products: the library's, with bias and residual added to what it gives.

use burn::backend::ops::{FloatTensorOps, QTensorOps};
use burn::tensor::{DType, FloatDType};
use burn_flex::{Flex, FlexTensor};

use super::{Numbers, slice, tensor};
use crate::kernels::Weight;

/// Rows up to which the library multiplies the other way round, `Wᵀ · xᵀ`: then it packs the few numbers of `x` and reads the
/// weights as they lie, instead of packing them for each product. What it gives has to be turned, which takes as long for many
/// rows. On other processors it packs the weights either way.
const FEW_ROWS: usize = if cfg!(target_arch = "x86_64") { 256 } else { 0 };
/// Rows and columns of a square that is turned at once: a line of the cache is so many numbers.
const TURNED: usize = 16;

/// `x · W + bias + residual`; the weight lies as `[out, in]` where it is `transposed`. It is unpacked first.
pub(in crate::kernels) fn product(
    x: FlexTensor,
    weight: Weight<Flex>,
    bias: Option<FlexTensor>,
    residual: Option<FlexTensor>,
    transposed: bool,
) -> FlexTensor {
    let weight = match weight {
        Weight::Float(weight) if weight.dtype() == DType::F32 => weight,
        Weight::Float(weight) => Flex::float_cast(weight, FloatDType::F32),
        Weight::Eight(weight) => Flex::dequantize(weight, FloatDType::F32),
    };
    let weight = match transposed {
        true => weight.transpose(0, 1),
        false => weight,
    };
    let [rows, _] = x.layout().shape().dims();
    let (bias, residual) = (bias.map(Numbers::of), residual.map(Numbers::of));
    let added = Added {
        bias: slice(bias.as_ref()),
        residual: slice(residual.as_ref()),
    };
    if rows <= FEW_ROWS {
        let turned = Flex::float_matmul(weight.transpose(0, 1), x.transpose(0, 1));
        return added.to_turned(&turned.to_contiguous(), rows);
    }
    added.to(Flex::float_matmul(x, weight))
}

/// What is added to every row of a product.
struct Added<'a> {
    /// `[columns]`
    bias: Option<&'a [f32]>,
    /// `[rows, columns]`
    residual: Option<&'a [f32]>,
}

impl Added<'_> {
    /// To a product, `[rows, columns]`.
    fn to(&self, product: FlexTensor) -> FlexTensor {
        if self.bias.is_none() && self.residual.is_none() {
            return product;
        }
        let mut out = product.to_contiguous();
        let [_, width] = out.layout().shape().dims();
        each_share(out.storage_mut(), width, 1, |row, out| {
            self.to_row(row, out)
        });
        out
    }

    /// To a product that lies the other way round, `[columns, rows]`; returns `[rows, columns]`.
    fn to_turned(&self, product: &FlexTensor, rows: usize) -> FlexTensor {
        let turned: &[f32] = product.as_slice().unwrap_or_default();
        let columns = turned.len() / rows.max(1);
        let mut out = vec![0.0; turned.len()];
        each_share(&mut out, columns, TURNED, |first, out| {
            let rows_here = out.len() / columns;
            // Square by square, so that whole lines of the cache are written.
            for (square, from) in turned.chunks(TURNED * rows).enumerate() {
                let mut tile = [[0.0; TURNED]; TURNED];
                for (column, from) in from.chunks_exact(rows).enumerate() {
                    for (tile, &x) in tile.iter_mut().zip(&from[first..][..rows_here]) {
                        tile[column] = x;
                    }
                }
                for (out, tile) in out.chunks_exact_mut(columns).zip(&tile) {
                    for (out, &x) in out[square * TURNED..].iter_mut().zip(tile) {
                        *out = x;
                    }
                }
            }
            for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                self.to_row(first + row, out);
            }
        });
        tensor(out, [rows, columns])
    }

    fn to_row(&self, row: usize, out: &mut [f32]) {
        let residual = self
            .residual
            .map(|all| &all[row * out.len()..][..out.len()]);
        for numbers in [self.bias, residual].into_iter().flatten() {
            for (out, x) in out.iter_mut().zip(numbers) {
                *out += x;
            }
        }
    }
}

/// Gives `work` some rows at a time with the place of the first, on all threads.
fn each_share(out: &mut [f32], width: usize, rows: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    use rayon::prelude::*;
    let share = width.max(1) * rows;
    out.par_chunks_mut(share)
        .with_min_len(super::LEAST.div_ceil(share))
        .enumerate()
        .for_each(|(index, out)| work(index * rows, out));
}
