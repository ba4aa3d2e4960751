//! Matrix products: the library's, with bias and residual added to what it gives.

use burn::backend::ops::{FloatTensorOps, QTensorOps};
use burn::tensor::{DType, FloatDType};
use burn_flex::{Flex, FlexTensor};

use super::{Numbers, slice};
use crate::kernels::Weight;

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
    let mut out = Flex::float_matmul(x, weight);
    if bias.is_none() && residual.is_none() {
        return out;
    }
    out = out.to_contiguous();
    let [_, width] = out.layout().shape().dims();
    let (bias, residual) = (bias.map(Numbers::of), residual.map(Numbers::of));
    let (bias, residual) = (slice(bias.as_ref()), slice(residual.as_ref()));
    add_rows(out.storage_mut(), width, bias, residual);
    out
}

/// Adds what there is to every row.
fn add_rows(out: &mut [f32], width: usize, bias: Option<&[f32]>, residual: Option<&[f32]>) {
    use rayon::prelude::*;
    let add = |out: &mut [f32], x: &[f32]| {
        for (out, x) in out.iter_mut().zip(x) {
            *out += x;
        }
    };
    out.par_chunks_mut(width.max(1))
        .with_min_len(super::LEAST.div_ceil(width.max(1)))
        .enumerate()
        .for_each(|(row, out)| {
            if let Some(bias) = bias {
                add(out, bias);
            }
            if let Some(residual) = residual {
                add(out, &residual[row * width..][..width]);
            }
        });
}
